//! Workloads: executed, and made from recordings that they must come near to; and their language.

mod common;
#[path = "workloads/language.rs"]
mod language;

use common::clients;
use hz3_lab::clients::WORKLOAD;
use hz3_lab::profile::{Moment, Profile};
use hz3_lab::rows::Job;
use hz3_lab::trace::{self, Call, Trace};
use hz3_lab::workload::births::{Births, Grain};
use hz3_lab::workload::{Workload, flat, read, text};
use hz3_lab::{child, prove};
use hz3_project::Allocator;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

fn shipped() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn parsed(text: &str) -> Workload {
    read(Path::new("x.toml"), text).unwrap_or_else(|faults| panic!("{text}\n{faults}"))
}

/// What the client prints of a workload.
fn run(workload: &Workload, words: &[&str]) -> serde_json::Value {
    let mut job = Job::workload("test", workload, clients()).unwrap();
    job.command.extend(words.iter().map(|w| (*w).to_owned()));
    let out = Command::new(&job.command[0]).args(&job.command[1..]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success(),
        "{:?}: {said} {}",
        job.command,
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_str(&said).unwrap()
}

#[test]
fn shipped_workloads_run_under_their_client_and_its_twin() {
    for (name, text) in shipped() {
        let workload = parsed(&text);
        let job = Job::workload(&name, &workload, clients()).unwrap();
        prove::prove(clients(), &job, &Allocator::glibc()).unwrap();
        let v = run(&workload, &["--rounds", "2", "--percent", "2"]);
        for key in ["failures", "wrong", "live_end"] {
            assert_eq!(v[key], 0, "{name}: {key} in {v}");
        }
        let mut timed = job.timed(clients()).unwrap();
        timed
            .command
            .extend(["--rounds", "1", "--percent", "1"].map(String::from));
        let sample = child::run(clients(), &timed, None, 1, 0).unwrap();
        assert_eq!(sample.wrong, 0);
        assert!(sample.tails.unwrap().calls["malloc"].count > 100);
    }
}

#[test]
fn what_a_file_says_is_what_the_client_does() {
    let workload = parsed(
        r#"
        threads = 3
        renew = 700
        [[phase]]
        steps = 5000
        objects = [
            { weight = 5, size = { values = [16, 32], weights = [3, 1] }, lifetime = { from = 1, to = 1000 }, handed = 100 },
            { weight = 2, size = { from = 8, to = "1KiB", spread = "log" }, lifetime = "phase", resize = { times = 3, percent = 200 } },
            { weight = 2, size = 100, lifetime = { mean = 50 }, call = "calloc", touch = "pages" },
            { weight = 1, size = 5000, lifetime = "run", align = 8192, touch = "all" },
        ]
        [[phase]]
        steps = 100
        pause_ms = 1
        objects = [{ size = 1, lifetime = 1 }]
        "#,
    );
    let v = run(&workload, &["--rounds", "1"]);
    for key in ["failures", "wrong", "live_end"] {
        assert_eq!(v[key], 0, "{key} in {v}");
    }
    let near = |key: &str, want: f64| {
        let got = v[key].as_f64().unwrap();
        assert!((got / want - 1.0).abs() < 0.1, "{key}: {got}, not about {want}: {v}");
    };
    assert_eq!(v["ops"], 3 * 5100);
    // Half of the first kind live for the last thousand steps, on average: they go when everything ends, to nobody.
    near("handed", 3.0 * 2500.0 * 0.9);
    near("resizes", 3.0 * 1000.0 * 3.0);
    // What lives for the phase has gone; what lives for the run is there, and hardly anything else.
    let live = v["phases"][1]["live"].as_f64().unwrap();
    assert!((live / (3.0 * 500.0 * 5000.0) - 1.0).abs() < 0.1, "{v}");
    // One thread has nobody to hand anything to.
    assert_eq!(run(&workload, &["--threads", "1"])["handed"], 0);
}

#[test]
fn options_are_checked() {
    let program = clients().program(&WORKLOAD).unwrap();
    let help = Command::new(&program).arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--percent N"));
    for bad in [
        &["--nonsense", "1"][..],
        &["--rounds", "0"],
        &["--percent", "0"],
        &["--file", "/nowhere"],
    ] {
        let out = Command::new(&program).args(bad).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{bad:?}");
    }
}

#[test]
fn a_prepared_file_that_is_none_is_refused() {
    let dir = tempfile::tempdir_in(clients().folder()).unwrap();
    let good = flat(&parsed("steps = 10\nobjects = [{ size = 16, lifetime = 1 }]\n"));
    let broken = |at: usize, word: u64| {
        let mut bytes = good.clone();
        bytes[at * 8..at * 8 + 8].copy_from_slice(&word.to_le_bytes());
        bytes
    };
    // Words: magic, threads, renew, phases, kinds, resident; steps, pause, first, kinds; weight, size (4), lifetime (4), …
    let cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"hz3work\0".to_vec(),
        good[..good.len() - 1].to_vec(),
        broken(1, 0),
        broken(3, u64::MAX),
        broken(4, 70_000),
        broken(6, 1 << 40),
        broken(8, 9),
        broken(10, 0),
        broken(11, 77),
        broken(12, 0),
        broken(12, 1 << 50),
        broken(19, 3),
    ];
    for (i, bytes) in cases.iter().enumerate() {
        let file = dir.path().join("w");
        std::fs::write(&file, bytes).unwrap();
        let program = clients().program(&WORKLOAD).unwrap();
        let out = Command::new(program).arg("--file").arg(&file).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "case {i}");
        assert!(
            String::from_utf8_lossy(&out.stderr).contains("prepared workload"),
            "case {i}"
        );
    }
}

