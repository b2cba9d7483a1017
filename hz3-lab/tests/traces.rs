//! Traces: recorded, shipped, prepared by hand, and run again.

mod common;

use common::{clients, program};
use hz3_lab::rows::Job;
use hz3_lab::{child, trace};
use std::process::Command;

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
        ticks: Vec::new(),
        cpu: 0,
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
