//! Heap profiles in pprof's format.

use crate::Target;
use hz3_config::Plan;
use hz3_lab::profile::held::Held;
use hz3_lab::profile::waste::{self, Waste};
use hz3_lab::profile::{Profile, Which, growth, same_process};
use hz3_lab::workload::births::{Births, Grain};
use std::path::Path;
use std::sync::LazyLock;

pub(crate) const TARGET: Target = Target {
    name: "profile",
    about: "a heap profile (pprof): reading, writing, and everything that is shown of one",
    run: |data| check(data, |_| {}),
    // A fault to be found: a stack that is there twice.
    planted: |data| {
        check(data, |profile| {
            if let Some(stack) = profile.stacks.first().filter(|stack| stack.len() > 1) {
                profile.stacks.push(stack.clone());
                profile.rows.iter_mut().for_each(|row| row.stack = 0);
            }
        });
    },
};

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    hz3_config::load_str(
        Path::new("/hz3-fuzz/fuzz.toml"),
        "name = \"fuzz\"\ndescription = \"default\"\nextends = \"hz3:default\"\n",
    )
    .unwrap_or_else(|faults| panic!("{faults}"))
});

fn check(data: &[u8], fault: fn(&mut Profile)) {
    let Ok(mut profile) = Profile::read(data) else { return };
    fault(&mut profile);
    let read = |bytes: &[u8]| {
        Profile::read(bytes).unwrap_or_else(|e| panic!("what was written cannot be read: {}", e.message))
    };
    let plain = profile.write_plain();
    let again = read(&plain);
    assert_eq!(again, profile);
    assert_eq!(again.write_plain(), plain);
    assert_eq!(read(&profile.write()), profile);

    profile.report(10);
    let bytes = |which| profile.rows(which).map(|row| row.bytes).sum::<u64>();
    for which in [Which::InUse, Which::Allocated] {
        let lines = profile.collapsed(which);
        let sum: u64 = lines
            .lines()
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
            .sum();
        assert_eq!(sum, bytes(which), "{lines}");
        profile.sizes(which);
    }
    profile.speedscope().to_string();
    profile.against(&profile);
    assert!(same_process(&profile, &profile) || !growth(&profile, &profile).iter().any(|g| g.more.value != 0.0));
    let sites = profile.sites();
    for weight in waste::weights(&profile) {
        let _ = Waste::of(&PLAN, &profile, weight);
        waste::by_class(&PLAN, &profile, weight);
        waste::wasteful(&PLAN, &profile, &sites, weight, 5);
        waste::difference(&PLAN, &PLAN, &profile, weight);
    }
    Held::of(&PLAN, &profile);
    profile.mean_live();
    let births = Births::of_profile(&profile);
    if !births.all.is_empty() {
        crate::workload::sound(&births.workload(Grain { phases: 2, kinds: 4 }));
    }
}
