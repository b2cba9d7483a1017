//! `heap`, of processes that hold what is known.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Cleanup, Ended, compile, hz3, root};
use hz3_core::statics::layout::{MAGIC, VERSION};
use hz3_tests::variant::Allocator;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Allocates, says so, and goes on when it is told to.
const POPULATION: &str = include_str!("heap/population.c");

/// Never stands still.
const CHURN: &str = include_str!("heap/churn.c");

/// A program that waits, and ends with this.
struct Running(Child, BufReader<std::process::ChildStdout>);

impl Running {
    fn start(program: &Path, library: Option<&Path>) -> Running {
        let mut command = Command::new(program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .env_remove("LD_PRELOAD");
        if let Some(library) = library {
            command.env("LD_PRELOAD", library);
        }
        let mut child = command.spawn().expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut this = Running(child, out);
        this.ready();
        this
    }

    fn ready(&mut self) {
        let mut line = String::new();
        self.1.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
    }

    fn go_on(&mut self) {
        let stdin = self.0.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"\n").expect("it listens");
        self.ready();
    }

    fn heap(&self, more: &[&str]) -> Ended {
        let pid = self.0.id().to_string();
        let mut arguments = vec!["heap", &pid];
        arguments.extend(more);
        hz3(&root(), &arguments)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn library(variant: &str) -> PathBuf {
    match Allocator::variant(variant) {
        Ok(Allocator::Variant(v)) => v.path.clone(),
        Ok(_) => panic!("{variant} is no variant"),
        Err(e) => panic!("{e}"),
    }
}

fn program(folder: &Path, source: &str) -> PathBuf {
    compile(folder, "client", source, &["-O1", "-fno-builtin", "-pthread"]).expect("cc is needed by these tests")
}

/// The row of the class that holds `size` bytes.
fn row(json: &Value, size: u64) -> [u64; 4] {
    let sizes = json["classes"].as_array().expect("classes").iter();
    let class = sizes
        .filter_map(|c| c["size"].as_u64())
        .find(|s| *s >= size)
        .expect("a class");
    let rows = json["summary"]["classes"].as_array().expect("rows").iter();
    let found = rows.into_iter().find(|r| r["size"] == class);
    ["live", "pages", "runs", "out"].map(|key| found.map_or(0, |r| r[key].as_u64().expect("a number")))
}

fn total(json: &Value, key: &str) -> u64 {
    json["summary"]["totals"][key].as_u64().expect("a number")
}

#[track_caller]
fn within(what: &str, n: u64, from: u64, more: u64) {
    assert!(
        (from..=from + more).contains(&n),
        "{what}: {n}, not {from} and at most {more} more"
    );
}

/// One program through all its stages. What it holds itself is known; the C library may have a few objects beside.
fn population(library: &Path, folder: &Path) {
    let mut running = Running::start(&program(folder, POPULATION), Some(library));
    let json = running.heap(&["--json"]).with(0).json();
    assert_eq!((&json["format"], &json["version"]), (&"hz3-heap".into(), &1.into()));
    assert_eq!(json["torn"], 0);
    let [live, pages, runs, _] = row(&json, 100);
    within("objects of 100 bytes", live, 20000, 20);
    assert!(
        pages * 4096 >= 20000 * 100 && pages >= runs && runs > 0,
        "{runs} runs of {pages} pages"
    );
    within("objects of 3000 bytes", row(&json, 3000)[0], 200, 20);
    within("large objects", total(&json, "large_objects"), 5, 3);
    within("pages of large objects", total(&json, "large_pages"), 5 * 49, 400);
    assert_eq!(total(&json, "huge_bytes"), 10 << 20);
    assert_eq!(json["huge"][0]["resident"], 2560, "all of it was written");
    assert!(total(&json, "resident_bytes") > 13 << 20);

    running.go_on();
    let json = running.heap(&["--json"]).with(0).json();
    within("half of them", row(&json, 100)[0], 10000, 20);
    let halved = folder.join("halved.json");
    running.heap(&["--save", halved.to_str().expect("UTF-8")]).with(0);

    running.go_on();
    let json = running.heap(&["--json"]).with(0).json();
    within("none of them", row(&json, 100)[0], 0, 20);
    within("no large objects", total(&json, "large_objects"), 0, 3);
    assert_eq!(total(&json, "huge_objects"), 0);
    assert!(
        total(&json, "clean_pages") > 400,
        "pages that are free and given back: {json}"
    );
    assert!(total(&json, "resident_bytes") < 3 << 20);

    let (pid, halved) = (running.0.id().to_string(), halved.to_str().expect("UTF-8"));
    let change = hz3(&root(), &["heap", halved, &pid, "--json"]).with(0).json();
    let live = |t: &str| change[t]["live_bytes"].as_u64().expect("a number");
    assert!(live("before") > 12 << 20 && live("after") < 1 << 20, "{change}");
    let text = hz3(&root(), &["heap", halved, &pid]).with(0).out;
    let huge = text.lines().find(|l| l.starts_with("huge objects")).expect("a line");
    assert_eq!(
        huge.split_whitespace().collect::<Vec<_>>()[2..],
        ["10.0", "MiB", "0", "B", "-10.0", "MiB"]
    );
    let same = hz3(&root(), &["heap", halved, halved, "--json"]).with(0).json();
    assert_eq!(same["classes"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_known_population_is_found() {
    for variant in ["default", "flat", "hz3-fast", "hz3-scale", "percpu"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        population(&library(variant), folder.path());
    }
}

#[test]
fn segments_outside_of_the_arena_are_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("cli-test-heap.toml");
    let text = "name = \"cli-test-heap\"\ndescription = \"A test\"\n[arena]\nsize = \"16MiB\"\n";
    std::fs::write(&config, text).expect("a file");
    let built = hz3_project::Place::checkout().library("cli-test-heap");
    let _cleanup = Cleanup(vec![built.clone()]);
    hz3(&root(), &["build", config.to_str().expect("UTF-8")]).with(0);
    let source = POPULATION.replace(
        "i < 20000; i++) small[i] = take(100)",
        "i < 20000; i++) small[i] = take(1000)",
    );
    let running = Running::start(&program(folder.path(), &source), Some(&built));
    let json = running.heap(&["--json"]).with(0).json();
    within("objects of 1000 bytes", row(&json, 1000)[0], 20000, 20);
    assert!(
        total(&json, "outside") >= 4,
        "20 MB and 10 MiB do not fit 16 MiB: {}",
        json["summary"]["totals"]
    );
    assert_eq!(total(&json, "huge_bytes"), 10 << 20);
    let text = running.heap(&["--zoom", "8"]).with(0).out;
    assert!(
        text.contains("one object of 10.0 MiB, 10.0 MiB in memory, outside of the arena"),
        "{text}"
    );
}

#[test]
fn a_process_that_goes_on_is_read_again_and_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = program(folder.path(), CHURN);
    for variant in ["default", "hz3-fast"] {
        let running = Running::start(&program, Some(&library(variant)));
        for _ in 0..10 {
            let json = running.heap(&["--json"]).with(0).json();
            assert_eq!(json["variant"], variant);
            for segment in json["segments"].as_array().expect("segments") {
                let spans = segment["spans"].as_array().expect("spans");
                assert_eq!(spans.iter().filter_map(|s| s["pages"].as_u64()).sum::<u64>(), 512);
            }
        }
    }
}

#[test]
fn what_is_saved_can_be_drawn_when_the_process_is_gone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |file: &str| folder.path().join(file).to_str().expect("UTF-8").to_owned();
    let (saved, page) = (at("a.json"), at("a.html"));
    // The library is gone before it is read, as after another build.
    let copy = folder.path().join("libhz3_copy.so");
    std::fs::copy(library("default"), &copy).expect("a copy");
    let running = Running::start(&program(folder.path(), POPULATION), Some(&copy));
    std::fs::remove_file(&copy).expect("the copy is removed");
    let now = running.heap(&["--save", &saved]).with(0).out;
    assert!(
        now.contains("A to 64 B") && now.contains("#####") && !now.contains('\x1b'),
        "{now}"
    );
    let pid = running.0.id().to_string();
    drop(running);
    let draw = |more: &[&str]| hz3(&root(), &[&["heap", saved.as_str()], more].concat());
    assert_eq!(draw(&[]).with(0).out, now);
    assert_eq!(draw(&["--json"]).with(0).json()["pid"].to_string(), pid);
    draw(&["-o", &page]).with(0);
    let html = std::fs::read_to_string(&page).expect("a page");
    assert!(html.contains("<svg") && html.contains("-byte objects, ") && !html.contains("<script"));

    let text = std::fs::read_to_string(&saved).expect("a snapshot");
    for (from, to, said) in [
        (
            "\"version\":1,",
            "\"version\":7,",
            "is a snapshot of version 7, and this hz3 reads version 1",
        ),
        ("\"hz3-heap\"", "\"else\"", "is no snapshot of a heap"),
        (
            "\"segment_pages\":512",
            "\"segment_pages\":256",
            "is a damaged snapshot: a segment without all of its pages",
        ),
    ] {
        std::fs::write(&saved, text.replace(from, to)).expect("a file");
        let ended = draw(&[]).with(2);
        assert!(ended.err.contains(said) && ended.out.is_empty(), "{}", ended.err);
    }
    let ended = hz3(&root(), &["heap", &pid]).with(2);
    ended.tells(&format!("there is no process {pid}"));
}

#[test]
fn processes_without_a_variant_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = program(folder.path(), POPULATION);
    let mut cases = vec![(None, "its malloc seems to be the C library's")];
    let jemalloc = Path::new("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
    if jemalloc.is_file() {
        cases.push((Some(jemalloc), "its malloc seems to be jemalloc"));
    }
    for (library, said) in cases {
        let running = Running::start(&program, library);
        let ended = running.heap(&[]).with(1);
        ended.tells("no variant of hz3 in process").tells(said);
        assert_eq!(ended.out, "");
    }
    let running = Running::start(&program, Some(&library("default")));
    let ended = running.heap(&["--variant", "flat"]).with(2);
    ended.tells("no variant `flat` in process").tells("there is `default`");
    // One that ended, and that nobody has waited for yet.
    let mut running = running;
    running.0.kill().expect("it is there");
    let pid = running.0.id();
    let zombie = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| s.contains(") Z "));
    while !zombie() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let ended = running.heap(&[]).with(1);
    ended.tells("has no memory: it has ended");
    // The first process is often one that may not be read.
    if std::fs::File::open("/proc/1/mem").is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied) {
        let ended = hz3(&root(), &["heap", "1"]).with(3);
        ended.tells("process 1 may not be read");
    }
    for bad in ["99999999999", "no-such-file.json", "0"] {
        hz3(&root(), &["heap", bad]).with(2);
    }
}

