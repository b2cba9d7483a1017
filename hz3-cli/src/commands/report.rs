//! `report`: records of the ledger as one page.

use hz3_lab::ledger::Ledger;
use hz3_lab::misuse::Survey;
use hz3_lab::report;
use hz3_project::{Error, Outcome, Place, Result, file};
use std::path::{Path, PathBuf};

/// Arguments of `report`.
#[derive(clap::Args)]
#[command(after_help = "The page needs no network and carries its samples; print it from any browser.")]
pub struct Arguments {
    /// Records: ids, beginnings of ids, or `last`, which is meant if nothing is named
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Show a survey of misuse as well: what `cargo hz3 misuse … -o FILE.json` wrote
    #[arg(long, value_name = "FILE")]
    misuse: Option<PathBuf>,
    /// File to write
    #[arg(short, long, default_value = "report.html", value_name = "FILE")]
    output: PathBuf,
}

/// Runs `report`.
pub fn run(arguments: Arguments) -> Outcome {
    let ledger = Ledger::of(&Place::find()?);
    let survey = arguments.misuse.as_deref().map(survey).transpose()?;
    let mut ids = arguments.ids;
    if ids.is_empty() && survey.is_none() {
        ids.push("last".to_owned());
    }
    let records = ids.iter().map(|id| ledger.find(id)).collect::<Result<Vec<_>, _>>()?;
    let page = report::page_with(&records, survey.as_ref());
    file::write(&arguments.output, page.as_bytes())?;
    eprintln!("{}: {} KiB", arguments.output.display(), page.len().div_ceil(1024));
    Ok(())
}

/// Reads what `misuse` wrote.
fn survey(path: &Path) -> Result<Survey> {
    let shown = path.display();
    let text =
        file::read_text(path, file::DATA).map_err(|why| Error::bad_input(format!("cannot read {shown}: {why}")))?;
    serde_json::from_str(&text).map_err(|e| {
        Error::bad_input(format!(
            "{shown}:{}:{}: is no survey of misuse: {e}",
            e.line(),
            e.column()
        ))
        .help(format!("cargo hz3 misuse NAME… -o {shown} writes one"))
    })
}
