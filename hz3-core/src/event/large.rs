//! Objects above the largest class.

use super::stats::{Kind, Stats};
use super::{pressure, process};
use crate::heap::large::Fresh;
use crate::os::PAGE;
use crate::statics::Shared;
use crate::variant::Variant;

/// Allocates `n` bytes above the largest class; null with `errno = ENOMEM` when the kernel refuses.
#[cold]
#[inline(never)]
pub unsafe fn malloc<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: none needed from the caller but that it may allocate.
    unsafe { aligned::<V>(n, PAGE) }.p
}

/// The same at a multiple of `align`, a power of two; says whether the memory is all zero.
pub unsafe fn aligned<V: Variant>(n: usize, align: usize) -> Fresh {
    process::start::<V>();
    let _timer = V::Stats::time::<V>(Kind::LargeMalloc);
    let heap = V::shared().heap();
    let n = n.max(1);
    // SAFETY: an event of this thread.
    unsafe { pressure::pulse::<V>(pressure::From::Malloc) };
    let attempt = |reach| {
        let fresh = heap.large(&V::POLICY, reach, n, align);
        (!fresh.p.is_null()).then_some(fresh)
    };
    if let Some(fresh) = attempt(pressure::first::<V>()) {
        return fresh;
    }
    if n <= isize::MAX as usize {
        // SAFETY: an event of this thread.
        if let Some(fresh) = unsafe { pressure::overcome::<V, _>(attempt) } {
            return fresh;
        }
    }
    pressure::no_memory::<V>();
    Fresh::NONE
}
