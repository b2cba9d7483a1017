//! `run`: a program under a variant.

use crate::failure::{Failure, Outcome};
use crate::library::Library;
use crate::peers::{self, Allocator};
use crate::project::Project;
use crate::style;
use hz3_config::suggest;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Arguments of `run`.
#[derive(clap::Args)]
pub struct Arguments {
    /// A variant, the path of a library, or: glibc, mimalloc, tcmalloc, jemalloc, …
    #[arg(value_name = "NAME|PATH")]
    allocator: String,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs `run`; returns only if the program cannot be started.
pub fn run(arguments: Arguments) -> Outcome {
    let project = Project::find()?;
    let allocator = peers::resolve(&project, &arguments.allocator)?;
    warn_if_stale(&project, &allocator);
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]);
    if let Some(library) = &allocator.library {
        command.env("LD_PRELOAD", preload(library, std::env::var_os("LD_PRELOAD")));
    }
    let error = command.exec();
    let program = arguments.command[0].to_string_lossy();
    Err(Failure::bad_input(format!("cannot start {program}: {}", hz3_config::file::reason(&error))))
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

/// Says on stderr if the config was changed since the library was made.
pub fn warn_if_stale(project: &Project, allocator: &Allocator) {
    let Some(path) = &allocator.library else { return };
    let config = project.configs().join(format!("{}.toml", allocator.name));
    if *path != project.library(&allocator.name) || !config.is_file() {
        return;
    }
    let Some(note) = Library::read(path).ok().and_then(|library| library.note) else { return };
    match hz3_config::load(&config) {
        Ok(plan) if plan.hash.to_string() == note.hash => {}
        Ok(_) => eprintln!(
            "{}: {} was changed since the library was built; {}",
            style::warning("warning"),
            project.relative(&config),
            suggest::command(["cargo", "hz3", "build", &allocator.name])
        ),
        Err(_) => eprintln!(
            "{}: {} has errors now; the library is from before",
            style::warning("warning"),
            project.relative(&config)
        ),
    }
}
