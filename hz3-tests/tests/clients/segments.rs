//! Segments of another length (`arena.segment`): clients that take many pages, large objects and whole segments, under one variant of
//! `variants/`. `HZ3_TEST_WHOLE` names others, under which all cases run (`.ci/segments`).

use crate::cases::CASES;
use hz3_tests::Allocator;
use libtest_mimic::Trial;

/// The one that `cargo test` builds.
const USUAL: &str = "segment-8m";

const FEW: [&str; 9] = [
    "abi_large",
    "ranges",
    "threads_minstack",
    "fork_storm",
    "limits_later",
    "memory_phases",
    "memory_untouched",
    "memory_holes",
    "memory_maps",
];

pub fn trials(named: &[String]) -> Vec<Trial> {
    let whole: Vec<&str> = named
        .iter()
        .map(String::as_str)
        .filter(|name| name.starts_with("segment-"))
        .collect();
    let few = CASES
        .iter()
        .filter(|case| FEW.contains(&case.name))
        .map(|case| (USUAL, case));
    let all = whole.iter().flat_map(|name| CASES.iter().map(|case| (*name, case)));
    let trial = |(name, case)| crate::trial(name, case, Allocator::variant);
    if whole.is_empty() {
        few.map(trial).collect()
    } else {
        all.map(trial).collect()
    }
}
