//! The clients as programs: every row runs, says what it must, and notices what is wrong.

use hz3_lab::clients::{Clients, REPLAY};
use hz3_lab::rows::{Job, Program, ROWS};
use hz3_lab::tails::Tails;
use hz3_lab::{child, prove, trace};
use hz3_project::{Allocator, Place};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

fn clients() -> &'static Clients {
    static BUILT: OnceLock<Clients> = OnceLock::new();
    BUILT.get_or_init(|| {
        let place = Place::checkout();
        Clients::of(&place, |_| ()).unwrap()
    })
}

/// The program of a client.
fn program(name: &str) -> PathBuf {
    let of_row = ROWS.iter().find_map(|row| match row.program {
        Program::Client(client) if client.name == name => Some(client),
        _ => None,
    });
    clients().program(&of_row.unwrap_or(REPLAY)).unwrap()
}

/// Every client with a few steps of each of its rows.
fn short(row: &hz3_lab::rows::Row) -> Option<Vec<String>> {
    let Program::Client(client) = row.program else {
        return None;
    };
    let name = client.name;
    let mut words = vec![program(name).display().to_string()];
    let job = Job::of(row, clients(), false).unwrap();
    // The row's own arguments, then a size that takes no time.
    words.extend(job.command[1..=row.args.split_whitespace().count()].iter().cloned());
    let small: &[&str] = match name {
        "phase" => &["--bytes", "2M", "--idle-ms", "10"],
        "plateau" => &["--bytes", "2M", "--stay-ms", "10"],
        "threads" if row.name == "churn" => &["--steps", "20"],
        "threads" if row.name == "larson" => &["--steps", "2000", "--rounds", "3"],
        "scratch" => &["--steps", "20"],
        "big" => &["--steps", "200"],
        "bursts" if row.args.contains("--objects") => &["--steps", "1500"],
        _ => &["--steps", "3000"],
    };
    words.extend(small.iter().map(|s| (*s).to_string()));
    Some(words)
}

#[test]
fn every_row_runs_and_leaves_nothing_alive() {
    for row in ROWS {
        let Some(words) = short(row) else { continue };
        let out = Command::new(&words[0]).args(&words[1..]).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(
            out.status.success(),
            "{}: {} {}",
            row.name,
            out.status,
            String::from_utf8_lossy(&out.stderr)
        );
        let v: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}: {text}", row.name));
        for key in ["failures", "wrong", "live_end"] {
            assert_eq!(v[key], 0, "{}: {key} in {text}", row.name);
        }
        for key in ["ops", "seconds", "ns_per_op", "rss_end", "rss_peak"] {
            assert!(v[key].as_f64().unwrap() > 0.0, "{}: {key} in {text}", row.name);
        }
    }
}

/// The twin of a client, run with these words: what it says of its single calls.
fn timed(name: &str, words: &[String], library: Option<&std::path::Path>) -> Tails {
    let of_row = ROWS.iter().find_map(|row| match row.program {
        Program::Client(client) if client.name == name => Some(client),
        _ => None,
    });
    let mut command = Command::new(clients().timed(&of_row.unwrap()).unwrap());
    if let Some(library) = library {
        command.env("LD_PRELOAD", library);
    }
    let out = command.args(words).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{name} {words:?}: {} {text}", out.status);
    let v: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}: {text}"));
    serde_json::from_value(v["tails"].clone()).unwrap_or_else(|e| panic!("{name}: {e}: {text}"))
}

#[test]
fn every_row_of_a_client_can_time_its_calls() {
    for row in ROWS {
        let (Some(words), Program::Client(client)) = (short(row), row.program) else {
            continue;
        };
        let tails = timed(client.name, &words[1..], None);
        let count = |call| tails.calls.get(call).map_or(0, |s| s.count);
        for (call, s) in &tails.calls {
            let order = [s.p50, s.p99, s.p999, s.p9999, s.max];
            assert!(order.is_sorted() && s.max > 0, "{}: {call}: {s:?}", row.name);
        }
        // What is taken is given back, and every sixteenth call is followed by an empty one. Calls that lost their
        // processor are missing.
        let (out, back, empty) = (count("malloc"), count("free"), count("clock"));
        let lost = tails.preempted;
        assert!(
            out + count("realloc") > 0 && out.abs_diff(back) <= lost + count("realloc"),
            "{}: {tails:?}",
            row.name
        );
        let sixteenth = (out + back + count("realloc")) / 16;
        let threads = 16 * 100;
        assert!(empty.abs_diff(sixteenth) <= lost + threads, "{}: {tails:?}", row.name);
    }
}

