//! The ledger: one JSON object a line, one file a month, appended and never rewritten.

use crate::{Error, Result, record::Record};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A ledger's folder.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: PathBuf,
}

impl Ledger {
    /// The ledger in a folder, which need not exist yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Appends a record; returns the file. The line goes out in one write, so that two comparisons that end at the same
    /// time do not mix theirs.
    pub fn append(&self, record: &Record) -> Result<PathBuf> {
        let broken = |path: &Path, e: &dyn std::fmt::Display| Error::unfit(format!("{}: {e}", path.display()));
        std::fs::create_dir_all(&self.folder).map_err(|e| broken(&self.folder, &e))?;
        let path = self
            .folder
            .join(format!("{}.jsonl", record.when.get(..7).unwrap_or("undated")));
        let mut line = serde_json::to_string(record).map_err(|e| broken(&path, &e))?;
        line.push('\n');
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|e| broken(&path, &e))?;
        file.write_all(line.as_bytes()).map_err(|e| broken(&path, &e))?;
        Ok(path)
    }

    /// Every record, oldest first. A line that cannot be read is an error that names it: a ledger is not patched over.
    pub fn all(&self) -> Result<Vec<Record>> {
        let mut files: Vec<PathBuf> = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries.flatten().map(|e| e.path()).collect(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::unfit(format!("{}: {e}", self.folder.display()))),
        };
        files.retain(|p| p.extension().is_some_and(|e| e == "jsonl"));
        files.sort();
        let mut records = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|e| Error::unfit(format!("{}: {e}", file.display())))?;
            for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
                let record = serde_json::from_str(line)
                    .map_err(|e| Error::input(format!("{}:{}: not a record: {e}", file.display(), i + 1)))?;
                records.push(record);
            }
        }
        records.sort_by(|a: &Record, b: &Record| a.when.cmp(&b.when));
        Ok(records)
    }

    /// The record whose id begins so; `last` is the newest.
    pub fn find(&self, id: &str) -> Result<Record> {
        let mut all = self.all()?;
        if id == "last" {
            return all
                .pop()
                .ok_or_else(|| Error::input("the ledger is empty: cargo hz3 compare"));
        }
        all.retain(|r| r.id.starts_with(id));
        match all.len() {
            1 => Ok(all.remove(0)),
            0 => Err(Error::input(format!(
                "no record '{id}' in the ledger: cargo hz3 ledger"
            ))),
            n => Err(Error::input(format!(
                "'{id}' stands for {n} records: give more of the id"
            ))),
        }
    }
}

/// The ratios of two records side by side, row by row and label by label, for what both have.
pub fn side_by_side(a: &Record, b: &Record) -> Result<Vec<(String, String, f64, f64)>> {
    if !a.machine.same(&b.machine) {
        return Err(Error::input(format!(
            "{} and {} were measured on different machines:\n  {}\n  {}\nTheir figures say nothing about each other.",
            a.id,
            b.id,
            a.machine.fingerprint(),
            b.machine.fingerprint()
        )));
    }
    let base = |r: &Record| r.libraries.first().map(|l| l.label.clone()).unwrap_or_default();
    if base(a) != base(b) {
        return Err(Error::input(format!(
            "{} has the base {}, {} has {}: ratios to different bases do not compare",
            a.id,
            base(a),
            b.id,
            base(b)
        )));
    }
    let mut out = Vec::new();
    for row in &a.rows {
        let Some(other) = b.rows.iter().find(|r| r.name == row.name && r.command == row.command) else {
            continue;
        };
        for cell in &row.cells {
            let twin = other
                .cells
                .iter()
                .find(|c| c.label == cell.label)
                .and_then(|c| c.result);
            if let (Some(x), Some(y)) = (cell.result, twin) {
                out.push((row.name.clone(), cell.label.clone(), x.ratio, y.ratio));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        machine::Machine,
        place::Kind,
        record::{Cell, Contender, FORMAT, Outcome, RowRecord, Settings},
        rows::Metric,
    };

    /// A record of one row, two contenders and nine blocks.
    pub(crate) fn sample(id: &str, when: &str) -> Record {
        let contender = |label: &str| Contender {
            label: label.into(),
            kind: Kind::Variant,
            file: format!("libhz3_{label}.so"),
            bytes: 20_000,
            text: "0".repeat(16),
            data: "0".repeat(16),
            version: "0.1.0".into(),
            hash: "1".repeat(16),
            code_hash: "2".repeat(16),
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
        other.result = Some(Outcome::of(&other, &base, 0.01, 0.01));
        Record {
            format: FORMAT,
            id: id.into(),
            when: when.into(),
            tool: "0.1.0".into(),
            command: vec!["compare".into(), "a".into(), "b".into()],
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
                floor: 0.01,
                looks: 1,
                empty: Some(7.0),
                cells: vec![base, other],
            }],
            seconds: 10.0,
            interrupted: false,
        }
    }

    #[test]
    fn what_is_appended_comes_back() {
        let folder = std::env::temp_dir().join(format!("hz3-ledger-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let ledger = Ledger::at(&folder);
        assert!(ledger.all().unwrap().is_empty());
        let (b, a) = (
            sample("20260201-bb", "2026-02-01T00:00:00Z"),
            sample("20260101-aa", "2026-01-01T00:00:00Z"),
        );
        ledger.append(&b).unwrap();
        assert!(ledger.append(&a).unwrap().ends_with("2026-01.jsonl"));
        assert_eq!(ledger.all().unwrap(), [a.clone(), b.clone()]);
        assert_eq!(ledger.find("last").unwrap().id, b.id);
        assert_eq!(ledger.find("20260101").unwrap(), a);
        assert!(ledger.find("2026").unwrap_err().message.contains("2 records"));
        std::fs::write(folder.join("2026-03.jsonl"), "{}\n").unwrap();
        assert!(
            ledger
                .all()
                .unwrap_err()
                .message
                .contains("2026-03.jsonl:1: not a record")
        );
        std::fs::remove_dir_all(&folder).unwrap();
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
}
