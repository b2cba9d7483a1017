//! The JSON schema, for completion and checking in editors.

use serde_json::{Map, Value as Json, json};

use crate::check::condition;
use crate::knob::{GROUPS, Group, Kind, Knob, TOP};
use crate::support;

/// The language as a JSON schema (draft 2020-12), pretty-printed, with a newline at the end.
///
/// It says what one key may hold; what keys say together is checked by [`crate::load`] only.
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
    if let Some(row) = support::missing((group.name, knob.key)) {
        doc.push_str(&format!(" Only {} works in this version.", row.works[0]));
    }
    let mut schema = kind(&knob.kind);
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".into(), doc.into());
        if let Some(default) = default(knob) {
            fields.insert("default".into(), default);
        }
    }
    schema
}

/// A default as JSON. Defaults are TOML in canonical form, of which every value has a JSON counterpart.
fn default(knob: &Knob) -> Option<Json> {
    let table: toml::Table = toml::from_str(&format!("value = {}", knob.default)).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}

fn kind(kind: &Kind) -> Json {
    match kind {
        Kind::Text => json!({ "type": "string", "minLength": 1 }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Percent => json!({ "type": "number", "minimum": 0, "exclusiveMaximum": 100 }),
        Kind::Bytes(min, max, multiple) => bytes(*min, *max, *multiple),
        Kind::Or(word, other) => json!({ "anyOf": [{ "const": word }, self::kind(other)] }),
        Kind::Choice(words) => {
            let words = words
                .iter()
                .map(|word| json!({ "const": word.name, "description": word.doc }));
            json!({ "oneOf": words.collect::<Vec<_>>() })
        }
        Kind::Steps => json!({
            "type": "array",
            "items": { "oneOf": [
                object(&[("to", size()), ("step", size())]),
                object(&[("to", size()), ("per_doubling", json!({ "type": "integer", "minimum": 1, "maximum": 64 }))]),
                object(&[("sizes", self::kind(&Kind::Sizes))]),
            ] },
        }),
        Kind::Sizes => json!({ "type": "array", "items": size() }),
        Kind::Ranges(key, min, max) => {
            let value = json!({ "type": "integer", "minimum": min, "maximum": max });
            json!({ "type": "array", "items": object(&[("from", size()), ("to", size()), (key, value)]) })
        }
    }
}

/// A size of objects.
fn size() -> Json {
    bytes(0, 1 << 20, 1)
}

fn bytes(min: u64, max: u64, multiple: u64) -> Json {
    json!({ "anyOf": [
        { "type": "integer", "minimum": min, "maximum": max, "multipleOf": multiple },
        { "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB|TiB)?$" },
    ] })
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