/// What a program does while the shim listens.
fn recorded(command: &[String]) -> Trace {
    let dir = tempfile::tempdir_in(clients().folder()).unwrap();
    let out = Command::new(&command[0])
        .args(&command[1..])
        .env("LD_PRELOAD", clients().tracer().unwrap())
        .env("HZ3_TRACE_DIR", dir.path())
        .env("HZ3_TRACE_LIMIT", "10000000")
        .output()
        .unwrap();
    assert!(out.status.success());
    let raw: Vec<PathBuf> = std::fs::read_dir(dir.path())
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    trace::read_raw(&raw[0]).unwrap().1
}

/// Share of the requests of up to each size, and live bytes at each hundredth of the allocations.
fn figures(trace: &Trace) -> (BTreeMap<u64, f64>, Vec<f64>) {
    let mut sizes: BTreeMap<u64, f64> = BTreeMap::new();
    let (mut of, mut live, mut course, mut made) = (Vec::new(), 0.0, Vec::new(), 0);
    let all = trace
        .events
        .iter()
        .filter(|e| !matches!(e.call, Call::Free(_) | Call::Realloc(..)))
        .count();
    for event in &trace.events {
        if let Call::Free(o) | Call::Realloc(o, _) = event.call {
            live -= of[o as usize];
        }
        if let Some(n) = event.call.made() {
            let n = n.max(1);
            of.push(n as f64);
            live += n as f64;
            if !matches!(event.call, Call::Realloc(..)) {
                *sizes.entry(n).or_default() += 1.0 / all as f64;
                made += 1;
                if made * 100 / all > course.len() {
                    course.push(live);
                }
            }
        }
    }
    (sizes, course)
}

/// The greatest difference of two distributions.
fn distance(a: &BTreeMap<u64, f64>, b: &BTreeMap<u64, f64>) -> f64 {
    let (mut left, mut right, mut most) = (0.0f64, 0.0f64, 0.0f64);
    for size in a.keys().chain(b.keys()).collect::<std::collections::BTreeSet<_>>() {
        left += a.get(size).unwrap_or(&0.0);
        right += b.get(size).unwrap_or(&0.0);
        most = most.max((left - right).abs());
    }
    most
}

/// How near the client comes to a recording: sizes, live bytes on average, at the peak, and at each time.
fn nearness(name: &str, original: &Trace, workload: &Workload) -> [f64; 4] {
    let back = parsed(&text(workload, &["a remark\nof two lines".into()]));
    assert_eq!(&back, workload);
    let mut job = Job::workload(name, workload, clients()).unwrap();
    job.command.extend(["--rounds".into(), "1".into()]);
    let synthetic = recorded(&job.command);
    let ((sizes, course), (made, live)) = (figures(original), figures(&synthetic));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let top = |v: &[f64]| v.iter().copied().fold(0.0, f64::max);
    let apart: Vec<f64> = course.iter().zip(&live).map(|(a, b)| (a - b).abs()).collect();
    let found = [
        distance(&sizes, &made),
        mean(&live) / mean(&course) - 1.0,
        top(&live) / top(&course) - 1.0,
        mean(&apart) / mean(&course),
    ];
    println!(
        "{name}: sizes {:.3}, live bytes {:+.1} % on average, {:+.1} % at the peak, {:.1} % apart at each time",
        found[0],
        found[1] * 100.0,
        found[2] * 100.0,
        found[3] * 100.0
    );
    found
}

#[test]
fn a_workload_comes_near_to_what_it_is_made_from() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    for name in ["python", "gcc", "sqlite", "redis"] {
        let original = trace::unpack(&std::fs::read(folder.join(format!("{name}.hz3t"))).unwrap()).unwrap();
        let workload = Births::of_trace(&original).workload(Grain::DEFAULT);
        let [sizes, mean, peak, apart] = nearness(name, &original, &workload);
        assert!(
            sizes < 0.02 && mean.abs() < 0.05 && peak.abs() < 0.1 && apart < 0.1,
            "{name}"
        );
        // A profile knows no resizes: what they make are objects of their own.
        let profile = Profile::of_trace(&original, Moment::End);
        let workload = Births::of_profile(&profile).workload(Grain::DEFAULT);
        let [sizes, mean, peak, apart] = nearness(&format!("{name}-profile"), &original, &workload);
        assert!(
            sizes < 0.05 && mean.abs() < 0.1 && peak.abs() < 0.15 && apart < 0.15,
            "{name}"
        );
    }
}
