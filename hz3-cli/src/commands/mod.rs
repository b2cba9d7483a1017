//! The commands. To add one: a module with `#[derive(clap::Args)] pub struct Arguments` and
//! `pub fn run(arguments: Arguments) -> Outcome`, and two lines below. [`rows`] is none: it
//! is what those that measure have in common.

pub mod bench;
pub mod build;
pub mod check;
pub mod compare;
pub mod completions;
pub mod count;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod fit;
pub mod heap;
pub mod inspect;
pub mod install;
pub mod ledger;
pub mod man;
pub mod misuse;
pub mod new;
pub mod profile;
pub mod replay;
pub mod report;
pub mod rows;
pub mod run;
pub mod schema;
pub mod sweep;
pub mod tails;
pub mod trace;
pub mod tune;
pub mod uninstall;
pub mod workload;

use clap::{CommandFactory, Parser};
use hz3_project::Outcome;

/// Build, look at, prove and measure malloc variants.
///
/// Exit codes: 0 all is well, 1 a difference or a failure, 2 bad input, 3 this machine cannot do it, 130 Ctrl-C.
#[derive(Parser)]
#[command(name = "cargo hz3", bin_name = "cargo hz3", version, max_term_width = 110)]
pub struct Line {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The command line as one word, as shells and manual pages know it.
pub fn as_one_word() -> clap::Command {
    Line::command().name("cargo-hz3")
}

/// Output for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Tables for people.
    #[default]
    Text,
    /// JSON for programs.
    Json,
}

/// Output for people, for programs, for spreadsheets, or for pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Form {
    /// Tables for people
    #[default]
    Text,
    /// All of it
    Json,
    /// A line for each figure
    Csv,
    /// Tables in Markdown
    Md,
}

macro_rules! commands {
    ($($(#[$meta:meta])* $variant:ident => $module:ident),+ $(,)?) => {
        /// What `hz3` can do.
        #[derive(clap::Subcommand)]
        pub enum Command {
            $($(#[$meta])* $variant($module::Arguments),)+
        }

        impl Command {
            /// Does it.
            pub fn run(self) -> Outcome {
                match self {
                    $(Command::$variant(arguments) => $module::run(arguments),)+
                }
            }
        }
    };
}

commands! {
    /// Build variants: a library of each
    Build => build,
    /// Check configs: every error of every file at once
    Check => check,
    /// Show the tables that a config gives, and what they cost
    Explain => explain,
    /// Compare two variants: keys, lines of the tables, bytes, instructions
    Diff => diff,
    /// Run a program under a variant
    Run => run,
    /// Prove that a program's malloc is the variant's, or say why not
    Doctor => doctor,
    /// Say which config made a library
    Inspect => inspect,
    /// Draw which pages of a running process hold what
    Heap => heap,
    /// Show who has what in the heap of a running process, a profile or a recording: by site, size, lifetime, thread
    Profile => profile,
    /// Put a variant where C and C++ programs find it: library, archive, header, pkg-config, CMake
    Install => install,
    /// Take an installed variant out again
    Uninstall => uninstall,
    /// Write a config that extends another
    New => new,
    /// Print the JSON schema of the config language
    Schema => schema,
    /// Count the instructions of malloc, free & co, exactly
    Count => count,
    /// Show what becomes of misuse: double frees, overflows, stale and wrong pointers, under any allocator
    Misuse => misuse,
    /// Compare variants and peers: measured in pairs, with intervals and a verdict for each row
    Compare => compare,
    /// Find the best config for a program in a given time
    Tune => tune,
    /// Compare a grid of configs with their base
    Sweep => sweep,
    /// List the rows, or measure some of them once
    Bench => bench,
    /// Show how long single calls take: p50 to p99.99 and the longest, under any allocator
    Tails => tails,
    /// Show what was compared before; mark a config as refuted
    Ledger => ledger,
    /// Write records as one page: intervals, samples, memory, tables, code
    Report => report,
    /// Record what a program asks of malloc
    Trace => trace,
    /// Run recorded traces under any allocator
    Replay => replay,
    /// Check workloads in TOML, or make one from a recording
    Workload => workload,
    /// Fit size classes to what a program keeps alive, and judge them where they were not fitted
    Fit => fit,
    /// Print what a shell needs to complete commands and options
    Completions => completions,
    /// Write the help of all commands as manual pages
    Man => man,
}

/// Prints `value` as JSON, for people to read as well.
pub fn print_json(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| hz3_project::Error::failed(format!("cannot write JSON: {e}")))?;
    println!("{text}");
    Ok(())
}
