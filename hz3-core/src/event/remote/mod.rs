//! What a thread keeps for other owners, outside of its block: a room, one type for each mode of ownership. The generator
//! chooses it together with the route of `free`, which has the same name in [`crate::hot`].
//!
//! Whatever leaves a thread goes to the owner's depot, a whole batch with one atomic operation, or, where that is full,
//! back to its run. Nothing belongs to *the* thread of an owner: any of the threads that share it takes from its depot
//! and its runs, and if none ever does, runs that become empty still go back to the page heap.

mod adopt;
mod owner_bank;
mod owner_ring;
mod sort;

pub use adopt::Adopt;
pub use owner_bank::OwnerBank;
pub use owner_ring::OwnerRing;

use super::{check, my_pool};
use crate::heap::Reach;
use crate::list::{Batch, Slot};
use crate::policy::ClassId;
use crate::variant::{Kind, Room, Stats, Variant};

/// A batch of class `id` from the runs that the thread's owner has. If they have nothing, it is empty, and this thread has
/// given away what it keeps for others: before it takes pages, nobody else shall have to take some for the lack of these.
///
/// # Safety
/// The calling thread is running: it has caches.
pub(super) unsafe fn before_pages<V: Variant>(id: ClassId<V>, want: u32) -> Batch {
    // SAFETY: the central is the pool's, and the entry its class's; the thread is running.
    unsafe {
        let mine = my_pool::<V>(id);
        let batch = check::from_runs::<V>(mine, Reach::Held, want);
        if batch.count > 0 {
            V::Stats::count::<V>(Kind::FromRuns);
        } else {
            V::Room::flush::<V>();
        }
        batch
    }
}

// Where hot paths end. A snapshot of a hot path names what it jumps to, so these names stay.

/// Frees `p`, whose slot in the bank has no room: for [`crate::hot::route::OwnerBank`].
///
/// # Safety
/// `p` is an object of this variant that nobody uses any more; `slot` is the slot that the tag of its page names.
#[cold]
#[inline(never)]
pub unsafe fn full_row<V: Variant>(p: *mut u8, slot: *mut Slot) {
    // SAFETY: it asks for no more than this function.
    unsafe { owner_bank::full_row::<V>(p, slot) }
}

/// Frees `p`, which is not of this thread's owner: for [`crate::hot::route::OwnerRing`].
///
/// # Safety
/// `p` is an object of this variant that nobody uses any more; `tag` is that of its page.
#[inline(never)]
pub unsafe fn into_ring<V: Variant>(p: *mut u8, tag: usize) {
    // SAFETY: it asks for no more than this function.
    unsafe { owner_ring::into_ring::<V>(p, tag) }
}
