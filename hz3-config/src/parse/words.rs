//! How values and keys are named in messages, and which was probably meant.

use crate::knob::{GROUPS, Kind, Knob, Path};

/// What a number of bytes looks like.
pub(super) const BYTES: &str = "a number of bytes (an integer, or a string such as \"64KiB\")";

/// What a type wants, with its article.
pub(super) fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a line of text".into(),
        Kind::Bool => "true or false".into(),
        Kind::Int(..) | Kind::Among(_) => "a whole number".into(),
        Kind::Percent => "a number of percent".into(),
        Kind::Bytes(..) => BYTES.into(),
        Kind::Or(word, kind) => format!("\"{word}\" or {}", expected(kind)),
        Kind::Choice(words) => {
            let names: Vec<String> = words.iter().map(|word| format!("\"{}\"", word.name)).collect();
            format!("one of {}", names.join(", "))
        }
        Kind::Steps | Kind::Ranges(..) => "a list of inline tables".into(),
        Kind::Sizes(..) => "a list of sizes".into(),
    }
}

pub(super) fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A knob of another table that has exactly this key.
pub(super) fn elsewhere(word: &str) -> Option<Path> {
    let last = word.rsplit('.').next()?;
    let paths = GROUPS
        .iter()
        .flat_map(|group| group.knobs.iter().map(|knob: &Knob| (group.name, knob.key)));
    paths.into_iter().find(|(_, key)| *key == last)
}
