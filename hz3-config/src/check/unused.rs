//! Keys without effect, given the others.
//!
//! A key that does nothing misleads whoever reads the file, so it is an error, unless a nearer file switched off what
//! an inherited key belongs to: a child cannot unset keys.

use crate::diagnostic::Sink;
use crate::knob::{Merged, Path, Settings, dotted, show};
use crate::plan::{Fill, Guards, Ownership, Partition, Per, Record, Stacks};

/// A key that only matters for some values of another.
struct Gate {
    key: Path,
    on: Path,
    /// The value of `on` that gives the key its effect, as told to the user.
    needs: &'static str,
    open: fn(&Settings) -> bool,
}

fn owners(settings: &Settings) -> bool {
    settings.ownership.mode.value != Ownership::Adopt
}

const MODE: Path = ("ownership", "mode");
const OWNERS: &str = "\"owner-bank\" or \"owner-ring\"";

const fn gate(key: Path, on: Path, needs: &'static str, open: fn(&Settings) -> bool) -> Gate {
    Gate { key, on, needs, open }
}

static GATES: &[Gate] = &[
    gate(
        ("cache", "batch_bytes"),
        ("cache", "batch_max"),
        "more than `cache.batch_min`",
        |s| s.cache.batch_min.value != s.cache.batch_max.value,
    ),
    gate(("cache", "burst_bytes"), ("cache", "per"), "\"thread\"", |s| {
        s.cache.per.value == Per::Thread
    }),
    gate(("cache", "first_bytes"), ("cache", "slow_start"), "true", |s| {
        s.cache.slow_start.value
    }),
    gate(("cache", "thread_bytes"), ("cache", "slow_start"), "true", |s| {
        s.cache.slow_start.value
    }),
    gate(("cache", "thread_floor"), ("cache", "slow_start"), "true", |s| {
        s.cache.slow_start.value
    }),
    gate(("cache", "crowd_bytes"), ("cache", "slow_start"), "true", |s| {
        s.cache.slow_start.value
    }),
    gate(("central", "steal"), MODE, OWNERS, owners),
    gate(
        ("depot", "bytes"),
        ("depot", "batches_max"),
        "more than `depot.batches_min`",
        |s| s.depot.batches_min.value != s.depot.batches_max.value,
    ),
    gate(("depot", "shelves"), MODE, "\"adopt\"", |s| !owners(s)),
    gate(
        ("hardening", "groups"),
        ("hardening", "partition"),
        "\"size\" or \"token\"",
        |s| s.hardening.partition.value != Partition::Off,
    ),
    gate(("hardening", "guard_runs"), ("hardening", "guards"), "\"runs\"", |s| {
        s.hardening.guards.value == Guards::Runs
    }),
    gate(("hardening", "guarded"), GUARDED, "more than 0", guards),
    gate(("hardening", "guarded_pause_us"), GUARDED, "more than 0", guards),
    gate(
        ("hardening", "fill_bytes"),
        ("hardening", "fill_freed"),
        "\"zero\" or \"poison\", or `hardening.fill_new` is",
        |s| s.hardening.fill_freed.value != Fill::Off || s.hardening.fill_new.value != Fill::Off,
    ),
    gate(("large", "max_age_ms"), ("large", "cache"), "more than 0", |s| {
        s.large.cache.value > 0
    }),
    gate(("ownership", "ring"), MODE, "\"owner-ring\"", |s| {
        s.ownership.mode.value == Ownership::OwnerRing
    }),
    gate(("ownership", "shards"), MODE, OWNERS, owners),
    gate(("ownership", "nodes"), MODE, OWNERS, owners),
    gate(
        ("placement", "borrow_from"),
        ("placement", "borrow_percent"),
        "more than 0",
        |s| s.placement.borrow_percent.value > 0.0,
    ),
    gate(
        ("placement", "quarantine_events"),
        ("placement", "quarantine"),
        "true",
        |s| s.placement.quarantine.value,
    ),
    gate(("pressure", "budget"), ("pressure", "enabled"), "true", |s| {
        s.pressure.enabled.value
    }),
    gate(("pressure", "reclaim"), ("pressure", "enabled"), "true", |s| {
        s.pressure.enabled.value
    }),
    gate(("pressure", "relief"), ("pressure", "enabled"), "true", |s| {
        s.pressure.enabled.value
    }),
    gate(("remote", "batch"), MODE, "\"owner-bank\"", |s| {
        s.ownership.mode.value == Ownership::OwnerBank
    }),
    gate(("remote", "flush"), MODE, OWNERS, owners),
    gate(("remote", "sort"), MODE, "\"owner-ring\"", |s| {
        s.ownership.mode.value == Ownership::OwnerRing
    }),
    gate(
        ("stats", "depth"),
        ("stats", "stacks"),
        "\"unwinder\" or \"frame-pointers\"",
        |s| !reads_stacks(s) || s.stats.stacks.value != Stacks::Off,
    ),
    gate(("stats", "depth"), RECORD, READING, reads_stacks),
    gate(("stats", "dump_at_exit"), RECORD, RECORDING, recording),
    gate(("stats", "dump_signal"), RECORD, RECORDING, recording),
    gate(("stats", "profile_path"), RECORD, RECORDING, recording),
    gate(("stats", "record_bytes"), RECORD, COUNTING, counts),
    gate(("stats", "sample_bytes"), RECORD, SAMPLING, samples),
    gate(("stats", "sample_pause_us"), RECORD, SAMPLING, samples),
    gate(("stats", "samples"), RECORD, SAMPLING, samples),
    gate(("stats", "stacks"), RECORD, READING, reads_stacks),
    gate(("sub4k", "run_pages"), ("sub4k", "layout"), "\"list\"", list),
    gate(("sub4k", "sizes"), ("sub4k", "layout"), "\"list\"", list),
];

