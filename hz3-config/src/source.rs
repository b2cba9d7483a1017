//! Config files as read, and places in them.

use std::path::PathBuf;

/// One file of a chain: the config itself is number 0, its parent 1, and so on.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The path as the user wrote it (or as it follows from that), for messages.
    pub shown: PathBuf,
    /// The same, absolute.
    pub absolute: PathBuf,
    /// The file's text.
    pub text: String,
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
