//! `report`: records of the ledger as one page.

use super::compare::failure;
use crate::failure::Outcome;
use hz3_lab::ledger::Ledger;
use hz3_lab::place::Place;
use hz3_lab::report;
use std::path::PathBuf;

/// Arguments of `report`.
#[derive(clap::Args)]
#[command(after_help = "The page needs no network and carries its samples; print it from any browser.")]
pub struct Arguments {
    /// Records: ids, beginnings of ids, or `last`
    #[arg(value_name = "ID", default_value = "last")]
    ids: Vec<String>,
    /// File to write
    #[arg(short, long, default_value = "report.html", value_name = "FILE")]
    output: PathBuf,
}

/// Runs `report`.
pub fn run(arguments: Arguments) -> Outcome {
    let ledger = Ledger::of(&Place::here().map_err(failure)?);
    let records = arguments
        .ids
        .iter()
        .map(|id| ledger.find(id))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failure)?;
    let page = report::page(&records);
    crate::failure::write(&arguments.output, page.as_bytes())?;
    eprintln!("{}: {} KiB", arguments.output.display(), page.len().div_ceil(1024));
    Ok(())
}
