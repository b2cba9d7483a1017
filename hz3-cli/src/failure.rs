//! How a command ends badly: an exit code, a message, and what to do next.

use hz3_config::file;
use std::fmt;
use std::path::{Path, PathBuf};

/// The exit codes of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A difference was found, or something that should work failed.
    Failed = 1,
    /// The user's input is wrong: a bad config, an unknown name, a malformed argument.
    BadInput = 2,
    /// This machine or installation cannot do it: no compiler, no ptrace, another architecture.
    Unfit = 3,
    /// Ctrl-C, as shells say it.
    Stopped = 130,
}

/// A command's failure. Its text goes to stderr.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: Code,
    /// What happened; empty if everything has been said already.
    pub message: String,
    /// What to type or look at next.
    pub help: Option<String>,
}

/// What every command returns.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// Exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            code: Code::Failed,
            message: message.into(),
            help: None,
        }
    }

    /// Exit code 2.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self {
            code: Code::BadInput,
            message: message.into(),
            help: None,
        }
    }

    /// Exit code 3.
    pub fn unfit(message: impl Into<String>) -> Self {
        Self {
            code: Code::Unfit,
            message: message.into(),
            help: None,
        }
    }

    /// Exit code 1 or another, with nothing left to say.
    pub fn silent(code: Code) -> Self {
        Self {
            code,
            message: String::new(),
            help: None,
        }
    }

    /// Adds the next thing to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Prints the message to stderr.
    pub fn report(&self) {
        if !self.message.is_empty() {
            eprintln!("{}: {}", crate::style::error("error"), self.message);
        }
        if let Some(help) = &self.help {
            eprintln!("{}: {help}", crate::style::note("help"));
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::failed(error.to_string())
    }
}

/// Reads a file that the user named: [`hz3_config::file::read`]. What is no file is bad input.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    file::read(path, most).map_err(|why| Failure::bad_input(format!("cannot read {}: {why}", path.display())))
}

/// Writes a file, or leaves what was there: [`hz3_config::file::replace`].
pub fn write(path: &Path, bytes: &[u8]) -> Outcome {
    file::replace(path, bytes).map_err(|why| Failure::failed(format!("cannot write {}: {why}", path.display())))
}

/// Says before the work whether its result can be written: [`hz3_config::file::writable`].
pub fn writable(path: &Path) -> Outcome {
    file::writable(path).map_err(|why| Failure::failed(format!("cannot write {}: {why}", path.display())))
}

/// The real path of a file that the user named, which must exist.
pub fn real(given: &str) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(given)
        .map_err(|error| Failure::bad_input(format!("cannot read {given}: {}", file::reason(&error))))
}

impl From<hz3_lab::Error> for Failure {
    fn from(error: hz3_lab::Error) -> Self {
        let code = match error.fault {
            hz3_lab::Fault::Failed => Code::Failed,
            hz3_lab::Fault::Input => Code::BadInput,
            hz3_lab::Fault::Unfit => Code::Unfit,
            hz3_lab::Fault::Stopped => Code::Stopped,
        };
        Self {
            code,
            message: error.message,
            help: error.help,
        }
    }
}

/// Says which file an I/O error is about.
pub trait OnPath<T> {
    /// `what` is a verb phrase: "read", "create".
    fn on(self, what: &str, path: &Path) -> Result<T, Failure>;
}

impl<T> OnPath<T> for std::io::Result<T> {
    fn on(self, what: &str, path: &Path) -> Result<T, Failure> {
        self.map_err(|e| Failure::failed(format!("cannot {what} {}: {}", path.display(), file::reason(&e))))
    }
}
