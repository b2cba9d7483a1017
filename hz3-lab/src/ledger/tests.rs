//! The ledger in folders of its own.

use super::*;
use crate::{
    machine::Machine,
    record::{Aspect, Cell, Contender, FORMAT, Outcome, RowRecord, Settings},
    rows::Metric,
};
use hz3_project::Kind;
use tempfile::TempDir;

/// A record of one row, two contenders and nine blocks.
pub(crate) fn sample(id: &str, when: &str) -> Record {
    let contender = |label: &str| Contender {
        label: label.into(),
        kind: Kind::Variant,
        file: format!("libhz3_{label}.so"),
        bytes: 20_000,
        text: "0".repeat(16),
        data: "0".repeat(16),
        sha256: "3".repeat(64),
        version: "0.1.0".into(),
        sources: "4".repeat(16),
        hash: "1".repeat(16),
        code_hash: "2".repeat(16),
        claim: None,
        config: format!("name = \"{label}\"\n"),
        hot: Vec::new(),
    };
    let cell = |label: &str, scale: f64| {
        let mut c = Cell::new(label);
        for i in 0..9 {
            c.values.push(scale * (10.0 + f64::from(i)));
            c.rss_peak.push(4 << 20);
            c.rss_end.push(3 << 20);
            c.cpu.push(0.1);
        }
        c.series = vec![[0, 1 << 20], [5000, 4 << 20]];
        c
    };
    let base = cell("a", 1.0);
    let mut other = cell("b", 0.8);
    other.result = Some(Outcome::of(&other.values, &base.values, 0.01, 0.01));
    for of in [Aspect::Peak, Aspect::Final] {
        // As of a record without pairs of memory.
        let (samples, base) = (other.samples(of), base.samples(of));
        *other.outcome_mut(of) = Some(Outcome::of(&samples, &base, f64::INFINITY, 0.01));
    }
    Record {
        search: None,
        format: FORMAT,
        id: id.into(),
        when: when.into(),
        tool: "0.1.0".into(),
        command: vec!["compare".into(), "a".into(), "b".into()],
        commit: None,
        machine: Machine {
            kernel: "6".into(),
            cpu: "test".into(),
            cores: 2,
            memory_mib: 1024,
            thp: "madvise".into(),
            overcommit: "0".into(),
            libc: "glibc 2".into(),
            load: 0.0,
        },
        settings: Settings {
            alpha: 0.02,
            looks: vec![9],
            margin: 0.01,
            budget: 60.0,
            seed: 1,
            full: false,
        },
        libraries: vec![contender("a"), contender("b")],
        rows: vec![RowRecord {
            name: "small".into(),
            about: "a row".into(),
            command: vec!["random".into()],
            metric: Metric::NsPerOp,
            null: vec![[10.0, 10.1], [10.0, 9.9]],
            null_rss_peak: Vec::new(),
            null_rss_end: Vec::new(),
            floor: 0.01,
            looks: 1,
            left_out: false,
            alone: vec![[10.0, 7.0]],
            empty: Some(7.0),
            point: None,
            missing: Default::default(),
            cells: vec![base, other],
        }],
        seconds: 10.0,
        interrupted: false,
    }
}

/// A ledger in an empty folder.
fn empty() -> (TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger {
        private: folder.path().join("target/hz3-ledger"),
        shared: folder.path().join("ledger"),
    };
    (folder, ledger)
}

fn two() -> (Record, Record) {
    (
        sample("20260201-bb", "2026-02-01T00:00:00Z"),
        sample("20260101-aa", "2026-01-01T00:00:00Z"),
    )
}

#[test]
fn what_is_appended_comes_back() {
    let (folder, ledger) = empty();
    assert!(ledger.all().unwrap().is_empty());
    let (b, a) = two();
    ledger.open(Shelf::Private).unwrap();
    ledger.append(Shelf::Private, &b).unwrap();
    assert!(
        ledger
            .append(Shelf::Shared, &a)
            .unwrap()
            .ends_with("ledger/2026-01.jsonl")
    );
    assert_eq!(
        ledger.all().unwrap(),
        [(Shelf::Shared, a.clone()), (Shelf::Private, b.clone())]
    );
    assert_eq!(ledger.find("last").unwrap().id, b.id);
    assert_eq!(ledger.find("20260101").unwrap(), a);
    assert!(ledger.find("2026").unwrap_err().message.contains("2 records"));
    std::fs::write(folder.path().join("ledger/2026-03.jsonl"), "{}\n").unwrap();
    let e = ledger.open(Shelf::Shared).unwrap_err();
    assert!(e.message.contains("2026-03.jsonl:1: not a record"), "{e}");
    ledger.open(Shelf::Private).unwrap();
    std::fs::write(folder.path().join("ledger/2026-03.jsonl"), "{\"format\":9}\n").unwrap();
    assert!(ledger.all().unwrap_err().message.contains("its form is 9"));
}

