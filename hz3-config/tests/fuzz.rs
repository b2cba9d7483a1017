//! No text, however strange, makes the parser panic, and what it accepts is sound.

mod common;

use std::path::Path;

use common::configs_in;
use proptest::prelude::*;

/// Loads a text; what is wrong must be sayable, what is accepted must resolve to itself.
fn survive(text: &str) {
    match hz3_config::load_str(Path::new("../configs/default.toml"), text) {
        Err(faults) => {
            assert!(!faults.items().is_empty());
            for item in faults.items() {
                assert!(item.line >= 1 && item.column >= 1 && !item.message.is_empty());
            }
            assert!(!faults.render(true).is_empty());
        }
        Ok(plan) => {
            assert!(plan.classes.is_sorted_by(|a, b| a.size < b.size));
            assert!(plan.classes.iter().all(|class| class.objects >= 1));
            let again = hz3_config::load_str(Path::new("default.toml"), &plan.resolved)
                .unwrap_or_else(|faults| panic!("{}\n{faults}", plan.resolved));
            assert_eq!((again.hash, again.code_hash), (plan.hash, plan.code_hash));
            let cost = hz3_config::cost::Cost::of(&plan);
            assert!((0.0..1.0).contains(&cost.waste_to_largest));
        }
    }
}

/// A value, sensible or not.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0u64..70000).prop_map(|number| number.to_string()),
        2 => (1u64..40).prop_map(|number| (number * 16).to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<bool>().prop_map(|flag| flag.to_string()),
        1 => any::<f64>().prop_filter("TOML has other words", |float| float.is_finite()).prop_map(|float| format!("{float:?}")),
        3 => prop_oneof![
            Just("auto"), Just("kernel"), Just("list"), Just("round"), Just("follow"), Just("adopt"), Just("owner-ring"),
            Just("off"), Just("next"), Just("fail"), Just("abort"), Just("größe"), Just(""),
        ].prop_map(|word| format!("{word:?}")),
        3 => (0u64..5000, prop_oneof![Just("KiB"), Just("MiB"), Just("GiB"), Just("TB"), Just("B")])
            .prop_map(|(number, unit)| format!("\"{number}{unit}\"")),
        2 => prop::collection::vec(0u64..5000, 0..5).prop_map(|sizes| format!("{sizes:?}")),
        2 => prop::collection::vec(step(), 0..4).prop_map(|steps| format!("[{}]", steps.join(", "))),
    ]
}

/// A step of classes, sensible or not.
fn step() -> impl Strategy<Value = String> {
    let to = prop_oneof![
        (0u64..5000).prop_map(|n| n * 16),
        0u64..2_000_000,
        Just(4096),
        Just(32768)
    ];
    prop_oneof![
        (to.clone(), 0u64..5000).prop_map(|(to, step)| format!("{{ to = {to}, step = {step} }}")),
        (to.clone(), prop_oneof![Just(16u64), Just(4096), Just(64)])
            .prop_map(|(to, step)| format!("{{ to = {to}, step = {step} }}")),
        (to, 0u64..70).prop_map(|(to, n)| format!("{{ to = {to}, per_doubling = {n} }}")),
        prop::collection::vec((1u64..300).prop_map(|n| n * 16), 0..6)
            .prop_map(|sizes| format!("{{ sizes = {sizes:?} }}")),
        Just("{ from = 16, to = 4096, pages = 3 }".to_owned()),
        Just("{ from = 16, to = 128, batch = 3 }".to_owned()),
    ]
}

/// Groups and keys as the shipped configs' resolved texts name them, and a few that do not exist.
fn keys() -> Vec<(String, String)> {
    let plan = hz3_config::load(Path::new("../configs/s23-sub4k.toml")).expect("it is shipped");
    let table: toml::Table = toml::from_str(&plan.resolved).expect("TOML");
    let mut keys = vec![
        ("cache".to_owned(), "batchbytes".to_owned()),
        ("nowhere".to_owned(), "key".to_owned()),
    ];
    for (group, value) in &table {
        if let Some(group_keys) = value.as_table() {
            keys.extend(group_keys.keys().map(|key| (group.clone(), key.clone())));
        }
    }
    keys
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_configs_never_panic(
        lines in prop::collection::vec((prop::sample::select(keys()), value()), 0..8),
        extends in prop::option::of(prop_oneof![Just("s22-round4k"), Just("compact"), Just("default"), Just("../x.toml")]),
    ) {
        let mut text = String::from("name = \"default\"\ndescription = \"random\"\n");
        if let Some(parent) = extends {
            text.push_str(&format!("extends = {parent:?}\n"));
        }
        for ((group, key), value) in lines {
            text.push_str(&format!("{group}.{key} = {value}\n"));
        }
        survive(&text);
    }

    #[test]
    fn random_text_never_panics(text in "(\\PC|\n){0,200}") {
        survive(&text);
    }

    #[test]
    fn mutated_configs_never_panic(
        file in prop::sample::select(configs_in(Path::new("../configs"))),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..5, any::<char>(), any::<u8>()), 1..6),
    ) {
        let mut chars: Vec<char> = std::fs::read_to_string(file).expect("a config").chars().collect();
        for (at, edit, random, byte) in edits {
            if chars.is_empty() {
                break;
            }
            let at = at.index(chars.len());
            match edit {
                0 => { chars.remove(at); }
                1 => chars.insert(at, random),
                2 => chars[at] = char::from(byte),
                3 => chars.truncate(at),
                _ => chars.swap(0, at),
            }
        }
        survive(&chars.into_iter().collect::<String>());
    }
}
