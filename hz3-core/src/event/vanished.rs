//! What threads had that exist in the parent of a fork only.

use super::{owners, wrap};
use crate::heap::check::Sieve;
use crate::list::{self, Batch};
use crate::policy::agreed::BATCH_MAX;
use crate::policy::{ClassId, Owner, Pool};
use crate::statics::{Shared, Vanished};
use crate::variant::{Room, Variant};

/// Takes all that these threads had in their caches and gives it back, after looking at every object: on machines that reorder
/// stores, the copy of a list may be older than what points to it.
///
/// # Safety
/// These threads do not exist any more, or will never be in the variant's code again, and nobody else knows their blocks:
/// they are as they were at some instruction.
pub(super) unsafe fn take_back<V: Variant>(vanished: &Vanished) {
    let mut at = vanished.first;
    while !at.is_null() {
        // SAFETY: the blocks are copies of those threads' memory, and nobody else knows them here.
        unsafe {
            if (*at).bank.is_null() {
                // It was about to start, and has nothing.
                at = (*at).next;
                continue;
            }
            let mine = Owner::new((*at).shard as usize);
            for id in ClassId::all() {
                give::<V>(mine, id, (*(*at).bank.add(id.place())).head);
                give::<V>(mine, id, (*(*at).spares.add(id.place())).unpack().head);
            }
            V::Room::take_back::<V>(at, |owner, id, head| give::<V>(owner, id, head));
            wrap::quarantine::take_back::<V>(at);
            let next = (*at).next;
            super::exit::unmap_room::<V>(at);
            at = next;
        }
    }
    for (owner, deserted) in Owner::all().zip(&vanished.deserted) {
        if *deserted && V::SHARDS > 1 {
            owners::clear::<V>(owner);
        }
    }
}

/// Gives a list of another thread's back to its runs, up to the first object that cannot be one of this pool.
///
/// # Safety
/// `head` is null, or where a list of this pool began that nobody else knows: it may be torn.
unsafe fn give<V: Variant>(owner: Owner<V>, id: ClassId<V>, head: *mut u8) {
    let (pool, heap) = (Pool::of(owner, id), V::shared().heap());
    let outside = |p: *const u8| heap.has_outside(p);
    let mut sieve = Sieve::new(heap, &outside);
    let mut sound = Batch::EMPTY;
    let mut p = head;
    // SAFETY: what the sieve lets pass is an object of an open run of the pool, and is mapped. A torn list may lead anywhere, where
    // links are encoded even more so; nothing is followed before it has passed.
    unsafe {
        while sound.count < BATCH_MAX && sieve.run_of::<V>(pool, id.row(), p).is_ok() {
            let following = list::next::<V>(p);
            sound.push::<V>(p);
            p = following;
        }
        if sound.count > 0 {
            owners::to_runs::<V>(pool, sound);
        }
    }
}
