//! The `hz3` command, run as `cargo hz3 …`.
//!
//! One file per command under `commands/`; a new command is one variant of [`Command`] and one module.
#![forbid(unsafe_code)]

mod commands;
mod configs;
mod failure;
mod library;
mod peers;
mod project;
mod proof;
mod step;
mod style;
mod tables;

use clap::Parser;
use std::process::ExitCode;

/// Build, look at, prove and measure malloc variants.
///
/// Exit codes: 0 all is well, 1 a difference or a failure, 2 bad input, 3 this machine cannot do it.
#[derive(Parser)]
#[command(name = "cargo hz3", bin_name = "cargo hz3", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
