//! The lab: workloads, paired measurements with intervals, the ledger and its reports.
//!
//! A comparison goes through these hands: [`place`] finds libraries and folders, [`clients`] builds the workloads,
//! [`prove`] shows that a preloaded library is the one at work, [`child`] runs one fresh process and says what it cost,
//! [`compare`] schedules paired blocks, [`stats`] turns them into verdicts, [`record`] is what is kept.
#![forbid(unsafe_code)]

pub mod built;
pub mod callgrind;
pub mod child;
pub mod clients;
pub mod commit;
pub mod compare;
pub mod disasm;
pub mod ending;
pub mod identity;
pub mod ledger;
pub mod machine;
pub mod place;
pub mod prove;
pub mod record;
pub mod report;
pub mod rows;
pub mod sha256;
pub mod stats;
pub mod table;
pub mod trace;

/// At whose door a failure lies; each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Something that should work failed (exit code 1).
    Failed,
    /// The input is wrong (2).
    Input,
    /// The environment lacks something (3).
    Unfit,
    /// Ctrl-C (130).
    Stopped,
}

/// What went wrong, in a sentence that names the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The sentence.
    pub message: String,
    /// At whose door it lies.
    pub fault: Fault,
    /// What to type next, where the sentence does not say it.
    pub help: Option<String>,
}

impl Error {
    fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            fault,
            help: None,
        }
    }
    /// Adds what to type next.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// Something that should work failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Fault::Failed, message)
    }
    /// The input is at fault.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Fault::Input, message)
    }
    /// The environment is at fault.
    pub fn unfit(message: impl Into<String>) -> Self {
        Self::new(Fault::Unfit, message)
    }
    /// The user has had enough.
    pub fn stopped(message: impl Into<String>) -> Self {
        Self::new(Fault::Stopped, message)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The lab's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
