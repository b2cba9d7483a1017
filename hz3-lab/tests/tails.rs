//! Clients that time their single calls.

mod common;

use common::{clients, short};
use hz3_lab::rows::{Program, ROWS};
use hz3_lab::tails::Tails;
use std::process::Command;

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
