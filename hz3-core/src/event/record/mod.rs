//! Recording what the program asks for, in variants that want it (`stats.record`). In all others nothing of this is left.
//!
//! The calls come here from the interface that the program uses (`abi::calls`), not from `malloc` and `free` themselves: what
//! the allocator does for itself is nobody's object.

mod histogram;
mod trace;

pub use histogram::Histogram;
pub use trace::Trace;

use crate::list;
use crate::record::Nothing;
use crate::statics::ThreadBlock;
use crate::sync::Lock;
use crate::variant::{Made, Record, Variant};
use core::ffi::{CStr, c_int};

/// Nothing is told.
pub struct Off;

impl Record for Off {
    type State = Nothing;
    type Old = ();

    const CALLS: bool = false;

    unsafe fn made<V: Variant<Record = Self>>(_: *mut u8, _: usize, _: Made) {}
    unsafe fn ends<V: Variant<Record = Self>>(_: *mut u8) {}
    unsafe fn resizes<V: Variant<Record = Self>>(_: *mut u8) {}
    unsafe fn resized<V: Variant<Record = Self>>((): (), _: *mut u8, _: *mut u8, _: usize, _: Made) {}
    fn locks<V: Variant<Record = Self>>(_: &mut dyn FnMut(&Lock)) {}
    unsafe fn in_child<V: Variant<Record = Self>>() {}
    unsafe fn unload<V: Variant<Record = Self>>() {}

    fn bytes<V: Variant<Record = Self>>() -> usize {
        0
    }

    fn dump<V: Variant<Record = Self>>(_: Option<&CStr>) -> Result<(), c_int> {
        Err(libc::ENOSYS)
    }

    fn asked<V: Variant<Record = Self>>() {}
}

/// In the block's word: the thread is in the recorder. What a signal handler asks for then is not told.
const INSIDE: u32 = 1 << 31;

/// The calling thread is in the recorder, as long as this lives.
struct Inside {
    word: *mut u32,
    thread: u32,
}

impl Inside {
    /// None if it is there already: this is a signal handler's call. `number` gives a thread that has none its number.
    ///
    /// # Safety
    /// The calling thread has its block. The variant's calls are told to a recorder.
    #[inline]
    unsafe fn enter<V: Variant>(number: impl FnOnce() -> u32) -> Option<Self> {
        // SAFETY: the block is this thread's.
        unsafe {
            let word = V::Thread::record(V::thread());
            let mut thread = *word;
            if thread & INSIDE != 0 {
                return None;
            }
            *word = thread | INSIDE;
            list::keep_order();
            if thread == 0 {
                thread = number().min(INSIDE - 1);
            }
            Some(Inside { word, thread })
        }
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        list::keep_order();
        // SAFETY: the block is this thread's, and stays as long as the thread runs.
        unsafe { *self.word = self.thread };
    }
}

/// Whether the calling thread is in the recorder: it was interrupted there.
///
/// # Safety
/// The calling thread has its block. The variant's calls are told to a recorder.
pub unsafe fn is_inside<V: Variant>() -> bool {
    // SAFETY: the block is this thread's.
    unsafe { *V::Thread::record(V::thread()) & INSIDE != 0 }
}
