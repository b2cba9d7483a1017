//! The C interface, as glibc defines it. Each function is the body of the exported symbol of the same name.

use super::calls;
use crate::event::{helper, limit, pressure, process, relief, start, thread};
use crate::os;
use crate::statics::State;
use crate::variant::Variant;
use core::ffi::c_int;
use core::ptr;

fn no_memory() -> *mut u8 {
    os::set_errno(os::ENOMEM);
    ptr::null_mut()
}

/// `calloc`: `count * size` zero bytes; null and `ENOMEM` if the product overflows or there is no memory.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn calloc<V: Variant>(count: usize, size: usize) -> *mut u8 {
    match count.checked_mul(size) {
        // SAFETY: an allocation has no further conditions.
        Some(n) => unsafe { calls::zeroed::<V>(n) },
        None => no_memory(),
    }
}

/// `realloc`: null is `malloc`; size 0 frees and returns null, as glibc does.
///
/// # Safety
/// `p` is null or an object of the caller's, whom nobody disturbs in using it; it is gone if the result is not null, or if
/// `n` is 0. The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn realloc<V: Variant>(p: *mut u8, n: usize) -> *mut u8 {
    // SAFETY: an object is only the caller's; not 0 is what `resize` wants.
    unsafe {
        if p.is_null() {
            return calls::malloc::<V>(n);
        }
        if n == 0 {
            calls::free::<V>(p);
            return ptr::null_mut();
        }
        calls::resize::<V>(p, n, 0)
    }
}

/// `reallocarray`: `realloc` that notices an overflow of the product.
///
/// # Safety
/// As for [`realloc`].
#[inline]
pub unsafe fn reallocarray<V: Variant>(p: *mut u8, count: usize, size: usize) -> *mut u8 {
    match count.checked_mul(size) {
        // SAFETY: it asks for no more than this function.
        Some(n) => unsafe { realloc::<V>(p, n) },
        None => no_memory(),
    }
}

/// `memalign`: any alignment is rounded up to a power of two, as glibc does; null and `EINVAL` if there is none.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn memalign<V: Variant>(align: usize, n: usize) -> *mut u8 {
    let Some(align) = align.checked_next_power_of_two() else {
        os::set_errno(os::EINVAL);
        return ptr::null_mut();
    };
    // SAFETY: a power of two.
    unsafe { calls::aligned::<V>(align, n) }
}

/// `aligned_alloc`: null and `EINVAL` unless the alignment is a power of two.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn aligned_alloc<V: Variant>(align: usize, n: usize) -> *mut u8 {
    if !align.is_power_of_two() {
        os::set_errno(os::EINVAL);
        return ptr::null_mut();
    }
    // SAFETY: a power of two.
    unsafe { calls::aligned::<V>(align, n) }
}

/// `posix_memalign`: returns the error, and leaves `errno` and, on failure, `*out` alone.
///
/// # Safety
/// `out` can be written. The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn posix_memalign<V: Variant>(out: *mut *mut u8, align: usize, n: usize) -> c_int {
    if !align.is_power_of_two() || !align.is_multiple_of(size_of::<usize>()) {
        return os::EINVAL;
    }
    // SAFETY: a power of two.
    let mut p = unsafe { calls::aligned_at_hand::<V>(align, n) };
    if p.is_null() {
        let errno = os::errno();
        // SAFETY: a power of two.
        p = unsafe { calls::aligned_elsewhere::<V>(align, n) };
        if p.is_null() {
            os::set_errno(errno);
            return os::ENOMEM;
        }
    }
    // SAFETY: `out` can be written.
    unsafe { *out = p };
    0
}

/// `valloc`: page-aligned.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn valloc<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: a power of two.
    unsafe { calls::aligned::<V>(kernel_page::<V>(), n) }
}

/// Bytes of the kernel's page, which a library for pages of the heap's size knows.
#[inline]
fn kernel_page<V: Variant>() -> usize {
    match V::POLICY.arena.page {
        os::PAGE => os::PAGE,
        _ => {
            process::start::<V>();
            os::page()
        }
    }
}

/// `pvalloc`: page-aligned, whole pages.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn pvalloc<V: Variant>(n: usize) -> *mut u8 {
    let page = kernel_page::<V>();
    match n.max(1).checked_next_multiple_of(page) {
        // SAFETY: a power of two.
        Some(n) => unsafe { calls::aligned::<V>(page, n) },
        None => no_memory(),
    }
}

/// `malloc_usable_size`: all of it may be written.
///
/// # Safety
/// `p` is null or an object that nobody frees meanwhile.
#[inline]
pub unsafe fn malloc_usable_size<V: Variant>(p: *mut u8) -> usize {
    // SAFETY: it asks for no more than this function.
    unsafe { calls::usable::<V>(p) }
}

/// `hz3_set_limit`: 0, or `EINVAL`.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper; no event of it is under way.
pub unsafe fn set_limit<V: Variant>(soft: usize, hard: usize) -> c_int {
    // SAFETY: it asks for no more than this function.
    if unsafe { limit::set::<V>(soft, hard) } {
        0
    } else {
        os::EINVAL
    }
}

/// `malloc_trim` and `hz3_trim`: this thread's caches, the depots and empty runs go back to the page heap (other threads'
/// caches follow at their next events, and are purged when they are old enough), and all but
/// `pad` bytes of its free pages to the kernel. Returns the bytes that the kernel got.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn trim<V: Variant>(pad: usize) -> usize {
    // SAFETY: an event of this thread.
    unsafe {
        if thread::state::<V>() == State::New {
            start::start::<V>();
        }
        pressure::ask::<V>();
        relief::relieve::<V>();
    }
    let purged = relief::to_kernel::<V>(pad);
    // Nothing is left for it; and a program that may have one thread only, for what it does next, has one.
    helper::dismiss::<V>();
    purged
}
