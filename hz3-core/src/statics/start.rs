//! How far a process has come.

use crate::sync::{AtomicU32, Lock};

/// `Start::stage` of a process with an arena.
pub(crate) const STARTED: u32 = 1;

/// How far the process has come. All zero at the beginning.
pub struct Start {
    /// Held by the thread that starts the process. Taken before all others.
    pub lock: Lock,
    /// The process of that thread; 0 if there is none.
    pub(crate) starter: AtomicU32,
    pub(crate) stage: AtomicU32,
    pub(crate) registered: AtomicU32,
}

impl Start {
    /// Nothing has happened yet.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Start {
            lock: Lock::new(),
            starter: AtomicU32::new(0),
            stage: AtomicU32::new(0),
            registered: AtomicU32::new(0),
        }
    }
}
