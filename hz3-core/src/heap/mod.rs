//! Memory: arena, segments, runs, page heap, central, depots, large objects. Nothing here knows a thread.

pub mod arena;
pub mod bitmap;
pub mod central;
pub mod depot;
pub mod large;
pub mod outside;
pub mod page_heap;
pub mod segment;

use crate::sync::Lock;
use crate::variant::Policy;
use core::cell::UnsafeCell;
pub use page_heap::PageHeap;

/// The page heap behind its lock.
pub struct Heap {
    /// Guards the page heap. Taken last of all locks.
    pub lock: Lock,
    inner: UnsafeCell<PageHeap>,
}

// SAFETY: `inner` is only reached through `locked`.
unsafe impl Sync for Heap {}

impl Heap {
    /// No memory at all.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Heap {
            lock: Lock::new(),
            inner: UnsafeCell::new(PageHeap::EMPTY),
        }
    }

    /// Runs `f` with the page heap, alone. `f` must not allocate, lock or call back.
    #[inline]
    pub fn locked<R>(&self, f: impl FnOnce(&mut PageHeap) -> R) -> R {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held, and `f` does not come back here.
        f(unsafe { &mut *self.inner.get() })
    }

    /// Gives free pages back to the kernel, the longest left alone first, until no more than the budget are backed.
    pub fn purge_excess(&self, policy: &Policy) {
        self.purge_to(policy.dirty_bytes);
    }

    /// Gives free pages back until at most `bytes` of them are backed. Returns the bytes given back.
    pub fn purge_to(&self, bytes: usize) -> usize {
        let mut purged = 0;
        loop {
            // One segment a turn: others get the lock in between.
            let n = self.locked(|h| {
                if h.dirty_pages * crate::os::PAGE > bytes {
                    h.purge_oldest()
                } else {
                    0
                }
            });
            if n == 0 {
                return purged * crate::os::PAGE;
            }
            purged += n;
        }
    }

    /// Gives the pages of freed huge objects back to the kernel. Returns the bytes given back.
    pub fn purge_huge(&self) -> usize {
        self.locked(PageHeap::purge_huge)
    }
}