#[test]
fn calls_that_sleep_are_long_and_nobody_elses() {
    // Every 200th malloc sleeps for a millisecond: the thread gave its processor up by itself, as who waits for a lock.
    const SLEEPS: &str = r#"
#include <stddef.h>
#include <time.h>
extern void *__libc_malloc(size_t);
static __thread unsigned calls;
void *malloc(size_t n) {
	struct timespec t = {0, 1000000};
	if (++calls % 200 == 0) nanosleep(&t, 0);
	return __libc_malloc(n);
}
"#;
    let dir = tempfile::tempdir_in(clients().folder()).unwrap();
    let (c, so) = (dir.path().join("sleeps.c"), dir.path().join("libsleeps.so"));
    std::fs::write(&c, SLEEPS).unwrap();
    let made = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-fno-builtin", "-o"])
        .arg(&so)
        .arg(&c)
        .status();
    assert!(made.unwrap().success());
    let words = ["--threads", "1", "--steps", "20000"].map(String::from);
    let tails = timed("ring", &words, Some(&so));
    let malloc = &tails.calls["malloc"];
    let millisecond = (tails.ticks_per_us * 1000.0) as u64;
    assert!(malloc.p50 < millisecond && malloc.p999 >= millisecond, "{tails:?}");
    assert!(tails.switches >= malloc.count / 200, "{tails:?}");
    assert!(tails.calls["free"].p50 < millisecond, "{tails:?}");
}

#[test]
fn seeds_decide_everything_but_time() {
    let peak = |seed: &str| {
        let out = Command::new(program("random"))
            .args(["--steps", "20000", "--seed", seed])
            .output()
            .unwrap();
        let v: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        v["live_peak"].as_u64().unwrap()
    };
    assert_eq!(peak("5"), peak("5"));
    assert_ne!(peak("5"), peak("6"));
}

#[test]
fn the_uniform_row_is_half_full_on_average() {
    // 400 slots, half of them taken, mean size 1032: 206 KB, and the peak a little above.
    let out = Command::new(program("random"))
        .args(["--steps", "200000"])
        .output()
        .unwrap();
    let v: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let peak = v["live_peak"].as_f64().unwrap();
    assert!((230_000.0..300_000.0).contains(&peak), "{peak}");
}

#[test]
fn options_are_checked() {
    for name in [
        "random", "ring", "prodcons", "threads", "bursts", "big", "scratch", "phase", "plateau", "families", "replay",
    ] {
        let help = Command::new(program(name)).arg("--help").output().unwrap();
        assert!(
            help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--seed N"),
            "{name}"
        );
        for bad in [&["--nonsense", "1"][..], &["--seed", "x"], &["--seed"], &["word"]] {
            let out = Command::new(program(name)).args(bad).output().unwrap();
            assert_eq!(out.status.code(), Some(2), "{name} {bad:?}");
            assert!(!out.stderr.is_empty() && out.stdout.is_empty(), "{name} {bad:?}");
        }
    }
}

fn job(name: &str) -> Job {
    Job::of(ROWS.iter().find(|r| r.name == name).unwrap(), clients(), false).unwrap()
}

#[test]
fn an_inert_library_is_found_out() {
    // A library that exports no malloc: preloading it changes nothing, and the client says so.
    let dir = tempfile::tempdir_in(clients().folder()).unwrap();
    let (c, so) = (dir.path().join("inert.c"), dir.path().join("libinert.so"));
    std::fs::write(&c, "int inert;\n").unwrap();
    assert!(
        Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&so)
            .arg(&c)
            .status()
            .unwrap()
            .success()
    );
    let inert = Allocator::file("inert", so);
    let e = prove::prove(clients(), &job("small"), &inert).unwrap_err();
    assert!(e.message.starts_with("not proven: malloc comes from "), "{e}");
    let e = prove::prove(clients(), &job("startup"), &inert).unwrap_err();
    assert!(
        e.message
            .starts_with("not proven: no process of `/bin/true` bound its malloc"),
        "{e}"
    );
}

#[test]
fn what_runs_is_proven() {
    let empty = Allocator::file("empty", clients().empty().unwrap());
    prove::prove(clients(), &job("small"), &empty).unwrap();
    prove::prove(clients(), &job("small"), &Allocator::glibc()).unwrap();
    prove::prove(clients(), &job("startup"), &Allocator::glibc()).unwrap();
}

#[test]
fn overlapping_memory_is_noticed() {
    let empty = Allocator::file("empty", clients().empty().unwrap());
    let mut job = job("small");
    job.command.extend(["--steps".into(), "20000".into()]);
    assert!(child::run(clients(), &job, Some(&empty), 1, 0).unwrap().wrong > 0);
    assert_eq!(child::run(clients(), &job, None, 1, 0).unwrap().wrong, 0);
}

