//! Which owners have threads.

use crate::heap::depot::{Depot, Home};
use crate::list::Batch;
use crate::policy::agreed::OWNERS_MAX;
use crate::sync::{AtomicU32, AtomicU64, Ordering, const_but_in_models, fence};

/// The owners that have threads.
pub struct Owners {
    /// A bit each.
    inhabited: AtomicU64,
    /// The owners that have or had threads, likewise.
    known: AtomicU64,
    /// Times that one lost its last thread.
    desertions: AtomicU32,
}

impl Owners {
    const_but_in_models! {
        /// None has.
        pub fn new() -> Self {
            Owners {
                inhabited: AtomicU64::new(0),
                known: AtomicU64::new(0),
                desertions: AtomicU32::new(0),
            }
        }
    }

    /// Whether an owner has threads.
    #[inline]
    pub fn has_threads(&self, owner: usize) -> bool {
        self.inhabited.load(Ordering::Relaxed) & bit(owner) != 0
    }

    /// Whether an owner may have runs, or batches in its depots: it has threads or had some, or is the first one, which threads
    /// without caches are of.
    #[inline]
    pub fn is_known(&self, owner: usize) -> bool {
        owner == 0 || self.known.load(Ordering::Relaxed) & bit(owner) != 0
    }

    /// An owner gets its first thread.
    pub fn settle(&self, owner: usize) {
        self.known.fetch_or(bit(owner), Ordering::Relaxed);
        self.inhabited.fetch_or(bit(owner), Ordering::Relaxed);
    }

    /// An owner lost its last thread. What others put into its depots before they can know is there for whoever empties
    /// them after this.
    pub fn desert(&self, owner: usize) {
        self.inhabited.fetch_and(!bit(owner), Ordering::Relaxed);
        self.desertions.fetch_add(1, Ordering::Relaxed);
        // With the one in `put`: of two threads, either this one sees the batch in the depot or the other the bit.
        fence(Ordering::SeqCst);
    }

    /// Puts a batch into a depot of the owner's. False where it is full or the owner has no threads: then the batch is the
    /// caller's. `emptied` is called with a batch that nobody would come for, as the owner lost its last thread meanwhile.
    pub fn put(&self, owner: usize, depot: Depot<'_>, batch: Batch, mut emptied: impl FnMut(Batch)) -> bool {
        if !self.has_threads(owner) || !depot.put(Home::ANY, batch) {
            return false;
        }
        fence(Ordering::SeqCst);
        if !self.has_threads(owner) {
            while let Some(batch) = depot.take(Home::ANY) {
                emptied(batch);
            }
        }
        true
    }

    /// How many times an owner lost its last thread, modulo 65536.
    pub fn desertions(&self) -> u16 {
        self.desertions.load(Ordering::Relaxed) as u16
    }
}

fn bit(owner: usize) -> u64 {
    1 << (owner % OWNERS_MAX)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Owners;

    #[test]
    fn an_owner_that_had_threads_stays_known() {
        let owners = Owners::new();
        let known = |owners: &Owners| [0, 1, 5, 63].map(|owner| owners.is_known(owner));
        assert_eq!(known(&owners), [true, false, false, false]);
        owners.settle(5);
        owners.settle(63);
        owners.desert(5);
        assert_eq!(known(&owners), [true, false, true, true]);
        assert_eq!([5, 63].map(|owner| owners.has_threads(owner)), [false, true]);
    }
}