const RECORD: Path = ("stats", "record");
const COUNTING: &str = "\"histogram\" or \"trace\"";

fn counts(settings: &Settings) -> bool {
    matches!(settings.stats.record.value, Record::Histogram | Record::Trace)
}

const SAMPLING: &str = "\"sample\" or \"sample-all\"";
const RECORDING: &str = "\"sample\", \"sample-all\" or \"histogram\"";

fn samples(settings: &Settings) -> bool {
    matches!(settings.stats.record.value, Record::Sample | Record::SampleAll)
}

const GUARDED: Path = ("hardening", "guarded_bytes");

fn guards(settings: &Settings) -> bool {
    settings.hardening.guarded_bytes.value > 0
}

const READING: &str = "\"sample\" or \"sample-all\", or `hardening.guarded_bytes` is more than 0";

fn reads_stacks(settings: &Settings) -> bool {
    samples(settings) || guards(settings)
}

fn recording(settings: &Settings) -> bool {
    samples(settings) || settings.stats.record.value == Record::Histogram
}

fn list(settings: &Settings) -> bool {
    settings.sub4k.layout.value == crate::knob::Sub4k::List
}

/// What must hold for a key to have an effect, for the reference: the other key and the value that it needs.
pub(crate) fn condition(path: Path) -> Option<String> {
    let gate = GATES.iter().find(|gate| gate.key == path)?;
    Some(format!("`{}` is {}", dotted(gate.on), gate.needs))
}

/// Reports keys without effect; returns all knobs that have none, written or not.
pub(super) fn check(merged: &Merged, settings: &Settings, sink: &mut Sink) -> Vec<Path> {
    let mut unused = Vec::new();
    for gate in GATES {
        let (entry, on) = (&merged[&gate.key], &merged[&gate.on]);
        if (gate.open)(settings) {
            continue;
        }
        unused.push(gate.key);
        let Some(at) = entry.key_at.filter(|_| on.ok) else {
            continue;
        };
        if on.key_at.is_some_and(|on| on.file < at.file) {
            continue;
        }
        let (key, other) = (dotted(gate.key), dotted(gate.on));
        let message = format!("`{key}` has no effect while `{other}` is {}", show(&on.value));
        let help = format!("remove it, or set `{other}` to {}", gate.needs);
        sink.error(Some(at), message, "", help);
    }
    unused
}
