//! The hot paths, and nothing else: no call, no read-modify-write, no syscall, no loop; every exit is a tail call into
//! [`crate::event`].
//!
//! Budget on x86-64, `ret` included: `malloc` 16 instructions (20 above the fine table), `free` 15; two conditional
//! branches each. A policy may change what the tables hold or which type is chosen; it never adds a branch here.
//!
//! A thread block that is all zero is a valid state: every head is null and every room is 0, so a thread's first
//! operation of either sort falls into an event, which starts the thread.

mod free;
mod malloc;
mod prefetch;
pub mod route;
pub mod sentry;
mod space;

pub use free::free;
pub use malloc::{Coarse, CpuSlots, FineOnly, Null, ThreadSlots, malloc, malloc_or, pop_aligned};
pub use prefetch::{NoPrefetch, PrefetchNext};
pub use space::{ArenaSpace, FLAT_PAGES, FlatSpace};

use crate::variant::{Operations, Variant};

impl<V: Variant> Operations for V {
    #[inline(always)]
    unsafe fn malloc(n: usize) -> *mut u8 {
        // SAFETY: the thread has its block.
        unsafe { malloc::<V>(n) }
    }

    #[inline]
    unsafe fn malloc_uncounted(n: usize) -> *mut u8 {
        // SAFETY: the thread has its block.
        unsafe { malloc::uncounted::<V, Null>(n) }
    }

    #[inline(always)]
    unsafe fn free(p: *mut u8) {
        // SAFETY: it asks for no more than this function.
        unsafe { free::<V>(p) }
    }
}
