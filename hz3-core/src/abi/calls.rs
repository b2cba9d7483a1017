//! The calls of a program: what they do, and the telling of it where there is a recorder. Where there is none
//! ([`Record::CALLS`] is false) each of these is the operation alone.

use super::object;
use crate::hot;
use crate::variant::{Made, Record, Variant};

/// Tells of an object that was made, if it was.
#[inline(always)]
fn made<V: Variant>(p: *mut u8, n: usize, how: Made) -> *mut u8 {
    if V::Record::CALLS && !p.is_null() {
        // SAFETY: the object was just made for the caller of this module's functions, whose thread has its block.
        unsafe { V::Record::made::<V>(p, n, how) };
    }
    p
}

/// `malloc(n)`.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn malloc<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: the thread has its block.
    made::<V>(unsafe { hot::malloc::<V>(n) }, n, Made::Plain)
}

/// `free(p)`.
///
/// # Safety
/// `p` is null or an object of this variant that nobody uses any more. The calling thread has its block: it is any thread
/// of the C library's, not the helper.
#[inline(always)]
pub unsafe fn free<V: Variant>(p: *mut u8) {
    // SAFETY: the object is the caller's, who gives it away.
    unsafe {
        if V::Record::CALLS && !p.is_null() {
            V::Record::ends::<V>(p);
        }
        hot::free::<V>(p);
    }
}

/// `n` bytes of zeroes.
///
/// # Safety
/// As for [`malloc`].
#[inline(always)]
pub unsafe fn zeroed<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: the thread has its block.
    made::<V>(unsafe { object::zeroed::<V>(n) }, n, Made::Zeroed)
}

/// `n` bytes at a multiple of `align`.
///
/// # Safety
/// `align` is a power of two. The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn aligned<V: Variant>(align: usize, n: usize) -> *mut u8 {
    // SAFETY: it asks for no more than this function.
    made::<V>(unsafe { object::aligned::<V>(align, n) }, n, Made::Aligned(align))
}

/// The same, if this thread has such an object at hand; null if not.
///
/// # Safety
/// As for [`aligned`].
#[inline(always)]
pub unsafe fn aligned_at_hand<V: Variant>(align: usize, n: usize) -> *mut u8 {
    // SAFETY: it asks for no more than this function.
    made::<V>(
        unsafe { object::aligned_at_hand::<V>(align, n) },
        n,
        Made::Aligned(align),
    )
}

/// The same, where there is none at hand.
///
/// # Safety
/// As for [`aligned`].
#[inline(always)]
pub unsafe fn aligned_elsewhere<V: Variant>(align: usize, n: usize) -> *mut u8 {
    // SAFETY: it asks for no more than this function.
    made::<V>(
        unsafe { object::aligned_elsewhere::<V>(align, n) },
        n,
        Made::Aligned(align),
    )
}

/// Makes the object at `p` hold `n` bytes by `resize`, and tells of it.
///
/// # Safety
/// `p` is an object of the caller's, or not ours; not null. `resize` makes it hold `n` bytes, as `how` says, or returns null.
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn resized<V: Variant>(p: *mut u8, n: usize, how: Made, resize: impl FnOnce() -> *mut u8) -> *mut u8 {
    if !V::Record::CALLS {
        return resize();
    }
    // SAFETY: the object is the caller's.
    unsafe {
        let old = V::Record::resizes::<V>(p);
        let q = resize();
        V::Record::resized::<V>(old, p, q, n, how);
        q
    }
}
