//! Values as TOML text: one canonical form each, which parses back to the same value.

use super::{RangeRow, Step, StepForm, Value};
use crate::source::Located;

/// A number of bytes in the greatest unit that divides it: `64GiB`, `8KiB`, `513`.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    for (shift, unit) in UNITS {
        if value != 0 && value.trailing_zeros() >= shift {
            return format!("{}{unit}", value >> shift);
        }
    }
    value.to_string()
}

/// A text as a TOML string on one line.
fn text(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A value as TOML.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Bytes(value) if value % 1024 == 0 && *value > 0 => text(&bytes(*value)),
        Value::Bytes(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Text(value) => text(value),
        Value::Word(word) | Value::Unset(word) => text(word),
        Value::Steps(steps) => list(steps.iter().map(step)),
        Value::Sizes(sizes) => numbers(sizes),
        Value::Ranges(key, rows) => list(rows.iter().map(|row| {
            let RangeRow { from, to, value, .. } = row;
            format!(
                "{{ from = {}, to = {}, {key} = {} }}",
                from.value, to.value, value.value
            )
        })),
    }
}

fn step(step: &Step) -> String {
    match &step.form {
        StepForm::Linear { to, step } => format!("{{ to = {}, step = {} }}", to.value, step.value),
        StepForm::Geometric { to, per_doubling } => {
            format!("{{ to = {}, per_doubling = {} }}", to.value, per_doubling.value)
        }
        StepForm::List(sizes) => format!("{{ sizes = {} }}", numbers(sizes)),
    }
}

fn numbers(sizes: &[Located<u64>]) -> String {
    list(sizes.iter().map(|size| size.value.to_string()))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}
