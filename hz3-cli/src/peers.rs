//! Other mallocs, and what a name on the command line stands for.

use crate::failure::Failure;
use crate::project::Project;
use hz3_config::suggest;
use hz3_lab::place::{PEERS, find_peer};
use std::path::PathBuf;

/// A malloc to put under a program.
#[derive(Debug, Clone)]
pub struct Allocator {
    /// The name shown: a variant's, a peer's, or a file's.
    pub name: String,
    /// What to preload; `None` is the C library's own malloc.
    pub library: Option<PathBuf>,
}

/// Finds what `given` names: a path, `glibc`, a variant that is built, or a peer. A variant must be what its config and
/// the sources say now; a path is taken as it is.
pub fn resolve(project: &Project, given: &str) -> Result<Allocator, Failure> {
    let allocator = look_up(project, given)?;
    if allocator.library.as_ref().is_some_and(|l| *l == project.library(given)) {
        hz3_lab::built::demand(&project.place(), given)?;
    }
    match &allocator.library {
        Some(path) if path.to_string_lossy().contains([' ', ':']) => {
            Err(Failure::unfit(format!("{} cannot be preloaded", path.display()))
                .help("LD_PRELOAD takes blanks and colons for separators: move the library to a path without"))
        }
        _ => Ok(allocator),
    }
}

/// The same, whatever the state of a variant's library, which may not even be there.
pub fn look_up(project: &Project, given: &str) -> Result<Allocator, Failure> {
    if given == "glibc" || given == "libc" {
        return Ok(Allocator {
            name: given.to_owned(),
            library: None,
        });
    }
    if given.contains('/') || given.contains(".so") {
        let path = crate::failure::real(given)?;
        // What is no library is left out by the dynamic linker, and the program runs on the C library's malloc.
        crate::library::Library::read(&path)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = file
            .strip_prefix("libhz3_")
            .and_then(|f| f.strip_suffix(".so"))
            .map_or(file.clone(), str::to_owned);
        return Ok(Allocator {
            name,
            library: Some(path),
        });
    }
    if project.configs().join(format!("{given}.toml")).is_file() {
        return Ok(Allocator {
            name: given.to_owned(),
            library: Some(project.library(given)),
        });
    }
    if let Some(peer) = PEERS.iter().find(|p| p.name == given) {
        return match find_peer(peer) {
            Some(path) => Ok(Allocator {
                name: given.to_owned(),
                library: Some(path),
            }),
            None if peer.package.is_empty() => Err(Failure::unfit(format!("{given} is not installed"))
                .help("give the path of its library instead of the name")),
            None => Err(Failure::unfit(format!("{given} is not installed"))
                .help(format!("apt install {}, or give the path of its library", peer.package))),
        };
    }
    if project.library(given).is_file() {
        return Ok(Allocator {
            name: given.to_owned(),
            library: Some(project.library(given)),
        });
    }
    let names = project.config_names();
    let known = names
        .iter()
        .map(String::as_str)
        .chain(PEERS.iter().map(|p| p.name))
        .chain(["glibc"]);
    let failure = Failure::bad_input(format!("`{given}` is no config, no known malloc and no path"));
    Err(match suggest::nearest(given, known.clone()) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help(format!("there are: {}", known.collect::<Vec<_>>().join(", "))),
    })
}
