//! The language of workloads: what is wrong is told, and what is right is what it says.

use super::{parsed, shipped};
use hz3_lab::workload::{flat, read, text};
use proptest::prelude::*;
use std::path::Path;

/// Each fault with its place and what to do.
#[test]
fn faults_are_told_with_their_place() {
    const OBJECT: &str = "steps = 1\nobjects = [{ size = 16, lifetime = 1 }]\n";
    let cases: &[(&str, &str, &str)] = &[
        ("threads = [", "1:12", "this is not TOML"),
        (
            "stepz = 1\n",
            "1:1",
            "unknown key `stepz` in a workload|did you mean `steps`?",
        ),
        ("steps = 1\n", "1:1", "a workload has no `objects`"),
        (
            "steps = 0\nobjects = [{ size = 1, lifetime = 1 }]",
            "1:9",
            "`steps` must be from 1 to 1073741824, not 0",
        ),
        ("steps = 1\nobjects = []", "2:11", "at least one kind of objects"),
        (
            "steps = 1\nobjects = [{ size = 1 }]",
            "2:12",
            "has no `lifetime`|\"run\"",
        ),
        (
            "steps = 1\nobjects = [{ size = \"4KB\", lifetime = 1 }]",
            "2:21",
            "no number of bytes|did you mean \"4KiB\"?",
        ),
        (
            "steps = 1\nobjects = [{ size = { from = 9, to = 3 }, lifetime = 1 }]",
            "2:38",
            "`to` is less than `from`",
        ),
        (
            "steps = 1\nobjects = [{ size = { mean = 9 }, lifetime = 1 }]",
            "2:21",
            "exponential spread is for lifetimes",
        ),
        (
            "steps = 1\nobjects = [{ size = 1, lifetime = \"rum\" }]",
            "2:35",
            "did you mean \"run\"?",
        ),
        (
            "steps = 1\nobjects = [{ size = 1, lifetime = 1, align = 24 }]",
            "2:46",
            "a power of two, not 24|did you mean 32?",
        ),
        (
            "steps = 1\nobjects = [{ size = 1, lifetime = 1, align = 64, call = \"calloc\" }]",
            "2:57",
            "made by memalign",
        ),
        (
            "steps = 1\nobjects = [{ size = { values = [1, 2], weights = [1] }, lifetime = 1 }]",
            "2:32",
            "2 values and 1 weights",
        ),
        (
            "steps = 1\nobjects = [{ size = { from = 1, values = [2] }, lifetime = 1 }]",
            "2:21",
            "one of five forms",
        ),
        (
            "threads = 1\nsteps = 1\nobjects = [{ size = 1, lifetime = 1, handed = 5 }]",
            "1:11",
            "there is only one|threads = 2",
        ),
        (
            "threads = \"all\"\nsteps = 1\nobjects = [{ size = 1, lifetime = 1 }]",
            "1:11",
            "\"cores\"",
        ),
        (
            "steps = 9\n[[phase]]\nsteps = 1\nobjects = [{ size = 1, lifetime = 1 }]",
            "1:9",
            "move `steps` below a [[phase]]",
        ),
        ("phase = []", "1:9", "1 to 256 phases, not 0"),
        (
            "steps = 1\nobjects = [{ size = 99999999999999999999, lifetime = 1 }]",
            "2:21",
            "`size` must be from 1 to",
        ),
        (
            "steps = 1\nobjects = [{ size = 1, lifetime = 1, handed = 101 }]",
            "2:47",
            "`handed` must be from 0 to 100, not 101",
        ),
    ];
    for (source, place, words) in cases {
        let faults = read(Path::new("a/b.toml"), source).expect_err(source);
        let told = faults.render(false);
        assert!(told.contains(&format!("a/b.toml:{place}\n")), "{source}\n{told}");
        for word in words.split('|') {
            assert!(told.contains(word), "{source}: {word}\n{told}");
        }
    }
    parsed(OBJECT);
}

/// A text that is nearly a workload.
fn nearly() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (0u64..2000).prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string())
    ];
    let value = prop_oneof![
        4 => number.clone(),
        1 => Just("\"run\"".to_owned()),
        1 => Just("\"16KiB\"".to_owned()),
        1 => Just("\"log\"".to_owned()),
        2 => (number.clone(), number.clone()).prop_map(|(a, b)| format!("{{ from = {a}, to = {b}, spread = \"log\" }}")),
        1 => number.clone().prop_map(|n| format!("{{ mean = {n} }}")),
        1 => prop::collection::vec(number.clone(), 0..4)
            .prop_map(|v| format!("{{ values = [{0}], weights = [{0}] }}", v.join(", "))),
        1 => number.prop_map(|n| format!("{{ times = {n}, percent = {n} }}")),
    ];
    let key = prop::sample::select(vec![
        "weight", "size", "lifetime", "call", "align", "handed", "resize", "touch", "steps", "größe",
    ]);
    let kind = prop::collection::btree_map(key, value.clone(), 0..6).prop_map(|keys| {
        let keys: Vec<String> = keys.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        format!("{{ {} }}", keys.join(", "))
    });
    (prop::collection::vec(kind, 0..4), value, any::<bool>()).prop_map(|(kinds, value, phase)| {
        let head = if phase { "threads = 2\n[[phase]]\n" } else { "" };
        format!("{head}steps = {value}\nobjects = [{}]\n", kinds.join(", "))
    })
}

/// Whatever is wrong can be said; what is accepted is what it says, and the client takes it.
fn survive(source: &str) {
    match read(Path::new("x.toml"), source) {
        Err(faults) => {
            assert!(!faults.items().is_empty() && !faults.render(true).is_empty());
            assert!(
                faults
                    .items()
                    .iter()
                    .all(|f| f.line >= 1 && f.column >= 1 && !f.message.is_empty())
            );
        }
        Ok(workload) => {
            assert_eq!(parsed(&text(&workload, &[])), workload);
            assert!(
                workload
                    .expected()
                    .iter()
                    .all(|e| e.live_bytes >= 0.0 && e.objects >= 1.0)
            );
            assert!(flat(&workload).len() > 8);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_workloads_never_panic(source in nearly()) {
        survive(&source);
    }

    #[test]
    fn random_text_never_panics(source in "(\\PC|\n){0,200}") {
        survive(&source);
    }

    #[test]
    fn mutated_workloads_never_panic(
        file in prop::sample::select(shipped()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..5, any::<char>(), any::<u8>()), 1..6),
    ) {
        let mut chars: Vec<char> = file.1.chars().collect();
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
