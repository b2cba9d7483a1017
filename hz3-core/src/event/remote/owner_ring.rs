//! A ring: objects of other owners in the order in which they were freed. When it is full it is grouped by pool, and goes.

use super::sort::sort;
use crate::event::share::Share;
use crate::event::{check, foreign, owners, pressure, start, surrender, thread};
use crate::list::{self, Batch};
use crate::policy::agreed::GRANULE;
use crate::policy::knobs::RemoteSort;
use crate::policy::{ClassId, Naming, Owner, Pool};
use crate::statics::{Entry, Meta, State, ThreadBlock};
use crate::variant::{Kind, Room, Sentry, Stats, Variant};
use core::ptr;

/// Entries with which the ring of a thread in a crowd leaves.
const CROWDED: u32 = 32;

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
            match V::POLICY.remote.sort {
                RemoteSort::Off => send_neighbours::<V>(ring, used),
                RemoteSort::Direct => send_by_table::<V>(ring, used),
                RemoteSort::Sort => {
                    sort(ring, used);
                    send_neighbours::<V>(ring, used);
                }
            }
        }
    }

    /// A ring holds little, in no order: all of it goes.
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
        let before = if used > 0 {
            (*(*meta).ring.add(used as usize - 1)).p
        } else {
            ptr::null_mut()
        };
        if V::Sentry::refuses_in_ring::<V>(p, before, V::Route::pool::<V>(tag).1) {
            return check::refused::<V>(p, tag);
        }
        *(*meta).ring.add(used as usize) = Entry { p, tag };
        list::keep_order();
        (*meta).ring_used = used + 1;
        if used + 1 == V::POLICY.ownership.ring || (used + 1).is_multiple_of(CROWDED) && Share::now::<V>().is_crowd() {
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

/// Sends entries to their owners: those that lie side by side and have one tag in one batch.
///
/// # Safety
/// `entries` are `n` entries at least, of objects that are the caller's.
unsafe fn send_neighbours<V: Variant>(entries: *const Entry, n: usize) {
    // SAFETY: all indexes stay below `n`; each object goes to one place.
    unsafe {
        let mut group = Group::NONE;
        for i in 0..n {
            group.add::<V>(*entries.add(i));
        }
        group.send::<V>();
    }
}

/// Sends entries to their owners: each tag has a place in a table, where the entries of one tag meet until those of another
/// one come there.
///
/// # Safety
/// As for [`send_neighbours`].
unsafe fn send_by_table<V: Variant>(entries: *const Entry, n: usize) {
    // SAFETY: as there.
    unsafe {
        let mut table = [Group::NONE; 1 << PLACE_BITS];
        for i in 0..n {
            let entry = *entries.add(i);
            if let Some(group) = table.get_mut(place(entry.tag)) {
                group.add::<V>(entry);
            }
        }
        for group in &mut table {
            group.send::<V>();
        }
    }
}

/// log2 of the places in a table: a kilobyte and a half of the stack, which may be a thread's smallest.
const PLACE_BITS: u32 = 6;

/// The place of a tag: classes next to each other, and the same class of owners next to each other, have different ones.
const fn place(tag: usize) -> usize {
    ((tag / GRANULE) as u32).wrapping_mul(0x9E37_79B1) as usize >> (u32::BITS - PLACE_BITS)
}

/// Objects of one tag that leave together.
#[derive(Clone, Copy)]
struct Group {
    tag: usize,
    batch: Batch,
}

impl Group {
    const NONE: Group = Group {
        tag: 0,
        batch: Batch::EMPTY,
    };

    /// Takes an entry in. What was there leaves first if it is of another tag, or a full batch.
    ///
    /// # Safety
    /// The entry's object is the caller's; its tag is not 0.
    unsafe fn add<V: Variant>(&mut self, entry: Entry) {
        // SAFETY: the objects are this thread's.
        unsafe {
            if self.batch.count > 0 && (entry.tag != self.tag || self.batch.count >= batch_of::<V>(self.tag)) {
                self.send::<V>();
            }
            self.tag = entry.tag;
            self.batch.push::<V>(entry.p);
        }
    }

    /// Hands the objects over to the owner of their pool.
    ///
    /// # Safety
    /// The objects are the caller's.
    unsafe fn send<V: Variant>(&mut self) {
        let batch = core::mem::replace(&mut self.batch, Batch::EMPTY);
        if batch.count > 0 {
            // SAFETY: the tag is of the pages of these objects, which are this thread's and go to one place.
            unsafe {
                let (owner, id) = V::Route::pool(self.tag);
                surrender::hand_over::<V>(Pool::of(owner, id), batch);
            }
        }
    }
}

/// Objects of a full batch of the pool that a tag other than 0 names.
fn batch_of<V: Variant>(tag: usize) -> u32 {
    // SAFETY: a tag other than 0 names a pool.
    u32::from(unsafe { V::Route::pool::<V>(tag) }.1.row().batch)
}
