//! `profile`, and `explain` and `diff` with a profile: of recordings, of files, and of processes that stand in for those with
//! a recording variant.
#![cfg(target_os = "linux")]

mod common;

use common::{Ended, Sandbox, compile, hz3, root};
use hz3_lab::profile::{Ended as End, FreedBy, Function, Level, Line, Location, Mapping, Profile, Row};
use hz3_tests::variant::Allocator;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What stands in for a recording variant: at a signal it copies the file `answer.pb` to where its note says.
const VARIANT: &str = r#"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static void answer(int signal) {
	char name[64], bytes[65536];
	(void)signal;
	snprintf(name, sizeof name, "fake.%d.pb", (int)getpid());
	int from = open("answer.pb", O_RDONLY), to = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n = read(from, bytes, sizeof bytes);
	if (n > 0) n = write(to, bytes, (size_t)n);
	close(from);
	close(to);
}
__attribute__((constructor)) static void start(void) { if (LISTENS) signal(12, answer); }
"#;

/// A site of 64-byte objects that is called from `main`, one of 3000-byte ones, and ended objects of both.
fn example(time: u64, leaked: u64) -> Profile {
    let mut profile = Profile::new(Level::All);
    profile.config = "fake".into();
    profile.command = "/usr/bin/server --fast".into();
    profile.period = 524_288;
    profile.threads = 2;
    profile.time_nanos = 1_790_000_000_000_000_000 + time;
    profile.duration = time;
    let function = |name: &str| Function {
        name: name.into(),
        system_name: name.into(),
        file: "/src/server.c".into(),
    };
    profile.functions = vec![function("leak"), function("cache_fill"), function("main")];
    profile.mappings = vec![Mapping {
        start: 0x40_0000,
        limit: 0x50_0000,
        file: "/usr/bin/server".into(),
        ..Mapping::default()
    }];
    profile.locations = (0..3)
        .map(|n| Location {
            address: 0x40_1000 + n as u64,
            mapping: Some(0),
            lines: vec![Line {
                function: n,
                line: 10 + n as u64,
            }],
        })
        .collect();
    profile.stacks = vec![vec![0, 2], vec![1, 2]];
    let row = |stack, size, born, samples: u64, ended| {
        let weight = 1.0 / (1.0 - (-(size as f64) / 524_288.0).exp());
        let objects = (samples as f64 * weight).round() as u64;
        Row {
            size,
            align: 16,
            stack,
            thread: 1 + stack as u64,
            born,
            ended,
            objects,
            bytes: objects * size,
            samples,
            lived: objects as f64 * if ended.is_some() { 1.5e6 } else { (time - born) as f64 },
        }
    };
    let end = |freed_by| {
        Some(End {
            lifetime: 1 << 20,
            freed_by: Some(freed_by),
        })
    };
    profile.rows = vec![
        row(0, 64, 1_000_000, 100, None),
        row(1, 3000, 2_000_000, 400, None),
        row(1, 3000, 3_000_000, 300, end(FreedBy::Same)),
        row(0, 64, 3_000_000, 100, end(FreedBy::Other)),
    ];
    if leaked > 0 {
        profile.rows.push(row(0, 64, time - 1, leaked, None));
    }
    profile
}

/// A program under a stand-in for a variant with this config.
struct Running(Child);

