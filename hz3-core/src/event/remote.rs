//! Objects of other owners: a full row of the bank, and the ring.
//!
//! Whatever leaves a thread goes to the owner's depot, a whole batch with one atomic operation, or, where that is full,
//! back to its run. Nothing belongs to *the* thread of an owner: any of the threads that share it takes from its depot
//! and its runs, and if none ever does, runs that become empty still go back to the page heap.

use super::{class, foreign, overflow, owners, pressure, surrender, thread};
use crate::list::{self, Batch, Slot};
use crate::os::PAGE;
use crate::policy::{Body, Naming};
use crate::statics::{Entry, State, ThreadBlock};
use crate::variant::{Kind, Stats, Variant};
use core::ptr;

/// Frees `p`, whose slot in the bank has no room (`OwnerBank`).
///
/// As `free`; `slot` is the slot that the tag of `p` names.
#[cold]
#[inline(never)]
pub unsafe fn full_row<V: Variant>(p: *mut u8, slot: *mut Slot) {
    // SAFETY: the slot is this thread's, or the trap of threads that have no bank, which is not written; the object is
    // the caller's and goes to exactly one place.
    unsafe {
        let tag = slot as usize - V::bank_slot(0) as usize;
        if tag == 0 {
            return foreign::free::<V>(p);
        }
        let (owner, id) = V::Route::pool::<V>(tag);
        match thread::state::<V>() {
            State::New => {
                thread::start::<V>();
                return V::free(p);
            }
            State::Uncached => return alone::<V>(p, owner, id),
            State::Running => {}
        }
        if owner == thread::shard::<V>() {
            return overflow::put::<V>(p, slot);
        }
        let _timer = V::Stats::time::<V>(Kind::RowFull);
        owners::notice::<V>();
        // Rows of other owners are set up by their first use: most threads free for few owners. (The slot is empty where
        // its row was given away just now.)
        let full = Batch {
            head: (*slot).head,
            count: u32::from((*slot).cap),
        };
        let pool = owner * V::CLASSES + id;
        (*slot).cap = row_length::<V>(pool);
        (*slot).head = ptr::null_mut();
        list::keep_order();
        list::set_next::<V>(p, ptr::null_mut());
        list::keep_order();
        (*slot).head = p;
        (*slot).room = u32::from((*slot).cap) - 1;
        if full.count > 0 {
            surrender::surrender::<V>(pool, full);
        }
        pressure::pulse::<V>();
    }
}

/// Objects of a pool that a thread of another owner keeps before it hands them over: no more than a page of them if
/// nobody of the owner's is there to take them.
fn row_length<V: Variant>(pool: usize) -> u16 {
    // SAFETY: the remainder is a class id.
    let row = unsafe { class::<V>(pool % V::CLASSES) };
    let full = row.batch.min(V::POLICY.remote.batch as u16).max(1);
    if owners::lives::<V>(pool) {
        full
    } else {
        full.min((PAGE / row.size.max(1) as usize) as u16).max(1)
    }
}

/// Gives one object back to its run.
unsafe fn alone<V: Variant>(p: *mut u8, owner: usize, id: usize) {
    // SAFETY: the object is the caller's, and of this pool.
    unsafe {
        list::set_next::<V>(p, ptr::null_mut());
        owners::to_runs::<V>(owner * V::CLASSES + id, p);
    }
}

/// Gives away what a thread keeps for owners without threads. (A ring holds little and is not sorted: all of it goes.)
#[cold]
#[inline(never)]
pub unsafe fn forsake<V: Variant>() {
    // SAFETY: rows and ring are this thread's.
    unsafe {
        if thread::state::<V>() != State::Running {
            return;
        }
        match V::BODY {
            Body::None => {}
            Body::Ring => flush_ring::<V>(),
            Body::Rows => flush_rows::<V>(|owner| !owners::lives::<V>(owner * V::CLASSES)),
        }
    }
}

