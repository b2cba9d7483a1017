//! A bank: a slot array for each owner, the thread's own among them, and its spare magazines behind.

use crate::event::share::Share;
use crate::event::{check, foreign, overflow, owners, pressure, start, surrender, thread};
use crate::list::{self, Batch, BatchWord, Slot, SlotOffset};
use crate::os::PAGE;
use crate::policy::{ClassId, Naming, Owner, Pool};
use crate::statics::{Meta, State, ThreadBlock};
use crate::variant::{Kind, Room, Stats, Variant};
use core::ptr;

/// Rows of slots and the spares.
pub struct OwnerBank;

/// Bytes of all slot arrays.
fn rows<V: Variant>() -> usize {
    Owner::<V>::COUNT << V::BIN_BITS
}

impl Room for OwnerBank {
    fn bytes<V: Variant>() -> usize {
        rows::<V>() + (ClassId::<V>::COUNT + 1) * size_of::<BatchWord>()
    }

    unsafe fn attach<V: Variant>(block: *mut V::Thread, body: *mut u8) {
        // SAFETY: the caller's block and mapping, which has room for the slot arrays and the spares behind.
        unsafe {
            V::Thread::point(block, body.cast(), body.cast());
            V::Thread::set_spares(block, body.add(rows::<V>()).cast());
        }
    }

    unsafe fn settle<V: Variant>(block: *mut V::Thread, owner: Owner<V>) {
        // SAFETY: the caller's block; the slot array of one of the owners is in its bank.
        unsafe {
            V::Thread::point(
                block,
                V::bank_slot(SlotOffset::of_row(owner)),
                V::bank_slot(SlotOffset::TRAP),
            )
        }
    }

    unsafe fn flush<V: Variant>() {
        // SAFETY: this thread is running.
        unsafe { flush_rows::<V>(|_| true) }
    }

    unsafe fn forsake<V: Variant>() {
        // SAFETY: this thread is running.
        unsafe { flush_rows::<V>(|owner| !owners::lives::<V>(owner)) }
    }

    unsafe fn leave<V: Variant>(block: *mut V::Thread) {
        // SAFETY: the caller's block.
        unsafe { V::Thread::point(block, V::trap(), V::trap()) }
    }

    unsafe fn take_back<V: Variant>(meta: *const Meta, give: impl Fn(Owner<V>, ClassId<V>, *mut u8)) {
        // SAFETY: the body is the bank of a thread that is gone, and nobody else knows it.
        unsafe {
            let mine = Owner::new((*meta).shard as usize);
            for owner in Owner::all().filter(|&owner| owner != mine) {
                for id in ClassId::all() {
                    let slot: *const Slot = (*meta).body.add(SlotOffset::in_bank(owner, id).bytes()).cast();
                    give(owner, id, (*slot).head);
                }
            }
        }
    }
}

/// Gives away what this thread keeps for those other owners that are `meant`. Their slot arrays start anew with their next use.
///
/// # Safety
/// This thread is running.
unsafe fn flush_rows<V: Variant>(meant: impl Fn(Owner<V>) -> bool) {
    // SAFETY: slot arrays are this thread's; lists are taken out before they are handed on.
    unsafe {
        let mine = thread::shard::<V>();
        for owner in Owner::all().filter(|&owner| owner != mine && meant(owner)) {
            for id in ClassId::all() {
                let slot = V::bank_slot(SlotOffset::in_bank(owner, id));
                let batch = check::contents::<V>(Pool::of(owner, id), slot);
                if batch.count == 0 {
                    continue;
                }
                (*slot).head = ptr::null_mut();
                (*slot).cap = 0;
                (*slot).room = 0;
                list::keep_order();
                surrender::surrender::<V>(Pool::of(owner, id), batch);
            }
        }
    }
}

/// See [`super::full_row`].
///
/// # Safety
/// `p` is an object of this variant that nobody uses any more; `slot` is the slot that the tag of its page names.
#[inline(always)]
pub(super) unsafe fn full_row<V: Variant>(p: *mut u8, slot: *mut Slot) {
    // SAFETY: the slot is this thread's, or the trap of threads that have no bank, which is not written; the object is
    // the caller's and goes to exactly one place.
    unsafe {
        let tag = SlotOffset::between(V::bank_slot(SlotOffset::TRAP), slot);
        if tag == SlotOffset::TRAP {
            return foreign::free::<V>(p);
        }
        let (owner, id) = V::Route::pool(tag.bytes());
        let pool = Pool::of(owner, id);
        match thread::state::<V>() {
            State::New => {
                start::start::<V>();
                return V::free(p);
            }
            State::Uncached => return owners::one_to_runs::<V>(pool, p),
            State::Running => {}
        }
        if owner == thread::shard::<V>() {
            return overflow::put::<V>(p, slot);
        }
        let _timer = V::Stats::time::<V>(Kind::RowFull);
        owners::notice::<V>();
        // Rows of other owners are set up by their first use: most threads free for few owners. (The slot is empty where
        // its slot array was given away just now.)
        let full = Batch {
            head: (*slot).head,
            count: u32::from((*slot).cap),
        };
        (*slot).cap = row_length::<V>(pool);
        (*slot).head = ptr::null_mut();
        list::keep_order();
        list::set_next::<V>(p, ptr::null_mut());
        list::keep_order();
        (*slot).head = p;
        (*slot).room = u32::from((*slot).cap) - 1;
        if full.count > 0 {
            surrender::hand_over::<V>(pool, full);
        }
        pressure::pulse::<V>();
    }
}

/// Objects of a pool that a thread of another owner keeps before it hands them over: no more than a page of them if
/// nobody of the owner's is there to take them, or if threads are a crowd.
fn row_length<V: Variant>(pool: Pool<V>) -> u16 {
    let row = pool.row();
    let full = row.batch.min(V::POLICY.remote.batch as u16).max(1);
    if owners::lives::<V>(pool.owner()) && !Share::now::<V>().is_crowd() {
        full
    } else {
        full.min((PAGE / row.size.max(1) as usize) as u16).max(1)
    }
}
