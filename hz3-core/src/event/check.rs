//! What events find wrong with lists and counts (`hardening.check`), and what becomes of it: it is reported, and, if the program goes
//! on, leaked.

use super::{central, my_pool, report};
use crate::heap::Reach;
use crate::heap::check::{Bad, Sieve, Wrong, checks, walks_in, walks_out};
use crate::list::{self, Batch, Slot, SlotOffset};
use crate::policy::{ClassId, Link, Naming, Pool};
use crate::statics::Shared;
use crate::statics::errors::Fault;
use crate::text::Text;
use crate::variant::Variant;
use core::ptr;

/// Reports what was found in a list of a pool, if anything was. Returns if the program goes on.
#[inline]
pub fn report<V: Variant>(pool: Pool<V>, bad: Option<Bad>) {
    if checks::<V>()
        && let Some(bad) = bad
    {
        tell::<V>(pool, bad);
    }
}

#[cold]
#[inline(never)]
fn tell<V: Variant>(pool: Pool<V>, bad: Bad) {
    let (fault, what): (Fault, &[u8]) = match bad.wrong {
        Wrong::Elsewhere => (Fault::WrittenLink, b" is where a free object leads to, and no object"),
        Wrong::Between => (Fault::Interior, b" came back as an object, and none begins there"),
        Wrong::Fresh => (
            Fault::WrittenLink,
            b" is where a free object leads to, and was never handed out",
        ),
        Wrong::Twice => (Fault::DoubleFree, b" came back to its run, where it is already"),
        Wrong::Counts => (Fault::Counts, b" came back to its run, all of whose objects are there"),
        Wrong::Short => (Fault::WrittenLink, b" leads to none, and more objects were to follow"),
        Wrong::Long => (Fault::WrittenLink, b" is where the last object of a list leads to"),
    };
    report::found::<V>(fault, bad.at, &|text: &mut Text| {
        text.push(what);
        text.push(b" (objects of ")
            .number(u64::from(pool.row().size))
            .push(b" bytes)");
    });
}

/// Objects of a pool from its runs: see [`Central::take`](crate::heap::central::Central::take).
///
/// # Safety
/// The thread has its block.
pub unsafe fn from_runs<V: Variant>(pool: Pool<V>, reach: Reach, want: u32) -> Batch {
    // SAFETY: the central is the pool's.
    let (batch, bad) = unsafe { central::<V>(pool).take::<V>(V::shared().heap(), reach, pool, want) };
    report::<V>(pool, bad);
    batch
}

/// The slot's list is empty: then it has room for all that it may hold. If not, a link was written, or an object freed twice.
///
/// # Safety
/// The slot is the calling thread's, of class `id`, and its list is empty.
#[inline]
pub unsafe fn emptied<V: Variant>(slot: *mut Slot, id: ClassId<V>) {
    if !checks::<V>() {
        return;
    }
    // SAFETY: the slot is this thread's.
    unsafe {
        let cap = u32::from((*slot).cap);
        if (*slot).room != cap {
            disagrees::<V>(id, (*slot).room, cap);
            (*slot).room = cap;
        }
    }
}

/// # Safety
/// As for [`emptied`].
#[cold]
#[inline(never)]
pub(super) unsafe fn disagrees<V: Variant>(id: ClassId<V>, room: u32, cap: u32) {
    report::found::<V>(Fault::Counts, ptr::null_mut(), &|text: &mut Text| {
        text.push(b": a free object of ").number(u64::from(id.row().size));
        text.push(b" bytes was written to, or one was freed twice: this thread's list of them ");
        if room < cap {
            text.push(b"ended ")
                .number(u64::from(cap - room))
                .push(b" objects early");
        } else {
            text.push(b"had ")
                .number(u64::from(room.wrapping_sub(cap)))
                .push(b" objects too many");
        }
    });
}

