//! The hot paths, and nothing else: no call, no read-modify-write, no syscall, no loop; every exit is a tail call into
//! [`crate::event`].
//!
//! Budget on x86-64, `ret` included: `malloc` 16 instructions (20 above the fine table), `free` 15; two conditional
//! branches each. A policy may change what the tables hold or which type is chosen; it never adds a branch here.
//!
//! A thread block that is all zero is a valid state: every head is null and every room is 0, so a thread's first
//! operation of either kind falls into an event, which starts the thread.

mod free;
mod malloc;
mod route;
mod space;

pub use free::{free, tag_of};
pub use malloc::{Coarse, FineOnly, Miss, Null, malloc, malloc_or};
pub use route::{Adopt, OwnerBank, OwnerRing, Route};
pub use space::{ArenaSpace, FlatSpace, Space};

/// A thread's free list of one bin. `room` + the length of the list = `cap`.
#[repr(C)]
pub struct Slot {
    /// First free object.
    pub head: *mut u8,
    /// How many more objects the list may take.
    pub room: u32,
    /// How many objects the list may hold: a batch's length, or less where the thread has had little use for more.
    pub cap: u16,
    /// An event of this slot happened since the thread last looked for magazines that lie idle.
    pub recent: bool,
}

const _: () = assert!(size_of::<Slot>() == 16, "page tags are byte offsets in units of 16");
