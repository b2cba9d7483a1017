//! What threads do to each other: atomics (core's, or loom's under `--cfg loom`), the one lock, the thread that forks, and the
//! gate that keeps the helper out.

mod atomic;
pub mod forker;
mod gate;
mod lock;
#[cfg(all(test, loom))]
pub(crate) mod loom_tests;
pub mod turn;

pub use atomic::*;
pub use gate::Gate;
pub use lock::{Guard, Lock};
