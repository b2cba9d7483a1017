//! Free objects that wait in caches: for whoever counts those that are in use.

use super::{cpu, depot_of};
use crate::list::BatchWord;
use crate::policy::{ClassId, Pool};
use crate::statics::Meta;
use crate::sync::Ordering;
use crate::variant::Variant;

/// Objects in the depot of a pool, at this moment.
pub fn in_depot<V: Variant>(pool: Pool<V>) -> u64 {
    let words = depot_of::<V>(pool).words();
    words
        .map(|word| u64::from(BatchWord(word.load(Ordering::Relaxed)).unpack().count))
        .sum()
}

/// Calls `each` with every class and the objects of it in a thread's magazines, as far as they can be seen from another thread.
///
/// # Safety
/// The thread is in the list of those that have caches, and stays there meanwhile.
pub unsafe fn in_magazines<V: Variant>(meta: *const Meta, mut each: impl FnMut(ClassId<V>, u32)) {
    // SAFETY: the thread is in the list, so its block is there. It may change it meanwhile; what is read here are numbers that
    // nobody relies upon.
    unsafe {
        let (bank, spares) = ((*meta).bank, (*meta).spares);
        if bank.is_null() {
            return;
        }
        if V::POLICY.per_cpu() {
            return cpu::in_own_row::<V>(meta, each);
        }
        for id in ClassId::all() {
            let slot = bank.add(id.place()).read_volatile();
            let spare = BatchWord(spares.add(id.place()).cast::<u64>().read_volatile()).unpack();
            each(id, u32::from(slot.cap).saturating_sub(slot.room) + spare.count);
        }
    }
}
