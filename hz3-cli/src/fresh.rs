//! `--build`: variants that a command takes by their names are built first, where their libraries are not what their
//! configs and the sources say now. Without it such a library is refused ([`hz3_project::current`]).

use crate::variants;
use hz3_project::current::{self, State};
use hz3_project::name::Named;
use hz3_project::{Allocator, Outcome, Place, Result};

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
            if let Ok(Named::Variant(name, Some(config))) = Named::find(place, word)
                && !old.contains(word)
                && current::state(place, &name, Some(&config))? != State::Current
            {
                old.push(word.clone());
            }
        }
        if old.is_empty() {
            Ok(())
        } else {
            variants::quietly(place, &old)
        }
    }

    /// The malloc that a word names, which is built first if that is asked for.
    pub fn find(&self, place: &Place, word: &String) -> Result<Allocator> {
        self.prepare(place, [word])?;
        Allocator::find(place, word)
    }

    /// The same for several.
    pub fn find_all(&self, place: &Place, words: &[String]) -> Result<Vec<Allocator>> {
        self.prepare(place, words)?;
        Allocator::find_all(place, words)
    }
}
