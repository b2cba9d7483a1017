//! The C surface.

use crate::Preload as V;
use core::ffi::{c_int, c_void};
use hz3_core::abi::{c, calls};

/// Exports functions that ask the same of their callers: the sentence in front says what.
macro_rules! export {
    ($contract:literal: $($name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? = $body:expr;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`.\n\n# Safety\n", $contract)]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the called function asks for no more than the contract of this group, and the arguments are passed
                // on as they came.
                unsafe { $body }
            }
        )*
    };
}

export! {
    "Nothing is asked of the caller. Every size and every alignment has an answer, on every thread, at any time.":
    malloc(n: usize) -> *mut c_void = calls::malloc::<V>(n).cast();
    calloc(count: usize, size: usize) -> *mut c_void = c::calloc::<V>(count, size).cast();
    memalign(align: usize, n: usize) -> *mut c_void = c::memalign::<V>(align, n).cast();
    aligned_alloc(align: usize, n: usize) -> *mut c_void = c::aligned_alloc::<V>(align, n).cast();
    valloc(n: usize) -> *mut c_void = c::valloc::<V>(n).cast();
    pvalloc(n: usize) -> *mut c_void = c::pvalloc::<V>(n).cast();
    malloc_trim(pad: usize) -> c_int = c_int::from(c::trim::<V>(pad) > 0);
}

export! {
    "`p` is null, or points to an object that an allocating function gave and that nobody has freed. Nobody uses the object \
     from this call on. An object of another malloc is treated as `hardening.foreign` says.":
    free(p: *mut c_void) = calls::free::<V>(p.cast());
    free_sized(p: *mut c_void, n: usize) = calls::free_sized::<V>(p.cast(), n, 1, false);
    free_aligned_sized(p: *mut c_void, align: usize, n: usize) = calls::free_sized::<V>(p.cast(), n, align, false);
}

export! {
    "`p` is null, or points to an object that an allocating function gave and that nobody has freed. If the answer is not \
     null, or the new size is 0, nobody uses the old object from this call on. While the call lasts nobody else uses it.":
    realloc(p: *mut c_void, n: usize) -> *mut c_void = c::realloc::<V>(p.cast(), n).cast();
    reallocarray(p: *mut c_void, count: usize, size: usize) -> *mut c_void =
        c::reallocarray::<V>(p.cast(), count, size).cast();
}

export! {
    "`out` points to a pointer that may be written, and that nobody else uses while the call lasts.":
    posix_memalign(out: *mut *mut c_void, align: usize, n: usize) -> c_int =
        c::posix_memalign::<V>(out.cast(), align, n);
}

export! {
    "`p` is null, or points to an object that an allocating function gave and that nobody frees before this call returns.":
    malloc_usable_size(p: *mut c_void) -> usize = c::malloc_usable_size::<V>(p.cast());
}

// The C library's second names of the same functions, which old programs, interposers and tools call: memory from one
// name is freed by another, so that all of them must be one malloc's.
export! {
    "What the function of the first name asks.":
    cfree(p: *mut c_void) = calls::free::<V>(p.cast());
    __libc_malloc(n: usize) -> *mut c_void = calls::malloc::<V>(n).cast();
    __libc_free(p: *mut c_void) = calls::free::<V>(p.cast());
    __libc_calloc(count: usize, size: usize) -> *mut c_void = calloc(count, size);
    __libc_realloc(p: *mut c_void, n: usize) -> *mut c_void = realloc(p, n);
    __libc_memalign(align: usize, n: usize) -> *mut c_void = memalign(align, n);
    __libc_valloc(n: usize) -> *mut c_void = valloc(n);
    __libc_pvalloc(n: usize) -> *mut c_void = pvalloc(n);
    __posix_memalign(out: *mut *mut c_void, align: usize, n: usize) -> c_int = posix_memalign(out, align, n);
}

/// `mallopt`: every parameter is fixed at build time, so that nothing can be set. Returns 1, as glibc does for parameters
/// that it knows and ignores, because programs take 0 for a failure.
#[unsafe(no_mangle)]
pub extern "C" fn mallopt(_parameter: c_int, _value: c_int) -> c_int {
    1
}

/// `__libc_mallopt`: the same.
#[unsafe(no_mangle)]
pub extern "C" fn __libc_mallopt(parameter: c_int, value: c_int) -> c_int {
    mallopt(parameter, value)
}
