//! What threads do to each other: atomics (core's, or loom's under `--cfg loom`), the one lock, the thread that forks, the gate
//! that keeps the helper out, and requests that signal handlers make.

mod atomic;
pub mod forker;
mod gate;
mod guarded;
mod lock;
#[cfg(all(test, loom))]
pub(crate) mod loom_tests;
mod requests;
mod sleepers;
pub mod turn;

pub(crate) use atomic::const_but_in_models;
pub use atomic::*;
pub use gate::Gate;
pub use guarded::Guarded;
pub use lock::{Guard, Lock};
pub use requests::Requests;
pub use sleepers::Sleepers;
