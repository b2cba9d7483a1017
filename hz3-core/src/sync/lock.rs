//! The one lock.

use super::atomic::{AtomicU32, Ordering, const_but_in_models};
use super::forker;
use super::sleepers::Sleepers;

/// How often a waiter looks again before it sleeps. Critical sections take well under a microsecond, but with more
/// threads than cores the holder may not be running at all, so waiting awake must stay short.
#[cfg(not(loom))]
const SPINS: u32 = 64;
#[cfg(loom)]
const SPINS: u32 = 1;

/// Microseconds after which a sleeper looks whether a fork is what it waits for.
const A_WHILE: u32 = 20_000;

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// `Lock::fork` of a lock that no fork keeps.
const NOT_KEPT: u32 = 0;
/// A fork keeps the lock, and nobody is inside.
const KEPT: u32 = 1;
/// A fork keeps the lock, and lent it: somebody is inside.
const LENT: u32 = 2;

/// A lock whose waiters sleep in the kernel (Drepper, "Futexes Are Tricky", mutex 3). All-zero is unlocked.
///
/// A thread that forks takes all locks before it forks, and [keeps](Self::keep) them. Whoever then needs one borrows it, one
/// after another: that thread itself at once, because fork handlers of others may allocate; other threads only if the
/// forking thread sleeps in some other lock, which one of them may hold (see [`forker`]).
pub struct Lock {
    state: AtomicU32,
    /// What a fork has to do with the lock. Only waiters look here.
    fork: AtomicU32,
    sleepers: Sleepers,
}

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

impl Lock {
    const_but_in_models! {
        /// An unlocked lock.
        pub fn new() -> Self {
            Lock {
                state: AtomicU32::new(FREE),
                fork: AtomicU32::new(NOT_KEPT),
                sleepers: Sleepers::new(),
            }
        }
    }

    /// Waits until the lock is ours. Released when the guard drops.
    #[inline]
    pub fn lock(&self) -> Guard<'_> {
        let lent = !self.take() && self.wait(true);
        Guard { lock: self, lent }
    }

    /// The lock, if that needs no waiting.
    #[inline]
    pub fn try_lock(&self) -> Option<Guard<'_>> {
        // Made only then: a guard that is dropped releases.
        self.take().then(|| Guard {
            lock: self,
            lent: false,
        })
    }

    /// As [`lock`](Self::lock), but without a guard, and never borrowed: for fork, which locks here and unlocks in another
    /// function.
    #[inline]
    pub fn acquire(&self) {
        if !self.take() {
            self.wait(false);
        }
    }

    #[inline]
    fn take(&self) -> bool {
        self.state
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Waits. Returns whether the lock was borrowed, which only happens where the caller `may_borrow`.
    #[cold]
    #[inline(never)]
    fn wait(&self, may_borrow: bool) -> bool {
        if may_borrow && (forker::is_me() || forker::borrows()) {
            // Who is inside of another lent lock must not be there for long.
            while self.is_kept() {
                if self.borrow() {
                    forker::more_borrowed();
                    return true;
                }
                spin();
            }
        }
        for _ in 0..SPINS {
            if self.state.load(Ordering::Relaxed) == FREE && self.take() {
                return false;
            }
            spin();
        }
        while self.state.swap(CONTENDED, Ordering::Acquire) != FREE {
            // Not for ever: a sleeper has to see that the lock has come to be kept by a fork.
            self.sleepers.sleep(&self.state, CONTENDED, A_WHILE);
            if may_borrow && self.is_kept() && forker::is_stuck() && self.borrow_first() {
                return true;
            }
        }
        false
    }

    /// Releases a lock taken with [`acquire`](Self::acquire) by the caller.
    #[inline]
    pub fn release(&self) {
        if self.state.swap(FREE, Ordering::Release) == CONTENDED {
            self.sleepers.wake_one(&self.state);
        }
    }

    /// The caller, who acquired this lock and all others, is about to fork: until [`end_keep`](Self::end_keep) the lock can
    /// be borrowed.
    pub fn keep(&self) {
        self.fork.store(KEPT, Ordering::Release);
    }

    /// Whether a fork keeps the lock.
    #[inline]
    pub fn is_kept(&self) -> bool {
        self.fork.load(Ordering::Relaxed) != NOT_KEPT
    }

    /// As [`borrow`](Self::borrow), for a thread that has borrowed none and found the forking one stuck, unless another thread
    /// borrows. From here on it borrows at once what it needs beside.
    pub(super) fn borrow_first(&self) -> bool {
        if !forker::begin_borrowing() {
            return false;
        }
        let inside = self.borrow();
        if !inside {
            forker::less_borrowed();
        }
        inside
    }

    /// Enters a lock that a fork keeps, unless somebody else is inside.
    pub fn borrow(&self) -> bool {
        self.fork
            .compare_exchange(KEPT, LENT, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[cold]
    #[inline(never)]
    fn hand_back(&self) {
        self.fork.store(KEPT, Ordering::Release);
        forker::less_borrowed();
    }

    /// Releases a lock that the caller keeps, unless somebody is inside. Returns whether it keeps the lock no more.
    pub fn end_keep(&self) -> bool {
        let ended = self
            .fork
            .compare_exchange(KEPT, NOT_KEPT, Ordering::Acquire, Ordering::Relaxed);
        if ended.is_ok() {
            self.release();
        }
        ended.is_ok() || ended == Err(NOT_KEPT)
    }

    /// Makes the lock free, which nobody holds who still exists: some threads may wait for it already.
    pub fn renew(&self) {
        self.fork.store(NOT_KEPT, Ordering::Relaxed);
        self.release();
    }

    /// Makes the lock free whatever it was: only for the child of a fork, where no other thread exists. Returns whether
    /// some thread was inside at the time of the fork.
    pub fn reset(&self) -> bool {
        let lent = self.fork.swap(NOT_KEPT, Ordering::Relaxed) == LENT;
        self.state.store(FREE, Ordering::Release);
        lent
    }
}

/// Releases its lock when dropped.
pub struct Guard<'a> {
    pub(super) lock: &'a Lock,
    pub(super) lent: bool,
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.lent {
            self.lock.hand_back();
        } else {
            self.lock.release();
        }
    }
}

/// Waits for a moment, awake.
#[cfg(not(loom))]
pub(super) fn spin() {
    core::hint::spin_loop();
}

#[cfg(loom)]
pub(super) fn spin() {
    loom::thread::yield_now();
}
