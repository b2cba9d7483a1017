//! Memory is short: whatever waits in depots and in this thread goes back to its runs, and empty runs to the page heap.
//!
//! Or only what lies in one segment ([`drain`]), so that the rest stays at hand: each page of that segment whose last
//! object was cached comes free, and no other cache starts anew.

use super::{
    check, cpu, depot_of, depots, exit, holes, magazine, my_pool, owners, slot_of, spare_of, surrender, thread, ward,
    wrap,
};
use crate::heap::segment::Segment;
use crate::heap::{Ask, Reliefs, depot};
use crate::list::{self, Batch, BatchWord};
use crate::os;
use crate::policy::{ClassId, Pool};
use crate::statics::{Shared, State};
use crate::variant::{Kind, Room, Stats, Variant};
use core::ptr;

/// All that is free goes to the kernel, but for `pad` bytes of free pages. Pages inside of runs go, too. (They count against limits
/// all the same, but the kernel has them.) Returns the bytes that it got.
pub fn to_kernel<V: Variant>(pad: usize) -> usize {
    let heap = V::shared().heap();
    holes::all::<V>() + heap.purge_to(&V::POLICY, pad) + heap.purge_huge(None)
}

/// Gives back what can be given back from here. Returns the bytes of the objects that went back to their runs, as far as
/// they were in depots or in this thread's magazines.
///
/// # Safety
/// The calling thread has its block.
#[cold]
#[inline(never)]
pub unsafe fn relieve<V: Variant>() -> usize {
    let _timer = V::Stats::time::<V>(Kind::Relief);
    // SAFETY: the block is this thread's.
    unsafe {
        ward::flush::<V>();
        let mut bytes = depots::drain_depots::<V>();
        if thread::state::<V>() == State::Running {
            bytes += wrap::quarantine::flush::<V>();
            if !V::POLICY.per_cpu() {
                for id in ClassId::all() {
                    bytes += magazine::held::<V>(id) * id.row().size as usize;
                }
            }
            exit::flush::<V>();
            depots::drain_depots::<V>();
        }
        if V::POLICY.per_cpu() {
            bytes += cpu::empty_all::<V>();
        }
        release_empty::<V>();
        V::shared().heap().recall_all();
        bytes
    }
}

/// Gives all empty runs back to the page heap.
fn release_empty<V: Variant>() {
    for (pool, central) in owners::centrals::<V>() {
        central.release_empty::<V>(V::shared().heap(), pool.row());
    }
}

/// Gives back those objects of the depots and of this thread's magazines that lie in the segment, and all empty runs.
/// What this thread keeps for other owners goes to them first, as in [`relieve`]. Returns the bytes of the objects.
///
/// # Safety
/// The calling thread has its block. The segment need not exist any more: it is compared with, not looked at.
#[cold]
#[inline(never)]
pub unsafe fn drain<V: Variant>(segment: *const Segment) -> usize {
    let _timer = V::Stats::time::<V>(Kind::Relief);
    let mut bytes = 0;
    // SAFETY: the block is this thread's.
    unsafe { ward::flush::<V>() };
    if segment.is_null() {
        release_empty::<V>();
        return 0;
    }
    // SAFETY: the block is this thread's.
    unsafe {
        if thread::state::<V>() == State::Running {
            // It is drawn from at random, so that nobody can choose among what is in it.
            bytes += wrap::quarantine::flush::<V>();
            V::Room::flush::<V>();
            if !V::POLICY.per_cpu() {
                for id in ClassId::all() {
                    bytes += drain_magazines::<V>(id, segment);
                }
            }
        }
        if V::POLICY.per_cpu() {
            bytes += cpu::empty_all::<V>();
        }
        for pool in owners::pools::<V>(0) {
            bytes += drain_depot::<V>(pool, segment);
        }
        release_empty::<V>();
    }
    bytes
}

