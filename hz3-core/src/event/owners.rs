//! Which owners have threads, and what becomes of an owner's memory when its last thread ends.
//!
//! An owner is found by its threads: they alone take from its depots, and from its runs before all others. Where it has none,
//! nothing may wait for it. Its last thread empties its depots and gives its empty runs back to the page heap; from then
//! on its objects go straight to their runs, no empty run of it is kept, and other threads keep little for it. All that is
//! left of it are runs with objects of the program's, which a later thread of the owner finds again: owners with the
//! fewest threads are joined first, and of these the one with the lowest number.

use super::block::ThreadBlock;
use super::{central, class, remote};
use crate::heap::depot;
use crate::list::Batch;
use crate::statics::Shared;
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::variant::{Body, Variant};

/// The owners that have threads.
pub struct Owners {
    /// A bit each.
    inhabited: AtomicU64,
    /// Times that one lost its last thread.
    desertions: AtomicU32,
}

impl Owners {
    /// None has.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Owners {
            inhabited: AtomicU64::new(0),
            desertions: AtomicU32::new(0),
        }
    }

    /// As above, for loom.
    #[cfg(loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Owners {
            inhabited: AtomicU64::new(0),
            desertions: AtomicU32::new(0),
        }
    }

    /// Whether an owner has threads.
    #[inline]
    pub fn has_threads(&self, owner: usize) -> bool {
        self.inhabited.load(Ordering::Relaxed) & bit(owner) != 0
    }

    /// An owner gets its first thread.
    pub fn settle(&self, owner: usize) {
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
    pub fn put(&self, owner: usize, words: &[AtomicU64], batch: Batch, mut emptied: impl FnMut(Batch)) -> bool {
        if !self.has_threads(owner) || !depot::put(words, batch) {
            return false;
        }
        fence(Ordering::SeqCst);
        if !self.has_threads(owner) {
            while let Some(batch) = depot::take(words) {
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
    1 << (owner % u64::BITS as usize)
}

/// Whether the owner of a pool has threads; where there is one owner, it is all threads'.
#[inline]
pub fn lives<V: Variant>(pool: usize) -> bool {
    V::SHARDS == 1 || V::shared().threads().owners.has_threads(pool / V::CLASSES)
}

/// Gives a list of objects back to its runs.
///
/// The objects are the caller's and of this pool.
pub unsafe fn to_runs<V: Variant>(pool: usize, head: *mut u8) {
    // Asked under the lock of the pool, which the owner's last thread takes later to release what is empty: so either it
    // finds a run that was kept, or none is.
    let keep = || if lives::<V>(pool) { V::POLICY.empty_runs } else { 0 };
    // SAFETY: the caller's contract.
    unsafe { central::<V>(pool).give_keeping::<V>(class::<V>(pool % V::CLASSES), head, keep) }
}

/// An owner has lost its last thread: what waits for it goes back to its runs, and its empty runs to the page heap.
///
/// `owner < V::SHARDS`.
#[cold]
#[inline(never)]
pub unsafe fn clear<V: Variant>(owner: usize) {
    for id in 0..V::CLASSES {
        let pool = owner * V::CLASSES + id;
        // SAFETY: pools are below their number; a depot hands each batch to one taker.
        unsafe {
            while let Some(batch) = depot::take(V::shared().depot(pool)) {
                to_runs::<V>(pool, batch.head);
            }
            central::<V>(pool).release_empty::<V>(class::<V>(id));
        }
    }
}

/// To be called at events: if owners lost their last threads since this thread last looked, what it keeps for such
/// owners goes back to their runs.
#[inline]
pub unsafe fn notice<V: Variant>() {
    if V::BODY == Body::None {
        return;
    }
    // SAFETY: the block is this thread's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        let now = V::shared().threads().owners.desertions();
        if (*meta).desertions != now {
            (*meta).desertions = now;
            remote::forsake::<V>();
        }
    }
}
