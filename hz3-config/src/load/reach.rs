//! Every key that is accepted reaches the code: a test of the declarations and of all layers that they pass.

use std::path::Path;

use crate::knob::{GROUPS, Kind, TOP, bytes, dotted};
use crate::support;

/// Configs in which keys may have an effect that they have nowhere else.
const AROUND: &[&str] = &[
    "",
    "[ownership]\nmode = \"owner-bank\"\n",
    "[ownership]\nmode = \"owner-ring\"\n",
    "[depot]\nbatches_min = 2\n",
    "[sub4k]\nlayout = \"list\"\nsizes = [2304, 3072]\n",
    "[placement]\nquarantine = true\n",
    "[hardening]\npartition = \"size\"\n",
    "[hardening]\nfill_freed = \"zero\"\n",
    "[stats]\nrecord = \"sample\"\n",
    "[stats]\nrecord = \"trace\"\n",
    "[hardening]\nguarded_bytes = \"1MiB\"\n",
    "[hardening]\nguards = \"runs\"\n",
];

fn hash(text: &str) -> Option<u64> {
    let text = format!("name = \"x\"\ndescription = \"d\"\n{text}");
    let plan = super::load_str(Path::new("x.toml"), &text).ok()?;
    Some(plan.code_hash.0)
}

/// Other values than the default, as TOML.
fn others(kind: &Kind) -> Vec<String> {
    match kind {
        Kind::Text => vec!["\"text\"".into()],
        Kind::Bool => vec!["true".into(), "false".into()],
        Kind::Int(min, max) => vec![(min + 1).to_string(), max.to_string(), (max / 2).to_string()],
        Kind::Among(numbers) => numbers.iter().map(u64::to_string).collect(),
        Kind::Percent => vec!["10.0".into(), "60.0".into()],
        Kind::Bytes(min, max, step) => [*min, min + step, 4 << 10, 96 << 10, 8 << 20, *max]
            .map(|n| format!("\"{}\"", bytes(n)))
            .into(),
        Kind::Or(_, other) => others(other),
        Kind::Choice(words) => words.iter().map(|word| format!("{:?}", word.name)).collect(),
        Kind::Steps => vec!["[{ to = 4096, step = 64 }]".into()],
        Kind::Sizes(..) => vec!["[2560, 3072]".into()],
        Kind::Ranges(key, ..) => vec![format!("[{{ from = 16, to = 64, {key} = 5 }}]")],
    }
}

/// `around` with another key.
fn with(around: &str, group: &str, key: &str, value: &str) -> String {
    let head = format!("[{group}]\n");
    let line = format!("{key} = {value}\n");
    let kept = around.lines().filter(|line| !line.starts_with(&format!("{key} =")));
    let around: String = kept.map(|line| format!("{line}\n")).collect();
    match around.split_once(&head) {
        Some((before, after)) => format!("{before}{head}{line}{after}"),
        None => format!("{around}{head}{line}"),
    }
}

#[test]
fn every_key_that_is_accepted_reaches_the_code() {
    let mut idle = Vec::new();
    for group in GROUPS.iter().filter(|group| group.name != TOP) {
        for knob in group
            .knobs
            .iter()
            .filter(|knob| support::missing((group.name, knob.key)).is_none())
        {
            let values = others(&knob.kind);
            let reaches = AROUND.iter().any(|around| {
                let plain = hash(around).expect("a sound config");
                let changed = values.iter().map(|value| with(around, group.name, knob.key, value));
                changed.filter_map(|text| hash(&text)).any(|hash| hash != plain)
            });
            if !reaches {
                idle.push(dotted((group.name, knob.key)));
            }
        }
    }
    assert!(idle.is_empty(), "these keys change nothing: {idle:?}");
}