/// Gives back what class `id`'s magazines hold of the segment.
///
/// # Safety
/// The calling thread is running: it has caches.
unsafe fn drain_magazines<V: Variant>(id: ClassId<V>, segment: *const Segment) -> usize {
    // SAFETY: slot and spare are this thread's; lists are taken out before they are looked through (see the module
    // `event`).
    unsafe {
        let slot = slot_of::<V>(id);
        let spare = spare_of::<V>(id);
        let (cap, pool) = (u32::from((*slot).cap), my_pool::<V>(id));
        let mut current = check::contents::<V>(pool, slot);
        (*slot).head = ptr::null_mut();
        (*slot).room = cap;
        let mut second = (*spare).unpack();
        *spare = BatchWord::NONE;
        list::keep_order();
        let inside = [extract::<V>(&mut current, segment), extract::<V>(&mut second, segment)];
        (*slot).room = cap - current.count;
        list::keep_order();
        (*slot).head = current.head;
        *spare = BatchWord::pack(second);
        list::keep_order();
        inside.into_iter().map(|batch| give::<V>(my_pool::<V>(id), batch)).sum()
    }
}

/// Gives back what a pool's depot holds of the segment.
fn drain_depot<V: Variant>(pool: Pool<V>, segment: *const Segment) -> usize {
    let mut bytes = 0;
    // SAFETY: the depot hands each batch to one taker, who gives it away.
    unsafe {
        for word in depot_of::<V>(pool).words() {
            let Some(mut batch) = depot::take(word) else {
                continue;
            };
            bytes += give::<V>(pool, extract::<V>(&mut batch, segment));
            if batch.count > 0 {
                surrender::surrender::<V>(pool, batch);
            }
        }
    }
    bytes
}

/// Takes those objects out of a batch that lie in the segment. Those that stay keep their order.
///
/// # Safety
/// The objects of the batch are the caller's, and their links whole.
unsafe fn extract<V: Variant>(batch: &mut Batch, segment: *const Segment) -> Batch {
    let mut inside = Batch::EMPTY;
    let (mut before, mut p): (*mut u8, *mut u8) = (ptr::null_mut(), batch.head);
    while !p.is_null() {
        // SAFETY: the batch is the caller's, hence its objects and their links.
        unsafe {
            let following = list::next::<V>(p);
            if ptr::eq(Segment::of(p), segment) {
                if before.is_null() {
                    batch.head = following;
                } else {
                    list::set_next::<V>(before, following);
                }
                batch.count -= 1;
                inside.push::<V>(p);
            } else {
                before = p;
            }
            p = following;
        }
    }
    inside
}

/// Gives a batch back to its runs. Returns its bytes.
///
/// # Safety
/// The batch is the caller's, and of this pool.
unsafe fn give<V: Variant>(pool: Pool<V>, batch: Batch) -> usize {
    // SAFETY: the objects of the batch are ours to give, and of this pool.
    unsafe {
        if batch.count > 0 {
            owners::to_runs::<V>(pool, batch);
        }
        batch.count as usize * pool.row().size as usize
    }
}

/// [`relieve`], or [`drain`] of the segment that is drained, counted.
///
/// # Safety
/// The calling thread has its block.
pub unsafe fn counted<V: Variant>(ask: Ask, also: Reliefs) {
    let heap = V::shared().heap();
    let (before, segment) = (heap.free_pages(&V::POLICY), heap.locked(|h| h.drain.segment));
    // SAFETY: an event of this thread.
    let object_bytes = unsafe {
        if V::POLICY.relieves_by_segment() && ask == Ask::Segment {
            drain::<V>(segment)
        } else {
            relieve::<V>()
        }
    } as u64;
    let after = heap.free_pages(&V::POLICY);
    heap.pressure.count(Reliefs {
        object_bytes,
        page_bytes: (after.saturating_sub(before) * os::PAGE) as u64,
        ..also
    });
}
