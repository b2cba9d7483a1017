//! What recorders keep, in memory of its own that is bounded: every call, one after the other.

mod stream;

pub use stream::{Act, Stream};

/// Nothing is kept.
pub struct Nothing;
