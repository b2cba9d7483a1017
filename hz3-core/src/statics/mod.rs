//! What one variant has in memory: the statics of the process and the block of each thread, which the expansion declares
//! and the events share.

pub mod block;
pub mod cpu_slot;
pub mod errors;
pub mod helper;
pub mod layout;
pub mod owners;
#[cfg(all(test, loom))]
mod owners_loom_tests;
pub mod presence;
mod process;
pub mod rows;
mod sampler;
pub(crate) mod stage;
#[cfg(all(test, loom))]
mod stage_loom_tests;
pub mod start;
#[cfg(all(test, loom))]
mod start_loom_tests;
pub mod threads;
#[cfg(all(test, loom))]
mod threads_loom_tests;
pub mod vacant;
mod warden;
mod watch;

pub use block::{Block, Entry, Meta, Recorded, RowsBlock, State, ThreadBlock};
pub use cpu_slot::CpuSlot;
pub use process::{Shared, Statics};
pub use rows::{CpuBlock, Idle, Row, Rows};
pub use sampler::Sampler;
pub use threads::Threads;
pub(crate) use threads::Vanished;
pub use vacant::Vacant;
pub use warden::Warden;
pub use watch::Watch;
