//! Workloads in TOML.

use crate::Target;
use hz3_lab::workload::{Workload, flat, read, text};
use std::path::Path;

pub(crate) const TARGET: Target = Target {
    name: "workload",
    about: "a workload in TOML: reading, writing, and the numbers that the client runs on",
    run: |data| check(data, |_| {}),
    // A fault to be found: what is handed to the next thread is forgotten in one case.
    planted: |data| {
        check(data, |workload| {
            let kinds = workload.phases.iter_mut().flat_map(|phase| &mut phase.objects);
            for kind in kinds.filter(|kind| kind.handed > 50) {
                kind.handed = 101;
            }
        });
    },
};

fn check(data: &[u8], fault: fn(&mut Workload)) {
    let Ok(given) = std::str::from_utf8(data) else { return };
    match read(Path::new("fuzz.toml"), given) {
        Err(faults) => {
            assert!(!faults.items().is_empty());
            for item in faults.items() {
                assert!(item.line >= 1 && item.column >= 1 && !item.message.is_empty());
            }
            assert!(!faults.render(true).is_empty());
        }
        Ok(mut workload) => {
            fault(&mut workload);
            sound(&workload);
        }
    }
}

/// A workload is the same when it is written and read again, and what follows from it is sound.
pub(crate) fn sound(workload: &Workload) {
    let written = text(workload, &[]);
    match read(Path::new("again.toml"), &written) {
        Ok(again) => assert_eq!(&again, workload, "{written}"),
        Err(faults) => panic!("what was written cannot be read:\n{written}\n{faults}"),
    }
    let bytes = flat(workload);
    assert!(bytes.len() >= 8 + 8 * (5 + 4 * workload.phases.len()));
    let expected = workload.expected();
    assert_eq!(expected.len(), workload.phases.len());
    for phase in expected {
        for figure in [phase.objects, phase.bytes, phase.live_objects, phase.live_bytes] {
            assert!(figure.is_finite() && figure >= 0.0, "{phase:?}");
        }
    }
}
