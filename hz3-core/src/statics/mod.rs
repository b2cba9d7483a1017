//! What one variant has in memory: the statics of the process and the block of each thread, which the expansion declares
//! and the events share.

pub mod block;
pub mod helper;
pub mod layout;
pub mod owners;
#[cfg(all(test, loom))]
mod owners_loom_tests;
pub mod presence;
mod process;
mod sampler;
pub mod start;
pub mod threads;

pub use block::{Block, Entry, Meta, Recorded, RowsBlock, State, ThreadBlock};
pub use process::{Shared, Statics};
pub use sampler::Sampler;
pub use threads::Threads;
pub(crate) use threads::Vanished;
