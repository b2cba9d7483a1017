//! How a command ends badly: an exit code, a message, and what to do next.

use std::fmt;
use std::process::ExitCode;

/// The exit codes of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A difference was found, or something that should work failed.
    Failed = 1,
    /// The user's input is wrong: a bad config, an unknown name, a malformed argument.
    BadInput = 2,
    /// This machine or installation cannot do it: no compiler, no ptrace, another architecture.
    Unfit = 3,
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

    /// Prints the message to stderr and gives the process's exit code.
    pub fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("{}: {}", crate::style::error("error"), self.message);
        }
        if let Some(help) = &self.help {
            eprintln!("{}: {help}", crate::style::note("help"));
        }
        ExitCode::from(self.code as u8)
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

/// Says which file an I/O error is about.
pub trait OnPath<T> {
    /// `what` is a verb phrase: "read", "create".
    fn on(self, what: &str, path: &std::path::Path) -> Result<T, Failure>;
}

impl<T> OnPath<T> for std::io::Result<T> {
    fn on(self, what: &str, path: &std::path::Path) -> Result<T, Failure> {
        self.map_err(|e| Failure::failed(format!("cannot {what} {}: {e}", path.display())))
    }
}
