//! What recorders keep: of every object that exists, how it came to be; of all that ended, how many were alike; or every
//! call, one after the other. It is in memory of its own, straight from the kernel, and bounded.

mod exact;
mod object;
mod row;
mod stream;
mod table;

pub use exact::{Exact, Sums};
pub use object::Birth;
pub use row::{End, Row};
pub use stream::{Act, Stream};

/// Nothing is kept.
pub struct Nothing;
