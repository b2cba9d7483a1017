//! What processors keep is given back: that of all of them, by whoever is asked for memory.
//!
//! A list of another processor cannot be taken by an exchange alone: whoever runs there may have looked at the slot before, and
//! commits after. So it goes in two steps, each of which ends with the kernel's word that every sequence that had begun is over:
//!
//! 1. The rows say that no list is to be taken as a whole. From then on the word of a slot that is not zero does not become zero but
//!    by us: an object more or less never makes it zero.
//! 2. Words are exchanged for zero, and remembered. Sequences that begin now find nothing and no room.
//!
//! After that a word that is still zero was changed by nobody in between, so what was remembered is the list, and ours. In a slot
//! whose word is something else a sequence that had begun before came to its end: the list is the processor's, as that says.

use super::shift;
use super::taken::Taken;
use crate::event::{my_pool, owners, slot_of};
use crate::list::Batch;
use crate::os::rseq;
use crate::policy::ClassId;
use crate::statics::{CpuSlot, Meta, Row, Shared};
use crate::variant::{Room, Variant};
use core::sync::atomic::{AtomicU64, Ordering};

/// A slot of a class in a row, and the word that belongs to it behind the slots.
struct Place<'a> {
    slot: &'a CpuSlot,
    remembered: *mut u64,
    offset: usize,
}

/// The place of class `id` in a row.
///
/// # Safety
/// The row is one of the variant's.
unsafe fn place<'a, V: Variant>(row: *mut u8, id: ClassId<V>) -> Place<'a> {
    let offset = id.place() * size_of::<CpuSlot>();
    let words = (ClassId::<V>::COUNT + 1) * size_of::<CpuSlot>();
    // SAFETY: a row has a slot and a word for each class and the trap.
    unsafe {
        Place {
            slot: &*row.add(offset).cast(),
            remembered: row.add(words).cast::<u64>().add(id.place()),
            offset,
        }
    }
}

/// The number of the round in which somebody last looked at what lies idle in a row: the word behind the slots that would be the
/// trap's.
///
/// # Safety
/// The row is one of the variant's, and there.
pub(super) unsafe fn round_of<'a, V: Variant>(row: *mut u8) -> &'a AtomicU64 {
    let words = (ClassId::<V>::COUNT + 1) * size_of::<CpuSlot>();
    // SAFETY: a row has a word for the trap.
    unsafe { &*row.add(words).cast() }
}

/// The rows that were used by now.
fn used_rows<V: Variant>() -> impl Iterator<Item = *mut u8> + Clone {
    let rows = V::shared().rows();
    let (table, count) = rows.table().unwrap_or((core::ptr::null_mut(), 0));
    (0..rows.high().min(count)).map(move |number| table.wrapping_add((number as usize) << shift::<V>()))
}

/// Gives objects of a class back to their runs. Returns their bytes.
///
/// # Safety
/// The objects are the caller's, and of that class.
unsafe fn give<V: Variant>(id: ClassId<V>, batch: Batch) -> usize {
    // SAFETY: as the caller says.
    unsafe {
        if batch.count > 0 {
            owners::to_runs::<V>(my_pool::<V>(id), batch);
        }
    }
    batch.count as usize * id.row().size as usize
}

/// Gives back what all processors keep. Returns the bytes. Where threads have rows of their own, or the kernel cannot tell that
/// sequences are over, only what is kept where this thread runs.
///
/// # Safety
/// The calling thread has its block, and holds no lock.
pub unsafe fn empty_all<V: Variant>() -> usize {
    let rows = V::shared().rows();
    if rows.table().is_none() {
        // SAFETY: as the caller says.
        return unsafe { empty_here::<V>() };
    }
    // Somebody is at it.
    let Some(_guard) = rows.lock.try_lock() else { return 0 };
    let mut any = false;
    in_rows::<V>(|_, objects| any |= objects > 0);
    if !any {
        return 0;
    }
    // The same ones in all steps: what happens in a row that is used from now on is not ours.
    let rows = used_rows::<V>();
    // SAFETY: the rows are the variant's.
    let stop = |value| unsafe {
        for row in rows.clone() {
            (*row.cast::<Row>()).stop.store(value, Ordering::SeqCst);
        }
    };
    let places = || {
        rows.clone()
            .flat_map(|row| ClassId::<V>::all().map(move |id| (row, id)))
            // SAFETY: as above; what is remembered is touched by whoever holds the lock.
            .map(|(row, id)| (unsafe { place::<V>(row, id) }, (row, id)))
    };
    let mut bytes = 0;
    // SAFETY: the lock is held; a list that is ours goes back to its runs.
    let known = unsafe {
        cut_all(places, stop, rseq::restart, |place, (row, id)| {
            let list = Taken::checked::<V>(row, place.offset, *place.remembered);
            bytes += give::<V>(id, list.empty());
        })
    };
    if !known {
        // SAFETY: as the caller says.
        return unsafe { empty_here::<V>() };
    }
    bytes
}