impl Running {
    fn start(folder: &Path, config: &str, listens: bool) -> Self {
        let note = format!("name=fake\nversion=0\nsources=0\nhash=0\ncode_hash=0\n\n{config}");
        let note = note.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let note = format!(
            ".section .note.hz3, \"a\", @note\n.long 4, 2f - 1f, 1\n.asciz \"hz3\"\n1: .ascii \"{note}\"\n2: .balign 4\n"
        );
        std::fs::write(folder.join("note.s"), note).expect("a file");
        let note = folder.join("note.s");
        let listens = format!("-DLISTENS={}", i32::from(listens));
        let flags = ["-shared", "-fPIC", &listens, note.to_str().expect("UTF-8")];
        let library = compile(folder, "libfake.so", VARIANT, &flags).expect("cc is needed by these tests");
        let mut child = Command::new("cat")
            .current_dir(folder)
            .env("LD_PRELOAD", &library)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cat starts");
        // It is on when it answers.
        child
            .stdin
            .as_mut()
            .expect("a pipe")
            .write_all(b"x")
            .expect("it listens");
        child
            .stdout
            .as_mut()
            .expect("a pipe")
            .read_exact(&mut [0])
            .expect("it answers");
        Self(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const RECORDS: &str = "[stats]\nrecord = \"sample-all\"\ndump_signal = 12\nprofile_path = \"fake.%p.pb\"\n";

/// `profile` of a process whose variant has this config.
fn profile_of(config: &str, listens: bool, more: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("answer.pb"), example(5_000_000_000, 0).write_plain()).expect("a file");
    let running = Running::start(folder.path(), config, listens);
    hz3(&root(), &[&["profile", &running.pid()], more].concat())
}

#[test]
fn a_process_is_asked_and_goes_on() {
    let ended = profile_of(RECORDS, true, &[]).with(0);
    for part in [
        "profile  process ",
        "/usr/bin/server --fast",
        "variant  fake",
        "level    all: sampled by bytes in malloc",
        "seen     900 objects, one in 512 KiB",
        "In use by site (all)",
        "cache_fill  server.c:11  < main",
        "Allocated by site (all)",
        "Ended (all)",
        "of them were freed by another thread (95 %: ",
    ] {
        ended.shows(part);
    }
    let json = profile_of(RECORDS, true, &["--format", "json"]).with(0).json();
    let site = &json["sites_in_use"][0];
    assert_eq!(
        (&site["function"], &site["bytes"]["samples"]),
        (&"cache_fill".into(), &400.into())
    );
    let number = |key: &str| site["bytes"][key].as_f64().expect("a number");
    // 400 samples: the interval is about ± 10 %.
    assert!(
        number("low") < 0.93 * number("value") && number("high") > 1.07 * number("value"),
        "{site}"
    );
    assert!(
        json["ended"]["remote"]["value"]
            .as_f64()
            .is_some_and(|share| share > 0.9)
    );
}

#[test]
fn a_process_that_cannot_be_asked_is_left_alone() {
    let how = "help: set stats.record = \"sample\" and stats.dump_signal = 12 in its config";
    for (config, listens, code, what) in [
        ("[stats]\nrecord = \"off\"\n", true, 1, "`fake` in process"),
        ("[stats]\nrecord = \"off\"\n", true, 1, how),
        ("", true, 1, "records nothing"),
        (
            "[stats]\nrecord = \"trace\"\n",
            true,
            1,
            "records a trace, not a profile",
        ),
        (
            "[stats]\nrecord = \"sample\"\ndump_signal = 0\n",
            true,
            1,
            "its config has no stats.dump_signal",
        ),
        (
            RECORDS,
            false,
            1,
            "does not listen to signal 12, by which `fake` is asked",
        ),
        (&RECORDS.replace("fake.%p", "other.%p"), true, 1, "other."),
        (&RECORDS.replace("12", "44"), true, 1, "does not listen to signal 44"),
    ] {
        let ended = profile_of(config, listens, &["--wait", "1"]).with(code);
        assert!(ended.err.contains(what), "{config}: {}", ended.err);
    }
    profile_of(RECORDS, true, &["--variant", "none"])
        .with(2)
        .tells("no variant `none` in process");
    let own = std::process::id().to_string();
    hz3(&root(), &["profile", &own])
        .with(1)
        .tells("no variant of hz3 in process");
    hz3(&root(), &["profile", "4194304"])
        .with(2)
        .tells("there is no process 4194304");
}

#[test]
fn growth_is_shown_with_what_is_behind_it() {
    let sandbox = Sandbox::new();
    let write = |name: &str, profile: &Profile| {
        std::fs::write(sandbox.path().join(name), profile.write()).expect("a file");
    };
    write("before.pb.gz", &example(5_000_000_000, 0));
    write("now.pb.gz", &example(9_000_000_000, 50));
    let ended = sandbox
        .hz3(&["profile", "now.pb.gz", "--since", "before.pb.gz"])
        .with(0);
    ended.shows("grows").shows("leak  server.c:10");
    let json = sandbox
        .hz3(&["profile", "now.pb.gz", "--since", "before.pb.gz", "--format", "json"])
        .with(0)
        .json();
    assert_eq!(json["same_process"], true);
    let sites = json["sites"].as_array().expect("sites");
    assert_eq!((sites.len(), &sites[0]["more"]["samples"]), (1, &50.into()));
    // Two processes may be compared, too; it is said.
    let mut other = example(5_000_000_000, 0);
    other.time_nanos -= 1_000_000_000_000;
    write("other.pb.gz", &other);
    let ended = sandbox.hz3(&["profile", "now.pb.gz", "--since", "other.pb.gz"]).with(0);
    ended.tells("the two are not of one process");
}

#[test]
fn profiles_are_written_for_other_tools() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join("raw.pb"), example(5_000_000_000, 0).write_plain()).expect("a file");
    for (name, begins) in [
        ("a.pb.gz", &b"\x1f\x8b"[..]),
        ("a.pb", b"\x0a\x04"),
        ("a.json", b"{\""),
        ("a.folded", b"main;"),
    ] {
        let ended = sandbox.hz3(&["profile", "raw.pb", "-o", name]).with(0);
        ended.tells(&format!("{name}: "));
        let bytes = std::fs::read(sandbox.path().join(name)).expect("it was written");
        assert!(bytes.starts_with(begins), "{name}: {:?}", &bytes[..8]);
    }
    // What was written can be read again.
    let again = |name: &str| sandbox.hz3(&["profile", name, "--format", "json"]).with(0).json();
    assert_eq!(again("a.pb.gz"), again("raw.pb"));
    let text = sandbox.read("a.folded");
    assert!(text.lines().any(|line| line.starts_with("main;leak ")), "{text}");
    sandbox
        .hz3(&["profile", "raw.pb", "-o", "a.xml"])
        .with(2)
        .tells("a.xml says no format of a profile");
    assert!(!sandbox.path().join("a.xml").exists());
}

