//! The statics of one variant, which the expansion declares and the events share.

use crate::event::thread::Threads;
use crate::heap::Heap;
use crate::heap::central::Central;
use crate::sync::{AtomicU32, AtomicU64};

/// The statics of a variant, whatever its number of classes.
pub trait Shared: Sync + 'static {
    /// The page heap.
    fn heap(&self) -> &Heap;
    /// One central a class.
    fn centrals(&self) -> &[Central];
    /// The depot of a class.
    ///
    /// `class` is a class id.
    unsafe fn depot(&self, class: usize) -> &[AtomicU64];
    /// The threads.
    fn threads(&self) -> &Threads;
    /// 0 before the process's first allocation, then what [`crate::event::process`] says.
    fn stage(&self) -> &AtomicU32;
}

/// The statics of a variant with `CLASSES` classes whose depots have `DEPOT` words. All zero at the start.
pub struct Statics<const CLASSES: usize, const DEPOT: usize> {
    heap: Heap,
    threads: Threads,
    stage: AtomicU32,
    centrals: [Central; CLASSES],
    depots: [[AtomicU64; DEPOT]; CLASSES],
}

impl<const CLASSES: usize, const DEPOT: usize> Statics<CLASSES, DEPOT> {
    /// Statics of a process that has not allocated yet.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Statics {
            heap: Heap::new(),
            threads: Threads::new(),
            stage: AtomicU32::new(0),
            centrals: [const { Central::new() }; CLASSES],
            depots: [const { [const { AtomicU64::new(0) }; DEPOT] }; CLASSES],
        }
    }
}

impl<const CLASSES: usize, const DEPOT: usize> Shared for Statics<CLASSES, DEPOT> {
    #[inline]
    fn heap(&self) -> &Heap {
        &self.heap
    }

    #[inline]
    fn centrals(&self) -> &[Central] {
        &self.centrals
    }

    #[inline]
    unsafe fn depot(&self, class: usize) -> &[AtomicU64] {
        // SAFETY: the caller passes a class id.
        unsafe { self.depots.get_unchecked(class) }
    }

    #[inline]
    fn threads(&self) -> &Threads {
        &self.threads
    }

    #[inline]
    fn stage(&self) -> &AtomicU32 {
        &self.stage
    }
}
