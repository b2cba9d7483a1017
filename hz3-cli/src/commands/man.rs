//! `man`: the help of all commands as manual pages.

use clap_mangen::Man;
use hz3_project::{Error, OnPath, Outcome, file};
use std::path::{Path, PathBuf};

/// Arguments of `man`.
#[derive(clap::Args)]
#[command(after_help = "Example:
  cargo hz3 man ~/.local/share/man/man1 && man cargo-hz3")]
pub struct Arguments {
    /// The folder for the pages, which is made if it is not there
    folder: PathBuf,
}

/// Runs `man`.
pub fn run(arguments: Arguments) -> Outcome {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder).on("create", folder)?;
    // Without it each command would get a second page, about its `help`.
    let mut command = super::as_one_word().disable_help_subcommand(true);
    command.build();
    write(&command, folder)
}

/// The page of a command, and those of its own commands.
fn write(command: &clap::Command, folder: &Path) -> Outcome {
    let page = Man::new(command.clone()).source(concat!("hz3 ", env!("CARGO_PKG_VERSION")));
    let path = folder.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text)
        .map_err(|e| Error::failed(format!("cannot write {}: {e}", path.display())))?;
    file::write(&path, &text)?;
    println!("{}", path.display());
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .try_for_each(|command| write(command, folder))
}
