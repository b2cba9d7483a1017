//! What the contenders' configs say: their differences, and the waste that follows from their tables.

use crate::record::Record;
use hz3_config::plan::Plan;
use hz3_project::library::note::keys;
use std::collections::BTreeMap;
use std::path::Path;

/// Keys on which the variants of a record differ: the key, and each variant's value.
pub fn differences(record: &Record) -> (Vec<&str>, Vec<(String, Vec<String>)>) {
    let variants: Vec<(&str, BTreeMap<String, String>)> = record
        .libraries
        .iter()
        .filter(|l| !l.config.is_empty())
        .map(|l| (l.label.as_str(), keys(&l.config)))
        .collect();
    let keys: std::collections::BTreeSet<&String> = variants.iter().flat_map(|v| v.1.keys()).collect();
    let mut rows = Vec::new();
    for key in keys {
        let values: Vec<String> = variants
            .iter()
            .map(|v| v.1.get(key).cloned().unwrap_or_default())
            .collect();
        if values.iter().any(|v| *v != values[0]) {
            rows.push((key.clone(), values));
        }
    }
    (variants.iter().map(|v| v.0).collect(), rows)
}

/// A contender's plan, from the config in its library. A config's name is its file's.
pub fn plan(config: &str) -> Option<Plan> {
    let name = keys(config).remove("name")?;
    let name = name.trim_matches('"');
    hz3_config::load_str(&Path::new("/").join(format!("{name}.toml")), config).ok()
}

/// Share of the memory behind a request that it leaves unused, for each size from 1 to the largest class: what the
/// object has too much, and the object's part of its run's tail.
pub fn waste(plan: &Plan) -> Vec<f64> {
    let mut out = Vec::new();
    let mut size = 1u32;
    for class in &plan.classes {
        let behind = f64::from(class.size) + f64::from(class.tail_waste) / f64::from(class.objects.max(1));
        while size <= class.size {
            out.push(1.0 - f64::from(size) / behind);
            size += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waste_of_a_plan_from_its_resolved_text() {
        let short = "name = \"x\"\ndescription = \"d\"\n";
        let first = hz3_config::load_str(Path::new("/x.toml"), short).unwrap();
        let plan = plan(&first.resolved).unwrap();
        assert_eq!(plan.hash, first.hash);
        let w = waste(&plan);
        assert_eq!(w.len(), plan.classes.last().unwrap().size as usize);
        assert!(w.iter().all(|v| (0.0..1.0).contains(v)));
        assert!(w[0] > 0.9 && w[15] < 0.1, "{} {}", w[0], w[15]);
    }

    #[test]
    fn only_what_differs_is_shown() {
        let mut r = crate::ledger::tests::sample("x", "2026-01-01T00:00:00Z");
        r.libraries[0].config = "name = \"a\"\n[cache]\nk = 2\nsame = 1\n".into();
        r.libraries[1].config = "name = \"b\"\n[cache]\nk = 3\nsame = 1\n".into();
        let (names, rows) = differences(&r);
        assert_eq!(names, ["a", "b"]);
        let keys: Vec<&str> = rows.iter().map(|r| r.0.as_str()).collect();
        assert_eq!(keys, ["cache.k", "name"]);
    }
}
