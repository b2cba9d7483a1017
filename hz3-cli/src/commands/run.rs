//! `run`: a program under a variant.

use crate::fresh::Fresh;
use hz3_project::{Error, Outcome, Place};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Arguments of `run`.
#[derive(clap::Args)]
pub struct Arguments {
    /// A variant, the path of a library, or: glibc, mimalloc, tcmalloc, jemalloc, …
    #[arg(value_name = "NAME|PATH")]
    allocator: String,
    #[command(flatten)]
    fresh: Fresh,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs `run`; returns only if the program cannot be started.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let allocator = arguments.fresh.find(&place, &arguments.allocator)?;
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]);
    if let Some(library) = &allocator.path {
        command.env("LD_PRELOAD", preload(library, std::env::var_os("LD_PRELOAD")));
    }
    let error = command.exec();
    let program = arguments.command[0].to_string_lossy();
    Err(Error::bad_input(format!(
        "cannot start {program}: {}",
        hz3_config::file::reason(&error)
    )))
}

/// The library before whatever is preloaded already: the first definition of a symbol wins.
pub fn preload(library: &std::path::Path, others: Option<OsString>) -> OsString {
    let mut value = library.as_os_str().to_owned();
    if let Some(others) = others.filter(|o| !o.is_empty()) {
        value.push(":");
        value.push(others);
    }
    value
}
