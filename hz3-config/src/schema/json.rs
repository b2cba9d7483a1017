//! The JSON schema, for completion and checking in editors.

use serde_json::{Map, Value as Json, json};

use crate::chain::value_of;
use crate::check::{NAME_MAX, condition};
use crate::knob::{GROUPS, Group, Kind, Knob, TOP, Value};
use crate::support;

/// The language as a JSON schema (draft 2020-12), pretty-printed, with a newline at the end.
///
/// It says what one key may hold; what keys say together is checked by [`crate::load()`] only, since a key's partner may stand
/// in a parent.
pub fn json_schema() -> String {
    let mut properties = Map::new();
    for group in GROUPS {
        if group.name == TOP {
            properties.extend(keys(group));
        } else {
            properties.insert(group.name.into(), table(group));
        }
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hz3 variant",
        "description": "One allocator variant: everything that its generated code depends on.",
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "description"],
        "properties": properties,
    });
    let mut text = serde_json::to_string_pretty(&sorted(schema)).unwrap_or_default();
    text.push('\n');
    text
}

/// A value with its keys sorted, whether or not a feature of `serde_json` keeps them in the order of insertion.
fn sorted(value: Json) -> Json {
    match value {
        Json::Object(fields) => {
            let mut fields: Vec<(String, Json)> = fields.into_iter().collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            fields
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect::<Map<_, _>>()
                .into()
        }
        Json::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

fn table(group: &Group) -> Json {
    json!({
        "type": "object",
        "description": sentence(group.doc),
        "additionalProperties": false,
        "properties": keys(group),
    })
}

fn keys(group: &Group) -> Map<String, Json> {
    group
        .knobs
        .iter()
        .map(|knob| (knob.key.to_owned(), key(group, knob)))
        .collect()
}

fn key(group: &Group, knob: &Knob) -> Json {
    let mut doc = sentence(knob.doc);
    if let Some(condition) = condition((group.name, knob.key)) {
        doc.push_str(&format!(" Only where {condition}."));
    }
    let mut schema = match support::missing((group.name, knob.key)) {
        Some(row) => {
            doc.push_str(&format!(" Only {} works in this version.", row.works[0]));
            json!({ "anyOf": row.works.iter().map(|text| only(&knob.kind, text)).collect::<Vec<_>>() })
        }
        None if (group.name, knob.key) == (TOP, "name") => json!({
            "type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": NAME_MAX,
        }),
        None => kind(&knob.kind),
    };
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".into(), doc.into());
        if let Some(default) = default(knob) {
            fields.insert("default".into(), default);
        }
    }
    schema
}

/// One value of a type, as TOML says it.
fn only(kind: &Kind, text: &str) -> Json {
    match value_of(kind, text) {
        Value::Bytes(bytes) => {
            let units = UNITS.iter().filter(|(_, shift)| bytes.trailing_zeros() >= *shift);
            let forms: Vec<String> = units
                .map(|(unit, shift)| format!("0*{} *{unit}", bytes >> shift))
                .collect();
            json!({ "anyOf": [
                { "type": "integer", "const": bytes },
                { "type": "string", "pattern": format!("^({})$", forms.join("|")) },
            ] })
        }
        _ => json!({ "const": toml_value(text) }),
    }
}

/// A default as JSON.
fn default(knob: &Knob) -> Option<Json> {
    toml_value(knob.default)
}

/// A TOML value in canonical form as JSON: each has a counterpart.
fn toml_value(text: &str) -> Option<Json> {
    let table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}

fn kind(kind: &Kind) -> Json {
    match kind {
        // One line, and not of blanks alone.
        Kind::Text => json!({ "type": "string", "pattern": "^[^\\n\\r]*[^ \\n\\r\\t][^\\n\\r]*$" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Among(numbers) => json!({ "enum": numbers }),
        Kind::Percent => json!({ "type": "number", "minimum": 0, "exclusiveMaximum": 100 }),
        Kind::Bytes(min, max, multiple) => bytes(*min, *max, *multiple),
        Kind::Or(word, other) => json!({ "anyOf": [{ "const": word }, self::kind(other)] }),
        Kind::Choice(words) => {
            let words = words
                .iter()
                .map(|word| json!({ "const": word.name, "description": word.doc }));
            json!({ "oneOf": words.collect::<Vec<_>>() })
        }
        Kind::Steps => {
            let end = || bytes(32, 1 << 20, 16);
            let sizes = self::kind(&Kind::Sizes(16, 1 << 20));
            json!({
                "type": "array",
                "minItems": 1,
                "items": { "oneOf": [
                    object(&[("to", end()), ("step", bytes(16, 1 << 20, 16))]),
                    object(&[("to", end()), ("per_doubling", json!({ "type": "integer", "minimum": 1, "maximum": 64 }))]),
                    object(&[("sizes", sizes)]),
                ] },
            })
        }
        Kind::Sizes(min, max) => {
            json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": bytes(*min, *max, 16) })
        }
        Kind::Ranges(key, min, max) => {
            let value = json!({ "type": "integer", "minimum": min, "maximum": max });
            // Where a range begins and ends is free, as long as it holds a class.
            let end = || bytes(0, i64::MAX as u64, 1);
            json!({ "type": "array", "items": object(&[("from", end()), ("to", end()), (key, value)]) })
        }
    }
}

const UNITS: [(&str, u32); 5] = [("B?", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

/// Bytes. Of a text, a pattern can say that it is not above the maximum, but not that it is a multiple, nor above the
/// minimum.
fn bytes(min: u64, max: u64, multiple: u64) -> Json {
    let forms = UNITS.iter().filter(|(_, shift)| max >> shift > 0);
    let forms: Vec<String> = forms
        .map(|(unit, shift)| format!("0*({}) *{unit}", at_most(max >> shift)))
        .collect();
    json!({ "anyOf": [
        { "type": "integer", "minimum": min, "maximum": max, "multipleOf": multiple },
        { "type": "string", "pattern": format!("^({})$", forms.join("|")) },
    ] })
}

/// A pattern for the numbers from 0 to `max`, without leading zeros.
fn at_most(max: u64) -> String {
    let digits = max.to_string();
    let mut forms = Vec::new();
    if digits.len() > 1 {
        forms.push(format!("[0-9]{{1,{}}}", digits.len() - 1));
    }
    for (i, digit) in digits.bytes().enumerate() {
        let (before, rest) = (&digits[..i], digits.len() - i - 1);
        let lowest = if i == 0 && rest > 0 { b'1' } else { b'0' };
        if digit > lowest {
            let (low, high) = (char::from(lowest), char::from(digit - 1));
            forms.push(match rest {
                0 => format!("{before}[{low}-{high}]"),
                _ => format!("{before}[{low}-{high}][0-9]{{{rest}}}"),
            });
        }
    }
    forms.push(digits);
    forms.join("|")
}

/// An object of which every key is required.
fn object(keys: &[(&str, Json)]) -> Json {
    let required: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
    let properties: Map<String, Json> = keys
        .iter()
        .map(|(key, schema)| ((*key).to_owned(), schema.clone()))
        .collect();
    json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties })
}

/// A doc comment as one line.
fn sentence(doc: &str) -> String {
    doc.lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}
