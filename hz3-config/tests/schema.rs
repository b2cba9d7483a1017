//! The generated documents are checked in, and current.

mod common;

use std::path::Path;

use common::{compare, configs_in};
use hz3_config::schema::{json_schema, policy_rust, reference_markdown};

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
fn what_the_core_knows_of_the_knobs_is_current() {
    if let Some(difference) = compare(Path::new("../hz3-core/src/policy/knobs.rs"), &policy_rust()) {
        panic!("{difference}");
    }
}

#[test]
fn the_documents_are_deterministic() {
    assert_eq!(json_schema(), json_schema());
    assert_eq!(reference_markdown(), reference_markdown());
    assert_eq!(policy_rust(), policy_rust());
}

/// Whether a schema allows a value: the keywords that ours uses, no more. One that is not known here fails.
fn allows(schema: &serde_json::Value, value: &serde_json::Value) -> bool {
    const KNOWN: &[&str] = &[
        "$schema",
        "title",
        "description",
        "default",
        "type",
        "minimum",
        "maximum",
        "exclusiveMaximum",
        "multipleOf",
        "properties",
        "additionalProperties",
        "required",
        "const",
        "enum",
        "anyOf",
        "oneOf",
        "items",
        "minItems",
        "uniqueItems",
        "pattern",
        "maxLength",
    ];
    for key in schema.as_object().expect("a schema").keys() {
        assert!(KNOWN.contains(&key.as_str()), "{key}");
    }
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
    let text = value.as_str().is_none_or(|text| {
        let fits = |pattern: &str| regex_lite::Regex::new(pattern).expect("a pattern").is_match(text);
        schema["pattern"].as_str().is_none_or(fits) && number("maxLength").is_none_or(|most| text.len() as f64 <= most)
    });
    let list = value.as_array().is_none_or(|items| {
        number("minItems").is_none_or(|least| items.len() as f64 >= least)
            && (schema["uniqueItems"] != true || (1..items.len()).all(|i| !items[..i].contains(&items[i])))
    });
    kind && range
        && object
        && text
        && list
        && (schema.get("enum").is_none() || many("enum").contains(value))
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

/// Faults that no schema can tell: of text that is not TOML, of files and their parents, of keys that contradict each other,
/// of sizes that do not follow each other, and of texts of bytes below the least.
const BEYOND: &[&str] = &[
    "arena-above-user-space",
    "bound-default",
    "bounds-cross",
    "budget-above-arena",
    "bytes-range",
    "circle-of-one",
    "circle",
    "cpu-clashes",
    "crowd-below-floor",
    "dump-signal-taken",
    "fine-max-above",
    "first-batches-above-thread",
    "floor-above-thread",
    "floor-below-first",
    "floor-default-above-thread",
    "floor-default-below-first",
    "granule-exact",
    "groups-many",
    "guard-runs-unused",
    "guards-dense",
    "guards-run-long",
    "guards-whole",
    "largest-small",
    "lookup-too-fine",
    "lookup-too-large",
    "many-large-classes",
    "name-other",
    "nodes",
    "page-guards",
    "parent-and-child-disagree",
    "parent-is-no-text",
    "parent-missing-far",
    "parent-missing",
    "power-of-two",
    "profile-path-end",
    "profile-path-folder",
    "profile-path-percent",
    "quarantine-large-small",
    "row-backwards",
    "row-without-class",
    "rows-overlap",
    "run-too-long",
    "run-too-short",
    "sample-bytes-alone",
    "segment-arena",
    "segment-class",
    "segment-dense",
    "segment-multiple",
    "segment-run",
    "segment-small",
    "soft-above-hard",
    "spread-and-base",
    "spread-small",
    "stack-depth-alone",
    "step-end-off",
    "step-falls",
    "sub4k-no-sizes",
    "sub4k-pages-twice",
    "sub4k-without-4096",
    "tag-bits-few",
    "tag-owner-few",
    "tag-owner",
    "tag-too-narrow",
    "thread-block",
    "tokens-many",
    "unit-guards",
    "unit-never",
    "unit-page",
    "unit-segment",
    "unused-inherited-gate",
    "unused-ring",
];

#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).expect("JSON");
    let mut allowed = Vec::new();
    for file in configs_in(Path::new("tests/bad")) {
        let text = std::fs::read(&file).expect("a config");
        let Ok(table) = toml::from_str::<toml::Table>(&String::from_utf8_lossy(&text)) else {
            continue;
        };
        if allows(&schema, &serde_json::to_value(table).expect("JSON")) {
            allowed.push(file.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    assert_eq!(allowed, BEYOND);
}

#[test]
fn texts_of_bytes_have_an_upper_end() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).expect("JSON");
    let batch = &schema["properties"]["cache"]["properties"]["batch_bytes"];
    for good in ["16", "1MiB", "1024 KiB", "1048576 B", "1048576", "0999KiB", "700000"] {
        assert!(allows(batch, &good.into()), "{good}");
    }
    for bad in [
        "1048577", "1025KiB", "2MiB", "10MiB", "1GiB", "1 TiB", "-1", "1KB", "1.5KiB", "", "KiB", "9999999",
    ] {
        assert!(!allows(batch, &bad.into()), "{bad}");
    }
    let segment = &schema["properties"]["arena"]["properties"]["segment"];
    for (text, fits) in [
        ("2MiB", true),
        ("2 MiB", true),
        ("2097152", true),
        ("32MiB", true),
        ("33MiB", false),
    ] {
        assert_eq!(allows(segment, &text.into()), fits, "{text}");
    }
    assert!(allows(segment, &2_097_152.into()) && !allows(segment, &2_097_153.into()));
}

#[test]
fn the_documents_name_the_limits_that_bite() {
    let most = (1..).take_while(|classes| hz3_config::cost::thread_block_bytes(*classes) <= 8 << 10);
    let text = reference_markdown();
    for part in [
        format!("8 KiB is the most, so {} classes", most.count()),
        "16 KiB together".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}");
    }
}
