//! Every target, for a moment: what was found once, and inputs that are the same on every machine. Each finds a fault that was
//! planted.

use hz3_fuzz::allocator::{Program, faulty, play};
use hz3_fuzz::dice::Dice;
use hz3_fuzz::{TARGETS, Target, home, target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            (
                entry.path().display().to_string(),
                std::fs::read(entry.path()).expect("a file"),
            )
        })
        .collect();
    all.sort();
    all
}

/// What a target begins with.
fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let mut all = files(&home().join("corpus").join(target.name));
    match target.name {
        "config" => all.extend(files(&home().join("../configs"))),
        "workload" => all.extend(files(&home().join("../hz3-lab/workloads"))),
        _ => {}
    }
    all.into_iter().map(|(_, data)| data).collect()
}

/// So many inputs each: as many as take about half a second.
fn rounds(target: &Target) -> usize {
    match target.name {
        "config" => 40,
        "allocator" => 6,
        "trace" | "elf" => 300,
        _ => 150,
    }
}

fn search(name: &str) {
    let target = target(name).expect("a target");
    let (seeds, mut dice) = (seeds(target), Dice::new(14));
    for _ in 0..rounds(target) {
        (target.run)(&dice.changed(&seeds));
    }
}

/// Whether an input makes it panic.
fn panics(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

#[test]
fn what_was_found_once_is_well() {
    for target in TARGETS {
        let all = files(&home().join("corpus").join(target.name));
        assert!(!all.is_empty(), "{} has no inputs", target.name);
        for (name, data) in all {
            assert!(!panics(|| (target.run)(&data)), "{name}");
            assert!(data.len() <= 8192, "{name} is too long: make it small");
        }
    }
}

macro_rules! searches {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            search(stringify!($name));
        })*

        #[test]
        fn every_target_is_searched() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

searches! { config trace profile record workload heap elf allocator }

/// Each target's oracle tells of a fault in what it looks at. That of the allocators has a test of its own.
#[test]
fn every_target_finds_what_was_planted() {
    for target in TARGETS.iter().filter(|target| target.name != "allocator") {
        let (seeds, mut dice) = (seeds(target), Dice::new(1));
        let unchanged = seeds.iter().cloned();
        let changed = std::iter::repeat_with(|| dice.changed(&seeds));
        let found = unchanged
            .chain(changed.take(600))
            .any(|data| panics(|| (target.planted)(&data)));
        assert!(found, "{}: nothing was found", target.name);
    }
}

/// Made-up configs are of every kind. Which seed makes which follows from the keys that there are, so it is not said here.
#[test]
fn made_up_configs_differ() {
    use std::collections::BTreeSet;
    let (mut kinds, mut codes) = (BTreeSet::new(), BTreeSet::new());
    let made = (0..400).take_while(|seed| {
        let (_, plan) = hz3_fuzz::variants::made_up(&mut Dice::new(*seed));
        kinds.insert(format!("{:?}", plan.ownership.mode));
        kinds.insert(format!("{:?}", plan.tag.space));
        kinds.insert(format!("{:?}", plan.policy.stats.record));
        codes.insert(plan.code_hash.0);
        let wanted = [
            "Adopt",
            "OwnerBank",
            "OwnerRing",
            "Arena",
            "Flat",
            "Off",
            "Sample",
            "SampleAll",
            "Histogram",
        ];
        !wanted.iter().all(|kind| kinds.contains(*kind))
    });
    let made = made.count();
    assert!(made < 400, "in {made} configs there was only {kinds:?}");
    assert!(codes.len() > made / 2, "{} of {made} differ", codes.len());
}

/// The player tells of each fault of an allocator, and of none where there is none.
#[test]
fn every_fault_of_an_allocator_is_found() {
    let mut dice = Dice::new(3);
    let program = |dice: &mut Dice| {
        let length = 1 + dice.below(900);
        Program::decode(&dice.bytes(length))
    };
    faulty::plant(faulty::Fault::None);
    for _ in 0..6 {
        play(&program(&mut dice), &faulty::entries(), faulty::promise());
    }
    for fault in faulty::FAULTS {
        let found = (0..60).any(|_| {
            faulty::plant(fault);
            panics(|| play(&program(&mut dice), &faulty::entries(), faulty::promise()))
        });
        assert!(found, "{fault:?} was not found");
    }
}