#[test]
fn recordings_are_exact_profiles() {
    let json = |more: &[&str]| {
        let words = [&["profile", "gcc", "--format", "json"], more].concat();
        hz3(&root(), &words).with(0).json()
    };
    let (end, peak) = (json(&[]), json(&["--at", "peak"]));
    assert_eq!((&end["level"], &end["clock"]), (&"exact".into(), &"events".into()));
    assert_eq!(
        end["in_use"]["bytes"]["value"],
        end["live_bytes"].as_f64().expect("a number")
    );
    let bytes = |json: &serde_json::Value| json["in_use"]["bytes"]["value"].as_f64().expect("a number");
    assert_eq!(bytes(&peak), end["peak_live_bytes"].as_f64().expect("a number"));
    // A recording against itself is where it is.
    let apart = json(&["--against", "gcc"]);
    assert_eq!(
        (&apart["allocated"]["distance"], &apart["in_use"]["apart"]),
        (&0.0.into(), &0.0.into())
    );
}

#[test]
fn explain_and_diff_know_what_is_asked_for() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join("a.pb"), example(5_000_000_000, 0).write_plain()).expect("a file");
    let ended = sandbox.hz3(&["explain", "default", "--profile", "a.pb"]).with(0);
    ended
        .shows("wasted, of all taken")
        .shows("free objects in magazines")
        .shows("Call sites with the most waste")
        .shows("cache_fill  server.c:11");
    assert!(!ended.out.contains("each size equally likely"), "{}", ended.out);
    let json = sandbox.hz3(&["explain", "default", "--profile", "a.pb", "--format", "json"]);
    let json = json.with(0).json();
    let waste = json["profile"]["waste"].as_array().expect("a list");
    assert_eq!(waste.len(), 3);
    let share = &waste[0]["share"];
    assert!(
        share["low"].as_f64() <= share["value"].as_f64() && share["samples"] == 500,
        "{share}"
    );
    let ended = hz3(
        &root(),
        &["diff", "default", "s22-round4k", "--no-count", "--profile", "python"],
    )
    .with(1);
    ended.shows("On python (exact)").shows("s22-round4k wastes ");
    let same = hz3(
        &root(),
        &["diff", "default", "default", "--no-count", "--profile", "python"],
    )
    .with(0);
    same.shows("On python (exact): no difference");
}

