//! What threads do to each other: atomics (core's, or loom's under `--cfg loom`), the one lock, the thread that forks, the gate
//! that keeps the helper out, and requests that signal handlers make.

mod atomic;
#[cfg(all(test, loom))]
pub(crate) mod explore;
pub mod forker;
mod gate;
#[cfg(all(test, loom))]
mod gate_loom_tests;
mod guarded;
mod lock;
#[cfg(all(test, loom))]
mod lock_loom_tests;
mod requests;
#[cfg(all(test, loom))]
mod requests_loom_tests;
mod sleepers;
pub mod turn;
#[cfg(all(test, loom))]
mod turn_loom_tests;

pub(crate) use atomic::const_but_in_models;
pub use atomic::*;
pub use gate::Gate;
pub use guarded::Guarded;
pub use lock::{Guard, Lock};
pub use requests::Requests;
pub use sleepers::Sleepers;