/// Cuts the lists of all places off, and has `take` take those that are ours then: see the top. `stop` tells all rows whether lists may
/// be taken, `restart` has the kernel end all sequences that have begun. False if the kernel cannot do that; then nothing was done.
///
/// # Safety
/// The places are of the rows that `stop` tells, and the caller is the only one who does this with them. `take` puts another list
/// where it took one.
unsafe fn cut_all<'a, T, I: Iterator<Item = (Place<'a>, T)>>(
    places: impl Fn() -> I,
    stop: impl Fn(u8),
    restart: impl Fn() -> bool,
    mut take: impl FnMut(&Place<'a>, T),
) -> bool {
    stop(1);
    let can = restart();
    if can {
        for (place, _) in places() {
            // SAFETY: the word is the caller's to write.
            unsafe { *place.remembered = place.slot.cut_off() };
        }
        // It could a moment ago. If it cannot now, whose the lists are is not known, and they are lost.
        if restart() {
            for (place, what) in places() {
                // SAFETY: as above.
                if unsafe { *place.remembered } != 0 && place.slot.is_cut_off() {
                    take(&place, what);
                }
            }
        }
    }
    stop(0);
    can
}

/// Gives back what is kept where this thread runs. Returns the bytes.
///
/// # Safety
/// The calling thread has its block.
pub(super) unsafe fn empty_here<V: Variant>() -> usize {
    let lists = ClassId::<V>::all().map(|id| {
        // SAFETY: the slot is of that class; a list that was taken is ours.
        unsafe {
            match Taken::of::<V>(slot_of::<V>(id)) {
                Some(list) => give::<V>(id, list.empty()),
                None => 0,
            }
        }
    });
    lists.sum()
}

/// In the child of a fork, or where nobody else is in the variant's code: lists that somebody had taken are lost, and their slots
/// are put back.
///
/// # Safety
/// No other thread is in the variant's code, nor comes back to it.
pub(super) unsafe fn mend<V: Variant>() {
    for row in used_rows::<V>() {
        // SAFETY: the row is one of the variant's, and nobody else uses it.
        unsafe {
            (*row.cast::<Row>()).stop.store(0, Ordering::Relaxed);
            for id in ClassId::all() {
                place::<V>(row, id).slot.mend();
            }
        }
    }
}

/// Calls `each` with every class and the objects of it that a row keeps, as far as can be seen.
///
/// # Safety
/// The row is one of the variant's, and is there.
unsafe fn in_row<V: Variant>(row: *mut u8, each: &mut impl FnMut(ClassId<V>, u32)) {
    for id in ClassId::all() {
        // SAFETY: as the caller says.
        let (head, count) = unsafe { place::<V>(row, id).slot.seen() };
        if !head.is_null() {
            each(id, count);
        }
    }
}

/// Calls `each` with every class and the objects of it that each processor keeps, as far as can be seen: others go on meanwhile.
pub fn in_rows<V: Variant>(mut each: impl FnMut(ClassId<V>, u32)) {
    for row in used_rows::<V>() {
        // SAFETY: rows of the table are there.
        unsafe { in_row::<V>(row, &mut each) }
    }
}

/// The same of a thread that has a row of its own.
///
/// # Safety
/// The thread is in the list of those that have caches, and stays there meanwhile.
pub unsafe fn in_own_row<V: Variant>(meta: *const Meta, mut each: impl FnMut(ClassId<V>, u32)) {
    // SAFETY: the thread's row is there as long as the thread is in the list.
    unsafe {
        if V::Room::bytes::<V>() > 0 && !(*meta).body.is_null() {
            in_row::<V>((*meta).body, &mut each);
        }
    }
}

/// The first object of class `id` in the row of a thread that does not exist any more; null if it has none.
///
/// # Safety
/// The row is there, and nobody uses it.
pub(super) unsafe fn first_of<V: Variant>(row: *mut u8, id: ClassId<V>) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe { place::<V>(row, id).slot.seen().0 }
}

#[cfg(all(test, loom))]
#[path = "empty_loom_tests.rs"]
mod loom_tests;
