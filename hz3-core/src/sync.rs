//! Atomics (core's, or loom's under `--cfg loom`) and the one lock.

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence, fence};
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// How often a waiter looks again before it sleeps. Critical sections take well under a microsecond, but with more
/// threads than cores the holder may not be running at all, so waiting awake must stay short.
#[cfg(not(loom))]
const SPINS: u32 = 64;
#[cfg(loom)]
const SPINS: u32 = 1;

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// A lock whose waiters sleep in the kernel (Drepper, "Futexes Are Tricky", mutex 3). All-zero is unlocked.
pub struct Lock {
    state: AtomicU32,
    /// Stands for the kernel's queue of sleepers.
    #[cfg(loom)]
    queue: (loom::sync::Mutex<()>, loom::sync::Condvar),
}

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

impl Lock {
    /// An unlocked lock.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Lock {
            state: AtomicU32::new(FREE),
        }
    }

    /// An unlocked lock.
    #[cfg(loom)]
    pub fn new() -> Self {
        Lock {
            state: AtomicU32::new(FREE),
            queue: (loom::sync::Mutex::new(()), loom::sync::Condvar::new()),
        }
    }

    /// Waits until the lock is ours. Released when the guard drops.
    #[inline]
    pub fn lock(&self) -> Guard<'_> {
        self.acquire();
        Guard { lock: self }
    }

    /// As [`lock`](Self::lock), without a guard: for fork, which locks here and unlocks in another function.
    #[inline]
    pub fn acquire(&self) {
        if self
            .state
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            self.wait();
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        for _ in 0..SPINS {
            if self.state.load(Ordering::Relaxed) == FREE
                && self
                    .state
                    .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return;
            }
            spin();
        }
        while self.state.swap(CONTENDED, Ordering::Acquire) != FREE {
            sleep(self);
        }
    }

    /// Releases a lock taken with [`acquire`](Self::acquire) by the caller.
    #[inline]
    pub fn release(&self) {
        if self.state.swap(FREE, Ordering::Release) == CONTENDED {
            wake(self);
        }
    }

    /// Makes the lock free whatever it was: only for the child of a fork, where no other thread exists.
    pub fn reset(&self) {
        self.state.store(FREE, Ordering::Release);
    }
}

/// Releases its lock when dropped.
pub struct Guard<'a> {
    lock: &'a Lock,
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release();
    }
}

#[cfg(not(loom))]
fn spin() {
    core::hint::spin_loop();
}

#[cfg(not(loom))]
fn sleep(lock: &Lock) {
    crate::os::futex_wait(&lock.state, CONTENDED);
}

#[cfg(not(loom))]
fn wake(lock: &Lock) {
    crate::os::futex_wake(&lock.state);
}

#[cfg(loom)]
fn spin() {
    loom::thread::yield_now();
}

// Under loom a condition variable stands for the futex, and its mutex for the kernel's: a sleeper looks at the word and
// goes to sleep in one step as far as wakers can tell. A wake-up that gets lost is a deadlock, which loom reports.
#[cfg(loom)]
fn sleep(lock: &Lock) {
    if let Ok(guard) = lock.queue.0.lock()
        && lock.state.load(Ordering::Relaxed) == CONTENDED
    {
        drop(lock.queue.1.wait(guard));
    }
}

#[cfg(loom)]
fn wake(lock: &Lock) {
    let guard = lock.queue.0.lock();
    lock.queue.1.notify_one();
    drop(guard);
}

#[cfg(all(test, loom))]
#[path = "loom_tests.rs"]
mod loom_tests;
