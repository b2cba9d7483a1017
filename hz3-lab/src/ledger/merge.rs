//! Records of many runs, put together: those that a file of jobs left behind, perhaps on several machines.
//!
//! A pair is a base and a contender. What is said of a pair is of one machine and of one build of each, as blocks of two
//! machines have nothing in common that would cancel. Different pairs may come from different machines.

use crate::record::{Contender, Record, new_id};
use hz3_config::file;
use hz3_project::{Error, Result};
use std::path::{Path, PathBuf};

/// A record, and where it was found: `file:line`.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where.
    pub at: String,
    /// What.
    pub record: Record,
}

/// All records of files and of the files in folders that end in `.json` or `.jsonl`.
///
/// # Errors
///
/// The first that cannot be read, by file and line.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for path in paths {
        let files = if path.is_dir() {
            inside(path)?
        } else {
            vec![path.clone()]
        };
        for path in files {
            let shown = path.display();
            let text = file::read_text(&path, file::DATA)
                .map_err(|why| Error::bad_input(format!("cannot read {shown}: {why}")))?;
            for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
                let at = format!("{shown}:{}", i + 1);
                let record = Record::read(line).map_err(|e| Error::bad_input(format!("{at}: not a record: {e}")))?;
                if record.libraries.is_empty() {
                    return Err(Error::bad_input(format!("{at}: a record without a base")));
                }
                all.push(Found { at, record });
            }
        }
    }
    match all.is_empty() {
        true => Err(Error::bad_input("there is no record in these files")),
        false => Ok(all),
    }
}

fn inside(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .map_err(|e| Error::bad_input(format!("cannot read {}: {}", folder.display(), file::reason(&e))))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "json" || e == "jsonl"));
    files.sort();
    Ok(files)
}

/// The records as they go into a ledger: those of the same contenders are one record with the rows of all.
///
/// # Errors
///
/// If two records of one pair are of different machines or builds, or if a pair was measured twice on one row.
pub fn merge(found: Vec<Found>) -> Result<Vec<Record>> {
    let mut all: Vec<Found> = Vec::new();
    for one in found {
        // The same file twice is no second measurement.
        if !all.iter().any(|other| other.record.id == one.record.id) {
            all.push(one);
        }
    }
    for (i, one) in all.iter().enumerate() {
        for other in &all[..i] {
            agree(other, one)?;
        }
    }
    let mut merged: Vec<Vec<Found>> = Vec::new();
    for one in all {
        let same = |group: &&mut Vec<Found>| labels(&group[0].record) == labels(&one.record);
        match merged.iter_mut().find(same) {
            Some(group) => group.push(one),
            None => merged.push(vec![one]),
        }
    }
    Ok(merged.into_iter().map(joined).collect())
}

fn labels(record: &Record) -> Vec<&str> {
    record.libraries.iter().map(|l| l.label.as_str()).collect()
}

/// Refuses two records that say something of one pair and must not be put together.
fn agree(a: &Found, b: &Found) -> Result<()> {
    let (base, other) = (&a.record.libraries[0], &b.record.libraries[0]);
    if base.label != other.label {
        return Ok(());
    }
    for one in &a.record.libraries[1..] {
        let Some(twin) = b.record.libraries[1..].iter().find(|l| l.label == one.label) else {
            continue;
        };
        let pair = format!("{} against {}", one.label, base.label);
        let refuse = |why: String| Err(Error::bad_input(format!("{pair}, in {} and in {}: {why}", a.at, b.at)));
        if !a.record.machine.same(&b.record.machine) {
            return refuse(format!(
                "measured on different machines:\n  {}\n  {}\nA pair must be of one machine; leave one of the files out",
                a.record.machine.fingerprint(),
                b.record.machine.fingerprint()
            ));
        }
        for (x, y) in [(base, other), (one, twin)] {
            if !same_build(x, y) {
                return refuse(format!(
                    "`{}` is not the same build; leave one of the files out",
                    x.label
                ));
            }
        }
        let twice = a
            .record
            .rows
            .iter()
            .find(|row| b.record.rows.iter().any(|r| r.name == row.name));
        if let Some(row) = twice {
            return refuse(format!(
                "both have the row {}. Two measurements are not one with more blocks: each had its own looks; leave one of the \
                 files out",
                row.name
            ));
        }
    }
    Ok(())
}

/// Whether two contenders are one build: of a variant the code and the sources, of any other library its instructions.
fn same_build(a: &Contender, b: &Contender) -> bool {
    let of = |c: &Contender| {
        let text = if c.code_hash.is_empty() {
            c.text.clone()
        } else {
            String::new()
        };
        (c.kind, c.code_hash.clone(), c.sources.clone(), c.version.clone(), text)
    };
    of(a) == of(b)
}

/// Records of the same contenders as one.
fn joined(mut group: Vec<Found>) -> Record {
    if group.len() == 1 {
        return group.remove(0).record;
    }
    group.sort_by(|a, b| a.record.when.cmp(&b.record.when));
    let ids: Vec<String> = group.iter().map(|f| f.record.id.clone()).collect();
    let mut records = group.into_iter().map(|f| f.record);
    let mut whole = records.next().expect("a group has a record");
    for record in records {
        whole.seconds += record.seconds;
        whole.interrupted |= record.interrupted;
        whole.rows.extend(record.rows);
    }
    // What was found over all rows of one record says nothing of several.
    whole.search = None;
    whole.id = new_id(&whole.when, &ids);
    whole.command = ["ledger".to_owned(), "merge".to_owned()]
        .into_iter()
        .chain(ids)
        .collect();
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::sample;

    fn found(id: &str, change: impl FnOnce(&mut Record)) -> Found {
        let mut record = sample(id, "2026-01-01T00:00:00Z");
        change(&mut record);
        Found {
            at: format!("{id}.json:1"),
            record,
        }
    }

    fn other_machine(record: &mut Record) {
        record.machine.cpu = "another".into();
    }

    fn other_pair(record: &mut Record) {
        record.libraries[1].label = "c".into();
        record.rows[0].cells[1].label = "c".into();
    }

    #[test]
    fn pairs_of_different_machines_stand_beside_each_other() {
        let merged = merge(vec![
            found("x", |_| ()),
            found("y", |r| {
                other_pair(r);
                other_machine(r);
            }),
        ]);
        assert_eq!(merged.unwrap().len(), 2);
    }

    #[test]
    fn rows_of_one_pair_become_one_record() {
        let second = found("y", |r| r.rows[0].name = "mixed".into());
        let merged = merge(vec![found("x", |_| ()), second.clone(), second]).unwrap();
        assert_eq!(merged.len(), 1);
        let names: Vec<&str> = merged[0].rows.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["small", "mixed"]);
        assert_eq!(merged[0].command, ["ledger", "merge", "x", "y"]);
        assert!(merged[0].id.starts_with("20260101-"));
        assert!((merged[0].seconds - 20.0).abs() < 1e-9);
    }

    #[test]
    fn what_must_not_be_mixed_is_refused_with_both_places() {
        let fault = |change: fn(&mut Record)| merge(vec![found("x", |_| ()), found("y", change)]).unwrap_err().message;
        let machines = fault(|r| {
            r.rows[0].name = "mixed".into();
            other_machine(r);
        });
        assert!(machines.starts_with("b against a, in x.json:1 and in y.json:1: measured on different machines:"));
        let build = fault(|r| r.libraries[0].sources = "9".repeat(16));
        assert!(build.contains("`a` is not the same build"), "{build}");
        let twice = fault(|_| ());
        assert!(twice.contains("both have the row small"), "{twice}");
    }
}