#[test]
fn the_peak_is_the_childs_own() {
    // This process grows by 64 MiB; /bin/true must not look fat for it.
    let ballast = vec![1u8; 64 << 20];
    let mut job = job("startup");
    job.repeat = 1;
    let s = child::run(clients(), &job, None, 1, 0).unwrap();
    assert!(s.rss_peak < 8 << 20, "{} bytes", s.rss_peak);
    assert_eq!(ballast[12345], 1);
}

#[test]
fn a_ring_keeps_to_the_live_bytes_that_it_is_given() {
    let most = 4 << 20;
    let out = Command::new(program("ring"))
        .args(["--threads", "3", "--steps", "100000", "--max", "32768", "--most", "4M"])
        .output()
        .unwrap();
    let v: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let peak = v["live_peak"].as_u64().unwrap();
    // Each thread may have 64 KiB and one object that the others do not know of yet, before and after it looks.
    assert!(
        (most..most + 3 * 2 * (96 << 10)).contains(&peak),
        "{peak} bytes were live"
    );
    assert_eq!(v["failures"], 0);
}

#[test]
fn failing_commands_say_how() {
    let bad = Job::user(&["/bin/false".into()], hz3_lab::rows::Metric::WallMs);
    assert_eq!(
        child::run(clients(), &bad, None, 1, 0).unwrap_err().message,
        "/bin/false: exit code 1"
    );
    // A command's own output is not shown while it is measured, but its last words are.
    let words = ["/bin/sh", "-c", "echo out; echo one >&2; echo two >&2; kill -9 $$"].map(String::from);
    let e = child::run(clients(), &Job::user(&words, hz3_lab::rows::Metric::WallMs), None, 1, 0).unwrap_err();
    assert_eq!(e.message, "/bin/sh: killed by signal 9 (SIGKILL): one / two");
    assert_eq!(e.code, hz3_project::Code::Failed);
}

#[test]
fn what_threads_do_is_recorded_and_runs_again() {
    let dir = tempfile::tempdir_in(clients().folder()).unwrap();
    let status = Command::new(program("ring"))
        .args(["--threads", "3", "--steps", "3000", "--ws", "50"])
        .env("LD_PRELOAD", clients().tracer().unwrap())
        .env("HZ3_TRACE_DIR", dir.path())
        .output()
        .unwrap();
    assert!(status.status.success());
    let raw: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    assert_eq!(raw.len(), 1, "{raw:?}");
    let (head, t) = trace::read_raw(&raw[0]).unwrap();
    assert!(head.command.contains("--threads 3"), "{}", head.command);
    let s = trace::summary(&t);
    assert!(
        s.threads >= 3 && s.remote_frees * 3 > s.frees && s.frees * 4 > s.allocations,
        "{s:?}"
    );
    assert!(s.live_end < 10_000, "the workload frees everything: {s:?}");
    let back = trace::unpack(&trace::pack(&t)).unwrap();
    assert_eq!(back, t);
    let mut job = Job::trace("threads-test", &back, clients()).unwrap();
    *job.command.last_mut().unwrap() = "2".into();
    let sample = child::run(clients(), &job, None, 1, 0).unwrap();
    assert_eq!((sample.wrong, sample.failures), (0, 0));
    assert!(sample.live_peak.unwrap() > 0);
}

#[test]
fn shipped_traces_can_be_read_and_are_small() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let data = std::fs::read(entry.path()).unwrap();
        bytes += data.len();
        let t = trace::unpack(&data).unwrap();
        assert!(t.events.len() > 10_000, "{}", entry.path().display());
        assert!(
            !t.command.contains("/root") && !t.command.contains("/home"),
            "{}",
            t.command
        );
    }
    assert!((1..1 << 20).contains(&bytes), "{bytes} bytes");
}

/// A prepared trace of so many threads and objects, whose events (object, old object, what) are given thread by thread.
fn prepared(objects: u64, threads: &[&[(u32, u32, u64)]]) -> Vec<u8> {
    let mut out = b"hz3flat\0".to_vec();
    let events: usize = threads.iter().map(|t| t.len()).sum();
    let mut head = vec![threads.len() as u64, events as u64, objects];
    let mut first = 0;
    for t in threads {
        head.push(first);
        first += t.len() as u64;
    }
    head.push(first);
    out.extend(head.iter().flat_map(|n| n.to_le_bytes()));
    for (object, old, what) in threads.iter().copied().flatten() {
        out.extend(object.to_le_bytes());
        out.extend(old.to_le_bytes());
        out.extend(what.to_le_bytes());
    }
    out
}

