//! The clients as programs: every row runs, says what it must, and notices what is wrong.

mod common;

use common::{clients, program, short};
use hz3_lab::rows::{Job, ROWS};
use hz3_lab::{child, prove};
use hz3_project::Allocator;
use std::process::Command;

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
        "random", "ring", "prodcons", "threads", "bursts", "big", "scratch", "phase", "plateau", "sleepers", "hash",
        "families", "replay",
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
