//! `report`: records of the ledger as one page.

use hz3_lab::ledger::Ledger;
use hz3_lab::report;
use hz3_project::{Outcome, Place};
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
    let ledger = Ledger::of(&Place::find()?);
    let records = arguments
        .ids
        .iter()
        .map(|id| ledger.find(id))
        .collect::<Result<Vec<_>, _>>()?;
    let page = report::page(&records);
    hz3_project::file::write(&arguments.output, page.as_bytes())?;
    eprintln!("{}: {} KiB", arguments.output.display(), page.len().div_ceil(1024));
    Ok(())
}
