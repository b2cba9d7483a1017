//! Config files as read, and places in them.

use std::path::{Path, PathBuf};

/// One file of a chain: the config itself is number 0, its parent 1, and so on.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The path as the user wrote it (or as it follows from that), or `hz3:NAME`, for messages.
    pub shown: PathBuf,
    /// Where the text comes from.
    pub place: Place,
    /// The file's text.
    pub text: String,
}

/// Where a text comes from.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A file, by its absolute path.
    File(PathBuf),
    /// The preset of this name.
    Preset(String),
}

impl Source {
    /// The name that the config must have.
    pub fn stem(&self) -> String {
        match &self.place {
            Place::File(_) => {
                let stem = self.shown.file_stem().unwrap_or_default();
                stem.to_string_lossy().into_owned()
            }
            Place::Preset(name) => name.clone(),
        }
    }

    /// The file's absolute path, or `hz3:NAME`: from anywhere in the file system it leads to the same text.
    pub fn path(&self) -> PathBuf {
        match &self.place {
            Place::File(path) => path.clone(),
            Place::Preset(_) => self.shown.clone(),
        }
    }

    /// Whether both are the same text of the same place.
    pub fn is(&self, other: &Source) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        match (&self.place, &other.place) {
            (Place::File(a), Place::File(b)) => real(a) == real(b),
            (Place::Preset(a), Place::Preset(b)) => a == b,
            _ => false,
        }
    }
}

/// A place in a file of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    /// Number of the file in the chain, which is also its distance from the config.
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl At {
    /// A place from a parser's byte range.
    pub fn new(file: usize, span: std::ops::Range<usize>) -> Self {
        At {
            file,
            start: span.start,
            end: span.end,
        }
    }
}

/// A value and where it stands; `None` for a default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub at: Option<At>,
}
