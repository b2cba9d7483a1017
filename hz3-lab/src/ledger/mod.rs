//! The ledger: one JSON object a line, one file a month. What was measured goes to the project's private shelf, outside of
//! what is versioned, so that measuring leaves the work tree as it is; what others should see is put on the shared one, a folder
//! of the project.

mod calibration;
pub mod merge;

pub use calibration::{Tested, tested};

use crate::record::Record;
use hz3_config::file;
use hz3_project::{Error, Place, Result};
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// This project's own on this machine.
    Private,
    /// `ledger/`, which is part of the project.
    Shared,
}

impl std::fmt::Display for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Private => "private",
            Self::Shared => "shared",
        })
    }
}

/// A project's ledger. Its folders need not exist yet.
#[derive(Debug, Clone)]
pub struct Ledger {
    private: PathBuf,
    shared: PathBuf,
}

/// A line that is a record, and where it stands.
struct Entry {
    shelf: Shelf,
    file: PathBuf,
    line: String,
    record: Record,
}

fn broken(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |e| Error::unfit(format!("{}: {e}", path.display()))
}

fn unwritten(path: &Path) -> impl Fn(String) -> Error + '_ {
    move |why| Error::unfit(format!("{}: {why}", path.display()))
}

impl Ledger {
    /// The ledger of a project.
    pub fn of(place: &Place) -> Self {
        Self {
            private: place.private_ledger().to_owned(),
            shared: place.ledger(),
        }
    }

    fn folder(&self, shelf: Shelf) -> &Path {
        match shelf {
            Shelf::Private => &self.private,
            Shelf::Shared => &self.shared,
        }
    }

