//! Who a variant is: `name` and `description`, in every file of a chain.

use std::collections::BTreeMap;

use crate::diagnostic::Sink;
use crate::knob::{Entry, Path, TOP, Value};
use crate::source::{At, Source};

/// Longest name, in bytes: it becomes part of a library's name and of symbols.
pub(crate) const NAME_MAX: usize = 48;

/// Checks one file.
pub(super) fn check(file: usize, source: &Source, entries: &BTreeMap<Path, Entry>, sink: &mut Sink) {
    let top = Some(At::new(file, 0..0));
    let stem = source.stem();
    match entries.get(&(TOP, "name")) {
        None => sink.error(top, "`name` is missing", "", format!("write `name = \"{stem}\"`")),
        Some(Entry {
            value: Value::Text(name),
            at,
            ..
        }) => name_is_sound(name, &stem, *at, sink),
        Some(_) => {}
    }
    if !entries.contains_key(&(TOP, "description")) {
        sink.error(
            top,
            "`description` is missing",
            "",
            "write one line that says what this variant is",
        );
    }
}

fn name_is_sound(name: &str, stem: &str, at: Option<At>, sink: &mut Sink) {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if let Some(bad) = name.chars().find(|c| !letter(*c) && *c != '-') {
        let message = format!("`name` holds {bad:?}");
        sink.error(at, message, "", "lower-case letters, digits and `-` are allowed");
    } else if name.starts_with('-') {
        sink.error(at, "`name` starts with `-`", "", "start it with a letter or a digit");
    } else if name.len() > NAME_MAX {
        let message = format!("`name` has {} bytes: {NAME_MAX} is the most", name.len());
        sink.error(at, message, "", "it becomes part of a file's name and of symbols");
    } else if name != stem {
        let message = format!("`name` is \"{name}\", but the file is `{stem}.toml`");
        sink.error(
            at,
            message,
            "",
            format!("write `name = \"{stem}\"`, or rename the file"),
        );
    }
}
