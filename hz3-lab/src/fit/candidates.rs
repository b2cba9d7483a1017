//! What else the keys of a config could say, group by group.

use hz3_config::Plan;

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

/// A group of one key.
fn key(name: &'static str, key: &'static str, values: &[&str], why: &'static str) -> Group {
    Group {
        name,
        why,
        choices: values.iter().map(|value| vec![(key, (*value).to_owned())]).collect(),
    }
}

/// The groups, those first that matter to most programs. `threads` have caches, and the recording took so many milliseconds, if
/// that is known.
pub fn groups(base: &Plan, threads: usize, milliseconds: u64) -> Vec<Group> {
    let run = |waste: &str, objects: u32, pages: u32| -> Vec<Line> {
        vec![
            ("runs.max_waste_percent", waste.to_owned()),
            ("runs.min_objects", objects.to_string()),
            ("runs.max_pages", pages.to_string()),
        ]
    };
    let batch = |bytes: &str, least: u32, most: u32| -> Vec<Line> {
        vec![
            ("cache.batch_bytes", format!("{bytes:?}")),
            ("cache.batch_min", least.to_string()),
            ("cache.batch_max", most.to_string()),
        ]
    };
    let mut all = vec![
        Group {
            name: "runs",
            why: "Pages that one class has are of no use to another: shorter runs come back sooner, longer ones have smaller ends.",
            choices: vec![
                run("1.0", 4, 16),
                run("1.0", 16, 32),
                run("1.0", 8, 32),
                run("0.5", 8, 64),
                run("2.0", 4, 8),
                run("3.0", 4, 16),
                run("3.0", 8, 16),
                run("6.25", 2, 8),
                run("12.5", 1, 4),
                run("12.5", 1, 8),
            ],
        },
        Group {
            name: "batches",
            why: "What waits in lists and depots is of no use to other classes; shorter batches wait less, longer ones have fewer events.",
            choices: vec![
                batch("16KiB", 2, 32),
                batch("32KiB", 4, 32),
                batch("64KiB", 8, 64),
                batch("64KiB", 16, 128),
                batch("128KiB", 8, 128),
                batch("256KiB", 64, 256),
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
                .iter()
                .map(|n| {
                    vec![
                        ("depot.batches_min", n.to_string()),
                        ("depot.batches_max", n.parse().unwrap_or(1).max(1).to_string()),
                    ]
                })
                .map(|lines: Vec<(&'static str, String)>| lines)
                .collect(),
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
    let delays: Vec<&str> = [
        (50, "50"),
        (200, "200"),
        (500, "500"),
        (3000, "3000"),
        (10_000, "10000"),
    ]
    .iter()
    .filter(|(ms, _)| ms * 4 < milliseconds)
    .map(|(_, text)| *text)
    .collect();
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
