//! The `hz3` command, run as `cargo hz3 …`.
//!
//! One file per command under `commands/`; a new command is one variant of [`Command`] and one module.
#![forbid(unsafe_code)]

mod commands;
mod configs;
mod failure;
mod heap;
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

/// Ends quietly when whoever reads the output has enough of it (`cargo hz3 diff a b | head`): printing panics then.
fn end_with_the_reader() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        if said.is_some_and(|text| text.starts_with("failed printing to stdout") && text.contains("Broken pipe")) {
            std::process::exit(0);
        }
        report(panic);
    }));
}

fn main() -> ExitCode {
    end_with_the_reader();
    match Arguments::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
