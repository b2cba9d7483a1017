//! Configs, loaded and compared.

use crate::style;
use hz3_config::remarks::Remark;
use hz3_config::{Diagnostics, Plan};
use hz3_project::{Code, Error, Outcome, Place, file, name};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A config that was asked for.
pub struct Loaded {
    /// What the user called it.
    pub given: String,
    /// Its file; none if there is no such config.
    pub path: Option<PathBuf>,
    /// What it says, or what is wrong with it.
    pub plan: Result<Plan, Fault>,
}

/// What is wrong with a config.
pub enum Fault {
    /// It cannot be found.
    Missing(Error),
    /// It says what it must not say.
    Says(Diagnostics),
}

impl Fault {
    /// Tells all of it on stderr.
    fn report(&self, path: Option<&Path>) {
        match self {
            Fault::Missing(failure) => style::report(failure),
            Fault::Says(faults) => {
                eprintln!("{}", faults.render(style::stderr_colour()));
                style::report(&told(path.unwrap_or(Path::new("")), faults));
            }
        }
    }
}

/// How many faults a config has, which were told.
fn told(path: &Path, faults: &Diagnostics) -> Error {
    Error::bad_input(format!("{}: {}", shown(path).display(), errors(faults.items().len())))
}

/// `1 error`, `2 errors`.
pub fn errors(n: usize) -> String {
    format!("{n} {}", if n == 1 { "error" } else { "errors" })
}

/// Loads the configs `given`, or all of `configs/` if none is; one that is given twice is loaded once. All faults of all of
/// them go to stderr: nobody wants to hear of them one by one.
pub fn load_each(place: &Place, given: &[String]) -> Result<Vec<Loaded>, Error> {
    let names = if given.is_empty() {
        place.config_names()
    } else {
        given.to_vec()
    };
    if names.is_empty() {
        return Err(Error::bad_input(format!("no config in {}", place.configs().display()))
            .help("write configs/<name>.toml with a `name` and a `description`, or: cargo hz3 new <name>"));
    }
    let mut all: Vec<Loaded> = Vec::new();
    for given in names {
        let found = name::config(place, &given);
        let path = found.as_ref().ok().cloned();
        let same = |other: &Path, path: &Path| other == path || file::same(other, path);
        let loaded = |path: &PathBuf| {
            all.iter()
                .filter_map(|other| other.path.as_ref())
                .any(|other| same(other, path))
        };
        if path.as_ref().is_some_and(loaded) {
            continue;
        }
        let plan = found
            .map_err(Fault::Missing)
            .and_then(|path| hz3_config::load(&shown(&path)).map_err(Fault::Says));
        if let Err(fault) = &plan {
            fault.report(path.as_deref());
        }
        all.push(Loaded { given, path, plan });
    }
    Ok(all)
}

/// Loads the configs `given`, or all of `configs/` if none is, as sound configs of different names.
pub fn load_all(place: &Place, given: &[String]) -> Result<Vec<Plan>, Error> {
    let loaded = load_each(place, given)?;
    let all = loaded.len();
    let plans: Vec<Plan> = loaded.into_iter().filter_map(|one| one.plan.ok()).collect();
    bad(all - plans.len(), all)?;
    distinct(&plans)?;
    Ok(plans)
}

/// Fails if so many of all configs are bad. Their faults were told.
pub fn bad(bad: usize, all: usize) -> Outcome {
    match (bad, all) {
        (0, _) => Ok(()),
        (_, 1) => Err(Error::silent(Code::BadInput)),
        _ => Err(Error::bad_input(format!("{bad} of {all} configs are bad"))),
    }
}

/// Fails if two files are configs of one name: they would be one library.
pub fn distinct(plans: &[Plan]) -> Outcome {
    for (i, plan) in plans.iter().enumerate() {
        if let Some(other) = plans[..i].iter().find(|other| other.name == plan.name) {
            let message = format!(
                "{} and {} are both called `{}`",
                shown_source(other),
                shown_source(plan),
                plan.name
            );
            return Err(Error::bad_input(message).help("a name stands for one library: give one of them another name"));
        }
    }
    Ok(())
}

/// The file of a plan, as [`shown`].
pub fn shown_source(plan: &Plan) -> String {
    plan.sources
        .first()
        .map_or_else(String::new, |path| shown(path).display().to_string())
}

/// Loads one config. Its faults go to stderr.
pub fn load(path: &Path) -> Result<Plan, Error> {
    hz3_config::load(&shown(path)).map_err(|faults| {
        eprintln!("{}", faults.render(style::stderr_colour()));
        told(path, &faults)
    })
}

/// The path as a user in the current folder would write it: diagnostics follow from it.
pub fn shown(path: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned))
        .filter(|path| !path.as_os_str().is_empty())
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

/// Says on stderr what is worth knowing about a config: those remarks that `wanted` takes.
pub fn report_remarks(plan: &Plan, wanted: impl Fn(&Remark) -> bool) {
    for remark in hz3_config::remarks::of(plan).iter().filter(|remark| wanted(remark)) {
        eprintln!("{}: `{}`: {}", style::note("remark"), plan.name, remark.text);
    }
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
}
