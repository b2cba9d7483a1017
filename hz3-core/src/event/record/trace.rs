//! Every call is written down, one after the other.

use super::{Inside, is_inside};
use crate::record::{Act, Stream};
use crate::statics::ThreadBlock;
use crate::sync::Lock;
use crate::variant::{Made, Record, Variant};
use core::ffi::{CStr, c_int};

/// Every call is written down (`stats.record = "trace"`).
pub struct Trace;

impl Trace {
    /// # Safety
    /// The calling thread has its block.
    unsafe fn tell<V: Variant<Record = Self>>(act: Act, p: *mut u8, n: usize, align: u8) {
        let stream = V::recorder();
        // SAFETY: the block is this thread's.
        if let Some(inside) = unsafe { Inside::enter::<V>(|| stream.number()) } {
            stream.event(V::NAME, act, p, n, align, inside.thread);
        } else {
            stream.drop_one();
        }
    }
}

impl Record for Trace {
    type State = Stream;
    type Old = ();

    const CALLS: bool = true;

    #[inline(never)]
    unsafe fn made<V: Variant<Record = Self>>(p: *mut u8, n: usize, how: Made) {
        let (act, align) = match how {
            Made::Plain => (Act::Malloc, 0),
            Made::Zeroed => (Act::Calloc, 0),
            Made::Aligned(align) => (Act::Memalign, align.ilog2() as u8),
        };
        // SAFETY: the block is this thread's.
        unsafe { Self::tell::<V>(act, p, n, align) };
    }

    #[inline(never)]
    unsafe fn ends<V: Variant<Record = Self>>(p: *mut u8) {
        // SAFETY: the block is this thread's.
        unsafe { Self::tell::<V>(Act::Free, p, 0, 0) };
    }

    #[inline(never)]
    unsafe fn resizes<V: Variant<Record = Self>>(p: *mut u8) {
        // SAFETY: the block is this thread's.
        unsafe { Self::tell::<V>(Act::ReallocOld, p, 0, 0) };
    }

    #[inline(never)]
    unsafe fn resized<V: Variant<Record = Self>>((): (), before: *mut u8, after: *mut u8, n: usize, _: Made) {
        // SAFETY: the block is this thread's.
        unsafe {
            if after.is_null() {
                Self::tell::<V>(Act::ReallocFailed, before, 0, 0);
            } else {
                Self::tell::<V>(Act::ReallocNew, after, n, 0);
            }
        }
    }

    fn locks<V: Variant<Record = Self>>(f: &mut dyn FnMut(&Lock)) {
        V::recorder().locks(f);
    }

    unsafe fn in_child<V: Variant<Record = Self>>() {
        // SAFETY: the block is this thread's.
        unsafe {
            let busy = is_inside::<V>();
            V::recorder().in_child(busy);
            if !busy {
                *V::Thread::record(V::thread()) = 0;
            }
        }
    }

    unsafe fn unload<V: Variant<Record = Self>>() {
        // SAFETY: nobody is in the variant's code.
        unsafe { V::recorder().clear() };
    }
    fn bytes<V: Variant<Record = Self>>() -> usize {
        V::recorder().bytes()
    }

    // A recording is no profile.
    fn dump<V: Variant<Record = Self>>(_: Option<&CStr>) -> Result<(), c_int> {
        Err(libc::ENOSYS)
    }

    fn asked<V: Variant<Record = Self>>() {}
}
