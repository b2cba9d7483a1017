//! The config language of hz3.
//!
//! A TOML file says everything about one allocator variant. [`load`] reads it and its parents, checks everything, and
//! gives a [`Plan`]: plain numbers, from which code is generated and which everybody else reads. [`cost::Cost`] says
//! what a plan costs before anything is built.
//!
//! Layers. A module names only modules of the lines below its own; modules of one line do not name each other.
//!
//! | layer | modules | what they are |
//! |---|---|---|
//! | 8 | this file | [`load`]: all of it in order |
//! | 7 | [`schema`], [`emit`], [`remarks`], [`sources`] | what is made of the declarations, of a plan, of the sources |
//! | 6 | `check` | every rule, and every derived number: from a chain to a plan |
//! | 5 | `chain`, `support`, `resolve`, `recognise` | a file and its parents; what this version cannot do yet; a plan as text; whether a text is a config |
//! | 4 | `knob` | what can be said, declared once, and its parser |
//! | 3 | `diagnostic` | what is wrong, with its place |
//! | 2 | `source`, [`preset`], [`cost`] | texts and places in them; the configs that hz3 ships; what a plan costs |
//! | 1 | [`plan`] | every number that code is generated from |
//! | 0 | [`mod@file`], [`suggest`], [`mod@soname`], `hash` | files that a user names; what to type next; names for linkers; hashes |

#![forbid(unsafe_code)]

mod chain;
mod check;
pub mod cost;
mod diagnostic;
pub mod emit;
pub mod file;
mod hash;
mod knob;
pub mod plan;
pub mod preset;
#[cfg(test)]
mod reach;
mod recognise;
pub mod remarks;
mod resolve;
pub mod schema;
pub mod soname;
mod source;
pub mod sources;
pub mod suggest;
mod support;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use plan::Plan;
pub use recognise::is_config;

use std::path::Path;

use chain::Chain;
use diagnostic::Sink;

/// Reads a config, a file or `hz3:NAME` for a preset, and its parents, checks them and derives the plan.
///
/// Paths in diagnostics follow from `path` as it is given.
///
/// # Errors
///
/// All faults of all files of the chain, unless one of them is not TOML or is missing: then only what can be said of
/// each file alone.
pub fn load(path: &Path) -> Result<Plan, Diagnostics> {
    let mut sink = Sink::default();
    let chain = chain::load(path, &mut sink)?;
    finish(&chain, sink)
}

/// The same for a text that is not on disk. Its parents are looked for in the folder of `name_of_file`, whose stem
/// must be the variant's name.
///
/// # Errors
///
/// As [`load`].
pub fn load_str(name_of_file: &Path, text: &str) -> Result<Plan, Diagnostics> {
    let mut sink = Sink::default();
    let chain = chain::follow(chain::of_file(name_of_file, text.to_owned()), &mut sink);
    finish(&chain, sink)
}

fn finish(chain: &Chain, mut sink: Sink) -> Result<Plan, Diagnostics> {
    let plan = check::plan(chain, &mut sink);
    match (sink.finish(&chain.sources), plan) {
        (None, Some(plan)) => Ok(plan),
        (Some(faults), _) => Err(faults),
        // A check that gives nothing has reported why; this keeps a forgotten report from passing for a plan.
        (None, None) => {
            let message = "the config gives no plan, and no check says why".to_owned();
            let help = Some("this is a fault of hz3: please report it with the config".to_owned());
            Err(Diagnostics::of_file(&chain.sources[0].shown, message, help))
        }
    }
}
