//! `check`: every error of every config at once.

use crate::configs;
use crate::failure::{Code, Failure, Outcome};
use crate::project::Project;
use crate::style;

/// Arguments of `check`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Configs: names of files in configs/, or paths; all of configs/ if none is given
    #[arg(value_name = "NAME|FILE")]
    names: Vec<String>,
    /// Do not fail if two configs give the same tables and code
    #[arg(long)]
    allow_identical: bool,
}

/// Runs `check`.
pub fn run(arguments: Arguments) -> Outcome {
    let project = Project::find()?;
    let plans = configs::load_all(&project, &arguments.names)?;
    let mut table = style::table(&["config", "hash", "code", "classes", "largest", ""], 3);
    for plan in &plans {
        let largest = plan.classes.last().map_or(0, |c| u64::from(c.size));
        table.add_row([
            plan.name.clone(),
            plan.hash.to_string(),
            plan.code_hash.to_string(),
            plan.classes.len().to_string(),
            style::bytes(largest),
            style::good("ok"),
        ]);
    }
    style::print_table(&table);
    plans.iter().for_each(configs::report_refuted);
    if configs::report_identical(&plans) && !arguments.allow_identical {
        return Err(Failure::silent(Code::Failed));
    }
    Ok(())
}
