//! The lengths of a thread's magazines.
//!
//! All start short and grow with use, while the bytes that they may hold together stay within the thread's budget. When
//! that is spent, others shrink for those that want to grow: a hand goes around the classes, one an event, and takes all
//! from those that had no event since it last came by (the clock algorithm), and half from those that may hold more than
//! twice as many objects as the one that asks. So idle classes give way, and busy ones come to equal lengths and rest.
//!
//! The budget is the thread's share (`event/share.rs`) of what one thread alone may hold: caches of many threads are mostly
//! copies of each other, and batches move between them through the depots. A thread whose share has become smaller than
//! what its magazines may hold gives way likewise, half a class an event.
//!
//! `growth` of a thread's block is what of a lone thread's budget its lists do not have. `closed` of that is kept for the first
//! lengths of the classes that are not open, unless threads are a crowd: so a class can be opened at once.

use super::share::Share;
use super::{check, class_of, demand_of, depot_of, guard, my_pool, sample, slot_of, spare_of, surrender, thread};
use crate::list::{self, Batch, BatchWord, Slot};
use crate::policy::{Class, ClassId, Link};
use crate::statics::{Meta, ThreadBlock};
use crate::variant::{Kind, Stats, Variant};
use core::ptr;

/// Lets the slot's list hold its first objects. Until then the length is 0 and every operation an event: the first one
/// tells whether this thread allocates from the class or was handed an object of another thread's. The class stays closed if
/// threads are a crowd and the share of this one is too small, or spent.
///
/// # Safety
/// The slot is the calling thread's own, not the trap, and empty; the thread is running, and `row` is its class's entry.
pub unsafe fn open<V: Variant>(slot: *mut Slot, row: &Class) {
    let share = Share::now::<V>();
    let cost = first_cost::<V>(row);
    // SAFETY: the slot and the block are this thread's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        let lent = if share.is_crowd() { share.lent } else { 0 };
        let first = row.batch_first.max(1);
        if !share.opens(cost) {
            return;
        }
        let growth = (*meta).growth as usize;
        if growth < cost + lent {
            let mine = if growth < lent { 0 } else { first };
            shrink_another::<V>(slot, mine, share);
            if ((*meta).growth as usize) < cost + lent {
                return;
            }
        }
        (*meta).growth -= cost as u32;
        (*meta).closed -= cost as u32;
        (*slot).cap = first;
        (*slot).room = u32::from(first);
    }
}

/// Lets all of a thread's classes be closed, as they are at its start. The caller has emptied their lists.
///
/// # Safety
/// `meta` is the calling thread's.
pub unsafe fn close_all<V: Variant>(meta: *mut Meta) {
    // SAFETY: the block is this thread's.
    unsafe {
        (*meta).growth = V::BUDGET;
        (*meta).closed = V::FIRST;
    }
}

/// Lets the slot's list hold `want` objects, if the budget allows. Returns what it may hold now.
///
/// # Safety
/// The slot is the calling thread's own and not the trap; the thread is running. `row` is its class's entry, and `want` at most
/// `row.batch`.
pub unsafe fn grow<V: Variant>(slot: *mut Slot, row: &Class, want: u16) -> u16 {
    // SAFETY: the slot and the block are this thread's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        (*slot).recent = true; // The hand must not come by here.
        let have = (*slot).cap;
        let cost = usize::from(want.saturating_sub(have)) * price::<V>(row);
        let share = Share::now::<V>();
        let kept = |meta: *mut Meta| {
            if share.is_crowd() {
                share.lent
            } else {
                share.lent + (*meta).closed as usize
            }
        };
        let growth = (*meta).growth as usize;
        if growth < cost + kept(meta) {
            // With more than its share, it gives way whatever the others' lengths are.
            let mine = if growth < kept(meta) { 0 } else { have };
            shrink_another::<V>(slot, mine, share);
        }
        if (*meta).growth as usize >= cost + kept(meta) && want > have {
            (*meta).growth -= cost as u32;
            (*slot).cap = want;
            (*slot).room += u32::from(want - have);
        }
        (*slot).cap
    }
}

/// The slot's list was empty. Where it is a batch long this says how objects come and go, and it may become longer.
///
/// # Safety
/// As for [`grow`]: the slot is the calling thread's own, not the trap; the thread is running, and `row` is its class's entry.
pub unsafe fn refilled<V: Variant>(slot: *mut Slot, row: &Class) {
    // SAFETY: the slot is this thread's.
    unsafe {
        if (*slot).cap >= row.batch {
            (*slot).tide.refilled();
            let tide = (*slot).tide;
            if tide.follows_many() && (*slot).cap > row.batch {
                lengthen::<V>(slot, row);
            }
        }
    }
}

