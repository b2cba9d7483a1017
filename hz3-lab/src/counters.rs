//! What the kernel and the processor counted of an execution: `hz3-time --counters` asks them by `perf_event_open`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that is asked for, as tables have it.
pub const NAMES: [&str; 8] = [
    "cycles",
    "instructions",
    "branch-misses",
    "cache-misses",
    "tlb-misses",
    "page-faults",
    "context-switches",
    "migrations",
];

/// What was counted of one execution, its threads and its children.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// By name; what shared a register with others is scaled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, f64>,
    /// What could not be counted, or not wholly, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, String>,
}

/// What is missing, for people: names of one reason together.
pub fn reasons(missing: &BTreeMap<String, String>) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in NAMES {
        if let Some(reason) = missing.get(name) {
            by_reason.entry(reason).or_default().push(name);
        }
    }
    by_reason
        .into_iter()
        .map(|(reason, names)| format!("{}: {reason}", names.join(", ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_once_for_each_reason() {
        let missing = [
            ("cycles", "no PMU"),
            ("tlb-misses", "no PMU"),
            ("migrations", "not allowed"),
        ];
        let missing = missing.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        assert_eq!(
            reasons(&missing),
            ["cycles, tlb-misses: no PMU", "migrations: not allowed"]
        );
    }
}
