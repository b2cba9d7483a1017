//! FNV-1a, to tell contents apart: for names of folders and stamps of what was built, not against anybody.

pub use hz3_config::hash::{START, add};

/// The hash of some bytes.
pub fn of(bytes: &[u8]) -> u64 {
    add(START, bytes)
}
