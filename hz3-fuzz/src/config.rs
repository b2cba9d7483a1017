//! The config language: from any text to a plan, its cost, its code, and its text, which gives the same plan again.

use crate::Target;
use hz3_config::cost::Cost;
use hz3_config::emit::library;
use hz3_config::plan::{ClassId, CoarseLookup};
use hz3_config::{Diagnostics, Plan, hash};
use std::path::Path;

pub(crate) const TARGET: Target = Target {
    name: "config",
    about: "the config language: a TOML to a plan, its cost, its code and its text",
    run: |data| check(data, hz3_config::load_str),
    planted: |data| check(data, planted),
};

/// The file that the text is said to be: its parents are presets.
const FILE: &str = "/hz3-fuzz/default.toml";

type Load = fn(&Path, &str) -> Result<Plan, Diagnostics>;

/// A fault to be found: the last size of the fine table has the class below its own.
fn planted(file: &Path, text: &str) -> Result<Plan, Diagnostics> {
    let mut plan = hz3_config::load_str(file, text)?;
    if let Some(last) = plan.lookup.fine.last_mut() {
        *last = ClassId(last.0.saturating_sub(1));
    }
    Ok(plan)
}

fn check(data: &[u8], load: Load) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let plan = match load(Path::new(FILE), text) {
        Err(faults) => return told(text, &faults),
        Ok(plan) => plan,
    };
    tables(&plan);
    let cost = Cost::of(&plan);
    assert!((0.0..1.0).contains(&cost.waste_to_largest), "{cost:?}");
    hz3_config::remarks::of(&plan);
    let again = load(Path::new(FILE), &plan.resolved).unwrap_or_else(|faults| panic!("{}\n{faults}", plan.resolved));
    assert_eq!((again.hash, again.code_hash), (plan.hash, plan.code_hash));
    assert_eq!(again.resolved, plan.resolved);
    let code = library::Library::of(&plan).text(&plan, "0", hash::ConfigHash(0));
    assert!(code.contains("impl"), "no code");
}

/// What is wrong can be said, with its place.
fn told(text: &str, faults: &Diagnostics) {
    assert!(!faults.items().is_empty());
    for item in faults.items() {
        assert!(item.line >= 1 && item.column >= 1 && !item.message.is_empty());
        if item.file.as_path() == Path::new(FILE) {
            assert!(
                item.line <= text.lines().count() + 1,
                "line {} of {}",
                item.line,
                text.lines().count()
            );
        }
    }
    assert!(!faults.render(true).is_empty() && !faults.render(false).contains('\x1b'));
}

/// The tables give each size the class that a search finds.
fn tables(plan: &Plan) {
    let (classes, granule) = (&plan.classes, plan.lookup.granule);
    assert_eq!(granule < 16, plan.no_library.is_some());
    assert!(classes.is_sorted_by(|a, b| a.size < b.size));
    assert!(classes.iter().all(|class| class.objects >= 1 && class.batch >= 1));
    for class in classes {
        let room = u64::from(class.run_pages) * u64::from(hz3_config::plan::PAGE);
        assert_eq!(
            u64::from(class.objects) * u64::from(class.size) + u64::from(class.tail_waste),
            room,
            "{class:?}"
        );
        assert!(class.size.is_multiple_of(granule) && class.align.is_power_of_two());
    }
    let search = |size: u32| classes.iter().find(|class| class.size >= size).map(|class| class.id);
    let fine = &plan.lookup.fine;
    assert_eq!(fine.len() as u32, plan.lookup.fine_max / granule + 1);
    for (at, class) in (0u32..).zip(fine) {
        assert_eq!(search((at * granule).max(1)), Some(*class), "{} bytes", at * granule);
    }
    match &plan.lookup.coarse {
        None => assert_eq!(plan.lookup.fine_max, plan.largest()),
        Some(CoarseLookup { shift, max, table }) => {
            assert_eq!(*max, plan.largest());
            for class in classes.iter().filter(|class| class.size > plan.lookup.fine_max) {
                let below = classes[usize::from(class.id.0).saturating_sub(1)].size;
                for size in [class.size, (below + 1).max(plan.lookup.fine_max + 1)] {
                    let found = table[((size - 1) >> shift) as usize];
                    assert_eq!(search(size), Some(found), "{size} bytes");
                }
            }
        }
    }
}
