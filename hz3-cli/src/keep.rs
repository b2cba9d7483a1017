//! What becomes of a record: the ledger, a file, and how the command ends.

use hz3_lab::ledger::{Ledger, Shelf};
use hz3_lab::record::Record;
use hz3_lab::stats::Looks;
use hz3_project::{Error, Kind, Outcome, Place, Result, file};
use std::path::PathBuf;

/// The options of who keeps a record in the ledger.
#[derive(clap::Args)]
pub struct Kept {
    /// Keep the record in ledger/, which is part of the project, instead of this checkout's own in target/
    #[arg(long)]
    share: bool,
    /// Keep nothing in the ledger
    #[arg(long, conflicts_with = "share")]
    no_ledger: bool,
}

impl Kept {
    fn shelf(&self) -> Shelf {
        match self.share {
            true => Shelf::Shared,
            false => Shelf::Private,
        }
    }

    /// The ledger. Whatever could keep the record from being kept is found out before the minutes are spent.
    pub fn open(&self, place: &Place) -> Result<Ledger> {
        let ledger = Ledger::of(place);
        if !self.no_ledger {
            ledger.open(self.shelf())?;
        }
        Ok(ledger)
    }

    /// Keeps a record, and says where.
    pub fn put(&self, place: &Place, ledger: &Ledger, record: &Record) -> Outcome {
        if self.no_ledger {
            return Ok(());
        }
        let file = ledger.append(self.shelf(), record)?;
        let share = match self.shelf() {
            Shelf::Private => format!("; for others to see: cargo hz3 ledger share {}", record.id),
            Shelf::Shared => String::new(),
        };
        eprintln!(
            "kept as {id} in {}; a page of it: cargo hz3 report {id} -o report.html{share}",
            place.shown(&file),
            id = record.id
        );
        Ok(())
    }
}

/// The options of who may write it to a file as well.
#[derive(clap::Args)]
pub struct Keep {
    #[command(flatten)]
    kept: Kept,
    /// Write the record to a file as well, a line of JSON, for `ledger merge`
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Keep {
    /// As [`Kept::open`].
    pub fn open(&self, place: &Place) -> Result<Ledger> {
        let ledger = self.kept.open(place)?;
        if let Some(path) = &self.output {
            file::writable(path)?;
        }
        Ok(ledger)
    }

    /// Keeps a record that says something; the error is why it does not, or what of it failed.
    pub fn put(&self, place: &Place, ledger: &Ledger, record: &Record) -> Outcome {
        let failed = failures(record);
        let worth = record.says_something() || (!record.interrupted && !failed.is_empty());
        if worth {
            self.kept.put(place, ledger, record)?;
        }
        if let Some(path) = self.output.as_ref().filter(|_| worth) {
            file::write(path, record.line()?.as_bytes())?;
        }
        let first = Looks::COUNTS[0];
        match (record.interrupted, worth) {
            (true, true) => Err(Error::stopped("stopped by hand: the figures above are what there is")),
            (true, false) => Err(Error::stopped(format!(
                "stopped by hand before a row had {first} blocks: nothing is kept"
            ))),
            (false, false) => Err(Error::failed(format!(
                "no row got the {first} blocks of a first look: nothing is kept"
            ))
            .help("give more time (--time-budget 10m), or fewer rows")),
            (false, true) if !failed.is_empty() => Err(Error::failed(format!(
                "no figures for {}: see above",
                failed.join(", ")
            ))),
            (false, true) => Ok(()),
        }
    }
}

/// What of ours did not work where it should: the base, variants and files, by row. A peer's failure is its own affair, and
/// a row for which there was no time did not fail.
fn failures(record: &Record) -> Vec<String> {
    let mut failed = Vec::new();
    for row in &record.rows {
        for (i, cell) in row.cells.iter().enumerate() {
            let ran_out_of_time = i == 0 && row.left_out;
            if cell.problem.is_some() && !ran_out_of_time && (i == 0 || own(record, &cell.label)) {
                failed.push(format!("{} on {}", cell.label, row.name));
            }
        }
    }
    failed
}

/// Whether a contender is one of ours: a variant, or a file that the user named.
pub fn own(record: &Record, label: &str) -> bool {
    record
        .libraries
        .iter()
        .any(|l| l.label == label && matches!(l.kind, Kind::Variant | Kind::File))
}
