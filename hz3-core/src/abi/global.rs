//! Rust's `GlobalAlloc`.

use super::{calls, object};
use crate::hot;
use crate::variant::{Made, Variant};
use core::alloc::Layout;

/// `GlobalAlloc::alloc`. With a constant layout the size class folds away.
///
/// # Safety
/// As for the function of this name in [`GlobalAlloc`](core::alloc::GlobalAlloc). The calling thread has its block: it is
/// any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn alloc<V: Variant>(layout: Layout) -> *mut u8 {
    // SAFETY: alignments of layouts are powers of two.
    unsafe {
        if layout.align() <= 16 {
            calls::malloc::<V>(layout.size())
        } else {
            calls::aligned::<V>(layout.align(), layout.size())
        }
    }
}

/// `GlobalAlloc::dealloc`.
///
/// # Safety
/// As for the function of this name in [`GlobalAlloc`](core::alloc::GlobalAlloc). The calling thread has its block: it is
/// any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn dealloc<V: Variant>(p: *mut u8) {
    // SAFETY: the object is this allocator's, and nobody uses it any more.
    unsafe { calls::free::<V>(p) }
}

/// `GlobalAlloc::alloc_zeroed`: memory fresh from the kernel is not cleared again.
///
/// # Safety
/// As for the function of this name in [`GlobalAlloc`](core::alloc::GlobalAlloc). The calling thread has its block: it is
/// any thread of the C library's, not the helper.
#[inline]
pub unsafe fn alloc_zeroed<V: Variant>(layout: Layout) -> *mut u8 {
    // SAFETY: the new object holds `layout.size()` bytes.
    unsafe {
        if layout.align() <= 16 {
            return calls::zeroed::<V>(layout.size());
        }
        let p = calls::aligned::<V>(layout.align(), layout.size());
        if !p.is_null() {
            core::ptr::write_bytes(p, 0, layout.size());
        }
        p
    }
}

/// `GlobalAlloc::realloc`.
///
/// # Safety
/// As for the function of this name in [`GlobalAlloc`](core::alloc::GlobalAlloc). The calling thread has its block: it is
/// any thread of the C library's, not the helper.
#[inline]
pub unsafe fn realloc<V: Variant>(p: *mut u8, layout: Layout, n: usize) -> *mut u8 {
    // SAFETY: the object is this allocator's and only the caller's; a larger alignment than every object has needs a new
    // aligned object.
    unsafe {
        if layout.align() <= 16 {
            return calls::resized::<V>(p, n, Made::Plain, || object::resize::<V>(p, n, layout.size()));
        }
        calls::resized::<V>(p, n, Made::Aligned(layout.align()), || {
            if n <= object::usable::<V>(p) && n > layout.size() / 2 {
                return p;
            }
            let q = object::aligned::<V>(layout.align(), n);
            if !q.is_null() {
                core::ptr::copy_nonoverlapping(p, q, layout.size().min(n));
                hot::free::<V>(p);
            }
            q
        })
    }
}
