//! `ledger`: what was compared and what came of it.

mod calibration;
mod list;
mod mark;

use super::{Form, Format};
use crate::style;
use hz3_lab::export;
use hz3_lab::ledger::{Ledger, Shelf, merge, side_by_side};
use hz3_lab::record::Record;
use hz3_lab::table;
use hz3_project::{Error, Outcome, Place};
use list::{Filter, list};
use mark::mark;
use std::path::PathBuf;

/// Arguments of `ledger`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    filter: Filter,
}

/// What to do with the ledger.
#[derive(clap::Subcommand)]
enum Action {
    /// List the records (also without this word)
    List(Filter),
    /// Show a record again: its id, the beginning of one, or `last`
    Show {
        /// The record
        id: String,
        /// Output
        #[arg(long, value_enum, default_value_t)]
        format: Form,
    },
    /// Put the ratios of two records side by side; refused if they are of different machines
    Compare {
        /// The one
        a: String,
        /// The other
        b: String,
    },
    /// Move records to ledger/, which is part of the project
    Share {
        /// The records: ids, beginnings of ids, or `last`
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Put the records of files into the ledger, as those that the jobs of `sweep --jobs` wrote; refused if one pair is of
    /// different machines, of different builds, or has a row twice
    Merge {
        /// Files of records, or folders of such files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Into ledger/, which is part of the project
        #[arg(long)]
        share: bool,
    },
    /// Remove records, private or shared, for good
    Rm {
        /// The records: ids, beginnings of ids, or `last`
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Show what `fit` predicted beside what was measured, and how often its ranges held
    Calibration {
        /// Output
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Mark a config's hypothesis as refuted, in its TOML; `build` then says so
    Refute {
        /// The config
        name: String,
        /// Why, in a sentence: what was measured and where it is kept
        #[arg(long)]
        why: String,
    },
    /// Take that mark away
    Unrefute {
        /// The config
        name: String,
    },
}

/// Runs `ledger`.
pub fn run(arguments: Arguments) -> Outcome {
    match arguments.action {
        None => list(&open()?, &arguments.filter),
        Some(Action::List(filter)) => list(&open()?, &filter),
        Some(Action::Show { id, format }) => {
            let record = open()?.find(&id)?;
            match format {
                Form::Json => return super::print_json(&record),
                Form::Csv => print!("{}", export::csv(&[&record])?),
                Form::Md => print!("{}", export::markdown(&record)),
                Form::Text => {
                    print_head(&record);
                    print!("{}", table::text(&record));
                    print!("{}", table::summary(&record));
                }
            }
            Ok(())
        }
        Some(Action::Compare { a, b }) => {
            let ledger = open()?;
            let (a, b) = (ledger.find(&a)?, ledger.find(&b)?);
            let pairs = side_by_side(&a, &b)?;
            let mut table = style::table(&["row", "contender", &a.id, &b.id, "change"], 2);
            for (row, label, x, y) in pairs {
                table.add_row([
                    row,
                    label,
                    format!("{x:.3}"),
                    format!("{y:.3}"),
                    format!("{:+.1} %", (y / x - 1.0) * 100.0),
                ]);
            }
            style::print_table(&table);
            Ok(())
        }
        Some(Action::Share { ids }) => each(&ids, |ledger, id| {
            let (record, file) = ledger.share(id)?;
            Ok((format!("{} is shared now, in ", describe(&record)), file))
        }),
        Some(Action::Merge { files, share }) => join(&files, share),
        Some(Action::Rm { ids }) => each(&ids, |ledger, id| {
            let (record, file) = ledger.remove(id)?;
            Ok((format!("{} is removed from ", describe(&record)), file))
        }),
        Some(Action::Calibration { format }) => calibration::print(&open()?, format),
        Some(Action::Refute { name, why }) => mark(&name, Some(&why)),
        Some(Action::Unrefute { name }) => mark(&name, None),
    }
}

fn open() -> Result<Ledger, Error> {
    Ok(Ledger::of(&Place::find()?))
}

/// Does something with each record, and says what. All of them are looked up first: a wrong id changes nothing.
fn each(ids: &[String], mut act: impl FnMut(&Ledger, &str) -> Result<(String, PathBuf), Error>) -> Outcome {
    let place = Place::find()?;
    let ledger = Ledger::of(&place);
    let mut whole: Vec<String> = Vec::new();
    for id in ids {
        let id = ledger.find(id)?.id;
        if !whole.contains(&id) {
            whole.push(id);
        }
    }
    for id in whole {
        let (what, file) = act(&ledger, &id)?;
        println!("{what}{}", place.shown(&file));
    }
    Ok(())
}

/// Puts the records of files together and into the ledger. What is there already stays as it is.
fn join(files: &[PathBuf], share: bool) -> Outcome {
    let place = Place::find()?;
    let ledger = Ledger::of(&place);
    let shelf = if share { Shelf::Shared } else { Shelf::Private };
    ledger.open(shelf)?;
    let records = merge::merge(merge::read(files)?)?;
    let known: Vec<String> = ledger.all()?.into_iter().map(|(_, r)| r.id).collect();
    let header = [&["record"], &table::BY_CONTENDER[..]].concat();
    let mut lines = style::table(&header, 2);
    for record in &records {
        for line in table::by_contender(record) {
            lines.add_row([vec![record.id.clone()], line].concat());
        }
        match known.contains(&record.id) {
            true => eprintln!(
                "{}: {} is in the ledger already",
                style::note("left out"),
                describe(record)
            ),
            false => drop(ledger.append(shelf, record)?),
        }
    }
    style::print_table(&lines);
    Ok(())
}

/// `20260101-aabbcc (b, c against a)`.
fn describe(record: &Record) -> String {
    format!("{} ({})", record.id, record.headline())
}

fn print_head(record: &Record) {
    style::print_fields(&[
        ("record", record.id.clone()),
        ("when", record.when.clone()),
        ("command", record.command.join(" ")),
        ("machine", record.machine.fingerprint()),
        (
            "commit",
            record
                .commit
                .as_ref()
                .map_or_else(|| "unknown".to_owned(), ToString::to_string),
        ),
        ("load", format!("{:.2}", record.machine.load)),
    ]);
    for l in &record.libraries {
        let what = if l.hash.is_empty() {
            l.file.clone()
        } else {
            format!("config {} code {} sources {}", l.hash, l.code_hash, l.sources)
        };
        style::print_fields(&[("contender", format!("{}  {what}", l.label).trim_end().to_string())]);
        if !l.sha256.is_empty() {
            style::print_fields(&[("", format!("SHA-256 {}", l.sha256))]);
        }
    }
    println!();
}
