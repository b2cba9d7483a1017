//! Configs, loaded and compared.

use crate::failure::{Code, Failure};
use crate::project::Project;
use crate::style;
use hz3_config::Plan;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Loads the configs `given`, or all of `configs/` if none is. All faults of all of them go to stderr before this
/// fails: nobody wants to hear of them one by one.
pub fn load_all(project: &Project, given: &[String]) -> Result<Vec<Plan>, Failure> {
    let names = if given.is_empty() {
        project.config_names()
    } else {
        given.to_vec()
    };
    if names.is_empty() {
        return Err(
            Failure::bad_input(format!("no config in {}", project.configs().display()))
                .help("write configs/<name>.toml with a `name` and a `description`"),
        );
    }
    let (mut plans, mut bad) = (Vec::new(), 0);
    for name in &names {
        match project.config(name).and_then(|path| load(&path)) {
            Ok(plan) => plans.push(plan),
            Err(failure) => {
                failure.report();
                bad += 1;
            }
        }
    }
    match (bad, names.len()) {
        (0, _) => Ok(plans),
        (_, 1) => Err(Failure::silent(Code::BadInput)),
        (bad, all) => Err(Failure::bad_input(format!("{bad} of {all} configs are bad"))),
    }
}

/// Loads one config. Its faults go to stderr.
pub fn load(path: &Path) -> Result<Plan, Failure> {
    hz3_config::load(&shown(path)).map_err(|faults| {
        eprintln!("{}", faults.render(style::stderr_colour()));
        let n = faults.items().len();
        Failure::bad_input(format!(
            "{}: {n} {}",
            shown(path).display(),
            if n == 1 { "error" } else { "errors" }
        ))
    })
}

/// The path as a user in the current folder would write it: diagnostics follow from it.
pub fn shown(path: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned))
        .unwrap_or_else(|| path.to_owned())
}

/// Groups of plans from which the same code is generated; each group has two names or more.
pub fn identical(plans: &[Plan]) -> Vec<Vec<&str>> {
    let mut groups: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for plan in plans {
        let names = groups.entry(plan.code_hash.0).or_default();
        if !names.contains(&plan.name.as_str()) {
            names.push(&plan.name);
        }
    }
    groups.into_values().filter(|names| names.len() > 1).collect()
}

/// Says on stderr which plans are identical; `true` if any are.
pub fn report_identical(plans: &[Plan]) -> bool {
    let groups = identical(plans);
    for names in &groups {
        eprintln!(
            "{}: {} are one allocator: their tables and code are identical",
            style::warning("warning"),
            quoted(names)
        );
    }
    !groups.is_empty()
}

/// `` `a`, `b` and `c` ``.
pub fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Repeats on stderr why a config's hypothesis does not hold, if it says so.
pub fn report_refuted(plan: &Plan) {
    if let Some(reason) = &plan.refuted {
        eprintln!("{}: `{}` is refuted: {reason}", style::warning("warning"), plan.name);
    }
}

/// A TOML text as lines `key = value`, the keys in full, sorted. Arrays stay on one line.
pub fn flatten(text: &str) -> Result<BTreeMap<String, String>, Failure> {
    let table: toml::Table =
        toml::from_str(text).map_err(|e| Failure::failed(format!("the resolved config is not TOML: {e}")))?;
    let mut flat = BTreeMap::new();
    fn walk(prefix: &str, table: &toml::Table, flat: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let key = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            match value {
                toml::Value::Table(inner) => walk(&key, inner, flat),
                other => {
                    flat.insert(key, other.to_string());
                }
            }
        }
    }
    walk("", &table, &mut flat);
    Ok(flat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names() {
        assert_eq!(quoted(&["a"]), "`a`");
        assert_eq!(quoted(&["a", "b"]), "`a` and `b`");
        assert_eq!(quoted(&["a", "b", "c"]), "`a`, `b` and `c`");
    }

    #[test]
    fn flat_keys() {
        let flat = flatten("name = \"x\"\n[a]\nb = 1\n[a.c]\nd = [1, 2]\n").unwrap();
        let lines: Vec<String> = flat.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        assert_eq!(lines, ["a.b = 1", "a.c.d = [1, 2]", "name = \"x\""]);
    }
}
