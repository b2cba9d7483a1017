//! The generated documents are checked in, and current.

mod common;

use std::path::Path;

use common::{compare, configs_in};
use hz3_config::schema::{json_schema, reference_markdown};

#[test]
fn the_json_schema_is_current() {
    if let Some(difference) = compare(Path::new("../docs/hz3.schema.json"), &json_schema()) {
        panic!("{difference}");
    }
}

#[test]
fn the_reference_is_current() {
    if let Some(difference) = compare(Path::new("../docs/config.md"), &reference_markdown()) {
        panic!("{difference}");
    }
}

#[test]
fn the_documents_are_deterministic() {
    assert_eq!(json_schema(), json_schema());
    assert_eq!(reference_markdown(), reference_markdown());
}

/// Whether a schema allows a value: the keywords that ours uses, no more.
fn allows(schema: &serde_json::Value, value: &serde_json::Value) -> bool {
    let many = |key: &str| schema[key].as_array().cloned().unwrap_or_default();
    let number = |key: &str| schema[key].as_f64();
    let kind = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        _ => true,
    };
    let range = value.as_f64().is_none_or(|value| {
        number("minimum").is_none_or(|min| value >= min)
            && number("maximum").is_none_or(|max| value <= max)
            && number("exclusiveMaximum").is_none_or(|max| value < max)
            && number("multipleOf").is_none_or(|of| value % of == 0.0)
    });
    let object = value
        .as_object()
        .filter(|_| schema["properties"].is_object())
        .is_none_or(|fields| {
            fields.iter().all(|(key, value)| {
                schema["properties"]
                    .get(key)
                    .is_some_and(|schema| allows(schema, value))
            }) && many("required")
                .iter()
                .all(|key| fields.contains_key(key.as_str().unwrap_or_default()))
        });
    kind && range
        && object
        && schema.get("const").is_none_or(|constant| constant == value)
        && (schema.get("anyOf").is_none() || many("anyOf").iter().any(|schema| allows(schema, value)))
        && (schema.get("oneOf").is_none() || many("oneOf").iter().filter(|schema| allows(schema, value)).count() == 1)
        && value.as_array().is_none_or(|items| {
            schema
                .get("items")
                .is_none_or(|schema| items.iter().all(|item| allows(schema, item)))
        })
}

#[test]
fn the_schema_allows_what_the_parser_allows() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).expect("JSON");
    for file in configs_in(Path::new("../configs")) {
        let plan = hz3_config::load(&file).unwrap_or_else(|faults| panic!("{faults}"));
        for text in [std::fs::read_to_string(&file).expect("a config"), plan.resolved] {
            let table: toml::Table = toml::from_str(&text).expect("TOML");
            let value = serde_json::to_value(table).expect("JSON");
            assert!(allows(&schema, &value), "{}: {value:#}", file.display());
        }
    }
    for text in [
        "name = \"x\"",
        "name = \"x\"\ndescription = \"d\"\nnope = 1",
        "name = \"x\"\ndescription = \"d\"\ncache = { magazines = 3 }",
    ] {
        let table: toml::Table = toml::from_str(text).expect("TOML");
        assert!(!allows(&schema, &serde_json::to_value(table).expect("JSON")), "{text}");
    }
}
