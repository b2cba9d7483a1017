//! The resolved text of a config: parents merged, defaults written out, keys sorted. It parses to the same plan.

use crate::knob::{Merged, TOP, Value, show};

/// Keys above all tables that are for people: they say nothing about the allocator.
pub(crate) const PROSE: &[&str] = &["description", "hypothesis", "goal", "refuted"];

/// The text of all knobs that have an effect.
pub(crate) fn text(merged: &Merged) -> String {
    let mut out = String::new();
    let line = |(key, value): (&str, &Value)| format!("{key} = {}\n", show(value));
    let group = |name: &'static str| {
        merged
            .iter()
            .filter(move |(path, _)| path.0 == name)
            .map(|(path, entry)| (path.1, &entry.value))
    };
    out.extend(
        group(TOP)
            .filter(|(key, value)| *key != "extends" && !matches!(value, Value::Unset(_)))
            .map(line),
    );
    let mut names: Vec<&str> = merged.keys().map(|path| path.0).filter(|name| *name != TOP).collect();
    names.dedup();
    for name in names {
        out.push_str(&format!("\n[{name}]\n"));
        out.extend(group(name).map(line));
    }
    out
}
