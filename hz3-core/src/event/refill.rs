//! `malloc` found an empty list.

use super::{
    borrow, class_of, demand_of, depot_of, magazine, my_pool, pressure, remote, sample, spare_of, start, thread,
};
use crate::list::{self, Batch, BatchWord, Slot, chart};
use crate::policy::ClassId;
use crate::policy::knobs::RemoteFlush;
use crate::statics::State;
use crate::variant::{Kind, Stats, Variant};

/// Allocates `n` bytes from the slot's class, whose list is empty.
///
/// # Safety
/// `slot` is the calling thread's slot that the lookup names for `n`, and its list is empty. The calling thread has its
/// block: it is any thread of the C library's, not the helper.
#[cold]
#[inline(never)]
pub unsafe fn refill<V: Variant>(n: usize, slot: *mut Slot) -> *mut u8 {
    // SAFETY: the slot and the block are this thread's; a batch taken anywhere is ours alone.
    unsafe {
        let id = class_of::<V>(slot);
        let row = id.row();
        match thread::state::<V>() {
            State::New => {
                start::start::<V>();
                sample::recount::<V>(n);
                return V::malloc(n);
            }
            State::Uncached => {
                let p = sample::instead::<V>(n, id);
                return if p.is_null() {
                    pressure::carve::<V>(id, row, 1).head
                } else {
                    p
                };
            }
            State::Running => {}
        }
        if pressure::pulse::<V>() {
            sample::recount::<V>(n);
            return V::malloc(n);
        }
        let p = sample::instead::<V>(n, id);
        if !p.is_null() {
            return p;
        }
        if (*slot).cap == 0 {
            magazine::open(slot, row);
        }
        (*slot).recent = true;
        let _timer = V::Stats::time::<V>(Kind::Refill);
        magazine::refilled::<V>(slot, row);
        let mut batch = stored::<V>(id);
        if batch.count == 0 {
            // A longer batch each time that there is nothing at hand, as far as the budget goes.
            let cap = (*slot).cap;
            let want = u32::from(cap.min(row.batch_carve));
            if V::POLICY.remote.flush == RemoteFlush::BeforePages {
                batch = remote::before_pages::<V>(id, row, want);
            }
            if batch.count == 0 && row.borrow > 0 {
                batch = borrow::without_growth::<V>(id, row, want);
                if batch.count == 0 {
                    let p = borrow::borrow::<V>(id, row);
                    if !p.is_null() {
                        return p;
                    }
                }
            }
            if batch.count == 0 {
                batch = pressure::carve::<V>(id, row, want);
                if batch.count == 0 {
                    return batch.head;
                }
            }
            // One object alone says nothing of how many are wanted.
            if batch.count > 1 || cap == 1 {
                magazine::grow::<V>(slot, row, cap.saturating_mul(2).min(row.batch));
            }
        }
        let p = batch.pop::<V>();
        magazine::install::<V>(slot, batch);
        p
    }
}

/// A batch from the spare magazine or the depot; empty if neither has one.
///
/// # Safety
/// The calling thread is running: it has caches. `row` is the class's entry.
unsafe fn stored<V: Variant>(id: ClassId<V>) -> Batch {
    // SAFETY: the spare is this thread's; the depot hands each batch to one taker.
    unsafe {
        if V::POLICY.cache.magazines > 1 {
            let spare = spare_of::<V>(id);
            let batch = (*spare).unpack();
            if batch.count > 0 {
                *spare = BatchWord::NONE;
                list::keep_order();
                V::Stats::count::<V>(Kind::FromSpare);
                return batch;
            }
        }
        let pool = my_pool::<V>(id);
        let batch = depot_of::<V>(pool).take(thread::home::<V>());
        if let Some(batch) = batch {
            V::Stats::count::<V>(Kind::FromDepot);
            chart::follow(batch, pool.row().size);
        }
        demand_of::<V>(pool).taken();
        batch.unwrap_or(Batch::EMPTY)
    }
}
