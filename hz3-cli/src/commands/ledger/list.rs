//! The list of the records, and what is wanted of it.

use crate::commands::{Format, print_json};
use crate::style;
use hz3_lab::ledger::Ledger;
use hz3_lab::record::Record;
use hz3_lab::rows::ROWS;
use hz3_lab::stats::Verdict;
use hz3_project::{Error, Outcome, Place, peers::PEERS};

/// What to show of the list.
#[derive(clap::Args)]
pub struct Filter {
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

/// A day that exists, as records write it.
fn day(text: &str) -> Result<String, String> {
    match text.parse::<toml::value::Datetime>() {
        Ok(day) if day.date.is_some() && day.time.is_none() => Ok(text.to_owned()),
        _ => Err("a day is written 2026-01-31, and must exist".to_owned()),
    }
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

/// Prints a line for each record that a filter keeps.
pub fn list(ledger: &Ledger, filter: &Filter) -> Outcome {
    let mut records = ledger.all()?;
    filter.known(records.iter().map(|(_, r)| r))?;
    records.retain(|(_, r)| filter.keeps(r));
    if filter.format == Format::Json {
        let records: Vec<&Record> = records.iter().map(|(_, r)| r).collect();
        return print_json(&records);
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
