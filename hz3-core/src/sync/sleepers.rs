//! Sleeping on a word until another thread wakes the sleepers.

use super::atomic::{AtomicU32, const_but_in_models};

/// Those who sleep on one word. They are the kernel's business, so nothing is in here. In a model a condition variable stands for
/// the kernel's queue, and its mutex for the kernel's lock: a sleeper looks at the word and goes to sleep in one step as far as
/// whoever wakes it can tell. A wake-up that gets lost is a deadlock there, as no sleep ends by itself.
pub struct Sleepers {
    #[cfg(loom)]
    queue: (loom::sync::Mutex<()>, loom::sync::Condvar),
}

impl Sleepers {
    const_but_in_models! {
        /// Nobody sleeps.
        pub fn new() -> Self {
            Sleepers {
                #[cfg(loom)]
                queue: (loom::sync::Mutex::new(()), loom::sync::Condvar::new()),
            }
        }
    }
}

impl Default for Sleepers {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(not(loom))]
impl Sleepers {
    /// Sleeps while the word has this value, for at most `micros` microseconds; may return early.
    pub fn sleep(&self, word: &AtomicU32, value: u32, micros: u32) {
        crate::os::futex_wait_for(word, value, micros);
    }

    /// Wakes one of those who sleep on the word.
    pub fn wake_one(&self, word: &AtomicU32) {
        crate::os::futex_wake(word);
    }

    /// Wakes all of them.
    pub fn wake_all(&self, word: &AtomicU32) {
        crate::os::futex_wake_all(word);
    }
}

#[cfg(loom)]
impl Sleepers {
    /// As above.
    pub fn sleep(&self, word: &AtomicU32, value: u32, _: u32) {
        if let Ok(guard) = self.queue.0.lock()
            && word.load(super::Ordering::Relaxed) == value
        {
            drop(self.queue.1.wait(guard));
        }
    }

    /// As above.
    pub fn wake_one(&self, _: &AtomicU32) {
        let guard = self.queue.0.lock();
        self.queue.1.notify_one();
        drop(guard);
    }

    /// As above.
    pub fn wake_all(&self, _: &AtomicU32) {
        let guard = self.queue.0.lock();
        self.queue.1.notify_all();
        drop(guard);
    }
}
