//! The clients as programs: every row runs, says what it must, and notices what is wrong.

use hz3_lab::clients::Clients;
use hz3_lab::place::{Kind, Library, Place};
use hz3_lab::rows::{Job, Program, ROWS};
use hz3_lab::{child, prove, trace};
use std::process::Command;
use std::sync::OnceLock;

fn clients() -> &'static Clients {
    static BUILT: OnceLock<Clients> = OnceLock::new();
    BUILT.get_or_init(|| {
        let place = Place::find(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        Clients::build(&place, |_| ()).unwrap()
    })
}

/// Every client with a few steps of each of its rows.
fn short(row: &hz3_lab::rows::Row) -> Option<Vec<String>> {
    let Program::Client(name) = row.program else {
        return None;
    };
    let mut words = vec![clients().program(name).display().to_string()];
    let job = Job::of(row, clients(), false).unwrap();
    // The row's own arguments, then a size that takes no time.
    words.extend(job.command[1..=row.args.len()].iter().cloned());
    let small: &[&str] = match name {
        "phase" => &["--bytes", "2M", "--idle-ms", "10"],
        "threads" if row.name == "churn" => &["--steps", "20"],
        "threads" if row.name == "larson" => &["--steps", "2000", "--rounds", "3"],
        "scratch" => &["--steps", "20"],
        "big" => &["--steps", "200"],
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

#[test]
fn seeds_decide_everything_but_time() {
    let peak = |seed: &str| {
        let out = Command::new(clients().program("random"))
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
    let out = Command::new(clients().program("random"))
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
        "random", "ring", "prodcons", "threads", "big", "scratch", "phase", "families", "replay",
    ] {
        let help = Command::new(clients().program(name)).arg("--help").output().unwrap();
        assert!(
            help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--seed N"),
            "{name}"
        );
        for bad in [&["--nonsense", "1"][..], &["--seed", "x"], &["--seed"], &["word"]] {
            let out = Command::new(clients().program(name)).args(bad).output().unwrap();
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
    let dir = clients().folder().join(format!("inert.{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (c, so) = (dir.join("inert.c"), dir.join("libinert.so"));
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
    let inert = Library {
        label: "inert".into(),
        kind: Kind::File,
        path: Some(so),
    };
    let e = prove::prove(clients(), &job("small"), &inert).unwrap_err();
    assert!(e.message.starts_with("not proven: malloc comes from "), "{e}");
    let e = prove::prove(clients(), &job("startup"), &inert).unwrap_err();
    assert!(
        e.message
            .starts_with("not proven: no process of `/bin/true` bound its malloc"),
        "{e}"
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_runs_is_proven() {
    let empty = Library {
        label: "empty".into(),
        kind: Kind::File,
        path: Some(clients().empty()),
    };
    prove::prove(clients(), &job("small"), &empty).unwrap();
    prove::prove(clients(), &job("small"), &Library::glibc()).unwrap();
    prove::prove(clients(), &job("startup"), &Library::glibc()).unwrap();
}

#[test]
fn overlapping_memory_is_noticed() {
    let empty = Library {
        label: "empty".into(),
        kind: Kind::File,
        path: Some(clients().empty()),
    };
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
    let out = Command::new(clients().program("ring"))
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
}

#[test]
fn what_threads_do_is_recorded_and_runs_again() {
    let dir = clients().folder().join(format!("trace.{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let status = Command::new(clients().program("ring"))
        .args(["--threads", "3", "--steps", "3000", "--ws", "50"])
        .env("LD_PRELOAD", clients().tracer())
        .env("HZ3_TRACE_DIR", &dir)
        .output()
        .unwrap();
    assert!(status.status.success());
    let raw: Vec<_> = std::fs::read_dir(&dir).unwrap().flatten().map(|e| e.path()).collect();
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
    std::fs::remove_dir_all(&dir).unwrap();
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
