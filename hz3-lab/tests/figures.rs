//! What a comparison shows besides verdicts: curves over threads, single calls, counters.

mod common;

use common::clients;
use hz3_lab::compare::{self, Schedule, Watch};
use hz3_lab::counters::NAMES;
use hz3_lab::rows::{Job, ROWS};
use hz3_lab::{child, figures, report};
use hz3_project::Allocator;
use std::time::Duration;

fn job(name: &str, words: &[&str]) -> Job {
    let mut job = Job::of(ROWS.iter().find(|r| r.name == name).unwrap(), clients(), false).unwrap();
    job.command.extend(words.iter().map(|w| (*w).to_owned()));
    job
}

#[test]
fn what_cannot_be_counted_is_named() {
    let mut job = job("small", &["--steps", "100000"]);
    job.counters = true;
    let counted = child::run(clients(), &job, None, 1, 0).unwrap().counted;
    for name in NAMES {
        // A counter may have both: what it counted, and that it was of user mode only.
        let (there, why) = (counted.counters.get(name), counted.missing.get(name));
        assert!(
            there.is_some() || why.is_some_and(|w| w.len() > 10),
            "{name}: {counted:?}"
        );
    }
    assert!(counted.counters["page-faults"] > 50.0, "{counted:?}");
    job.counters = false;
    let sample = child::run(clients(), &job, None, 1, 0).unwrap();
    assert!(sample.counted.counters.is_empty() && sample.counted.missing.is_empty());
    // Children are counted, too: an empty shell has far fewer faults.
    let words = ["/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do /bin/ls >/dev/null; done"].map(String::from);
    let mut user = Job::user(&words, hz3_lab::rows::Metric::WallMs);
    user.counters = true;
    let faults = child::run(clients(), &user, None, 1, 0).unwrap().counted.counters["page-faults"];
    assert!(faults > 8.0 * 60.0, "{faults}");
}

#[test]
fn only_rows_with_threads_have_curves() {
    for row in ROWS {
        let Ok(job) = Job::of(row, clients(), false) else {
            continue;
        };
        let Some(one) = job.threaded(1) else {
            assert!(!row.args.contains("--threads"), "{}", row.name);
            continue;
        };
        let point = one.point.unwrap();
        assert_eq!((point.row.as_str(), point.threads), (row.name, 1));
        assert!(one.name.ends_with(" threads=1") && one.several && !one.empty);
    }
}

struct Quiet;

impl Watch for Quiet {
    fn say(&mut self, _text: &str) {}
    fn progress(&mut self, _share: f64, _text: &str) {}
    fn stop(&self) -> bool {
        false
    }
}

#[test]
fn a_comparison_keeps_curves_calls_and_counters() {
    let ring = job("mt-r50", &["--steps", "500"]);
    let mut jobs: Vec<Job> = [3, 1].into_iter().filter_map(|n| ring.threaded(n)).collect();
    for job in &mut jobs {
        job.counters = true;
        job.tails = 1;
    }
    let schedule = Schedule {
        base: Allocator::glibc(),
        others: Vec::new(),
        jobs,
        budget: Duration::from_secs(600),
        margin: 0.01,
        seed: 1,
        full: false,
        instructions: false,
        null: 1,
        claims: Vec::new(),
        commit: None,
        command: Vec::new(),
    };
    let record = compare::run(&schedule, clients(), &mut Quiet).unwrap();
    let [curve] = &figures::curves(&record)[..] else {
        panic!("{:?}", record.rows);
    };
    for who in 0..2 {
        let points = curve.of(who);
        let threads: Vec<u64> = points.iter().map(|p| p.threads).collect();
        assert_eq!(threads, [1, 3]);
        assert!(
            points
                .iter()
                .all(|p| p.rate > 0.0 && p.cpu_ns > 0.0 && p.rss_peak > 0.0)
        );
    }
    let calls = record.rows[0].cells[1].calls.as_ref().unwrap();
    assert!(calls.calls["malloc"].median.curve.is_sorted() && calls.calls.contains_key("clock"));
    assert!(figures::counted(&record.rows[1].cells[0], "page-faults").unwrap() > 0.0);
    let text = hz3_lab::table::text(&record);
    for word in ["scaling", "M/s", "calls", "clock", "counters", "page-faults"] {
        assert!(text.contains(word), "{word}\n{text}");
    }
    // What the ledger keeps is what was measured.
    let line = serde_json::to_string(&record).unwrap();
    let back = hz3_lab::record::Record::read(&line).unwrap();
    assert_eq!((figures::text(&back), back.rows.len()), (figures::text(&record), 2));
    assert!(report::page(&[back]).len() > 1000);
}
