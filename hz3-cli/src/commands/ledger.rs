//! `ledger`: what was compared and what came of it.

use super::Format;
use crate::style;
use hz3_lab::export;
use hz3_lab::ledger::{Ledger, Shelf, Tested, merge, side_by_side, tested};
use hz3_lab::record::Record;
use hz3_lab::rows::ROWS;
use hz3_lab::stats::Verdict;
use hz3_lab::table;
use hz3_project::{Error, Outcome, Place, file, name, peers::PEERS};
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

/// What to show of the list.
#[derive(clap::Args)]
struct Filter {
    /// Only records with this contender (a label, or the beginning of a config's hash)
    #[arg(long, value_name = "NAME|HASH")]
    of: Option<String>,
    /// Only records with this row
    #[arg(long, value_name = "ROW")]
    row: Option<String>,
    /// Only records with such a verdict
    #[arg(long, value_name = "VERDICT", value_parser = ["GO", "NO-GO", "UNDECIDED"])]
    verdict: Option<String>,
    /// Only records of this day or later: 2026-01-31
    #[arg(long, value_name = "DATE", value_parser = day)]
    since: Option<String>,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a record is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Form {
    /// Tables for people
    #[default]
    Text,
    /// All of it, samples included
    Json,
    /// A line for each row, contender and aspect
    Csv,
    /// Tables in Markdown
    Md,
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

/// A day that exists, as records write it.
fn day(text: &str) -> Result<String, String> {
    match text.parse::<toml::value::Datetime>() {
        Ok(day) if day.date.is_some() && day.time.is_none() => Ok(text.to_owned()),
        _ => Err("a day is written 2026-01-31, and must exist".to_owned()),
    }
}

/// What was predicted, beside what was measured.
fn calibration(format: Format) -> Outcome {
    let all: Vec<Tested> = open()?.all()?.iter().flat_map(|(_, record)| tested(record)).collect();
    if format == Format::Json {
        return super::print_json(&all);
    }
    if all.is_empty() {
        println!("no prediction was measured yet: `cargo hz3 fit --name NAME` makes one, and `compare` measures it");
        return Ok(());
    }
    let header = [
        "record",
        "config",
        "row",
        "peak KiB",
        "90 % range",
        "measured",
        "",
        "CPU %",
        "90 % range",
        "measured",
        "",
    ];
    let mut table = style::table(&header, 3);
    let word = |holds: bool| if holds { "holds" } else { "FAILS" }.to_owned();
    for one in &all {
        let (peak, time) = (one.predicted.peak, one.predicted.time);
        table.add_row([
            one.id.clone(),
            one.config.clone(),
            one.row.chars().take(24).collect(),
            format!("{:+.0}", peak.at),
            format!("{:+.0} to {:+.0}", peak.low, peak.high),
            format!("{:+.0}", one.peak),
            word(one.peak_holds),
            format!("{:+.2}", time.at),
            format!("{:+.2} to {:+.2}", time.low, time.high),
            format!("{:+.2}", one.time),
            word(one.time_holds),
        ]);
    }
    style::print_table(&table);
    let count = |holds: fn(&Tested) -> bool| all.iter().filter(|one| holds(one)).count();
    println!(
        "ranges of 90 % held for peak memory in {} of {n} cases, for CPU time in {}",
        count(|one| one.peak_holds),
        count(|one| one.time_holds),
        n = all.len()
    );
    Ok(())
}

/// Runs `ledger`.
pub fn run(arguments: Arguments) -> Outcome {
    match arguments.action {
        None => list(&arguments.filter),
        Some(Action::List(filter)) => list(&filter),
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
        Some(Action::Calibration { format }) => calibration(format),
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

/// Refuses a word that stands for nothing; of the words that stand for something it guesses which was meant.
fn known<'a>(what: &str, word: &str, words: impl Iterator<Item = &'a str> + Clone) -> Outcome {
    if words.clone().any(|known| known == word) {
        return Ok(());
    }
    Err(Error::bad_input(format!("no record has the {what} `{word}`")).guess(word, words))
}

impl Filter {
    /// Refuses names that no record has, and that none can have: an empty list would say that nothing was measured.
    fn known<'a>(&self, records: impl Iterator<Item = &'a Record> + Clone) -> Outcome {
        if let Some(row) = &self.row {
            let rows = records.clone().flat_map(|r| &r.rows).map(|row| row.name.as_str());
            known("row", row, rows.chain(ROWS.iter().map(|row| row.name)))?;
        }
        if let Some(of) = &self.of {
            let place = Place::find()?;
            let names = place.config_names();
            let hash = records
                .clone()
                .flat_map(|r| &r.libraries)
                .any(|l| of.len() >= 4 && l.hash.starts_with(of));
            let labels = records.flat_map(|r| &r.libraries).map(|l| l.label.as_str());
            let labels = labels
                .chain(names.iter().map(String::as_str))
                .chain(PEERS.iter().map(|p| p.name));
            if !hash {
                known("contender", of, labels.chain(["glibc"]))?;
            }
        }
        Ok(())
    }

    fn keeps(&self, r: &Record) -> bool {
        let of = |word: &String| {
            r.libraries
                .iter()
                .any(|l| l.label == *word || (word.len() >= 4 && l.hash.starts_with(word.as_str())))
        };
        let verdict = |word: &String| r.results().any(|(_, o)| o.verdict.to_string() == *word);
        self.of.as_ref().is_none_or(of)
            && self
                .row
                .as_ref()
                .is_none_or(|w| r.rows.iter().any(|row| row.name == *w))
            && self.verdict.as_ref().is_none_or(verdict)
            && self.since.as_ref().is_none_or(|d| r.when.as_str() >= d.as_str())
    }
}

fn list(filter: &Filter) -> Outcome {
    let mut records = open()?.all()?;
    filter.known(records.iter().map(|(_, r)| r))?;
    records.retain(|(_, r)| filter.keeps(r));
    if filter.format == Format::Json {
        let records: Vec<&Record> = records.iter().map(|(_, r)| r).collect();
        return super::print_json(&records);
    }
    let mut table = style::table(
        &["id", "when", "kept", "base", "against", "rows", "GO", "NO-GO", "open"],
        5,
    );
    for (shelf, r) in &records {
        let labels: Vec<&str> = r.libraries.iter().skip(1).map(|l| l.label.as_str()).collect();
        let count = |v: Verdict| r.results().filter(|(_, o)| o.verdict == v).count().to_string();
        table.add_row([
            r.id.clone(),
            r.when.replace('T', " ").replace('Z', ""),
            shelf.to_string(),
            r.libraries.first().map(|l| l.label.clone()).unwrap_or_default(),
            labels.join(" "),
            r.rows.len().to_string(),
            count(Verdict::Go),
            count(Verdict::NoGo),
            count(Verdict::Undecided),
        ]);
    }
    style::print_table(&table);
    Ok(())
}

/// Writes or removes `refuted` in a config, and leaves everything else of the file as it is.
fn mark(name: &str, why: Option<&str>) -> Outcome {
    let place = Place::find()?;
    let path = name::config(&place, name)?;
    let text = file::read_text(&path, file::CONFIG)
        .map_err(|why| Error::bad_input(format!("cannot read {}: {why}", place.shown(&path))))?;
    let new = marked(&text, why).map_err(|e| Error::bad_input(format!("{}: {e}", place.shown(&path))))?;
    hz3_config::load_str(&path, &new).map_err(|d| Error::bad_input(d.to_string()))?;
    file::write(&path, new.as_bytes())?;
    println!(
        "{}: {}",
        place.shown(&path),
        why.map_or("the mark is gone".into(), |w| format!("refuted: {w}"))
    );
    Ok(())
}

fn marked(text: &str, why: Option<&str>) -> Result<String, toml_edit::TomlError> {
    let mut document: toml_edit::DocumentMut = text.parse()?;
    match why {
        Some(why) => {
            document["refuted"] = toml_edit::value(why);
        }
        None => {
            document.remove("refuted");
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_comes_and_goes_and_the_rest_stays() {
        let text = "# a comment\nname = \"x\"  # of it\n\n[cache]\nmagazines = 2\n";
        let with = marked(text, Some("3 % slower on \"mixed\"")).unwrap();
        assert_eq!(
            with,
            "# a comment\nname = \"x\"  # of it\nrefuted = '3 % slower on \"mixed\"'\n\n[cache]\nmagazines = 2\n"
        );
        assert_eq!(marked(&with, None).unwrap(), text);
        assert_eq!(marked(&with, Some("no")).unwrap().matches("refuted").count(), 1);
    }
}
