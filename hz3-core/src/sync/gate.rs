//! A gate that one thread, the helper, goes through for each step that it takes with a lock held, and that others may close:
//! once it is closed for them, that thread is not inside, and does not come in until it is open again.
//!
//! It is for `fork` in a process with one thread, which takes no lock. Whoever closes the gate may hold any lock itself; so
//! whoever is inside must not wait for anything.

use super::atomic::{AtomicU32, Ordering, const_but_in_models};

/// The gate. All zero is open.
pub struct Gate {
    /// How many have closed it.
    closed: AtomicU32,
    /// 1 while somebody is inside.
    inside: AtomicU32,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    const_but_in_models! {
        /// An open gate.
        pub fn new() -> Self {
            Gate {
                closed: AtomicU32::new(0),
                inside: AtomicU32::new(0),
            }
        }
    }

    /// Goes in, if the gate is open. Only one thread may call this.
    pub fn enter(&self) -> bool {
        // With `close`: either that sees this thread inside, or this thread sees that.
        self.inside.swap(1, Ordering::SeqCst);
        let open = self.closed.fetch_add(0, Ordering::SeqCst) == 0;
        if !open {
            self.leave();
        }
        open
    }

    /// Goes out.
    pub fn leave(&self) {
        self.inside.store(0, Ordering::Release);
    }

    /// Closes the gate, and waits until nobody is inside: a step.
    pub fn close(&self) {
        let mut empty = self.shut();
        while !empty {
            // A step takes well under a millisecond, if its thread has a processor.
            crate::os::sleep_ms(0);
            empty = self.is_empty();
        }
    }

    /// Closes the gate. Returns whether nobody is inside.
    pub fn shut(&self) -> bool {
        self.closed.fetch_add(1, Ordering::SeqCst);
        self.inside.fetch_add(0, Ordering::SeqCst) == 0
    }

    /// Whether nobody is inside of the gate, which the caller has closed.
    pub fn is_empty(&self) -> bool {
        self.inside.load(Ordering::Acquire) == 0
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed) != 0
    }

    /// As [`open`](Self::open), in the child of a fork, where the thread that goes in is not (it may have been about to find
    /// the gate closed), nor, if the process had several, are other threads that had closed it.
    pub fn open_in_child(&self, several: bool) {
        self.leave();
        if several {
            self.closed.store(0, Ordering::Relaxed);
        } else {
            self.open();
        }
    }

    /// Opens it again; called once for each `close`.
    pub fn open(&self) {
        self.closed.fetch_sub(1, Ordering::Release);
    }
}
