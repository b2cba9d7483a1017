//! Rust's `GlobalAlloc`.

use super::calls;
use crate::policy::agreed::GRANULE;
use crate::variant::{Token, Variant};
use core::alloc::{GlobalAlloc, Layout};

/// `GlobalAlloc::alloc`. With a constant layout the size class folds away.
///
/// # Safety
/// As for the function of this name in [`GlobalAlloc`]. The calling thread has its block: it is
/// any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn alloc<V: Variant>(layout: Layout) -> *mut u8 {
    // SAFETY: alignments of layouts are powers of two.
    unsafe {
        if layout.align() <= V::GRANULE {
            calls::malloc_aligned::<V>(layout.align(), layout.size())
        } else {
            calls::aligned::<V>(layout.align(), layout.size())
        }
    }
}

/// `GlobalAlloc::dealloc`.
///
/// # Safety
/// As for the function of this name in [`GlobalAlloc`]. The calling thread has its block: it is
/// any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn dealloc<V: Variant>(p: *mut u8, layout: Layout) {
    // SAFETY: the object is this allocator's, and nobody uses it any more. It may have been resized.
    unsafe { calls::free_sized::<V>(p, layout.size(), layout.align(), false) }
}

/// `GlobalAlloc::alloc_zeroed`: memory fresh from the kernel is not cleared again.
///
/// # Safety
/// As for the function of this name in [`GlobalAlloc`]. The calling thread has its block: it is
/// any thread of the C library's, not the helper.
#[inline]
pub unsafe fn alloc_zeroed<V: Variant>(layout: Layout) -> *mut u8 {
    // SAFETY: the new object holds `layout.size()` bytes.
    unsafe {
        // What has pages of its own is aligned to 16 in any case.
        let large = layout.align() <= GRANULE && layout.size() > V::LARGEST;
        if layout.align() <= V::GRANULE || large {
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
/// As for the function of this name in [`GlobalAlloc`]. The calling thread has its block: it is
/// any thread of the C library's, not the helper.
#[inline]
pub unsafe fn realloc<V: Variant>(p: *mut u8, layout: Layout, n: usize) -> *mut u8 {
    // SAFETY: the object is this allocator's and only the caller's; a larger alignment than every object has needs a new
    // aligned object.
    unsafe {
        // What has pages of its own is aligned to 16 in any case.
        let large = layout.align() <= GRANULE && layout.size() > V::LARGEST && n > V::LARGEST;
        if layout.align() <= V::GRANULE || large {
            calls::resize::<V>(p, n, layout.size())
        } else {
            calls::resize_aligned::<V>(p, n, layout.size(), layout.align())
        }
    }
}

// SAFETY: as for a variant itself, whose objects these are.
unsafe impl<V: Variant, const N: usize> GlobalAlloc for Token<V, N> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller says.
        unsafe { alloc::<Self>(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { dealloc::<Self>(p, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller says.
        unsafe { alloc_zeroed::<Self>(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, n: usize) -> *mut u8 {
        // SAFETY: as the caller says.
        unsafe { realloc::<Self>(p, layout, n) }
    }
}
