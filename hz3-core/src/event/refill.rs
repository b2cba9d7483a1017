//! `malloc` found an empty list.

use super::{
    borrow, check, class_of, cpu, demand_of, depot_of, guard, magazine, my_pool, pressure, remote, sample, spare_of,
    start, thread,
};
use crate::list::{self, Batch, BatchWord, Slot, chart, deal};
use crate::policy::knobs::RemoteFlush;
use crate::policy::{Class, ClassId};
use crate::statics::{Shared, State};
use crate::variant::{Kind, Stats, Variant};

/// Allocates `n` bytes from the slot's class, whose list is empty.
///
/// # Safety
/// `slot` is the calling thread's slot that the lookup names for `n`, and its list is empty. The calling thread has its
/// block: it is any thread of the C library's, not the helper.
#[cold]
#[inline(never)]
pub unsafe fn refill<V: Variant>(n: usize, slot: *mut Slot) -> *mut u8 {
    if V::POLICY.per_cpu() {
        // SAFETY: as the caller says.
        return unsafe { cpu::refill::<V>(n, slot) };
    }
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
                let p = instead::<V>(n, id);
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
        let p = instead::<V>(n, id);
        if !p.is_null() {
            return p;
        }
        if (*slot).cap == 0 {
            magazine::open::<V>(slot, row);
        } else {
            check::emptied::<V>(slot, id);
        }
        (*slot).recent = true;
        let _timer = V::Stats::time::<V>(Kind::Refill);
        magazine::refilled::<V>(slot, row);
        let mut batch = stored::<V>(id);
        if batch.count == 0 {
            // A longer batch each time that there is nothing at hand, as far as the budget goes.
            let cap = (*slot).cap;
            let want = u32::from(cap.clamp(1, row.batch_carve.max(1)));
            batch = match anew::<V>(id, row, want) {
                Ok(batch) if batch.count > 0 => batch,
                Ok(none) => return none.head,
                Err(borrowed) => return borrowed,
            };
            // One object alone says nothing of how many are wanted.
            if batch.count > 1 || cap == 1 {
                magazine::grow::<V>(slot, row, cap.saturating_mul(2).min(row.batch));
            }
        }
        let Some((p, batch)) = served::<V>(id, batch) else {
            return V::malloc_uncounted(n);
        };
        magazine::install::<V>(slot, batch);
        p
    }
}

/// A batch comes to a list: it is checked and put into random order, as far as the variant does that. The object that is served first,
/// and the others; None where nothing of it may be served.
///
/// # Safety
/// The batch is the caller's, of that class of the calling thread's pool.
#[inline(always)] // Each variant has one caller.
pub(super) unsafe fn served<V: Variant>(id: ClassId<V>, batch: Batch) -> Option<(*mut u8, Batch)> {
    // SAFETY: the block is this thread's, and the batch the caller's.
    unsafe {
        let pool = my_pool::<V>(id);
        let mut batch = check::coming::<V>(pool, batch);
        if batch.count == 0 {
            return None;
        }
        if V::POLICY.hardening.random && batch.count > 1 {
            let mut dice = V::shared().heap().order.draw();
            batch = deal::<V>(batch, || dice.bits());
        }
        Some((check::pop::<V>(pool, &mut batch), batch))
    }
}

/// A batch of what is in no cache, of `want` objects at the most: from runs, or from new pages. It is empty where memory is out. Or one
/// object of a larger class, so that the heap need not grow.
///
/// # Safety
/// The calling thread has started. `row` is the class's entry.
#[inline(always)] // Each variant has one caller.
pub(super) unsafe fn anew<V: Variant>(id: ClassId<V>, row: &Class, want: u32) -> Result<Batch, *mut u8> {
    // SAFETY: as for this function.
    unsafe {
        if V::POLICY.remote.flush == RemoteFlush::BeforePages {
            let batch = remote::before_pages::<V>(id, want);
            if batch.count > 0 {
                return Ok(batch);
            }
        }
        if row.borrow > 0 {
            let batch = borrow::without_growth::<V>(id, want);
            if batch.count > 0 {
                return Ok(batch);
            }
            let p = borrow::borrow::<V>(id, row);
            if !p.is_null() {
                return Err(p);
            }
        }
        Ok(pressure::carve::<V>(id, row, want))
    }
}

/// An object that is guarded or sampled, if one is due; else null.
///
/// # Safety
/// The calling thread has its block, and the process has started.
#[inline(always)]
unsafe fn instead<V: Variant>(n: usize, id: ClassId<V>) -> *mut u8 {
    // SAFETY: as for this function.
    unsafe {
        let p = guard::instead::<V>(n, id);
        if p.is_null() { sample::instead::<V>(n, id) } else { p }
    }
}

/// A batch from the spare magazine or the depot; empty if neither has one.
///
/// # Safety
/// The calling thread is running: it has caches. `row` is the class's entry.
pub(super) unsafe fn stored<V: Variant>(id: ClassId<V>) -> Batch {
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
            if !V::POLICY.marks() {
                chart::follow(batch, pool.row().size);
            }
        }
        demand_of::<V>(pool).taken();
        batch.unwrap_or(Batch::EMPTY)
    }
}
