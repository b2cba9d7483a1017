//! Guarded objects: what is done wrongly to one is told, with who made it and who freed it; in several modes of ownership and tag
//! spaces.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Cleanup, compile, hz3, root};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A variant with many guarded objects, and the program that uses them.
struct Built {
    program: PathBuf,
    library: PathBuf,
    _folder: tempfile::TempDir,
    _cleanup: Cleanup,
}

/// Builds a variant with these keys of `[hardening]` more than its parent.
fn build(parent: &str, bytes: &str, more: &str) -> Built {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = format!("cli-test-guarded-{parent}");
    let config = folder.path().join(format!("{name}.toml"));
    let text = format!(
        "name = \"{name}\"\ndescription = \"A test\"\nextends = \"hz3:{parent}\"\n[hardening]\nguarded_bytes = \"{bytes}\"\n\
         guarded = 64\nguarded_pause_us = 0\n{more}"
    );
    std::fs::write(&config, text).expect("a config");
    let library = hz3_project::Place::checkout().library(&name);
    let cleanup = Cleanup(vec![library.clone()]);
    hz3(&root(), &["build", config.to_str().expect("UTF-8")]).with(0);
    let source = include_str!("guarded/misuse.c");
    let program = compile(
        folder.path(),
        "misuse",
        source,
        &["-O1", "-g", "-fno-builtin", "-pthread"],
    )
    .expect("cc is needed by these tests");
    Built {
        program,
        library,
        _folder: folder,
        _cleanup: cleanup,
    }
}