/// A copy of a library with some bytes of it replaced.
fn patched(library: &Path, copy: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(library).expect("a library");
    let at = bytes
        .windows(from.len())
        .position(|w| w == from)
        .expect("the bytes are there");
    bytes[at..at + to.len()].copy_from_slice(to);
    std::fs::write(copy, bytes).expect("a copy");
}

#[test]
fn variants_of_another_hz3_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (program, library) = (program(folder.path(), POPULATION), library("default"));
    let copy = folder.path().join("libhz3_other.so");
    let described = |version: usize| [&MAGIC[..], &[u8::try_from(version).expect("a small number")]].concat();
    patched(&library, &copy, &described(VERSION), &described(99));
    let ended = Running::start(&program, Some(&copy)).heap(&[]).with(1);
    ended.tells(&format!(
        "describes its heap in version 99, and this hz3 reads version {VERSION}"
    ));
    patched(&library, &copy, b".hz3.heap\0", b".hz3.none\0");
    let ended = Running::start(&program, Some(&copy)).heap(&[]).with(1);
    ended.tells("libhz3_other.so in process").tells("built by an older hz3");
}

/// Threads hand objects to each other and then rest; what the variant says of itself is written before they do.
const RESTING: &str = include_str!("heap/resting.c");

#[test]
fn a_reader_outside_agrees_with_the_variant_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = program(folder.path(), RESTING);
    for variant in ["default", "flat", "hz3-fast", "hz3-scale"] {
        let mut running = Running::start(&program, Some(&library(variant)));
        let mut line = String::new();
        running.1.read_line(&mut line).expect("a line");
        let own: Value = serde_json::from_str(&line).expect("JSON");
        let json = running.heap(&["--json"]).with(0).json();
        let page = 4096;
        let sum = |key: &str| {
            let classes = json["classes"].as_array().expect("classes").iter();
            classes
                .map(|c| c[key].as_u64().unwrap_or(0) * c["size"].as_u64().unwrap_or(0))
                .sum::<u64>()
        };
        let free_pages = total(&json, "dirty_pages") + total(&json, "clean_pages");
        let found = [
            ("taken_bytes", total(&json, "taken_bytes")),
            ("live_bytes", total(&json, "live_bytes")),
            ("magazine_bytes", sum("magazines")),
            ("depot_bytes", sum("depots")),
            ("run_free_bytes", total(&json, "run_free_bytes")),
            ("pages_free_bytes", free_pages * page),
            ("pages_dirty_bytes", total(&json, "dirty_pages") * page),
            ("large_bytes", total(&json, "large_pages") * page),
            ("huge_bytes", total(&json, "huge_bytes")),
            ("segments", total(&json, "segments")),
            ("threads", json["threads"].as_u64().expect("a number")),
            ("ring_objects", json["ring_objects"].as_u64().expect("a number")),
        ];
        for (key, n) in found {
            assert_eq!(own[key].as_u64(), Some(n), "{key} of {variant}");
        }
        assert_eq!(json["torn"], 0);
        assert!(sum("magazines") > 0 && total(&json, "large_objects") > 100);
    }
}
