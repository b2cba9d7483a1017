//! What threads had that exist in the parent of a fork only.

use super::owners;
use crate::list::{self, Batch};
use crate::policy::agreed::{BATCH_MAX, GRANULE};
use crate::policy::{ClassId, Naming, Owner, Pool, tag_of};
use crate::statics::Vanished;
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
    let tag = V::Route::tag(owner, id);
    let mut sound = Batch::EMPTY;
    let mut p = head;
    // SAFETY: a page with the pool's tag belongs to an open run of the pool, so it is mapped; links of a list that is not
    // torn lead to such pages or to null.
    unsafe {
        while sound.count < BATCH_MAX && (p as usize).is_multiple_of(GRANULE) && tag_of::<V>(p) == tag {
            let following = list::next::<V>(p);
            sound.push::<V>(p);
            p = following;
        }
        if sound.count > 0 {
            owners::to_runs::<V>(Pool::of(owner, id), sound.head);
        }
    }
}
