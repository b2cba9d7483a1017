//! The `cargo hz3` command.
//!
//! One file per command under `commands/`; a new command is one variant of [`commands::Command`] and one module.
#![forbid(unsafe_code)]

#[macro_use]
mod out;

mod bar;
mod commands;
mod configs;
mod derived;
mod fresh;
mod heap;
mod install;
mod keep;
mod neighbours;
mod profile;
mod proof;
mod step;
mod style;
mod tables;
mod variants;

use clap::Parser;
use commands::Line;
use hz3_project::{Code, Error};
use std::ffi::OsString;
use std::process::ExitCode;

/// The words of the command line. Cargo starts an installed `cargo-hz3` with its own word before the command.
fn words() -> Vec<OsString> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "hz3") {
        words.remove(1);
    }
    words
}

/// Reads the command line. What clap has to say instead of running a command is said by it, with its exit code.
fn arguments() -> Result<Line, ExitCode> {
    Line::try_parse_from(words()).map_err(|said| {
        let (printed, code) = (said.print(), said.exit_code());
        let lost = printed.is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe);
        ExitCode::from(match u8::try_from(code) {
            Ok(0) if lost => Code::Failed as u8,
            Ok(code) => code,
            Err(_) => Code::BadInput as u8,
        })
    })
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let outcome = arguments.command.run();
    if let Err(failure) = &outcome {
        style::report(failure);
    }
    let lost = out::fault().map(|why| Error::failed(format!("cannot write to standard output: {why}")));
    if let Some(failure) = &lost {
        style::report(failure);
    }
    match outcome.err().or(lost) {
        Some(failure) => ExitCode::from(failure.code as u8),
        None => ExitCode::SUCCESS,
    }
}