/// Gives away what a thread keeps for those other owners that are `meant` (`OwnerBank`). Their rows start anew with their
/// next use.
pub unsafe fn flush_rows<V: Variant>(meant: impl Fn(usize) -> bool) {
    // SAFETY: rows are this thread's; lists are taken out before they are handed on.
    unsafe {
        let mine = thread::shard::<V>();
        for owner in (0..V::SHARDS).filter(|&owner| owner != mine && meant(owner)) {
            for id in 0..V::CLASSES {
                let slot = V::bank_slot(V::Route::tag::<V>(owner, id));
                let batch = Batch {
                    head: (*slot).head,
                    count: u32::from((*slot).cap) - (*slot).room,
                };
                if batch.count == 0 {
                    continue;
                }
                (*slot).head = ptr::null_mut();
                (*slot).cap = 0;
                (*slot).room = 0;
                list::keep_order();
                surrender::surrender::<V>(owner * V::CLASSES + id, batch);
            }
        }
    }
}

/// Frees `p`, which is not of this thread's owner (`OwnerRing`).
///
/// As `free`; the tag is that of the page of `p`.
#[inline(never)]
pub unsafe fn into_ring<V: Variant>(p: *mut u8, tag: usize) {
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
            flush_ring::<V>();
            pressure::pulse::<V>();
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn without_ring<V: Variant>(p: *mut u8, tag: usize) {
    // SAFETY: the caller's contract.
    unsafe {
        if tag == 0 {
            return foreign::free::<V>(p);
        }
        if thread::state::<V>() == State::New {
            thread::start::<V>();
            return V::free(p);
        }
        let (owner, id) = V::Route::pool::<V>(tag);
        alone::<V>(p, owner, id);
    }
}

/// Sends all that is in the ring to its owners, one batch a pool.
#[cold]
#[inline(never)]
pub unsafe fn flush_ring<V: Variant>() {
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

fn batch_of<V: Variant>(tag: usize) -> u32 {
    // SAFETY: a tag other than 0 names a pool.
    u32::from(unsafe { class::<V>(V::Route::pool::<V>(tag).1) }.batch)
}

unsafe fn send<V: Variant>(tag: usize, batch: Batch) {
    let (owner, id) = V::Route::pool::<V>(tag);
    // SAFETY: the batch is ours, not empty, and of this pool.
    unsafe { surrender::surrender::<V>(owner * V::CLASSES + id, batch) }
}

/// Heapsort by tag: in place, no recursion, no bad case, no panic. (`slice::sort_unstable_by_key` may panic.)
///
/// The first `n` entries are the caller's.
unsafe fn sort(entries: *mut Entry, n: usize) {
    // SAFETY: all indexes stay below `n`.
    unsafe {
        for root in (0..n / 2).rev() {
            sift(entries, root, n);
        }
        for end in (1..n).rev() {
            ptr::swap(entries, entries.add(end));
            sift(entries, 0, end);
        }
    }
}

unsafe fn sift(entries: *mut Entry, mut root: usize, n: usize) {
    // SAFETY: as in `sort`.
    unsafe {
        while root * 2 + 1 < n {
            let mut child = root * 2 + 1;
            if child + 1 < n && (*entries.add(child)).tag < (*entries.add(child + 1)).tag {
                child += 1;
            }
            if (*entries.add(root)).tag >= (*entries.add(child)).tag {
                return;
            }
            ptr::swap(entries.add(root), entries.add(child));
            root = child;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn sorts(tags in prop::collection::vec(0usize..50, 0..300)) {
            let mut entries: Vec<Entry> = tags.iter().map(|&tag| Entry { p: ptr::null_mut(), tag }).collect();
            // SAFETY: the entries are this vector's.
            unsafe { sort(entries.as_mut_ptr(), entries.len()) };
            let mut want = tags;
            want.sort_unstable();
            prop_assert_eq!(entries.iter().map(|e| e.tag).collect::<Vec<_>>(), want);
        }
    }
}