/// Runs the replay client on a file: its exit code and what it says.
fn replay(bytes: &[u8]) -> (Option<i32>, String) {
    let file = tempfile::NamedTempFile::new_in(clients().folder()).unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let out = Command::new(program("replay"))
        .args(["--rounds", "2", "--file"])
        .arg(file.path())
        .output()
        .unwrap();
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn a_prepared_trace_that_cannot_run_is_refused_and_never_waited_for() {
    const MALLOC: u64 = 1 << 56;
    const FREE: u64 = 2 << 56;
    const RESIZE: u64 = 3 << 56;
    const MEMALIGN: u64 = 5 << 56;
    let (make, free) = (|k| (k, 0, MALLOC | 64), |k| (k, 0, FREE | 64));
    assert_eq!(
        replay(&prepared(2, &[&[make(0), free(1)], &[make(1), free(0)]])).0,
        Some(0)
    );
    let mut overlap = prepared(1, &[&[make(0)], &[free(0)]]);
    overlap[40] = 9;
    let mut cut = prepared(1, &[&[make(0), free(0)]]);
    cut.truncate(cut.len() - 8);
    let mut huge = prepared(1, &[&[make(0)]]);
    huge[40..48].fill(0xff);
    for (bytes, what) in [
        (prepared(1, &[&[free(0)]]), "event 0 waits for ever"),
        // Each waits for the other.
        (
            prepared(2, &[&[free(1), make(0)], &[free(0), make(1)]]),
            "waits for ever",
        ),
        (prepared(1, &[&[make(0), free(0), free(0)]]), "event 2 object 0 is gone"),
        (prepared(1, &[&[make(0), make(0)]]), "event 1 makes an object twice"),
        (
            prepared(1, &[&[make(7)]]),
            "event 0 is of an object that does not exist",
        ),
        (
            prepared(1, &[&[make(0), free(7)]]),
            "event 1 is of an object that does not exist",
        ),
        (prepared(1, &[&[(0, 0, 9 << 56)]]), "event 0 is of kind 9"),
        (prepared(1, &[&[(0, 0, 5)]]), "event 0 is of kind 0"),
        (
            prepared(1, &[&[(0, 0, MEMALIGN | 64 << 48 | 8)]]),
            "has an alignment that does not exist",
        ),
        (
            prepared(2, &[&[make(0), (1, 0, RESIZE | 8)]]),
            "event 1 has no old size",
        ),
        (prepared(9, &[&[make(0)]]), "more objects than events"),
        (overlap, "overlap"),
        (cut, "is cut short"),
        (huge, "is cut short"),
        (b"hz3flat\0".to_vec(), "cannot read"),
        (vec![0; 400], "is not a prepared trace"),
    ] {
        let (code, said) = replay(&bytes);
        assert_eq!(code, Some(2), "{what}: {said}");
        assert!(said.contains(what), "{what}: {said}");
    }
}

#[test]
fn sizes_that_no_machine_has_fail_and_the_replay_goes_on() {
    use trace::{Call, Event, Trace};
    let e = |thread, call| Event { thread, call };
    let most = (1 << 48) - 1;
    let t = Trace {
        command: "a hostile trace".into(),
        dropped: 0,
        events: vec![
            e(0, Call::Malloc(most)),
            e(4000, Call::Calloc(most)),
            e(65535, Call::Memalign(47, most)),
            e(1, Call::Realloc(0, 64)),
            e(0, Call::Realloc(1, most)),
            e(1, Call::Free(3)),
            e(64, Call::Free(2)),
        ],
    };
    let t = trace::unpack(&trace::pack(&t)).unwrap();
    let s = trace::summary(&t);
    assert_eq!((s.allocations, s.live_peak), (3, 3 * most));
    let mut job = Job::trace("hostile-test", &t, clients()).unwrap();
    *job.command.last_mut().unwrap() = "3".into();
    let sample = child::run(clients(), &job, None, 1, 0).unwrap();
    assert_eq!((sample.wrong, sample.failures), (0, 4 * 3));
    assert!(
        Job::trace("empty", &Trace::default(), clients())
            .unwrap_err()
            .message
            .contains("has no events")
    );
}

#[test]
fn two_traces_of_one_name_have_files_of_their_own() {
    use trace::{Call, Event, Trace};
    let of = |n| Trace {
        events: vec![Event {
            thread: 0,
            call: Call::Malloc(n),
        }],
        ..Trace::default()
    };
    let file = |n| Job::trace("one-name", &of(n), clients()).unwrap().command[2].clone();
    let (one, two) = (file(8), file(16));
    assert_ne!(one, two);
    assert_eq!(file(8), one);
    for file in [one, two] {
        std::fs::remove_file(file).unwrap();
    }
}