/// The objects of a slot's list, as a batch, after a look at whether its counts can be right. They stay where they are.
///
/// # Safety
/// The slot is the calling thread's, of that pool.
#[inline]
pub unsafe fn contents<V: Variant>(pool: Pool<V>, slot: *mut Slot) -> Batch {
    // SAFETY: the slot is this thread's.
    unsafe {
        let batch = Batch {
            head: (*slot).head,
            count: (*slot).length(),
        };
        if checks::<V>() && batch.head.is_null() != (batch.count == 0) {
            disagrees::<V>(pool.class(), (*slot).room, u32::from((*slot).cap));
            return Batch::EMPTY;
        }
        batch
    }
}

/// A batch that comes to a thread, of which each object was looked at where the variant does that: it ends before what is wrong.
///
/// # Safety
/// The batch is the caller's, and of this pool.
#[inline]
pub unsafe fn coming<V: Variant>(pool: Pool<V>, batch: Batch) -> Batch {
    // SAFETY: the batch is the caller's.
    unsafe { walked::<V>(walks_in::<V>(), pool, batch) }
}

/// The same of one that leaves a thread.
///
/// # Safety
/// As for [`coming`].
#[inline]
pub unsafe fn leaving<V: Variant>(pool: Pool<V>, batch: Batch) -> Batch {
    // SAFETY: the batch is the caller's.
    unsafe { walked::<V>(walks_out::<V>(), pool, batch) }
}

/// # Safety
/// As for [`coming`].
#[inline(always)]
unsafe fn walked<V: Variant>(walks: bool, pool: Pool<V>, batch: Batch) -> Batch {
    // One object alone leads nowhere; it may be another pool's, where memory is short.
    if !walks || batch.count < 2 {
        return batch;
    }
    // SAFETY: the batch is the caller's.
    unsafe { walk::<V>(pool, batch) }
}

/// # Safety
/// As for [`coming`].
#[inline(never)]
unsafe fn walk<V: Variant>(pool: Pool<V>, batch: Batch) -> Batch {
    let heap = V::shared().heap();
    let outside = |p: *const u8| heap.has_outside(p);
    let mut sieve = Sieve::new(heap, &outside);
    let (mut sound, mut last) = (0, ptr::null_mut());
    let (mut p, mut bad) = (batch.head, None);
    // SAFETY: the batch is the caller's: what the sieve lets pass is an object of the pool, and is followed.
    unsafe {
        while sound < batch.count {
            if p.is_null() {
                bad = Some(Bad {
                    wrong: Wrong::Short,
                    at: last,
                });
                break;
            }
            if let Err(wrong) = sieve.run_of::<V>(pool, pool.row(), p) {
                bad = Some(Bad { wrong, at: p });
                break;
            }
            sound += 1;
            last = p;
            if sound < batch.count {
                p = list::next::<V>(p);
            } else if !list::next::<V>(p).is_null() {
                bad = Some(Bad {
                    wrong: Wrong::Long,
                    at: list::next::<V>(p),
                });
                list::set_next::<V>(p, ptr::null_mut());
            }
        }
        if bad.is_some() {
            report::<V>(pool, bad);
            if sound == 0 {
                return Batch::EMPTY;
            }
            list::set_next::<V>(last, ptr::null_mut());
        }
    }
    Batch {
        head: batch.head,
        count: sound,
    }
}

/// Takes the first object out of a batch of this pool, which holds one at least. Where links are encoded, a batch whose link is none
/// ends here.
///
/// # Safety
/// The batch is the caller's, not empty, and of this pool.
#[inline]
pub unsafe fn pop<V: Variant>(pool: Pool<V>, batch: &mut Batch) -> *mut u8 {
    // SAFETY: the batch is the caller's, and not empty.
    unsafe {
        let p = batch.pop::<V>();
        if !V::Link::sound::<V>(batch.head) {
            torn::<V>(pool, p);
            *batch = Batch::EMPTY;
        }
        p
    }
}

