//! What events read, as Rust: the core's file of it.

use std::fmt::Write;

use crate::check::condition;
use crate::knob::{EventType, GROUPS, Group, Kind};

const HEAD: &str = "\
//! What events read of a config, by the names of its keys: `[purge] delay_ms` is `policy.purge.delay_ms`.
//!
//! @generated from the declarations in `hz3-config/src/knob/table.rs`; do not edit. Bless it with
//! `HZ3_UPDATE=1 cargo test -p hz3-config --test schema`.
";

/// The text of `hz3-core/src/policy/knobs.rs`, with a newline at the end.
pub fn policy_rust() -> String {
    let mut out = String::from(HEAD);
    let groups: Vec<&Group> = GROUPS.iter().filter(|group| fields(group).next().is_some()).collect();
    // Writing to a string cannot fail.
    let mut structure = |docs: &str, name: &str, fields: &str| {
        let _ = write!(
            out,
            "\n{docs}#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]\npub struct {name} {{\n{fields}}}\n"
        );
    };
    let all: String = groups
        .iter()
        .map(|group| format!("{}    pub {}: {},\n", docs("    ", group.doc), group.name, group.title))
        .collect();
    structure("/// What events read.\n", "Policy", &all);
    for group in &groups {
        structure(&docs("", group.doc), group.title, &fields(group).collect::<String>());
    }
    let mut told: Vec<&str> = Vec::new();
    for kind in groups
        .iter()
        .flat_map(|group| group.knobs.iter().flat_map(|knob| knob.event))
    {
        if let EventType::Words { name, about, variants } = kind
            && !told.contains(name)
        {
            told.push(name);
            let _ = write!(
                out,
                "\n///{about}\n#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]\npub enum {name} {{\n"
            );
            for (index, (variant, doc)) in variants.iter().enumerate() {
                let default = if index == 0 { "    #[default]\n" } else { "" };
                let _ = write!(out, "    /// {}.\n{default}    {variant},\n", upper(doc));
            }
            out.push_str("}\n");
        }
    }
    out
}

/// The fields of a group, each with what it means.
fn fields(group: &Group) -> impl Iterator<Item = String> {
    group.knobs.iter().flat_map(|knob| {
        knob.event.iter().map(|kind| {
            let mut notes = String::new();
            if let Kind::Or(word, _) = knob.kind {
                notes.push_str(&format!(" {word:?} is 0.\n"));
            }
            if let Some(condition) = condition((group.name, knob.key)) {
                let none = match kind {
                    EventType::Number(_) => "0",
                    EventType::Flag => "false",
                    EventType::Words { variants, .. } => variants[0].0,
                };
                notes.push_str(&format!(" `{none}` unless {condition}.\n"));
            }
            let docs = docs("    ", &format!("{}{notes}", knob.doc));
            format!("{docs}    pub {}: {},\n", knob.key, kind.name())
        })
    })
}

/// Lines as comments of what follows.
fn docs(indent: &str, text: &str) -> String {
    text.lines().map(|line| format!("{indent}///{line}\n")).collect()
}

/// With a capital letter, so that it reads as a sentence.
fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
