//! The reference of the language, for `docs/config.md`.

use std::fmt::Write;

use crate::check::condition;
use crate::knob::{GROUPS, Group, Kind, Knob, TOP, bytes};
use crate::support;

const HEAD: &str = "\
# The config language

<!-- Made from the declarations in `hz3-config/src/knob/table.rs`. Do not edit: bless it with
     `HZ3_UPDATE=1 cargo test -p hz3-config --test schema`. -->

One TOML file is one variant. `name` and `description` must be written. Every other key has a default, and the defaults are the
allocator `default`: a config of a name and a description *is* `default`. [decisions.md](decisions.md) says why they are what
they are.

A file may extend another, or a preset, and then holds only what differs from it: see `extends`.

Unknown keys are errors. So are keys that have no effect given the others, unless they are inherited and a nearer file switched
off what they belong to.

Sizes are integers of bytes, or strings with a unit: `4096`, `\"4KiB\"`, `\"64GiB\"` (B, KiB, MiB, GiB, TiB; 1 KiB is
1024 bytes).

Keys marked † are part of the language, but in this version only the value that is named works; any other is refused.
";

/// The reference as Markdown, with a newline at the end.
pub fn reference_markdown() -> String {
    let mut out = String::from(HEAD);
    for group in GROUPS {
        let title = if group.name == TOP {
            "Above all tables".to_owned()
        } else {
            format!("`[{}]`", group.name)
        };
        // Writing to a string cannot fail.
        let _ = write!(out, "\n## {title}\n\n{}\n\n", flow(group.doc));
        out.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        for knob in group.knobs {
            row(&mut out, group, knob);
        }
    }
    out
}

fn row(out: &mut String, group: &Group, knob: &Knob) {
    let missing = support::missing((group.name, knob.key));
    let mark = if missing.is_some() { " †" } else { "" };
    let default = if knob.default.is_empty() {
        "–".to_owned()
    } else {
        format!("`{}`", knob.default)
    };
    let mut meaning = flow(knob.doc);
    if let Some(condition) = condition((group.name, knob.key)) {
        let _ = write!(meaning, " Only where {condition}.");
    }
    if let Kind::Choice(words) = &knob.kind {
        for word in *words {
            let _ = write!(meaning, "<br>`\"{}\"`: {}", word.name, word.doc);
        }
    }
    if let Some(row) = missing {
        let works: Vec<String> = row.works.iter().map(|value| format!("`{value}`")).collect();
        let _ = match works.as_slice() {
            [one] => write!(meaning, "<br>† Only {one} works."),
            more => write!(meaning, "<br>† Only {} work.", more.join(", ")),
        };
    }
    let _ = writeln!(
        out,
        "| `{}`{mark} | {} | {default} | {} |",
        knob.key,
        value(&knob.kind),
        meaning.replace('|', "\\|")
    );
}

/// What values a key takes, briefly.
fn value(kind: &Kind) -> String {
    match kind {
        Kind::Text => "one line of text".into(),
        Kind::Bool => "`true`, `false`".into(),
        Kind::Int(min, max) => format!("{min} to {max}"),
        Kind::Among(numbers) => numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" or "),
        Kind::Percent => "0 to less than 100".into(),
        Kind::Bytes(min, max, multiple) => {
            let range = format!("{} to {}", unit(*min), unit(*max));
            match multiple {
                1 => range,
                _ => format!("{range}, multiples of {}", unit(*multiple)),
            }
        }
        Kind::Or(word, kind) => format!("`\"{word}\"`, or {}", value(kind)),
        Kind::Choice(_) => "a word".into(),
        Kind::Steps => "list of ranges".into(),
        Kind::Sizes(..) => "list of sizes".into(),
        Kind::Ranges(key, min, max) => {
            format!("list of `{{ from, to, {key} }}`, {key} from {min} to {max}")
        }
    }
}

/// Bytes for people.
fn unit(value: u64) -> String {
    let text = bytes(value);
    match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => format!("{} {}", &text[..at], &text[at..]),
        None if value == 0 => text,
        None => format!("{text} B"),
    }
}

/// A doc comment as one line.
fn flow(doc: &str) -> String {
    doc.lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}
