//! What else the keys of a config could say, group by group.

use hz3_config::Plan;
use hz3_config::plan::{ClassPlan, PAGE, SEGMENT_USABLE_PAGES};

/// A key, with its table, and its value as TOML has it.
pub type Line = (&'static str, String);

/// Keys that belong together, and what they could say.
#[derive(Debug, Clone)]
pub struct Group {
    /// What the keys are about.
    pub name: &'static str,
    /// Why another value may be better, for the config that says it.
    pub why: &'static str,
    /// What they could say.
    pub choices: Vec<Vec<Line>>,
}

/// A key that has a value for each class, and what these could be.
#[derive(Debug, Clone, Copy)]
pub struct ByClass {
    /// What the key is about.
    pub name: &'static str,
    /// Why classes may differ, for the config that says it.
    pub why: &'static str,
    /// The group of keys that it refines.
    pub after: &'static str,
    /// The key, a list of ranges.
    pub key: &'static str,
    /// The word of the value in a range.
    pub value: &'static str,
    /// The value that a class has.
    pub have: fn(&ClassPlan) -> u32,
    /// The least and the greatest value of a class of so many bytes.
    pub bounds: fn(u32) -> (u32, u32),
    /// The values.
    pub choices: &'static [u32],
}

/// Bytes of a batch at most.
const BATCH_BYTES: u32 = 256 << 10;
/// Objects of a run at most: more than that are few pages' worth of the smallest only.
const RUN_OBJECTS: u32 = 4096;

/// The keys that have a value for each class.
pub const BY_CLASS: [ByClass; 2] = [
    ByClass {
        name: "runs of each class",
        why: "As many pages as serve each class best, at one price of memory for all.",
        after: "runs",
        key: "runs.overrides",
        value: "pages",
        have: |class| class.run_pages,
        bounds: |size| {
            let least = size.div_ceil(PAGE);
            (least, (RUN_OBJECTS * size / PAGE).clamp(least, SEGMENT_USABLE_PAGES))
        },
        choices: &[1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64],
    },
    ByClass {
        name: "batches of each class",
        why: "A batch as long as serves each class best, at one price of memory for all.",
        after: "batches",
        key: "cache.overrides",
        value: "batch",
        have: |class| class.batch,
        bounds: |size| (1, (BATCH_BYTES / size).max(1)),
        choices: &[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256],
    },
];

impl ByClass {
    /// The key's line that gives these values to classes of these sizes: one range for neighbours that are alike.
    pub fn line(&self, values: &[(u32, Option<u32>)]) -> Line {
        let ranges = values.chunk_by(|a, b| a.1 == b.1).filter_map(|alike| {
            let (from, to) = (alike.first()?.0, alike.last()?.0);
            let value = alike.first()?.1?;
            Some(format!(
                "    {{ from = {from}, to = {to}, {} = {value} }},\n",
                self.value
            ))
        });
        let ranges: String = ranges.collect();
        let list = if ranges.is_empty() {
            "[]".into()
        } else {
            format!("[\n{ranges}]")
        };
        (self.key, list)
    }
}

/// A group of one key.
fn key(name: &'static str, key: &'static str, values: &[&str], why: &'static str) -> Group {
    Group {
        name,
        why,
        choices: values.iter().map(|value| vec![(key, (*value).to_owned())]).collect(),
    }
}

/// Values of keys, as one choice.
fn together<const N: usize>(keys: [&'static str; N], values: [&str; N]) -> Vec<Line> {
    keys.into_iter().zip(values.map(str::to_owned)).collect()
}

/// The groups, those first that matter to most programs. `threads` have caches, and the recording took so many milliseconds, if
/// that is known.
pub fn groups(base: &Plan, threads: usize, milliseconds: u64) -> Vec<Group> {
    let run = |values| {
        let keys = ["runs.max_waste_percent", "runs.min_objects", "runs.max_pages"];
        together(keys, values)
    };
    let batch = |values| together(["cache.batch_bytes", "cache.batch_min", "cache.batch_max"], values);
    let mut all = vec![
        Group {
            name: "runs",
            why: "Pages that one class has are of no use to another: shorter runs come back sooner, longer ones have smaller ends.",
            choices: vec![
                run(["1.0", "4", "16"]),
                run(["1.0", "16", "32"]),
                run(["1.0", "8", "32"]),
                run(["0.5", "8", "64"]),
                run(["2.0", "4", "8"]),
                run(["3.0", "4", "16"]),
                run(["3.0", "8", "16"]),
                run(["6.25", "2", "8"]),
                run(["12.5", "1", "4"]),
                run(["12.5", "1", "8"]),
            ],
        },
        Group {
            name: "batches",
            why: "What waits in lists and depots is of no use to other classes; shorter batches wait less, longer ones have fewer events.",
            choices: vec![
                batch(["\"16KiB\"", "2", "32"]),
                batch(["\"32KiB\"", "4", "32"]),
                batch(["\"64KiB\"", "8", "64"]),
                batch(["\"64KiB\"", "16", "128"]),
                batch(["\"128KiB\"", "8", "128"]),
                batch(["\"256KiB\"", "64", "256"]),
            ],
        },
        key(
            "freed pages",
            "purge.dirty",
            &[
                "\"4MiB\"",
                "\"8MiB\"",
                "\"16MiB\"",
                "\"32MiB\"",
                "\"128MiB\"",
                "\"256MiB\"",
                "\"1GiB\"",
            ],
            "At least a thirty-second of this stays backed: more saves page faults, less saves memory.",
        ),
        key(
            "freed huge objects",
            "large.cache",
            &[
                "\"8MiB\"",
                "\"32MiB\"",
                "\"64MiB\"",
                "\"128MiB\"",
                "\"512MiB\"",
                "\"2GiB\"",
            ],
            "At least a thirty-second of this stays backed: more saves page faults, less saves memory.",
        ),
        key(
            "a thread's lists",
            "cache.thread_bytes",
            &["\"2MiB\"", "\"4MiB\"", "\"8MiB\"", "\"64MiB\""],
            "Lists grow until then; after that idle ones give way to busy ones.",
        ),
        key(
            "bursts",
            "cache.burst_bytes",
            &["0", "\"16KiB\"", "\"128KiB\"", "\"256KiB\""],
            "A list may become so long where whole batches come and go in rows.",
        ),
        key(
            "what is carved at once",
            "cache.carve_bytes",
            &["\"4KiB\"", "\"8KiB\"", "\"16KiB\"", "\"64KiB\""],
            "One trip to the runs takes so many bytes.",
        ),
        key(
            "first batches",
            "cache.first_bytes",
            &["64", "128", "256", "1024", "2048"],
            "A class begins with so many bytes in a list.",
        ),
        key(
            "empty runs",
            "depot.empty_runs",
            &["0", "2", "4"],
            "A class keeps so many empty runs: more saves work where a class comes and goes, none gives their pages to others.",
        ),
        Group {
            name: "depots",
            why: "So many batches of a class wait between threads: more saves trips to the runs, fewer give objects back sooner.",
            choices: ["0", "4", "8", "32", "64"]
                .map(|n| {
                    together(
                        ["depot.batches_min", "depot.batches_max"],
                        [n, if n == "0" { "1" } else { n }],
                    )
                })
                .into(),
        },
        key(
            "borrowing",
            "placement.borrow_percent",
            &["0.0", "15.0", "60.0"],
            "Before the heap grows, an object of a class that is at most so much larger serves.",
        ),
    ];
    if base.policy.purge.spare {
        all.push(key(
            "spare pages",
            "purge.spare",
            &["false"],
            "Memory that is kept because free ranges do not fit every request.",
        ));
    }
    // A delay can be judged by a recording only where it can pass in a part of it.
    let delays: Vec<String> = [50, 200, 500, 3000, 10_000]
        .iter()
        .filter(|&ms| ms * 4 < milliseconds)
        .map(u64::to_string)
        .collect();
    let delays: Vec<&str> = delays.iter().map(String::as_str).collect();
    if !delays.is_empty() {
        all.push(key(
            "how long pages are kept",
            "purge.delay_ms",
            &delays,
            "Ski rental: pages stay for about as long as their return would cost; the gaps between two uses of them say how long pays.",
        ));
        all.push(key(
            "how long huge objects are kept",
            "large.max_age_ms",
            &delays,
            "Ski rental, as for pages.",
        ));
    }
    if threads > 1 {
        all.push(key(
            "the least share of a thread",
            "cache.thread_floor",
            &["\"512KiB\"", "\"1MiB\"", "\"4MiB\""],
            "Of several threads each may keep at least so much.",
        ));
    }
    all
}
