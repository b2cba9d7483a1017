//! What is known of the object that holds a variant.

use crate::os;
use core::ffi::c_void;
// The kernel has a part in these: they cannot be a model's.
use core::sync::atomic::{AtomicU32, Ordering, fence};

/// What is known of the object. All zero at first.
pub struct Presence {
    /// It came later than the program.
    pub(crate) late: AtomicU32,
    /// The process ends.
    pub(crate) ending: AtomicU32,
    /// Threads that are giving back what they had, as they end.
    leaving: AtomicU32,
    /// Who handled the signal that asks for a profile when the object came.
    pub(crate) handler: os::signal::Before,
}

impl Presence {
    /// Nothing is known.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Presence {
            late: AtomicU32::new(0),
            ending: AtomicU32::new(0),
            leaving: AtomicU32::new(0),
            handler: os::signal::Before::new(),
        }
    }

    /// A thread begins to give back what it had, for the C library called us about its end.
    pub(crate) fn enter(&self) {
        self.leaving.fetch_add(1, Ordering::Acquire);
    }

    /// It is done.
    pub(crate) fn leave(&self) {
        self.leaving.fetch_sub(1, Ordering::Release);
    }

    /// In the child of a fork, where nobody is doing that.
    pub(crate) fn reset(&self) {
        self.leaving.store(0, Ordering::Relaxed);
    }

    /// Waits until nobody does that. Who comes after this was told before of a key that the caller has taken back.
    pub(crate) fn settle(&self) {
        // The key is gone before anybody is looked for: a store, and then a load of another word.
        fence(Ordering::SeqCst);
        loop {
            let leaving = self.leaving.load(Ordering::Acquire);
            if leaving == 0 {
                return;
            }
            os::futex_wait_for(&self.leaving, leaving, 1000);
        }
    }

    /// Who registered for the process's end.
    pub(crate) fn owner(&self) -> *const c_void {
        (&raw const self.ending).cast()
    }
}
