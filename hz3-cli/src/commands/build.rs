//! `build`: one library per variant.

use crate::variants::{Manner, build};
use hz3_project::{Outcome, Place};

/// Arguments of `build`.
#[derive(clap::Args)]
#[command(
    after_help = "All configs are checked before the first is built. The library of a variant is libhz3_<name>.so in
target/hz3/ of a checkout, and in a folder of $XDG_CACHE_HOME/hz3/ for every other project. The static archive of --static is
libhz3_<name>.a beside it."
)]
pub struct Arguments {
    /// Configs: names of files in configs/, or paths; `default` if none is named
    #[arg(value_name = "NAME|FILE")]
    names: Vec<String>,
    /// Every config in configs/
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Make a static archive of each, too, for static programs and for those of musl
    #[arg(long = "static")]
    archives: bool,
    /// Do not fail if two configs give the same allocator
    #[arg(long)]
    allow_identical: bool,
    /// Tell cargo to use no network
    #[arg(long)]
    offline: bool,
    /// What it says is always so: versions are those of hz3's own lock file
    #[arg(long, hide = true)]
    locked: bool,
}

/// Runs `build`.
pub fn run(arguments: Arguments) -> Outcome {
    let names = match arguments.names.is_empty() && !arguments.all {
        true => vec!["default".to_owned()],
        false => arguments.names,
    };
    let manner = Manner {
        allow_identical: arguments.allow_identical,
        offline: arguments.offline,
        archives: arguments.archives,
    };
    build(&Place::find()?, &names, manner, |line| println!("{line}"))
}
