//! The lengths of processors' lists.
//!
//! They start short and grow with use, as those of threads do ([`magazine`](super::super::magazine)), while what the lists of a row
//! may hold together stays within the row's share. Rows share `cache.thread_bytes` evenly, down to a floor: there are as many as
//! processors that the process was ever seen on. When a share is spent a hand goes around the classes, one an event.

use super::block;
use super::empty::round_of;
use super::shift;
use super::taken::Taken;
use crate::event::share::Share;
use crate::event::{my_pool, slot_of, surrender};
use crate::list::Slot;
use crate::policy::{Class, ClassId};
use crate::statics::{CpuBlock, CpuSlot, Row, Shared};
use crate::variant::Variant;
use core::sync::atomic::Ordering;

/// What a row may hold, at this moment.
fn share<V: Variant>() -> (Share, usize) {
    let share = Share::among::<V>(|| {
        let shared = V::shared();
        match shared.rows().table() {
            Some(_) => shared.rows().used(),
            None => shared.threads().running(),
        }
    });
    (share, V::POLICY.cache.thread_bytes - share.lent)
}

/// Whether the lists of a row may hold so many bytes more; then they are counted.
fn has_room(row: &Row, bytes: usize, most: usize) -> bool {
    let held = row.held.fetch_add(bytes as u32, Ordering::Relaxed) as usize;
    let fits = held + bytes <= most;
    if !fits {
        row.held.fetch_sub(bytes as u32, Ordering::Relaxed);
    }
    fits
}

/// Opens this processor's slot, if it is closed and the budget allows. Returns how many objects it may hold if this call has
/// opened it, and 0 if not.
///
/// # Safety
/// `slot` is the slot of a class whose entry is `class`. The calling thread has its block.
pub(super) unsafe fn open<V: Variant>(slot: *mut Slot, class: &Class) -> u16 {
    let block = block::<V>();
    // SAFETY: the block is this thread's. Its row is one that it had a moment ago: whose it is now makes no difference, as slots are
    // opened by an exchange.
    let (row, place) = unsafe {
        if !CpuBlock::is_attached(block) {
            return 0;
        }
        let at = CpuBlock::row(block, shift::<V>());
        (&*at.cast::<Row>(), &*at.add(slot.addr()).cast::<CpuSlot>())
    };
    if place.cap() != 0 {
        // Another has it.
        return 0;
    }
    if row.seen.swap(1, Ordering::Relaxed) == 0
        && let Some((table, _)) = V::shared().rows().table()
    {
        let number = ((&raw const *row).addr() - table.addr()) >> shift::<V>();
        V::shared().rows().uses(number as u32);
    }
    let (share, most) = share::<V>();
    let first = class.batch_first.max(1);
    let bytes = usize::from(first) * class.size as usize;
    if !share.opens(bytes) {
        return 0;
    }
    if !has_room(row, bytes, most) {
        // SAFETY: the thread has its block.
        unsafe { shrink_another::<V>(first, share) };
        if !has_room(row, bytes, most) {
            return 0;
        }
    }
    if !place.open(first) {
        row.held.fetch_sub(bytes as u32, Ordering::Relaxed);
        return 0;
    }
    first
}

impl Taken {
    /// Lets the list hold `want` objects, if the budget allows. Returns what it may hold now. If that is less, the caller puts the
    /// list back and has another [give way](give_way).
    pub(super) fn grow<V: Variant>(&mut self, class: &Class, want: u16) -> u16 {
        // The hand must not come by here.
        self.slot().recent.store(1, Ordering::Relaxed);
        let have = self.cap();
        if want <= have {
            return have;
        }
        let bytes = usize::from(want - have) * class.size as usize;
        let (_, most) = share::<V>();
        // SAFETY: rows are there as long as threads use them.
        let row = unsafe { &*self.row };
        if has_room(row, bytes, most) {
            self.set_cap(want);
        }
        self.cap()
    }
}

/// Has another list of this processor's give way to one that holds `mine` objects: for the next time that it wishes to grow.
///
/// # Safety
/// The calling thread has its block, and has taken no list.
#[cold]
#[inline(never)]
pub(super) unsafe fn give_way<V: Variant>(mine: u16) {
    // SAFETY: as the caller says.
    unsafe {
        if CpuBlock::is_attached(block::<V>()) {
            shrink_another::<V>(mine, share::<V>().0);
        }
    }
}

/// Moves the hand of this processor's row on by one class, and shrinks that list if it lies idle or is much longer than `mine`.
///
/// # Safety
/// The calling thread has its block, and is attached.
unsafe fn shrink_another<V: Variant>(mine: u16, share: Share) {
    // SAFETY: the block is this thread's; a list that was taken is ours alone.
    unsafe {
        let row = &*CpuBlock::row(block::<V>(), shift::<V>()).cast::<Row>();
        let hand = usize::from(row.hand.load(Ordering::Relaxed));
        let id = ClassId::<V>::new(if hand < ClassId::<V>::COUNT { hand } else { 0 });
        row.hand.store(id.around().number() as u16, Ordering::Relaxed);
        let Some(mut list) = Taken::of::<V>(slot_of::<V>(id)) else {
            return;
        };
        let (class, cap) = (id.row(), list.cap());
        let least = if share.is_crowd() { 0 } else { class.batch_first.max(1) };
        let recent = list.slot().recent.swap(0, Ordering::Relaxed) != 0;
        let to = match (recent, cap / 2 > mine || cap == 1 && mine == 0) {
            (false, _) => least,
            (true, true) => (cap / 2).max(least),
            (true, false) => cap,
        };
        if to >= cap {
            _ = list.put_back();
            return;
        }
        let bytes = u32::from(cap - to) * class.size;
        (*list.row).held.fetch_sub(bytes, Ordering::Relaxed);
        let objects = list.batch();
        if to == 0 {
            list.close();
        } else {
            list.set_cap(to);
            _ = list.empty();
        }
        if objects.count > 0 {
            surrender::surrender::<V>(my_pool::<V>(id), objects);
        }
    }
}

/// Lets the lists of this processor that had no event since the last round fall back to their first length, once a round.
///
/// # Safety
/// The calling thread has its block, and has taken no list.
pub unsafe fn rest<V: Variant>() {
    let round = V::shared().heap().pressure.rounds.number();
    // SAFETY: the block is this thread's; a list that was taken is ours alone.
    unsafe {
        if !CpuBlock::is_attached(block::<V>()) {
            return;
        }
        let row = CpuBlock::row(block::<V>(), shift::<V>());
        if round_of::<V>(row).swap(u64::from(round), Ordering::Relaxed) == u64::from(round) {
            return;
        }
        for id in ClassId::<V>::all() {
            let Some(mut list) = Taken::of::<V>(slot_of::<V>(id)) else {
                continue;
            };
            let (class, cap) = (id.row(), list.cap());
            let first = class.batch_first.max(1);
            if list.slot().recent.swap(0, Ordering::Relaxed) != 0 || cap <= first {
                _ = list.put_back();
                continue;
            }
            (*list.row)
                .held
                .fetch_sub(u32::from(cap - first) * class.size, Ordering::Relaxed);
            list.set_cap(first);
            let objects = list.empty();
            if objects.count > 0 {
                surrender::surrender::<V>(my_pool::<V>(id), objects);
            }
        }
    }
}
