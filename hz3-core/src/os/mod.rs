//! The operating system: the only module that calls the kernel and libc.
//!
//! Memory, waiting, time and reports go straight to the kernel (`raw`). Threads, keys and fork handlers are libc's; these
//! calls may allocate, and are made where no lock is held. Every wrapper leaves `errno` as it was: `free` must not change
//! it, and only the ABI layer sets it.

mod aside;
mod backed;
mod bare;
mod c_library;
pub mod cgroup;
mod clock;
pub mod environment;
pub mod fault;
pub mod file;
mod futex;
pub mod glibc;
pub mod guard;
mod identity;
mod limits;
mod line;
#[cfg(any(not(target_arch = "x86_64"), all(test, not(loom))))]
mod low;
pub mod machine;
mod maps;
mod memory;
mod moving;
pub mod output;
pub mod program;
mod random;
mod raw;
pub(crate) mod refuse;
mod report;
pub mod rseq;
pub mod signal;
pub mod stack;
pub mod symbols;
mod thread;
#[cfg(all(test, loom))]
pub(crate) mod watch;

pub use aside::aside;
pub use backed::is_own;
pub use bare::*;
pub use c_library::Malloc;
pub use clock::{now_ms, now_ns, spent_ns, wall_ns};
pub use futex::{futex_wait, futex_wait_for, futex_wake, futex_wake_all};
pub use identity::{
    is_only_thread, node, parent_number, process_number, thread_identity, thread_number, thread_sleeps,
};
pub use limits::{address_space_limit, most_memory};
pub use line::fetch;
pub use machine::{down, page, pages, up};
pub use maps::{Mapped, Mapping, each_mapping, mapped_at};
pub use memory::*;
pub use moving::{Moved, move_pages};
pub use random::{random_bits, secret_bits, stir};
pub use report::{abort, complain, die};
pub use thread::*;

use core::ffi::c_int;

/// Bytes of a page of the heap's. Those of the kernel's are as large or larger: [`machine::page`].
pub const PAGE: usize = 4096;
/// Bits of an address that the heap can use. What is mapped lies below.
pub const ADDRESS_BITS: u32 = 47;
/// No memory.
pub const ENOMEM: c_int = libc::ENOMEM;
/// A bad argument.
pub const EINVAL: c_int = libc::EINVAL;

/// Puts `errno` back when it is dropped.
struct KeepErrno(c_int);

impl KeepErrno {
    fn new() -> Self {
        KeepErrno(errno())
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        set_errno(self.0);
    }
}

/// This thread's `errno`.
#[inline]
pub fn errno() -> c_int {
    // SAFETY: libc returns a valid, thread-local address for the life of the thread.
    unsafe { *libc::__errno_location() }
}

/// Sets this thread's `errno`.
#[inline]
pub fn set_errno(value: c_int) {
    // SAFETY: as in `errno`.
    unsafe { *libc::__errno_location() = value }
}
