//! Keys that were part of the language once, and what was measured before they left it.

use crate::knob::Path;

const fn row(path: Path, why: &'static str) -> (Path, &'static str) {
    (path, why)
}

/// The keys by group and key, each with what is done instead.
static FORMER: &[(Path, &str)] = &[
    row(
        ("bins", "count"),
        "objects are counted at malloc and at free: without the former, malloc is one instruction shorter, and takes 1.12 to 1.40 of the time",
    ),
    row(
        ("bins", "layout"),
        "head and room lie side by side: nothing is to be gained from how close slots are to each other",
    ),
    row(
        ("bins", "order"),
        "slots lie by rising size: nothing is to be gained from how close slots are to each other",
    ),
    row(
        ("central", "guard"),
        "a lock guards them: one in forty-five trips to the runs finds it held at most, and there are few of these trips",
    ),
    row(
        ("hot", "prefetch_tag"),
        "free loads the tag at once, so that a prefetch is one instruction for nothing",
    ),
    row(
        ("large", "fit_percent"),
        "a kept object that is larger is cut, and the rest stays kept",
    ),
    row(
        ("tag", "order"),
        "the slot's offset is in the low bits: with the owner there, nothing takes less time",
    ),
];

/// What became of a key, or, for the name of a table above all keys, of the whole table.
pub(crate) fn fate(group: &str, key: &str) -> Option<String> {
    const RECORDS: &str = "docs/decisions.md has the figures";
    if let Some((_, why)) = FORMER.iter().find(|(path, _)| *path == (group, key)) {
        return Some(format!("it has left the language: {why} ({RECORDS})"));
    }
    let keys: Vec<String> = FORMER
        .iter()
        .filter(|((table, _), _)| group == crate::knob::TOP && *table == key)
        .map(|((_, key), _)| format!("`{key}`"))
        .collect();
    (!keys.is_empty()).then(|| format!("remove it: {} have left the language ({RECORDS})", keys.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knob::GROUPS;

    #[test]
    fn what_has_left_is_not_there() {
        assert!(FORMER.is_sorted_by_key(|(path, _)| *path));
        for ((table, key), _) in FORMER {
            let group = GROUPS.iter().find(|group| group.name == *table);
            assert!(group.is_none_or(|group| group.knobs.iter().all(|knob| knob.key != *key)));
        }
    }

    #[test]
    fn a_table_is_told_only_by_its_name() {
        assert!(fate("bins", "order").is_some_and(|text| text.contains("rising size")));
        assert!(fate(crate::knob::TOP, "bins").is_some_and(|text| text.contains("`count`, `layout`, `order`")));
        assert_eq!(fate("cache", "bins"), None);
        assert_eq!(fate("central", "steal"), None);
    }
}
