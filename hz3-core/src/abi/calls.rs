//! The calls of a program: what they do, the telling of it where there is a recorder, and what objects have on where the config
//! wants that. Where there is neither ([`attended`] is false) each of these is the operation alone.

use super::{object, wrapped};
use crate::variant::{Made, Record, Variant};
use crate::{event, hot};
use core::ptr;

/// Whether anybody has to do with calls beside the operation itself.
pub const fn attended<V: Variant>() -> bool {
    V::Record::CALLS || V::POLICY.wraps()
}

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
    let p = unsafe {
        if V::POLICY.wraps() {
            wrapped::malloc::<V>(n)
        } else {
            hot::malloc::<V>(n)
        }
    };
    made::<V>(p, n, Made::Plain)
}

/// `n` bytes at a multiple of `align`, which every object of the variant's is.
///
/// # Safety
/// As for [`malloc`]. `align` is a power of two, at most the granule.
#[inline(always)]
pub unsafe fn malloc_aligned<V: Variant>(align: usize, n: usize) -> *mut u8 {
    // SAFETY: the thread has its block.
    let p = unsafe {
        if V::POLICY.wraps() {
            wrapped::malloc::<V>(n)
        } else {
            hot::malloc::<V>(n)
        }
    };
    made::<V>(p, n, Made::Aligned(align))
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
        if V::POLICY.wraps() {
            return wrapped::free::<V>(p);
        }
        if V::Record::CALLS && !p.is_null() {
            V::Record::ends::<V>(p);
        }
        hot::free::<V>(p);
    }
}

/// `free(p)` of an object that its owner says to have asked for `n` bytes of, at a multiple of `align`; `exactly` if it was never
/// resized. That is checked if the variant does.
///
/// # Safety
/// As for [`free`].
#[inline(always)]
pub unsafe fn free_sized<V: Variant>(p: *mut u8, n: usize, align: usize, exactly: bool) {
    // SAFETY: the object is the caller's, who gives it away.
    unsafe {
        if V::POLICY.hardening.sized
            && !p.is_null()
            && !object::was_asked_for::<V>(p, n.saturating_add(V::POLICY.extra()), align, exactly)
        {
            return;
        }
        free::<V>(p);
    }
}

/// `free(p)` of an object that its owner says to have asked for at a multiple of `align`. That is checked if the variant does.
///
/// # Safety
/// As for [`free`].
#[inline(always)]
pub unsafe fn free_aligned<V: Variant>(p: *mut u8, align: usize) {
    // SAFETY: the object is the caller's, who gives it away.
    unsafe {
        if V::POLICY.hardening.sized && !object::is_aligned_to::<V>(p, align) {
            return;
        }
        free::<V>(p);
    }
}

/// `n` bytes of zeroes.
///
/// # Safety
/// As for [`malloc`].
#[inline(always)]
pub unsafe fn zeroed<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: the thread has its block.
    let p = unsafe {
        if V::POLICY.wraps() {
            wrapped::zeroed::<V>(n)
        } else {
            object::zeroed::<V>(n)
        }
    };
    made::<V>(p, n, Made::Zeroed)
}

/// `n` bytes at a multiple of `align`.
///
/// # Safety
/// `align` is a power of two. The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn aligned<V: Variant>(align: usize, n: usize) -> *mut u8 {
    // SAFETY: it asks for no more than this function.
    let p = unsafe {
        if V::POLICY.wraps() {
            wrapped::aligned::<V>(align, n)
        } else {
            object::aligned::<V>(align, n)
        }
    };
    made::<V>(p, n, Made::Aligned(align))
}

/// The same, if this thread has such an object at hand; null if not.
///
/// # Safety
/// As for [`aligned`].
#[inline(always)]
pub unsafe fn aligned_at_hand<V: Variant>(align: usize, n: usize) -> *mut u8 {
    // SAFETY: it asks for no more than this function.
    let p = unsafe {
        if V::POLICY.wraps() {
            wrapped::aligned_at_hand::<V>(align, n)
        } else {
            object::aligned_at_hand::<V>(align, n)
        }
    };
    made::<V>(p, n, Made::Aligned(align))
}

/// The same, where there is none at hand.
///
/// # Safety
/// As for [`aligned`].
#[inline(always)]
pub unsafe fn aligned_elsewhere<V: Variant>(align: usize, n: usize) -> *mut u8 {
    // SAFETY: it asks for no more than this function.
    let p = unsafe {
        if V::POLICY.wraps() {
            wrapped::aligned_elsewhere::<V>(align, n)
        } else {
            object::aligned_elsewhere::<V>(align, n)
        }
    };
    made::<V>(p, n, Made::Aligned(align))
}

/// Bytes of the object at `p` that may be used.
///
/// # Safety
/// `p` is null or an object that nobody frees meanwhile.
#[inline(always)]
pub unsafe fn usable<V: Variant>(p: *mut u8) -> usize {
    // SAFETY: neither asks for more than this function.
    unsafe {
        if V::POLICY.wraps() {
            wrapped::usable::<V>(p)
        } else {
            object::usable::<V>(p)
        }
    }
}

/// Makes the object at `p` hold `n` bytes; `known` of them are known to be there.
///
/// # Safety
/// As for [`object::resize`]: `p` is an object of the caller's, or not ours; not null. `n` is not 0. The calling thread has its
/// block: it is any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn resize<V: Variant>(p: *mut u8, n: usize, known: usize) -> *mut u8 {
    // SAFETY: neither asks for more than this function.
    unsafe {
        resized::<V>(p, n, Made::Plain, || {
            if V::POLICY.wraps() {
                wrapped::resize::<V>(p, n, known, V::GRANULE)
            } else {
                object::resize::<V>(p, n, known)
            }
        })
    }
}

/// The same of an object at a multiple of `align`, which it stays at.
///
/// # Safety
/// As for [`resize`]; `align` is a power of two, and `p` a multiple of it.
#[inline]
pub unsafe fn resize_aligned<V: Variant>(p: *mut u8, n: usize, known: usize, align: usize) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe {
        resized::<V>(p, n, Made::Aligned(align), || {
            if V::POLICY.wraps() {
                return wrapped::resize::<V>(p, n, known, align);
            }
            // In place while at least half of the object stays in use, by what the alignment takes if not by the bytes.
            let have = object::usable::<V>(p);
            if n <= have && n.max(align) > have / 2 {
                event::sample::stays::<V>(p, n);
                return p;
            }
            let q = object::aligned::<V>(align, n);
            if !q.is_null() {
                ptr::copy_nonoverlapping(p, q, known.min(n));
                hot::free::<V>(p);
            }
            q
        })
    }
}

/// Makes the object at `p` hold `n` bytes by `resize`, and tells of it.
///
/// # Safety
/// `p` is an object of the caller's, or not ours; not null. `resize` makes it hold `n` bytes, as `how` says, or returns null.
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline(always)]
unsafe fn resized<V: Variant>(p: *mut u8, n: usize, how: Made, resize: impl FnOnce() -> *mut u8) -> *mut u8 {
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
