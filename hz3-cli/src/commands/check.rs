//! `check`: every error of every config at once.

use super::Format;
use crate::configs::{self, Fault, Loaded};
use crate::style;
use hz3_config::Plan;
use hz3_config::remarks::{self, Remark};
use hz3_project::Place;
use hz3_project::{Error, Outcome};

/// Arguments of `check`.
#[derive(clap::Args)]
#[command(after_help = "Exit code 2 if a config has an error, 1 if two give the same tables and code.")]
pub struct Arguments {
    /// Configs: names of files in configs/, or paths; all of configs/ if none is given
    #[arg(value_name = "NAME|FILE")]
    names: Vec<String>,
    /// Do not fail if two configs give the same tables and code
    #[arg(long)]
    allow_identical: bool,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What there is to say about one config, for programs.
#[derive(serde::Serialize)]
struct Row<'a> {
    config: &'a str,
    file: Option<String>,
    ok: bool,
    hash: Option<String>,
    code_hash: Option<String>,
    classes: Option<usize>,
    largest_bytes: Option<u32>,
    refuted: Option<&'a str>,
    remarks: Vec<Remark>,
    errors: Vec<Wrong<'a>>,
}

/// One error.
#[derive(serde::Serialize)]
struct Wrong<'a> {
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    help: Option<&'a str>,
}

#[derive(serde::Serialize)]
struct Report<'a> {
    configs: Vec<Row<'a>>,
    /// Names of those that are one allocator.
    identical: Vec<Vec<&'a str>>,
}

/// Runs `check`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let loaded = configs::load_each(&place, &arguments.names)?;
    let plans: Vec<Plan> = loaded
        .iter()
        .filter_map(|one| one.plan.as_ref().ok().cloned())
        .collect();
    match arguments.format {
        Format::Json => super::print_json(&Report {
            configs: loaded.iter().map(row).collect(),
            identical: configs::identical(&plans),
        })?,
        Format::Text => print(&loaded),
    }
    for plan in &plans {
        configs::report_refuted(plan);
        configs::report_remarks(plan, |_| true);
    }
    let identical = configs::report_identical(&plans);
    configs::bad(loaded.len() - plans.len(), loaded.len())?;
    configs::distinct(&plans)?;
    Error::unless(!identical || arguments.allow_identical)
}

/// A config and what is wrong with it stands among those that are well: one bad file hides no good one.
fn print(loaded: &[Loaded]) {
    let mut table = style::table(&["config", "hash", "code", "classes", "largest", ""], 3);
    for one in loaded {
        table.add_row(match &one.plan {
            Ok(plan) => [
                plan.name.clone(),
                plan.hash.to_string(),
                plan.code_hash.to_string(),
                plan.classes.len().to_string(),
                style::bytes(u64::from(plan.largest())),
                style::good("ok"),
            ],
            Err(fault) => {
                let what = match fault {
                    Fault::Missing(_) => "not found".to_owned(),
                    Fault::Says(faults) => configs::errors(faults.items().len()),
                };
                let none = || "-".to_owned();
                [one.given.clone(), none(), none(), none(), none(), style::bad(&what)]
            }
        });
    }
    style::print_table(&table);
}

fn row(one: &Loaded) -> Row<'_> {
    let plan = one.plan.as_ref().ok();
    let errors = match one.plan.as_ref().err() {
        None => Vec::new(),
        Some(Fault::Missing(failure)) => vec![Wrong {
            file: None,
            line: None,
            column: None,
            message: &failure.message,
            help: failure.help.as_deref(),
        }],
        Some(Fault::Says(faults)) => faults
            .items()
            .iter()
            .map(|item| Wrong {
                file: Some(item.file.display().to_string()),
                line: Some(item.line),
                column: Some(item.column),
                message: &item.message,
                help: item.help.as_deref(),
            })
            .collect(),
    };
    Row {
        config: plan.map_or(one.given.as_str(), |plan| plan.name.as_str()),
        file: one
            .path
            .as_deref()
            .map(|path| configs::shown(path).display().to_string()),
        ok: plan.is_some(),
        hash: plan.map(|plan| plan.hash.to_string()),
        code_hash: plan.map(|plan| plan.code_hash.to_string()),
        classes: plan.map(|plan| plan.classes.len()),
        largest_bytes: plan.map(Plan::largest),
        refuted: plan.and_then(|plan| plan.refuted.as_deref()),
        remarks: plan.map(remarks::of).unwrap_or_default(),
        errors,
    }
}
