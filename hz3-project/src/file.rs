//! Files that a user names ([`hz3_config::file`]), with errors that say which file it was.

use crate::{Error, Outcome, Result};
use hz3_config::file;
pub use hz3_config::file::{CONFIG, DATA, check, read_text, reason};
use std::path::{Path, PathBuf};

/// Reads a file that the user named. What is no file is bad input.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    file::read(path, most).map_err(|why| Error::bad_input(format!("cannot read {}: {why}", path.display())))
}

/// Writes a file, or leaves what was there.
pub fn write(path: &Path, bytes: &[u8]) -> Outcome {
    file::replace(path, bytes).map_err(|why| Error::failed(format!("cannot write {}: {why}", path.display())))
}

/// Says before the work whether its result can be written.
pub fn writable(path: &Path) -> Outcome {
    file::writable(path).map_err(|why| Error::failed(format!("cannot write {}: {why}", path.display())))
}

/// The real path of a file that the user named, which must exist.
pub fn real(given: &str) -> Result<PathBuf> {
    std::fs::canonicalize(given)
        .map_err(|error| Error::bad_input(format!("cannot read {given}: {}", file::reason(&error))))
}

/// Whether both are one file, by device and inode.
pub fn same(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (std::fs::metadata(a), std::fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
