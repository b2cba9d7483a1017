//! The statics of one variant, which the expansion declares and the events share.

use super::errors::Errors;
use super::helper::Helper;
use super::presence::Presence;
use super::rows::Rows;
use super::start::Start;
use super::threads::Threads;
use crate::heap::Heap;
use crate::heap::central::Central;
use crate::heap::demand::Demand;
use crate::sync::AtomicU64;

/// The statics of a variant, whatever its number of pools (classes times owners).
pub trait Shared: Sync + 'static {
    /// The page heap.
    fn heap(&self) -> &Heap;
    /// One central a pool.
    fn centrals(&self) -> &[Central];
    /// The depot of a pool.
    ///
    /// # Safety
    /// `pool` is below the number of pools.
    unsafe fn depot(&self, pool: usize) -> &[AtomicU64];
    /// Whether somebody takes from that depot.
    ///
    /// # Safety
    /// `pool` is below the number of pools.
    unsafe fn demand(&self, pool: usize) -> &Demand;
    /// The threads.
    fn threads(&self) -> &Threads;
    /// The slots of processors, where there are any.
    fn rows(&self) -> &Rows;
    /// The object that holds the variant.
    fn presence(&self) -> &Presence;
    /// The helper thread.
    fn helper(&self) -> &Helper;
    /// How far the process has come.
    fn start(&self) -> &Start;
    /// What was found wrong, and whom that is told.
    fn errors(&self) -> &Errors;
}

/// The words of all depots. Where a depot has shards, their lengths are whole cache lines.
#[repr(align(64))]
pub(crate) struct Depots<const POOLS: usize, const DEPOT: usize>([[AtomicU64; DEPOT]; POOLS]);

/// The statics of a variant with `POOLS` pools whose depots have `DEPOT` words. All zero at the start.
pub struct Statics<const POOLS: usize, const DEPOT: usize> {
    pub(crate) heap: Heap,
    pub(crate) threads: Threads,
    pub(crate) rows: Rows,
    presence: Presence,
    helper: Helper,
    start: Start,
    errors: Errors,
    centrals: [Central; POOLS],
    pub(crate) depots: Depots<POOLS, DEPOT>,
    demands: [Demand; POOLS],
}

impl<const POOLS: usize, const DEPOT: usize> Statics<POOLS, DEPOT> {
    /// Statics of a process that has not allocated yet.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Statics {
            heap: Heap::new(),
            threads: Threads::new(),
            rows: Rows::new(),
            presence: Presence::new(),
            helper: Helper::new(),
            start: Start::new(),
            errors: Errors::new(),
            centrals: [const { Central::new() }; POOLS],
            depots: Depots([const { [const { AtomicU64::new(0) }; DEPOT] }; POOLS]),
            demands: [const { Demand::new() }; POOLS],
        }
    }
}

impl<const POOLS: usize, const DEPOT: usize> Shared for Statics<POOLS, DEPOT> {
    #[inline]
    fn heap(&self) -> &Heap {
        &self.heap
    }

    #[inline]
    fn centrals(&self) -> &[Central] {
        &self.centrals
    }

    #[inline]
    unsafe fn depot(&self, pool: usize) -> &[AtomicU64] {
        // SAFETY: the caller passes a pool's number.
        unsafe { self.depots.0.get_unchecked(pool) }
    }

    #[inline]
    unsafe fn demand(&self, pool: usize) -> &Demand {
        // SAFETY: the caller passes a pool's number.
        unsafe { self.demands.get_unchecked(pool) }
    }

    #[inline]
    fn threads(&self) -> &Threads {
        &self.threads
    }

    #[inline]
    fn rows(&self) -> &Rows {
        &self.rows
    }

    #[inline]
    fn presence(&self) -> &Presence {
        &self.presence
    }

    #[inline]
    fn helper(&self) -> &Helper {
        &self.helper
    }

    #[inline]
    fn start(&self) -> &Start {
        &self.start
    }

    #[inline]
    fn errors(&self) -> &Errors {
        &self.errors
    }
}
