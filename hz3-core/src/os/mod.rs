//! The operating system: the only module that calls the kernel and libc.
//!
//! Memory, waiting, time and reports go straight to the kernel (`raw`). Threads, keys and fork handlers are libc's; these
//! calls may allocate, and are made where no lock is held. Every wrapper leaves `errno` as it was: `free` must not change
//! it, and only the ABI layer sets it.

mod bare;
mod c_library;
mod clock;
pub mod environment;
pub mod file;
mod futex;
pub mod glibc;
mod identity;
mod line;
mod maps;
mod memory;
pub mod output;
pub mod program;
mod raw;
mod report;
pub mod signal;
pub mod stack;
pub mod symbols;
mod thread;

pub use bare::*;
pub use c_library::Malloc;
pub use clock::{now_ms, now_ns, wall_ns};
pub use futex::{futex_wait, futex_wait_for, futex_wake, futex_wake_all};
pub use identity::{parent_number, process_number, thread_identity, thread_number, thread_sleeps};
pub use line::fetch;
pub use maps::{Mapped, Mapping, each_mapping, mapped_at};
pub use memory::*;
pub use report::{complain, die};
pub use thread::*;

use core::ffi::c_int;

/// Bytes of a page.
pub const PAGE: usize = 4096;
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