/// Reports that the link of a free object is none.
#[cold]
#[inline(never)]
pub fn torn<V: Variant>(pool: Pool<V>, p: *mut u8) {
    report::found::<V>(Fault::WrittenLink, p, &|text: &mut Text| {
        text.push(b" was written to while it was free (objects of ");
        text.number(u64::from(pool.row().size)).push(b" bytes)");
    });
}

/// `malloc(n)` found a link that is none in the first object of a slot's list: it begins anew, without that list.
///
/// # Safety
/// `slot` is the calling thread's slot that the lookup names for `n`, and its list is not empty. The calling thread has its block.
#[cold]
#[inline(never)]
pub unsafe fn torn_list<V: Variant>(n: usize, slot: *mut Slot) -> *mut u8 {
    // SAFETY: as the caller says; what was counted of `n` stays counted.
    unsafe {
        broken::<V>(slot);
        V::malloc_uncounted(n)
    }
}

/// `free` has not taken an object: none begins there, or it was freed just now. Null and what has no tag goes where it always goes.
///
/// # Safety
/// As for `free`, but that `p` may be anything; `tag` is that of its page.
#[cold]
#[inline(never)]
pub unsafe fn refused<V: Variant>(p: *mut u8, tag: usize) {
    if tag == 0 {
        // SAFETY: the page has no tag.
        return unsafe { super::foreign::free::<V>(p) };
    }
    // SAFETY: a tag other than 0 names a pool.
    let (owner, id) = unsafe { V::Route::pool::<V>(tag) };
    let heap = V::shared().heap();
    let outside = |p: *const u8| heap.has_outside(p);
    // SAFETY: only headers are read.
    let begins = unsafe { Sieve::new(heap, &outside).run_of::<V>(Pool::of(owner, id), id.row(), p) }.is_ok();
    let (fault, what): (Fault, &[u8]) = if begins {
        (Fault::DoubleFree, b" is free: it was freed last in its class")
    } else {
        (Fault::Interior, b" is no object's beginning")
    };
    report::found::<V>(fault, p, &|text: &mut Text| _ = text.push(what));
}

/// The same, of an object that was to go into a slot whose offset is the tag.
///
/// # Safety
/// As for [`refused`]; `slot` is the calling thread's slot that the tag of the page of `p` names.
#[cold]
#[inline(never)]
pub unsafe fn refused_by<V: Variant>(p: *mut u8, slot: *mut Slot) {
    // SAFETY: the offset of a slot from the trap's is the tag.
    unsafe { refused::<V>(p, SlotOffset::between(V::bank_slot(SlotOffset::TRAP), slot).bytes()) }
}

/// Takes a list out whose first object says of the next one what cannot be. It is lost, this object included.
///
/// # Safety
/// `slot` is the calling thread's slot of a class, and its list is not empty.
#[cold]
#[inline(never)]
pub unsafe fn broken<V: Variant>(slot: *mut Slot) {
    // SAFETY: the slot is this thread's.
    unsafe {
        let p = (*slot).head;
        (*slot).head = ptr::null_mut();
        (*slot).room = u32::from((*slot).cap);
        list::keep_order();
        torn::<V>(my_pool::<V>(super::class_of::<V>(slot)), p);
    }
}

/// Reports that an object was freed with a size or an alignment that cannot be its own.
#[cold]
#[inline(never)]
pub fn wrong_size<V: Variant>(p: *mut u8, n: usize, align: usize, have: usize) {
    report::found::<V>(Fault::WrongSize, p, &|text: &mut Text| {
        text.push(b" was freed as an object");
        if have > 0 {
            text.push(b" of ").number(n as u64).push(b" bytes");
        }
        if align > 16 {
            text.push(b" at a multiple of ").number(align as u64);
        }
        if have > 0 {
            text.push(b", and has ").number(have as u64);
        }
    });
}
