//! A batch leaves its thread.

use super::stats::{Kind, Stats};
use super::{central, class};
use crate::heap::depot;
use crate::list::Batch;
use crate::statics::Shared;
use crate::variant::Variant;

/// Gives a batch to the depot of its pool, or, where that is full, object by object to its runs.
///
/// The batch is the caller's, not empty, and of this pool.
pub unsafe fn surrender<V: Variant>(pool: usize, batch: Batch) {
    // SAFETY: the caller's contract.
    unsafe {
        let row = class::<V>(pool % V::CLASSES);
        let words = V::shared().depot(pool);
        let words = words.get_unchecked(..usize::from(row.depot).min(words.len()));
        if depot::put(words, batch) {
            V::Stats::count::<V>(Kind::ToDepot);
        } else {
            V::Stats::count::<V>(Kind::ToRuns);
            central::<V>(pool).give::<V>(row, batch.head);
        }
    }
}