#[test]
fn a_record_is_removed_and_the_others_stay_as_they_are() {
    let (_folder, ledger) = empty();
    let (b, a) = two();
    let mut c = a.clone();
    c.id = "20260103-cc".into();
    for r in [&a, &b, &c] {
        ledger.append(Shelf::Private, r).unwrap();
    }
    let (gone, file) = ledger.remove("20260101").unwrap();
    assert_eq!(gone, a);
    assert!(file.ends_with("target/hz3-ledger/2026-01.jsonl"), "{}", file.display());
    let ids = || -> Vec<String> { ledger.all().unwrap().into_iter().map(|(_, r)| r.id).collect() };
    assert_eq!(ids(), [c.id.clone(), b.id.clone()]);
    ledger.remove(&c.id).unwrap();
    assert!(!file.exists(), "a month without records has no file");
    assert!(ledger.remove(&c.id).unwrap_err().message.contains("no record"));
    assert_eq!(ids(), [b.id]);
}

#[test]
fn sharing_moves_a_record() {
    let (_folder, ledger) = empty();
    let (b, a) = two();
    ledger.append(Shelf::Private, &a).unwrap();
    ledger.append(Shelf::Private, &b).unwrap();
    assert!(ledger.share("last").unwrap().1.ends_with("ledger/2026-02.jsonl"));
    assert_eq!(ledger.all().unwrap(), [(Shelf::Private, a), (Shelf::Shared, b)]);
    assert!(ledger.share("last").unwrap_err().message.contains("is shared already"));
}

#[test]
fn a_line_without_its_end_costs_no_record() {
    let (_folder, ledger) = empty();
    let (_, a) = two();
    let path = ledger.append(Shelf::Private, &a).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.trim_end()).unwrap();
    let mut c = a.clone();
    c.id = "20260103-cc".into();
    ledger.append(Shelf::Private, &c).unwrap();
    assert_eq!(ledger.all().unwrap().len(), 2);
}

#[test]
fn a_shelf_that_cannot_be_written_is_told_before() {
    let (folder, ledger) = empty();
    std::fs::create_dir_all(folder.path().join("target")).unwrap();
    std::fs::write(folder.path().join("target/hz3-ledger"), "in the way").unwrap();
    let e = ledger.open(Shelf::Private).unwrap_err();
    assert!(
        e.message.contains("hz3-ledger: ") && e.code == hz3_project::Code::Unfit,
        "{e}"
    );
}

#[test]
fn an_older_record_gets_intervals_that_hold_what_they_say() {
    let (_, mut old) = two();
    let known = old.rows[0].cells[1].result.unwrap();
    old.format = 1;
    old.rows[0].command = vec!["ring".into()];
    // As a bootstrap had it.
    if let Some(o) = &mut old.rows[0].cells[1].result {
        (o.lo, o.hi) = (o.ratio, o.ratio);
    }
    let back = Record::read(&serde_json::to_string(&old).unwrap()).unwrap();
    let new = back.rows[0].cells[1].result.unwrap();
    assert_eq!((new.lo, new.hi, new.verdict), (known.lo, known.hi, known.verdict));
    assert_eq!(back.rows[0].empty, None, "threads have no share of their own");
}

#[test]
fn memory_of_an_older_record_has_intervals_and_no_verdict() {
    let (_, old) = two();
    let mut json = serde_json::to_value(&old).unwrap();
    for key in ["null_rss_peak", "null_rss_end"] {
        json["rows"][0].as_object_mut().unwrap().remove(key);
    }
    for cell in json["rows"][0]["cells"].as_array_mut().unwrap() {
        for key in ["result_rss_peak", "result_rss_end"] {
            cell.as_object_mut().unwrap().remove(key);
        }
    }
    json["rows"][0]["cells"][1]["rss_peak"] = vec![3u64 << 20; 9].into();
    let back = Record::read(&json.to_string()).unwrap();
    let peak = back.rows[0].cells[1].outcome(Aspect::Peak).unwrap();
    assert!(
        (peak.ratio - 0.75).abs() < 1e-9 && peak.judged().is_some() && !peak.decided(),
        "{peak:?}"
    );
    let end = back.rows[0].cells[1].outcome(Aspect::Final).unwrap();
    assert_eq!((end.ratio, end.decided()), (1.0, false));
}

#[test]
fn different_machines_are_not_compared() {
    let a = sample("a", "2026-01-01T00:00:00Z");
    let mut b = a.clone();
    assert_eq!(side_by_side(&a, &b).unwrap().len(), 1);
    b.machine.load = 3.0;
    assert!(side_by_side(&a, &b).is_ok());
    b.machine.kernel = "7".into();
    assert!(side_by_side(&a, &b).unwrap_err().message.contains("different machines"));
}

#[test]
fn predictions_are_held_against_what_was_measured() {
    let mut record = sample("20260101-000000", "2026-01-01T00:00:00Z");
    let claim = |text: &str| {
        Some(crate::record::Claim {
            hypothesis: Some(text.into()),
            goal: "rss".into(),
        })
    };
    assert!(tested(&record).is_empty());
    let text =
        "Predicted against a: peak memory -100 KiB (90 %: -200 to -50), CPU time +0.00 % (90 %: -1.00 to +1.00).";
    record.libraries[1].claim = claim(text);
    let all = tested(&record);
    // Both have the same memory and time.
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].config.as_str(), all[0].peak_holds, all[0].time_holds),
        ("b", false, true)
    );
    record.libraries[1].claim = claim(&text.replace("against a", "against c"));
    assert!(tested(&record).is_empty());
}
