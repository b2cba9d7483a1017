//! What a thread is to us.

use crate::heap::depot::Home;
use crate::list::Slot;
use crate::policy::Owner;
use crate::statics::{State, ThreadBlock};
use crate::variant::Variant;

/// Whether this thread may use its caches.
///
/// # Safety
/// The calling thread has its block.
#[inline]
pub unsafe fn state<V: Variant>() -> State {
    // SAFETY: the block is this thread's.
    unsafe { (*V::Thread::meta(V::thread())).state }
}

/// The owner that this thread is one of.
///
/// # Safety
/// The calling thread has its block. (One that has not started is of the first owner.)
#[inline]
pub unsafe fn shard<V: Variant>() -> Owner<V> {
    // SAFETY: the block is this thread's; its owner was one of the first `Owner::COUNT` when it was chosen.
    unsafe { Owner::new((*V::Thread::meta(V::thread())).shard as usize) }
}

/// The shelf of depots that this thread looks into first.
///
/// # Safety
/// The calling thread has its block. (One that has not started has none in particular.)
#[inline]
pub unsafe fn home<V: Variant>() -> Home {
    // SAFETY: the block is this thread's.
    unsafe { (*V::Thread::meta(V::thread())).home }
}

/// This thread's slot array in its block, and the tag of its first slot: for [`crate::hot::route::OwnerRing`].
///
/// # Safety
/// The calling thread has its block, which begins with its slot array.
#[inline(always)]
pub(crate) unsafe fn bank_and_base<V: Variant>() -> (*mut Slot, usize) {
    let block = V::thread();
    // SAFETY: the block is this thread's and begins with its slot array.
    unsafe { (block.cast(), (*V::Thread::meta(block)).base) }
}
