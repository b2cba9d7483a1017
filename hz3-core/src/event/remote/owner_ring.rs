//! A ring: objects of other owners in the order in which they were freed. When it is full it is sorted by pool, and goes.

use super::sort::sort;
use crate::event::{foreign, owners, pressure, start, surrender, thread};
use crate::list::{self, Batch};
use crate::policy::{ClassId, Naming, Owner, Pool};
use crate::statics::{Entry, Meta, State, ThreadBlock};
use crate::variant::{Kind, Room, Stats, Variant};
use core::ptr;

/// A ring of `ownership.ring` entries.
pub struct OwnerRing;

impl Room for OwnerRing {
    fn bytes<V: Variant>() -> usize {
        V::POLICY.ownership.ring as usize * size_of::<Entry>()
    }

    unsafe fn attach<V: Variant>(block: *mut V::Thread, body: *mut u8) {
        // SAFETY: the caller's block.
        unsafe { (*V::Thread::meta(block)).ring = body.cast() }
    }

    unsafe fn settle<V: Variant>(block: *mut V::Thread, owner: Owner<V>) {
        // SAFETY: the caller's block.
        unsafe { (*V::Thread::meta(block)).base = owner.shifted_from_one() }
    }

    /// Sends all that is in the ring to its owners, one batch a pool.
    #[cold]
    #[inline(never)]
    unsafe fn flush<V: Variant>() {
        // SAFETY: the ring is this thread's; its entries are objects that nobody else has. They leave the ring (`ring_used`)
        // before they are handed on.
        unsafe {
            let meta = V::Thread::meta(V::thread());
            let (ring, used) = ((*meta).ring, (*meta).ring_used as usize);
            if ring.is_null() {
                return;
            }
            let _timer = V::Stats::time::<V>(Kind::RingFlush);
            (*meta).ring_used = 0;
            list::keep_order();
            sort(ring, used);
            let mut batch = Batch::EMPTY;
            let mut tag = 0;
            for i in 0..used {
                let entry = *ring.add(i);
                if batch.count > 0 && (entry.tag != tag || batch.count >= batch_of::<V>(tag)) {
                    send::<V>(tag, batch);
                    batch = Batch::EMPTY;
                }
                tag = entry.tag;
                batch.push::<V>(entry.p);
            }
            if batch.count > 0 {
                send::<V>(tag, batch);
            }
        }
    }

    /// A ring holds little and is not sorted: all of it goes.
    unsafe fn forsake<V: Variant>() {
        // SAFETY: this thread is running.
        unsafe { Self::flush::<V>() }
    }

    unsafe fn leave<V: Variant>(block: *mut V::Thread) {
        // SAFETY: the caller's block.
        unsafe { (*V::Thread::meta(block)).ring = ptr::null_mut() }
    }

    unsafe fn take_back<V: Variant>(meta: *const Meta, give: impl Fn(Owner<V>, ClassId<V>, *mut u8)) {
        // SAFETY: the ring is that of a thread that is gone, and its entries in use are objects that nobody else has.
        unsafe {
            for i in 0..(*meta).ring_used as usize {
                let entry = *(*meta).ring.add(i);
                list::set_next::<V>(entry.p, ptr::null_mut());
                let (owner, id) = V::Route::pool(entry.tag);
                give(owner, id, entry.p);
            }
        }
    }
}

/// See [`super::into_ring`].
///
/// # Safety
/// `p` is an object of this variant that nobody uses any more; `tag` is that of its page.
#[inline(always)]
pub(super) unsafe fn into_ring<V: Variant>(p: *mut u8, tag: usize) {
    // SAFETY: the ring is this thread's and has room for one entry more, as it is flushed when it is full; the object is
    // the caller's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        if tag == 0 || (*meta).ring.is_null() {
            return without_ring::<V>(p, tag);
        }
        let used = (*meta).ring_used;
        *(*meta).ring.add(used as usize) = Entry { p, tag };
        list::keep_order();
        (*meta).ring_used = used + 1;
        if used + 1 == V::POLICY.ownership.ring {
            OwnerRing::flush::<V>();
            pressure::pulse::<V>();
        }
    }
}

/// Frees `p` where the thread has no ring, or `p` no tag.
///
/// # Safety
/// As for [`into_ring`].
#[cold]
#[inline(never)]
unsafe fn without_ring<V: Variant>(p: *mut u8, tag: usize) {
    // SAFETY: the object is nobody's any more, and goes to exactly one place; a tag other than 0 is a pool's.
    unsafe {
        if tag == 0 {
            return foreign::free::<V>(p);
        }
        if thread::state::<V>() == State::New {
            start::start::<V>();
            return V::free(p);
        }
        let (owner, id) = V::Route::pool::<V>(tag);
        owners::one_to_runs::<V>(Pool::of(owner, id), p);
    }
}

/// Objects of a full batch of the pool that a tag other than 0 names.
fn batch_of<V: Variant>(tag: usize) -> u32 {
    // SAFETY: a tag other than 0 names a pool.
    u32::from(unsafe { V::Route::pool::<V>(tag) }.1.row().batch)
}

/// Hands a batch over to the owner of the pool that a tag names.
///
/// # Safety
/// The batch is the caller's, not empty, and of this pool.
unsafe fn send<V: Variant>(tag: usize, batch: Batch) {
    // SAFETY: the tag is of a page of an object; the batch is the caller's, not empty, and of this pool.
    unsafe {
        let (owner, id) = V::Route::pool(tag);
        surrender::surrender::<V>(Pool::of(owner, id), batch);
    }
}
