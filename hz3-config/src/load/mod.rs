//! From a text to a plan: the chain of parents, the checks, and all faults at once.

#[cfg(test)]
mod reach;

use std::path::Path;

use crate::chain::{self, Chain};
use crate::check;
use crate::diagnostic::{Diagnostics, Sink};
use crate::plan::Plan;

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