    /// One writer at a time. The folder itself is locked, so that nothing is left in it.
    fn lock(folder: &Path) -> Result<Flock<File>> {
        std::fs::create_dir_all(folder).map_err(broken(folder))?;
        let file = File::open(folder).map_err(broken(folder))?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| broken(folder)(e.into()))
    }

    /// Whether a shelf can be written to and read, to be asked before anything is measured for it.
    pub fn open(&self, shelf: Shelf) -> Result<()> {
        let folder = self.folder(shelf);
        let _lock = Self::lock(folder)?;
        for file in files(folder)? {
            File::options().append(true).open(&file).map_err(broken(&file))?;
        }
        let probe = folder.join(".probe");
        file::writable(&probe).map_err(unwritten(&probe))?;
        self.entries(&[shelf]).map(drop)
    }

    /// Appends a record; returns the file. A record is there as a whole or not at all.
    pub fn append(&self, shelf: Shelf, record: &Record) -> Result<PathBuf> {
        let month = record.when.get(..7).unwrap_or("undated");
        self.write(shelf, &format!("{month}.jsonl"), &record.line()?)
    }

    fn write(&self, shelf: Shelf, name: &str, line: &str) -> Result<PathBuf> {
        let folder = self.folder(shelf);
        let _lock = Self::lock(folder)?;
        let path = folder.join(name);
        let mut text = match std::fs::read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(broken(&path))?,
        };
        // The last line may lack its end, if someone edited the file: two records on one line would be none.
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        text.extend_from_slice(line.as_bytes());
        file::replace(&path, &text).map_err(unwritten(&path))?;
        Ok(path)
    }

    /// Every line of some shelves, oldest first. A line that cannot be read is an error that names it: a ledger is not
    /// patched over.
    fn entries(&self, shelves: &[Shelf]) -> Result<Vec<Entry>> {
        let mut entries: Vec<Entry> = Vec::new();
        for shelf in shelves {
            for file in files(self.folder(*shelf))? {
                let text = std::fs::read_to_string(&file).map_err(broken(&file))?;
                for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
                    let record = Record::read(line)
                        .map_err(|e| Error::bad_input(format!("{}:{}: not a record: {e}", file.display(), i + 1)))?;
                    entries.push(Entry {
                        shelf: *shelf,
                        file: file.clone(),
                        line: line.to_owned(),
                        record,
                    });
                }
            }
        }
        entries.sort_by(|a, b| a.record.when.cmp(&b.record.when));
        Ok(entries)
    }

    /// Every record and its shelf, oldest first.
    pub fn all(&self) -> Result<Vec<(Shelf, Record)>> {
        let entries = self.entries(&[Shelf::Shared, Shelf::Private])?;
        Ok(entries.into_iter().map(|e| (e.shelf, e.record)).collect())
    }

    /// The line whose record's id begins so; `last` is the newest.
    fn entry(&self, id: &str) -> Result<Entry> {
        let mut all = self.entries(&[Shelf::Shared, Shelf::Private])?;
        if id == "last" {
            return all
                .pop()
                .ok_or_else(|| Error::bad_input("the ledger is empty: cargo hz3 compare"));
        }
        all.retain(|e| e.record.id.starts_with(id));
        match all.len() {
            1 => Ok(all.remove(0)),
            0 => Err(Error::bad_input(format!(
                "no record '{id}' in the ledger: cargo hz3 ledger"
            ))),
            n => Err(Error::bad_input(format!(
                "'{id}' stands for {n} records: give more of the id"
            ))),
        }
    }

    /// The record whose id begins so; `last` is the newest.
    pub fn find(&self, id: &str) -> Result<Record> {
        self.entry(id).map(|e| e.record)
    }

    /// Takes a record out; returns it and the file that it stood in.
    pub fn remove(&self, id: &str) -> Result<(Record, PathBuf)> {
        let entry = self.entry(id)?;
        self.strike(&entry)?;
        Ok((entry.record, entry.file))
    }

    fn strike(&self, entry: &Entry) -> Result<()> {
        let _lock = Self::lock(self.folder(entry.shelf))?;
        let path = &entry.file;
        let text = std::fs::read_to_string(path).map_err(broken(path))?;
        let rest: String = text
            .split_inclusive('\n')
            .filter(|l| l.trim_end() != entry.line)
            .collect();
        if rest.len() == text.len() {
            return Err(Error::failed(format!(
                "{}: record {} is not there any more",
                path.display(),
                entry.record.id
            )));
        }
        if rest.trim().is_empty() {
            return std::fs::remove_file(path).map_err(broken(path));
        }
        file::replace(path, rest.as_bytes()).map_err(unwritten(path))
    }

    /// Moves a record from the private shelf to the shared one; returns it and the file that it stands in now.
    pub fn share(&self, id: &str) -> Result<(Record, PathBuf)> {
        let entry = self.entry(id)?;
        if entry.shelf == Shelf::Shared {
            return Err(Error::bad_input(format!(
                "{} is shared already, in {}",
                entry.record.id,
                entry.file.display()
            )));
        }
        let name = entry.file.file_name().unwrap_or_default().to_string_lossy();
        let path = self.write(Shelf::Shared, &name, &format!("{}\n", entry.line))?;
        self.strike(&entry)?;
        Ok((entry.record, path))
    }
}

/// The files of a shelf, by month.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|e| e.path()).collect(),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(broken(folder)(e)),
    };
    files.retain(|p| p.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    Ok(files)
}

/// The ratios of two records side by side, row by row and label by label, for what both have.
pub fn side_by_side(a: &Record, b: &Record) -> Result<Vec<(String, String, f64, f64)>> {
    if !a.machine.same(&b.machine) {
        return Err(Error::bad_input(format!(
            "{} and {} were measured on different machines:\n  {}\n  {}\nTheir figures say nothing about each other.",
            a.id,
            b.id,
            a.machine.fingerprint(),
            b.machine.fingerprint()
        )));
    }
    let base = |r: &Record| r.libraries.first().map(|l| l.label.clone()).unwrap_or_default();
    if base(a) != base(b) {
        return Err(Error::bad_input(format!(
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
pub(crate) mod tests;