/// The same of a list that was full. Returns whether it may hold more now.
///
/// # Safety
/// As for [`refilled`].
pub unsafe fn overflowed<V: Variant>(slot: *mut Slot, row: &Class) -> bool {
    // SAFETY: the slot is this thread's.
    unsafe {
        if (*slot).cap < row.batch {
            return false;
        }
        (*slot).tide.overflowed();
        let pool = my_pool::<V>(class_of::<V>(slot));
        (*slot).tide.has_turned()
            && !demand_of::<V>(pool).is_closed()
            && depot_of::<V>(pool).is_full(thread::home::<V>())
            && lengthen::<V>(slot, row)
    }
}

/// Lets the slot's list hold a batch more, as far as bursts may and the budget goes. Returns whether it does.
///
/// # Safety
/// As for [`refilled`].
unsafe fn lengthen<V: Variant>(slot: *mut Slot, row: &Class) -> bool {
    // SAFETY: the slot is this thread's.
    unsafe {
        let cap = (*slot).cap;
        let want = cap.saturating_add(row.batch).min(row.burst);
        let longer = want > cap && grow::<V>(slot, row, want) > cap;
        if longer {
            V::Stats::count::<V>(Kind::Lengthened);
        }
        longer
    }
}

/// Lets the slot's list, which was just taken out, hold less, if it is longer than a batch and is so in vain: a batch less where it
/// is emptied and filled in turns. And only a batch where its depot is closed: so much was freed in a row that this is no burst,
/// and whatever the list held at its end would keep runs open.
///
/// # Safety
/// As for [`grow`]; the list is empty.
pub unsafe fn shorten<V: Variant>(slot: *mut Slot, row: &Class) {
    // SAFETY: the slot and the block are this thread's.
    unsafe {
        let cap = (*slot).cap;
        let slack = (*slot).tide.is_slack();
        let to = if cap <= row.batch {
            return;
        } else if demand_of::<V>(my_pool::<V>(class_of::<V>(slot))).is_closed() {
            row.batch
        } else if slack {
            cap.saturating_sub(row.batch).max(row.batch)
        } else {
            cap
        };
        if to < cap {
            (*V::Thread::meta(V::thread())).growth += (usize::from(cap - to) * price::<V>(row)) as u32;
            (*slot).cap = to;
            V::Stats::count::<V>(Kind::Shortened);
        }
    }
}

/// Bytes that a class's magazines may hold when it is opened.
fn first_cost<V: Variant>(row: &Class) -> usize {
    usize::from(row.batch_first.max(1)) * price::<V>(row)
}

/// Bytes that one object more in a class's magazines may hold.
fn price<V: Variant>(row: &Class) -> usize {
    row.size as usize * V::POLICY.cache.magazines as usize
}

/// Moves the hand on by one class, and shrinks that class's magazines if they lie idle or are much longer than `mine`.
/// One class an event: a full turn takes as many events as there are classes, so that whatever is in use at all is seen
/// to be. The slot that `asks` is the caller's, and stays as it is. In a crowd a class that lies idle is closed.
///
/// # Safety
/// The calling thread is running: it has caches.
unsafe fn shrink_another<V: Variant>(asks: *mut Slot, mine: u16, share: Share) {
    // SAFETY: the block is this thread's; the hand stays below the number of classes.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        let id = ClassId::<V>::new((*meta).hand as usize);
        (*meta).hand = id.around().number() as u32;
        let row = id.row();
        let slot = slot_of::<V>(id);
        if slot == asks {
            return;
        }
        let cap = (*slot).cap;
        let least = if share.is_crowd() { 0 } else { row.batch_first };
        let to = match ((*slot).recent, cap / 2 > mine || cap == 1 && mine == 0) {
            (false, _) => least,
            (true, true) => (cap / 2).max(least),
            (true, false) => cap,
        };
        (*slot).recent = false;
        if to < cap {
            (*meta).growth += (usize::from(cap - to) * price::<V>(row)) as u32;
            if to == 0 {
                (*meta).closed += first_cost::<V>(row) as u32;
            }
            empty::<V>(id, to);
        }
    }
}

/// Lets the magazines of all classes that had no event since this was last called fall back to their first length.
///
/// # Safety
/// The calling thread is running: it has caches.
#[cold]
#[inline(never)]
pub unsafe fn rest<V: Variant>() {
    if V::POLICY.per_cpu() {
        // SAFETY: the thread is running.
        return unsafe { super::cpu::rest::<V>() };
    }
    // SAFETY: slots and block are this thread's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        for id in ClassId::<V>::all() {
            let (slot, first) = (slot_of::<V>(id), id.row().batch_first);
            let cap = (*slot).cap;
            if !(*slot).recent && cap > first {
                (*meta).growth += (usize::from(cap - first) * price::<V>(id.row())) as u32;
                empty::<V>(id, first);
            }
            (*slot).recent = false;
        }
    }
}

/// Objects in the magazines of class `id`.
///
/// # Safety
/// The calling thread has started, so that it has spares.
pub unsafe fn held<V: Variant>(id: ClassId<V>) -> usize {
    // SAFETY: slot and spare are this thread's.
    unsafe {
        let slot = slot_of::<V>(id);
        let spare = spare_of::<V>(id);
        (*slot).length() as usize + (*spare).unpack().count as usize
    }
}

