//! A batch leaves its thread.

use super::{class, owners, relief};
use crate::heap::depot;
use crate::list::Batch;
use crate::statics::Shared;
use crate::variant::Variant;
use crate::variant::{Kind, Stats};

/// Gives a batch to the depot of its pool, or, where that is full or the owner has no threads, object by object to its
/// runs.
///
/// The batch is the caller's, not empty, and of this pool.
pub unsafe fn surrender<V: Variant>(pool: usize, batch: Batch) {
    // SAFETY: the caller's contract.
    unsafe {
        let row = class::<V>(pool % V::CLASSES);
        let (words, demand) = (V::shared().depot(pool), V::shared().demand(pool));
        let words = words.get_unchecked(..usize::from(row.depot).min(words.len()));
        let stored = if demand.is_closed() {
            false
        } else if V::SHARDS == 1 {
            depot::put(words, batch)
        } else {
            let owners = &V::shared().threads().owners;
            owners.put(pool / V::CLASSES, words, batch, |b| owners::to_runs::<V>(pool, b.head))
        };
        if stored {
            demand.stored();
            V::Stats::count::<V>(Kind::ToDepot);
        } else {
            V::Stats::count::<V>(Kind::ToRuns);
            if !demand.is_closed() && demand.full() {
                relief::empty_depot::<V>(pool);
            }
            owners::to_runs::<V>(pool, batch.head);
        }
    }
}
