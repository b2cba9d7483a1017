//! What can come of a large request: told by numbers that are at hand, so that what nothing can serve fails at once.

use super::Heap;
use super::arena::Arena;
use super::segment::SEGMENT;
use crate::policy::Policy;
use crate::policy::agreed::ADDRESS_BITS;

/// Bytes of addresses that a process has.
const ADDRESSES: usize = 1 << ADDRESS_BITS;

impl Heap {
    /// Whether an object of so many bytes at a multiple of `align` can exist. For a process that has started.
    pub fn can_exist(&self, policy: &Policy, bytes: usize, align: usize) -> bool {
        // SAFETY: the page heap exists as long as the process, which has started.
        let arena = unsafe { Arena::size(&raw const (*self.unlocked()).arena) };
        bytes <= arena || policy.grows_outside() && bytes <= ADDRESSES.saturating_sub(align)
    }

    /// Whether an object of so many bytes may find room in the arena when all is given back that nobody uses.
    pub fn arena_may_hold(&self, bytes: usize) -> bool {
        self.locked(|h| {
            let free = h.arena.segments() - h.arena.used();
            // All segments of pages could be free, but not those of huge objects.
            bytes.div_ceil(SEGMENT) <= free + h.segments
        })
    }
}
