//! The lab: workloads, paired measurements with intervals, the ledger and its reports.
//!
//! A comparison goes through these hands: [`place`] finds libraries and folders, [`clients`] builds the workloads,
//! [`prove`] shows that a preloaded library is the one at work, [`child`] runs one fresh process and says what it cost,
//! [`compare`] schedules paired blocks, [`stats`] turns them into verdicts, [`record`] is what is kept.
#![forbid(unsafe_code)]

pub mod callgrind;
pub mod child;
pub mod clients;
pub mod compare;
pub mod disasm;
pub mod identity;
pub mod ledger;
pub mod machine;
pub mod place;
pub mod prove;
pub mod record;
pub mod report;
pub mod rows;
pub mod stats;
pub mod table;
pub mod trace;

/// What went wrong, in a sentence that names the next step; `unfit` tells bad input from an environment that lacks
/// something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The sentence.
    pub message: String,
    /// True if the environment is at fault (exit code 3), false if the input is (exit code 2).
    pub unfit: bool,
}

impl Error {
    /// The input is at fault.
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            unfit: false,
        }
    }
    /// The environment is at fault.
    pub fn unfit(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            unfit: true,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The lab's results.
pub type Result<T> = std::result::Result<T, Error>;
