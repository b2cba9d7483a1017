//! What the language can say but this version cannot do.
//!
//! One line a knob: its only working value and what is missing. A line is deleted when its machinery arrives; nothing
//! else changes. Everything not listed here works.

use crate::diagnostic::Sink;
use crate::knob::{Merged, Path, dotted, show};

/// A knob of which only one value works.
pub(crate) struct Missing {
    /// The knob.
    pub path: Path,
    /// The values that work, as TOML; the first is the one to recommend.
    pub works: &'static [&'static str],
    /// What does not exist yet.
    pub what: &'static str,
}

const fn row(path: Path, works: &'static [&'static str], what: &'static str) -> Missing {
    Missing { path, works, what }
}

/// The lines, by group and key.
pub(crate) static MISSING: &[Missing] = &[
    row(("central", "steal"), &["false"], "taking objects of other owners"),
    row(
        ("hardening", "tagging"),
        &["\"off\""],
        "a port to aarch64, whose processors can tag memory,",
    ),
];

/// The line of a knob, if it has one.
pub(crate) fn missing(path: Path) -> Option<&'static Missing> {
    MISSING.iter().find(|row| row.path == path)
}

/// Refuses what is written but does not work yet.
pub(crate) fn check(merged: &Merged, sink: &mut Sink) {
    for row in MISSING {
        let Some(entry) = merged.get(&row.path) else {
            continue;
        };
        let value = show(&entry.value);
        if !entry.ok || row.works.contains(&value.as_str()) {
            continue;
        }
        let key = dotted(row.path);
        let message =
            format!("`{key} = {value}` is part of the language, but its machinery does not exist in this version");
        let help = format!("remove the key, or set `{key} = {}`", row.works[0]);
        sink.error(entry.at, message, format!("{} is missing", row.what), help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knob::GROUPS;

    #[test]
    fn every_row_names_a_knob_and_its_default_works() {
        for row in MISSING {
            let group = GROUPS.iter().find(|group| group.name == row.path.0).expect("a group");
            let knob = group.knobs.iter().find(|knob| knob.key == row.path.1).expect("a knob");
            assert_eq!(knob.default, row.works[0], "{}", dotted(row.path));
        }
    }

    #[test]
    fn rows_are_sorted() {
        assert!(MISSING.is_sorted_by_key(|row| row.path));
    }
}