/// Takes one object out of the magazines of class `id`; null if they are empty.
///
/// # Safety
/// The calling thread is running: it has caches.
pub unsafe fn one<V: Variant>(id: ClassId<V>) -> *mut u8 {
    if V::POLICY.per_cpu() {
        // SAFETY: the thread is running.
        return unsafe { super::cpu::one::<V>(id) };
    }
    // SAFETY: slot and spare are this thread's; objects are taken out before they are used (see the module `event`).
    unsafe {
        let slot = slot_of::<V>(id);
        let p = (*slot).head;
        if !p.is_null() {
            let next = list::next::<V>(p);
            if !V::Link::sound::<V>(next) {
                check::broken::<V>(slot);
                return ptr::null_mut();
            }
            (*slot).head = next;
            (*slot).room += 1;
            list::keep_order();
            return p;
        }
        let spare = spare_of::<V>(id);
        let mut batch = (*spare).unpack();
        if batch.count == 0 {
            return ptr::null_mut();
        }
        let p = check::pop::<V>(my_pool::<V>(id), &mut batch);
        *spare = BatchWord::pack(batch);
        list::keep_order();
        p
    }
}

/// Gives away what the magazines of class `id` hold, and lets them hold `cap` from now on. The budget is the caller's
/// business.
///
/// # Safety
/// The calling thread has started, so that it has spares.
#[inline(never)] // From loops over all classes.
pub unsafe fn empty<V: Variant>(id: ClassId<V>, cap: u16) {
    // SAFETY: slot and spare are this thread's; lists are taken out before they are handed on (see the module `event`).
    unsafe {
        let slot = slot_of::<V>(id);
        let spare = spare_of::<V>(id);
        let current = check::contents::<V>(my_pool::<V>(id), slot);
        let second = (*spare).unpack();
        guard::forget::<V>(id);
        sample::forget::<V>(id);
        (*slot).head = ptr::null_mut();
        *spare = BatchWord::NONE;
        (*slot).cap = cap;
        (*slot).room = u32::from(cap);
        list::keep_order();
        for batch in [current, second] {
            if batch.count > 0 {
                surrender::surrender::<V>(my_pool::<V>(id), batch);
            }
        }
    }
}

/// Gives away what the magazines of all classes hold, and lets them hold nothing from now on. The budget is the caller's business.
///
/// # Safety
/// The calling thread has started, so that it has spares.
pub unsafe fn empty_all<V: Variant>() {
    // SAFETY: slots and spares are this thread's; all slots lie in its bank.
    unsafe {
        let bank = (*V::Thread::meta(V::thread())).bank;
        for id in ClassId::<V>::all() {
            let slot = bank.add(id.place());
            // Most threads, and all short ones, have opened few classes. (Of a closed one nothing is due to be guarded or sampled.)
            let is_closed = (u32::from((*slot).cap) | (*slot).room) == 0 && (*slot).head.is_null();
            let has_spare = V::POLICY.cache.magazines > 1 && (*spare_of::<V>(id)).unpack().count > 0;
            if !is_closed || has_spare {
                empty::<V>(id, 0);
            }
        }
    }
}

/// Makes a batch the slot's list, which is empty; what is too long for it goes back.
///
/// # Safety
/// The slot is the calling thread's own, not the trap, and empty; the thread is running. The batch is the caller's and of
/// the slot's class.
pub unsafe fn install<V: Variant>(slot: *mut Slot, batch: Batch) {
    // SAFETY: slot and batch are this thread's.
    unsafe {
        let id = class_of::<V>(slot);
        let row = id.row();
        let mut cap = (*slot).cap;
        if batch.count > u32::from(cap) && cap > 0 {
            cap = grow::<V>(slot, row, batch.count.min(u32::from(row.batch)) as u16);
        }
        let mut kept = batch;
        if batch.count > u32::from(cap) {
            kept = cut::<V>(id, batch, u32::from(cap));
        }
        for portion in [
            sample::portion::<V>(id, row, kept.count),
            guard::portion::<V>(id, row, kept.count),
        ] {
            if portion < kept.count {
                kept = cut::<V>(id, kept, portion);
            }
        }
        (*slot).room = u32::from(cap) - kept.count;
        list::keep_order();
        (*slot).head = kept.head;
    }
}

/// Keeps the first `keep` objects of a batch and gives the others away.
///
/// # Safety
/// The batch is the caller's, of this class of the calling thread's, and longer than `keep`; the thread is running.
unsafe fn cut<V: Variant>(id: ClassId<V>, batch: Batch, keep: u32) -> Batch {
    // SAFETY: the batch is this thread's, and longer than `keep`.
    unsafe {
        if keep == 0 {
            surrender::surrender::<V>(my_pool::<V>(id), batch);
            return Batch::EMPTY;
        }
        let (mine, rest) = batch.split::<V>(keep);
        surrender::surrender::<V>(my_pool::<V>(id), rest);
        mine
    }
}
