//! A batch leaves its thread.

use super::{central, class};
use crate::heap::depot;
use crate::list::Batch;
use crate::statics::Shared;
use crate::variant::Variant;

/// Gives a batch to the depot of its class, or, where that is full, object by object to its runs.
///
/// The batch is the caller's, not empty, and of class `id`.
pub unsafe fn surrender<V: Variant>(id: usize, batch: Batch) {
    // SAFETY: the caller's contract.
    unsafe {
        let row = class::<V>(id);
        let words = V::shared().depot(id);
        let words = words.get_unchecked(..usize::from(row.depot).min(words.len()));
        if !depot::put(words, batch) {
            central::<V>(id).give::<V>(row, batch.head);
        }
    }
}