/// Exit code and signal, standard output and error.
fn run(built: &Built, arguments: &[&str]) -> (Option<i32>, Option<i32>, String, String) {
    let output = Command::new(&built.program)
        .args(arguments)
        .current_dir(built.program.parent().unwrap_or(Path::new(".")))
        .env("LD_PRELOAD", &built.library)
        .output()
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = output.status;
    (
        status.code(),
        status.signal(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

const SEGV: i32 = 11;
const ABORT: i32 = 6;

/// What is done to an object, by which signal the program ends, and what is told.
const WRONG: &[(&str, i32, &[&str])] = &[
    (
        "overflow",
        SEGV,
        &[
            "overflow: a write at",
            "12 bytes behind a guarded object of 100 bytes",
            "allocated by",
        ],
    ),
    ("slack", ABORT, &["overflow: found by free(", "allocated by"]),
    (
        "underflow",
        SEGV,
        &["underflow: a read at", "1 bytes before a guarded object of 100 bytes"],
    ),
    ("before", ABORT, &["underflow: found by free("]),
    (
        "after-free",
        SEGV,
        &[
            "use after free: a read at",
            "which was freed",
            "allocated by",
            "freed by",
        ],
    ),
    ("double-free", ABORT, &["double free: found by free(", "freed by"]),
    (
        "interior",
        ABORT,
        &[
            "pointer into an object: found by free(",
            "16 bytes into a guarded object of 100",
        ],
    ),
];

fn tells_what_is_wrong(built: &Built, goes_on: bool) {
    for (kind, signal, parts) in WRONG {
        let (code, ended, _, told) = run(built, &[kind]);
        for part in *parts {
            assert!(told.contains(part), "{kind}: {part} is not in:\n{told}");
        }
        assert!(
            told.contains("/misuse+0x"),
            "{kind}: a stack leads into the program:\n{told}"
        );
        let wanted = if goes_on {
            (Some(0), None)
        } else {
            (None, Some(*signal))
        };
        assert_eq!((code, ended), wanted, "{kind}:\n{told}");
    }
    for (kind, says) in [("right", "right\n"), ("own-handler", "handled\n")] {
        let (code, _, said, told) = run(built, &[kind]);
        assert_eq!((code, said.as_str(), told.as_str()), (Some(0), says, ""), "{kind}");
    }
}

#[test]
fn threads_adopt_what_others_free() {
    let built = build("default", "64KiB", "");
    tells_what_is_wrong(&built, false);
    // Each object of 64 bytes is guarded with a chance of 64 in 64 KiB, and lies at the end of its page with one of 2.
    let runs = 150;
    let (code, _, said, told) = run(&built, &["statistics", &runs.to_string()]);
    assert_eq!(code, Some(0), "{told}");
    let counts: Vec<f64> = said.lines().map(|line| line.parse().expect("a number")).collect();
    let (mean, wanted) = (counts.iter().sum::<f64>() / counts.len() as f64, 2.0 * 1024.0);
    // The number is distributed geometrically: its deviation is its mean. Five of those of the mean of all.
    let off = 5.0 * wanted / f64::from(runs).sqrt();
    assert!(
        counts.len() == runs as usize && (mean - wanted).abs() < off,
        "{mean}, not {wanted}: {counts:?}"
    );
}

#[test]
fn owners_of_runs_and_frame_pointers() {
    let built = build("hz3-fast", "64KiB", "on_error = \"continue\"\n");
    tells_what_is_wrong(&built, true);
}

/// Guards that stay where they are: what is done beyond an object, and what is told.
const BEYOND: &[(&str, &[&str])] = &[
    (
        "large-overflow",
        &[
            "overflow: a write at",
            "in the guard 8 bytes behind an object of 303104 bytes at",
        ],
    ),
    (
        "large-underflow",
        &[
            "underflow: a read at",
            "in the guard 1 bytes before an object of 303104 bytes at",
        ],
    ),
    (
        "huge-overflow",
        &[
            "overflow: a write at",
            "in the guard 0 bytes behind an object of 2097152 bytes at",
        ],
    ),
    (
        "huge-underflow",
        &[
            "underflow: a read at",
            "in the guard 16 bytes before an object of 3145728 bytes at",
        ],
    ),
    (
        "run-overflow",
        &[
            "overflow: a write at",
            "in the guard 0 bytes behind a run of objects of 2048 bytes at",
        ],
    ),
];

#[test]
fn guards_around_objects_and_behind_runs() {
    let built = build("two-tables", "64KiB", "guards = \"runs\"\nguard_runs = 1\n");
    for (kind, parts) in BEYOND {
        let (_, ended, _, told) = run(&built, &[kind]);
        for part in *parts {
            assert!(told.contains(part), "{kind}: {part} is not in:\n{told}");
        }
        assert_eq!((ended, told.lines().count()), (Some(SEGV), 1), "{kind}:\n{told}");
    }
    let mut child = Command::new(&built.program)
        .arg("hold")
        .env("LD_PRELOAD", &built.library)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let out = child.stdout.take().expect("a pipe");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let heap = hz3(&root(), &["heap", &child.id().to_string(), "--json"]);
    let drawn = hz3(&root(), &["heap", &child.id().to_string()]);
    child.kill().expect("it is there");
    child.wait().expect("it is there");
    let json = heap.with(0).json();
    let totals = &json["summary"]["totals"];
    let count = |key: &str| totals[key].as_u64().expect("a number");
    // Two around each large object, one behind each run, two in each segment.
    let runs: u64 = json["summary"]["classes"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["runs"].as_u64().expect("a number"))
        .sum();
    let (guards, most) = (
        count("guard_pages"),
        2 * count("large_objects") + runs + 2 * count("segments"),
    );
    // A run that ends where its segment's last page begins has that behind it.
    assert!(
        (most - count("segments")..=most).contains(&guards),
        "{guards} of {most}"
    );
    assert_eq!((&json["torn"], count("unknown_pages")), (&0.into(), 0));
    assert!(drawn.with(0).out.contains("| guard"));
}

/// The sizes and alignments that are told of guarded objects are held against what was asked for.
fn tells_of_wrong_sizes(built: &Built) {
    for (kind, part) in [
        ("wrong-size", "as an object of 99 bytes, and has 100"),
        ("wrong-alignment", "at a multiple of 4096"),
    ] {
        let (_, ended, _, told) = run(built, &[kind]);
        assert!(
            told.starts_with("hz3: wrong size: ") && told.contains(part),
            "{kind}: {told}"
        );
        assert_eq!(ended, Some(ABORT), "{kind}");
    }
    let (code, _, said, told) = run(built, &["sized"]);
    assert_eq!((code, said.as_str(), told.as_str()), (Some(0), "right\n", ""));
}

/// Where tags cover all addresses of a process, pointers beyond those lead whoever looks for a tag out of the table.
fn tells_of_wild_pointers(built: &Built) {
    for wild in [
        "4141414141414140",
        "ffff888000000000",
        "fffffffffffffff0",
        "1",
        "123456789ab0",
    ] {
        for call in ["free", "realloc", "usable", "sized"] {
            let (_, ended, _, told) = run(built, &["wild", wild, call]);
            assert!(
                told.contains(wild) && told.contains("not an address that malloc gave"),
                "{call}: {told}"
            );
            assert_eq!((ended, told.lines().count()), (Some(ABORT), 1), "{call}: {told}");
        }
    }
}

#[test]
fn a_flat_table_of_tags() {
    let built = build("flat", "256KiB", "faults = true\nforeign = \"abort\"\nsized = true\n");
    tells_what_is_wrong(&built, false);
    tells_of_wrong_sizes(&built);
    tells_of_wild_pointers(&built);
}