#[test]
fn only_a_recording_can_be_run_under_a_variant() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join("a.pb"), example(5_000_000_000, 0).write_plain()).expect("a file");
    sandbox
        .hz3(&["profile", "a.pb", "--under", "default"])
        .with(2)
        .tells("a.pb is no recording, which could be run under default");
    // The C library's malloc samples nothing.
    hz3(&root(), &["profile", "gcc", "--under", "glibc"])
        .with(1)
        .tells("glibc wrote no profile: ");
}

/// The whole way: a variant samples, is asked by its signal, and its addresses get their names.
#[test]
#[cfg(target_arch = "x86_64")]
fn known_sites_hold_what_they_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = include_str!("profile/known.c");
    let program =
        compile(folder.path(), "known", source, &["-O1", "-g", "-fno-builtin"]).expect("cc is needed by these tests");
    let library = match Allocator::variant("profile") {
        Ok(Allocator::Variant(variant)) => variant.path.clone(),
        other => panic!("no variant `profile`: {other:?}"),
    };
    let mut child = Command::new(program)
        .current_dir(folder.path())
        .env("LD_PRELOAD", library)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (mut say, mut hear) = (
        child.stdin.take().expect("a pipe"),
        BufReader::new(child.stdout.take().expect("a pipe")),
    );
    let running = Running(child);
    let mut line = String::new();
    hear.read_line(&mut line).expect("it is ready");
    let before = folder.path().join("before.pb.gz");
    let before = before.to_str().expect("UTF-8");
    let (pid, wait) = (running.pid(), ["--wait", "120", "--format", "json"]);
    let json = hz3(&root(), &[&["profile", &pid, "-o", before], &wait[..]].concat())
        .with(0)
        .json();
    let sites = json["sites_in_use"].as_array().expect("sites");
    for (site, mib) in sites.iter().zip([40.0, 32.0, 24.0, 16.0, 8.0]) {
        assert_eq!(site["function"], format!("site_of_{mib}"), "{json}");
        let place = site["place"].as_str().expect("a place");
        assert!(place.contains(".c:"), "{place}");
        assert!(site["callers"][0] == "main", "{site}");
        let held = site["bytes"]["value"].as_f64().expect("a number") / f64::from(1 << 20);
        assert!((held / mib - 1.0).abs() < 0.05, "{site}");
    }
    say.write_all(b"\n").expect("it listens");
    hear.read_line(&mut line).expect("it goes on");
    let grown = hz3(&root(), &[&["profile", &pid, "--since", before], &wait[..]].concat())
        .with(0)
        .json();
    assert_eq!(grown["same_process"], true);
    let first = &grown["sites"][0];
    assert_eq!(first["site"][0], "site_of_8", "{grown}");
    let more = first["more"]["value"].as_f64().expect("a number") / f64::from(1 << 20);
    assert!((more / 8.0 - 1.0).abs() < 0.1, "{first}");
}
