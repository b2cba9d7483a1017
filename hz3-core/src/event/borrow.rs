//! An object of a larger class, so that the heap need not grow by a segment.
//!
//! How many objects of a class a program has goes up and down, and a class keeps the runs of its highest point, as hardly ever
//! all objects of a run are free together. The highest points of all classes lie at different times; so where each has to have
//! its own, the heap is larger by the sum of what each has left at any moment. A class that stands at a high point can use what
//! its neighbours have left: then the heap is as large as the highest point of their sum. The object is the larger class's all
//! the time, and goes back there.
//!
//! This is asked only when the next step would be a new segment, hence seldom where a heap has found its size, and never
//! on the way of a request that any cache, run or free page can serve.

use super::pressure::NO_COUNT;
use super::{check, depot_of, magazine, my_pool, slot_of, spare_of, surrender, thread};
use crate::heap::group::Group;
use crate::heap::{Reach, Reliefs};
use crate::list::{self, Batch, BatchWord};
use crate::policy::{Class, ClassId};
use crate::statics::Shared;
use crate::variant::{Kind, Stats, Variant};
use core::ptr;

/// A batch of class `id` from its runs, or from a new one in the segments that there are; empty if these have no room.
///
/// # Safety
/// The thread has started.
pub unsafe fn without_growth<V: Variant>(id: ClassId<V>, want: u32) -> Batch {
    // SAFETY: the central is the pool's, and the entry its class's.
    unsafe {
        let mine = my_pool::<V>(id);
        let batch = check::from_runs::<V>(mine, Reach::Segments, want);
        if batch.count > 0 {
            V::Stats::count::<V>(Kind::FromRuns);
        }
        batch
    }
}

/// One object of the nearest class above `id` that has one in this thread's magazines, in its depot or in its runs. Null if
/// none of the `row.borrow` next ones has.
///
/// # Safety
/// The calling thread is running: it has caches. `row` is the class's entry.
#[cold]
#[inline(never)]
pub unsafe fn borrow<V: Variant>(id: ClassId<V>, row: &Class) -> *mut u8 {
    let group = Group::of(id);
    let larger = id.and_larger().skip(1).take(usize::from(row.borrow));
    for other in larger.take_while(|&other| Group::of(other) == group) {
        // SAFETY: the thread is running.
        let p = unsafe { lend::<V>(other) };
        if !p.is_null() {
            V::Stats::count::<V>(Kind::Borrowed);
            V::shared().heap().pressure.count(Reliefs {
                borrowed: 1,
                ..NO_COUNT
            });
            return p;
        }
    }
    ptr::null_mut()
}

/// One object of class `id`, without new pages.
///
/// # Safety
/// The calling thread is running: it has caches.
unsafe fn lend<V: Variant>(id: ClassId<V>) -> *mut u8 {
    // SAFETY: the magazines are this thread's; a batch taken anywhere is ours alone.
    unsafe {
        let p = magazine::one::<V>(id);
        if !p.is_null() {
            return p;
        }
        let pool = my_pool::<V>(id);
        if let Some(mut batch) = depot_of::<V>(pool).take(thread::home::<V>()) {
            batch = check::coming::<V>(pool, batch);
            if batch.count == 0 {
                return ptr::null_mut();
            }
            let p = check::pop::<V>(pool, &mut batch);
            if V::POLICY.cache.magazines > 1 && batch.count <= u32::from((*slot_of::<V>(id)).cap) {
                // The spare is empty, or the magazines would have had one. It keeps no more than this thread's budget allows.
                *spare_of::<V>(id) = BatchWord::pack(batch);
                list::keep_order();
            } else if batch.count > 0 {
                surrender::surrender::<V>(pool, batch);
            }
            return p;
        }
        check::from_runs::<V>(pool, Reach::Held, 1).head
    }
}
