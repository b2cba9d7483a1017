//! `free` found no room: a full magazine, a large object, or a thread that has no caches.

use super::{
    class_of, cpu, foreign, guard, magazine, my_pool, owners, pressure, sample, spare_of, start, surrender, thread,
};
use crate::list::{self, Batch, BatchWord, Slot, SlotOffset};
use crate::statics::State;
use crate::variant::{Kind, Stats, Variant};
use core::ptr;

/// Frees `p`, whose slot had no room; the slot's room has wrapped around.
///
/// # Safety
/// `p` is an object of this variant that nobody uses any more; `slot` is the slot that the tag of `p` names, the trap for
/// what has none. The calling thread has its block: it is any thread of the C library's, not the helper.
#[cold]
#[inline(never)]
pub unsafe fn overflow<V: Variant>(p: *mut u8, slot: *mut Slot) {
    if V::POLICY.per_cpu() {
        // SAFETY: as the caller says.
        return unsafe { cpu::overflow::<V>(p, slot) };
    }
    // SAFETY: the slot is this thread's.
    unsafe {
        (*slot).room = 0;
        if slot == V::slot(SlotOffset::TRAP) {
            return foreign::free::<V>(p);
        }
        put::<V>(p, slot);
    }
}

/// Frees an object of a class into a slot without room.
///
/// # Safety
/// `p` is an object of this variant that nobody uses any more; `slot` is the slot of its class in the calling thread's own slot
/// array, without room.
pub unsafe fn put<V: Variant>(p: *mut u8, slot: *mut Slot) {
    // SAFETY: the slot and the block are this thread's; the object is the caller's and goes to exactly one place.
    unsafe {
        let id = class_of::<V>(slot);
        let row = id.row();
        match thread::state::<V>() {
            State::New => {
                start::start::<V>();
                return V::free(p);
            }
            State::Uncached => return owners::one_to_runs::<V>(my_pool::<V>(id), p),
            State::Running => {}
        }
        if pressure::pulse::<V>() {
            return V::free(p);
        }
        (*slot).recent = true;
        let _timer = V::Stats::time::<V>(Kind::Overflow);
        let cap = (*slot).cap;
        if cap == 0 {
            // This thread never allocated from the class: the object was handed to it. Were it kept, the next `malloc`
            // would take it, and its cache line might be another thread's for as long as both go on like that.
            magazine::open::<V>(slot, row);
            return owners::one_to_runs::<V>(my_pool::<V>(id), p);
        }
        // Magazines grow with their use, or give way.
        if magazine::grow::<V>(slot, row, cap.saturating_mul(2).clamp(1, row.batch)) > cap
            || magazine::overflowed::<V>(slot, row)
        {
            V::Stats::count::<V>(Kind::Grown);
            (*slot).room -= 1;
            list::set_next::<V>(p, (*slot).head);
            list::keep_order();
            (*slot).head = p;
            return;
        }
        let mut full = Batch {
            head: (*slot).head,
            count: u32::from(cap),
        };
        guard::forget::<V>(id);
        sample::forget::<V>(id);
        (*slot).head = ptr::null_mut();
        list::keep_order();
        magazine::shorten::<V>(slot, row);
        let cap = u32::from((*slot).cap);
        if V::POLICY.cache.magazines > 1 {
            // The list that was filled just now stays; the older one goes.
            let spare = spare_of::<V>(id);
            let older = (*spare).unpack();
            *spare = BatchWord::NONE;
            list::keep_order();
            *spare = BatchWord::pack(full);
            full = older;
        }
        list::set_next::<V>(p, ptr::null_mut());
        list::keep_order();
        (*slot).head = p;
        (*slot).room = cap - 1;
        if full.count > 0 {
            if (*slot).tide.rises() {
                surrender::hand_over::<V>(my_pool::<V>(id), full);
            } else {
                surrender::surrender::<V>(my_pool::<V>(id), full);
            }
        }
    }
}
