//! Where a sampled object of a class lies: in pages of its own, from their beginning.
//!
//! To the page heap it is a large object, so that whatever is known of those holds for it. Whoever wants more of a place, such
//! as pages without access around it, changes it here: nobody else knows how a place is made.

use crate::heap::large::Fresh;
use crate::heap::lot::Seat;
use crate::heap::{Heap, Reach};
use crate::policy::Policy;

/// Makes a place for an object of `bytes`, aligned to a page. Null if there is no memory within the reach.
pub fn make(heap: &Heap, policy: &Policy, reach: Reach, bytes: usize, seat: &Seat) -> *mut u8 {
    let fresh: Fresh = heap.large(policy, reach, bytes.max(1), crate::os::PAGE, seat);
    fresh.p
}

/// Gives a place back that nobody has used.
///
/// # Safety
/// `p` is a place that [`make`] gave, and the caller's.
pub unsafe fn unmake(heap: &Heap, policy: &Policy, p: *mut u8, seat: &Seat) {
    if let Some(what) = heap.find_large(p) {
        // SAFETY: the place is the caller's, and nobody uses it.
        unsafe { heap.give_large(policy, p, what, seat) };
    }
}
