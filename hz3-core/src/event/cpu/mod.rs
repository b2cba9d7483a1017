//! Events where slots are processors' (`cache.per = "cpu"`).
//!
//! A slot is in one of the three states of [`rows`](crate::statics::rows). An event that has to do with a list takes it as a whole,
//! by a sequence that ends with one store; then it is the event's alone, whatever becomes of the thread, and everybody else on that
//! processor has his object from the depot or the runs, and gives it there. What is put back is one store, too. So no event waits
//! for another, and no lock is held.
//!
//! A thread uses the slots of whatever processor it runs on: it has nothing of its own to give back when it ends. Where the C
//! library has no area for it, or the kernel knows none, it has a row of its own ([`Own`]), and all is as with slots of threads.

mod budget;
mod empty;
mod life;
mod taken;

pub use budget::rest;
pub use empty::{empty_all, in_own_row, in_rows};
pub use life::{Own, begin, child, end};

use super::{class_of, foreign, my_pool, owners, pressure, refill, start, surrender, thread};
use crate::list::{self, Batch, Slot, SlotOffset};
use crate::policy::{Class, ClassId};
use crate::statics::rows::row_shift;
use crate::statics::{CpuBlock, State, ThreadBlock};
use crate::variant::{Kind, Stats, Variant};
use core::ptr;
use taken::Taken;

/// log2 of the bytes of a row.
const fn shift<V: Variant>() -> u32 {
    row_shift(V::CLASSES)
}

/// The calling thread's block.
fn block<V: Variant>() -> *mut CpuBlock {
    // SAFETY: the calling thread has its block.
    unsafe { V::Thread::cpu(V::thread()) }
}

/// Starts the thread if it has not, and sees to what is asked of threads. Whether the caller has to begin anew.
///
/// # Safety
/// The calling thread has its block.
#[inline]
unsafe fn begins_anew<V: Variant>() -> bool {
    // SAFETY: the block is this thread's.
    unsafe {
        match thread::state::<V>() {
            State::New => {
                start::start::<V>();
                true
            }
            State::Running => pressure::pulse::<V>(),
            // It has ended, or nobody will say so: the slots are not its own.
            State::Uncached => false,
        }
    }
}

/// Allocates `n` bytes from the slot's class, of which this processor has none.
///
/// # Safety
/// As for [`super::refill::refill`].
pub(super) unsafe fn refill<V: Variant>(n: usize, slot: *mut Slot) -> *mut u8 {
    // SAFETY: the block is this thread's; lists and batches that were taken are ours alone.
    unsafe {
        let id = class_of::<V>(slot);
        let row = id.row();
        if begins_anew::<V>() {
            return V::malloc(n);
        }
        let _timer = V::Stats::time::<V>(Kind::Refill);
        let cap = match Taken::of::<V>(slot) {
            // Another thread was here meanwhile, or this is another processor.
            Some(list) if list.count() > 0 => return list.pop::<V>(id),
            Some(list) => list.put_back(),
            None => budget::open::<V>(slot, row),
        };
        let mut batch = refill::stored::<V>(id);
        let mut want = cap;
        if batch.count == 0 {
            batch = match refill::anew::<V>(id, row, u32::from(cap.clamp(1, row.batch_carve.max(1)))) {
                Ok(batch) if batch.count > 0 => batch,
                Ok(none) => return none.head,
                Err(borrowed) => return borrowed,
            };
            // One object alone says nothing of how many are wanted.
            if batch.count > 1 || cap == 1 {
                want = cap.saturating_mul(2).min(row.batch);
            }
        }
        let Some((p, batch)) = refill::served::<V>(id, batch) else {
            return V::malloc_uncounted(n);
        };
        install::<V>(slot, id, row, batch, want);
        p
    }
}

/// Makes a batch the list of this processor's slot, if that is empty; what is too much goes to the depot. The list may hold `want`
/// objects from now on, as far as the budget goes.
///
/// # Safety
/// The slot is of class `id`, whose entry is `row`. The batch is the caller's, of that class; `want` is at most `row.batch`.
unsafe fn install<V: Variant>(slot: *mut Slot, id: ClassId<V>, row: &Class, mut batch: Batch, want: u16) {
    let mut want = want.max(batch.count.min(u32::from(row.batch)) as u16);
    // SAFETY: the batch is the caller's, and the list that was taken, too. Nothing that takes long is done while it is taken, as other
    // threads of the processor may run meanwhile.
    unsafe {
        for _ in 0..2 {
            let Some(mut list) = Taken::of::<V>(slot) else { break };
            let cap = list.grow::<V>(row, want);
            if list.count() > 0 || batch.count == 0 {
                list.put_back();
                break;
            }
            if batch.count <= u32::from(cap) {
                list.put(batch);
                return;
            }
            list.put_back();
            budget::give_way::<V>(cap);
            let (mine, rest) = batch.split::<V>(u32::from(cap));
            batch = mine;
            want = 0;
            surrender::surrender::<V>(my_pool::<V>(id), rest);
        }
        if batch.count > 0 {
            surrender::surrender::<V>(my_pool::<V>(id), batch);
        }
    }
}

/// Frees `p`, for which this processor's slot had no room.
///
/// # Safety
/// As for [`super::overflow::overflow`].
pub(super) unsafe fn overflow<V: Variant>(p: *mut u8, slot: *mut Slot) {
    // SAFETY: the block is this thread's; a list that was taken is ours alone, and the object goes to exactly one place.
    unsafe {
        // The sequence was left before its end.
        CpuBlock::disarm(block::<V>());
        if slot == V::slot(SlotOffset::TRAP) {
            return foreign::free::<V>(p);
        }
        if begins_anew::<V>() {
            return V::free(p);
        }
        let id = class_of::<V>(slot);
        let row = id.row();
        let _timer = V::Stats::time::<V>(Kind::Overflow);
        let Some(mut list) = Taken::of::<V>(slot) else {
            budget::open::<V>(slot, row);
            return owners::one_to_runs::<V>(my_pool::<V>(id), p);
        };
        let cap = list.cap();
        let want = cap.saturating_mul(2).min(row.batch);
        if list.count() < u32::from(cap) || list.grow::<V>(row, want) > cap {
            V::Stats::count::<V>(Kind::Grown);
            return list.push::<V>(p);
        }
        let full = list.batch();
        list::set_next::<V>(p, ptr::null_mut());
        list.put(Batch { head: p, count: 1 });
        if want > cap {
            budget::give_way::<V>(cap);
        }
        surrender::surrender::<V>(my_pool::<V>(id), full);
    }
}

/// Takes one object of class `id` that this processor has at hand; null if it has none.
///
/// # Safety
/// The calling thread has its block.
pub(super) unsafe fn one<V: Variant>(id: ClassId<V>) -> *mut u8 {
    // SAFETY: the slot is of that class.
    unsafe {
        match Taken::of::<V>(super::slot_of::<V>(id)) {
            Some(list) if list.count() > 0 => list.pop::<V>(id),
            Some(list) => {
                list.put_back();
                ptr::null_mut()
            }
            None => ptr::null_mut(),
        }
    }
}
