//! The commands. To add one: a module with `#[derive(clap::Args)] pub struct Arguments` and
//! `pub fn run(arguments: Arguments) -> Outcome`, and a line in the list below.

use crate::failure::Outcome;

/// Output for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Tables for people.
    #[default]
    Text,
    /// JSON for programs.
    Json,
}

macro_rules! commands {
    ($($(#[$meta:meta])* $variant:ident => $module:ident),+ $(,)?) => {
        $(pub mod $module;)+

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
    /// Count the instructions of malloc, free & co, exactly
    Count => count,
}

/// Prints `value` as JSON, for people to read as well.
pub fn print_json(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| crate::failure::Failure::failed(format!("cannot write JSON: {e}")))?;
    println!("{text}");
    Ok(())
}
