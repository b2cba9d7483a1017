//! How anything ends badly: an exit code, a message, and what to do next.

use hz3_config::file::reason;
use std::fmt;
use std::path::Path;

/// At whose door a failure lies; each has its exit code.
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

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The exit code.
    pub code: Code,
    /// What happened; empty if everything has been said already.
    pub message: String,
    /// What to type or look at next.
    pub help: Option<String>,
}

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What every command returns.
pub type Outcome = Result<()>;

impl Error {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
        }
    }

    /// Something that should work failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// The input is at fault.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(Code::BadInput, message)
    }

    /// The environment is at fault.
    pub fn unfit(message: impl Into<String>) -> Self {
        Self::new(Code::Unfit, message)
    }

    /// The user has had enough.
    pub fn stopped(message: impl Into<String>) -> Self {
        Self::new(Code::Stopped, message)
    }

    /// A failure of which everything has been said.
    pub fn silent(code: Code) -> Self {
        Self::new(code, "")
    }

    /// Nothing, if all is well; otherwise a failure of which everything has been said.
    pub fn unless(well: bool) -> Outcome {
        well.then_some(()).ok_or_else(|| Self::silent(Code::Failed))
    }

    /// Adds the next thing to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the word that was probably meant, or else all existing ones.
    #[must_use]
    pub fn guess<'a>(self, word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Self {
        if let Some(near) = hz3_config::suggest::nearest(word, known.clone()) {
            return self.help(format!("did you mean `{near}`?"));
        }
        match known.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => self,
            all => self.help(format!("there are: {all}")),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::failed(error.to_string())
    }
}

/// Says which file an I/O error is about.
pub trait OnPath<T> {
    /// `what` is a verb phrase: "read", "create". The code is that of a failure.
    fn on(self, what: &str, path: &Path) -> Result<T>;
}

impl<T> OnPath<T> for std::io::Result<T> {
    fn on(self, what: &str, path: &Path) -> Result<T> {
        self.map_err(|e| Error::failed(format!("cannot {what} {}: {}", path.display(), reason(&e))))
    }
}
