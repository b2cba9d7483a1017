//! Lists of processors: threads that move between them, and what is there without restartable sequences.

use hz3_config::plan::Per;
use hz3_tests::{Allocator, Run, client, place};
use libtest_mimic::{Failed, Trial};

/// The C library's setting under which it has no area for them.
const NONE: (&str, &str) = ("GLIBC_TUNABLES", "glibc.pthread.rseq=0");

/// Name, client, arguments, and whether sequences can be had.
const CASES: &[(&str, &str, &[&str], bool)] = &[
    ("threads_hop", "threads_hop", &["8", "40000"], true),
    ("threads_hop_many", "threads_hop", &["200", "1000"], true),
    ("threads_hop_without", "threads_hop", &["8", "20000"], false),
    ("threads_sleep", "threads_sleep", &["300", "65536"], true),
    ("threads_pattern_without", "threads_pattern", &["8", "20000"], false),
    ("fork_storm_without", "fork_storm", &["20"], false),
];

pub fn trials(name: &str) -> Vec<Trial> {
    let plan = hz3_config::load(&place::config(name));
    if plan.is_ok_and(|plan| plan.policy.cache.per == Per::Thread) {
        return Vec::new();
    }
    let trial = |&(case, program, arguments, sequences): &(&str, &'static str, &'static [&str], bool)| {
        let variant = name.to_owned();
        Trial::test(format!("{name}::{case}"), move || {
            run(&variant, program, arguments, sequences)
        })
    };
    CASES.iter().map(trial).collect()
}

fn run(variant: &str, program: &str, arguments: &[&str], sequences: bool) -> Result<(), Failed> {
    let mut run = Run::new(client::build(program)?, &Allocator::variant(variant)?).args(arguments);
    if !sequences {
        run = run.env(NONE.0, NONE.1);
    }
    Ok(run.success().map(drop)?)
}
