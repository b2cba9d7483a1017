//! `--build`: variants that a command takes by their names are built first, where their libraries are not what their
//! configs and the sources say now. Without it such a library is refused ([`hz3_lab::built`]).

use crate::commands::build;
use crate::failure::{Failure, Outcome};
use hz3_lab::built::{self, State};
use hz3_lab::place::{PEERS, Place};

/// The option, for every command that takes variants.
#[derive(clap::Args)]
pub struct Fresh {
    /// Build first the variants that are not built, or whose config or sources were changed since
    #[arg(long)]
    build: bool,
}

impl Fresh {
    /// Builds what is not current among `words`, if that is asked for; words that name no variant are left alone.
    pub fn prepare<'a>(&self, place: &Place, words: impl IntoIterator<Item = &'a String>) -> Outcome {
        if !self.build {
            return Ok(());
        }
        let mut old: Vec<String> = Vec::new();
        for word in words {
            let peer = PEERS.iter().any(|p| p.name == word) || word == "glibc";
            if peer || old.contains(word) || !place.is_variant(word) {
                continue;
            }
            if !matches!(
                built::state(place, word).map_err(Failure::from)?,
                State::Current | State::Gone
            ) {
                old.push(word.clone());
            }
        }
        if old.is_empty() { Ok(()) } else { build::quietly(&old) }
    }
}
