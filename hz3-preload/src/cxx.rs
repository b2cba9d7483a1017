//! C++ `operator new` and `operator delete`, by their Itanium names on 64-bit targets.

use crate::Preload as V;
use core::ffi::c_void;
use hz3_core::Variant;
use hz3_core::abi::object;
use hz3_core::hot::{self, Miss, Slot};

extern "C" fn plain(n: usize) -> *mut u8 {
    // SAFETY: an allocation has no further conditions.
    unsafe { hot::malloc::<V>(n) }
}

extern "C" fn aligned(align: usize, n: usize) -> *mut u8 {
    // SAFETY: C++ promises a power of two.
    unsafe { object::aligned::<V>(align, n) }
}

#[cfg(target_arch = "x86_64")]
mod throwing {
    hz3_core::__cxx_new!(
        "__hz3_new",
        "__hz3_new_aligned",
        "__hz3_nothrow",
        "__hz3_nothrow_aligned",
        super::plain,
        super::aligned
    );

    unsafe extern "C" {
        #[link_name = "__hz3_new"]
        pub fn new(n: usize) -> *mut u8;
        #[link_name = "__hz3_new_aligned"]
        pub fn new_aligned(n: usize, align: usize) -> *mut u8;
        #[link_name = "__hz3_nothrow"]
        pub fn nothrow(n: usize) -> *mut u8;
        #[link_name = "__hz3_nothrow_aligned"]
        pub fn nothrow_aligned(n: usize, align: usize) -> *mut u8;
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod throwing {
    //! Without the hand-written frames an exception cannot leave this library: out of memory ends the process.

    fn or_die(p: *mut u8) -> *mut u8 {
        if p.is_null() {
            hz3_core::os::die(b"operator new: out of memory")
        } else {
            p
        }
    }

    pub unsafe fn new(n: usize) -> *mut u8 {
        or_die(super::plain(n))
    }

    pub unsafe fn new_aligned(n: usize, align: usize) -> *mut u8 {
        or_die(super::aligned(align, n))
    }

    pub unsafe fn nothrow(n: usize) -> *mut u8 {
        super::plain(n)
    }

    pub unsafe fn nothrow_aligned(n: usize, align: usize) -> *mut u8 {
        super::aligned(align, n)
    }
}

macro_rules! ending {
    ($(#[$doc:meta])* $name:ident, $new:ident) => {
        $(#[$doc])*
        struct $name;

        impl Miss for $name {
            #[inline(always)]
            unsafe fn refill<W: Variant>(n: usize, _: *mut Slot) -> *mut u8 {
                // SAFETY: an allocation has no further conditions.
                unsafe { throwing::$new(n) }
            }

            #[inline(always)]
            unsafe fn large<W: Variant>(n: usize) -> *mut u8 {
                // SAFETY: an allocation has no further conditions.
                unsafe { throwing::$new(n) }
            }
        }
    };
}

ending! {
    /// C++'s ending: the new-handler, then `std::bad_alloc`.
    Throw, new
}

ending! {
    /// The ending of the nothrow forms: the new-handler, then null.
    NoThrow, nothrow
}

macro_rules! export {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? = $body:expr;)*) => {
    $(
        #[doc = concat!("`", stringify!($name), "`.")]
        #[unsafe(no_mangle)]
        #[allow(non_snake_case)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: the caller's contract, which is the C++ standard's.
            unsafe { $body }
        }
    )*
};
}

/// `std::nothrow_t` by reference, and `std::align_val_t`.
type Nothrow = *const c_void;
type Align = usize;

export! {
    _Znwm(n: usize) -> *mut u8 = hot::malloc_or::<V, Throw>(n);
    _Znam(n: usize) -> *mut u8 = hot::malloc_or::<V, Throw>(n);
    _ZnwmRKSt9nothrow_t(n: usize, _t: Nothrow) -> *mut u8 = hot::malloc_or::<V, NoThrow>(n);
    _ZnamRKSt9nothrow_t(n: usize, _t: Nothrow) -> *mut u8 = hot::malloc_or::<V, NoThrow>(n);
    _ZnwmSt11align_val_t(n: usize, a: Align) -> *mut u8 = throwing::new_aligned(n, a);
    _ZnamSt11align_val_t(n: usize, a: Align) -> *mut u8 = throwing::new_aligned(n, a);
    _ZnwmSt11align_val_tRKSt9nothrow_t(n: usize, a: Align, _t: Nothrow) -> *mut u8 = throwing::nothrow_aligned(n, a);
    _ZnamSt11align_val_tRKSt9nothrow_t(n: usize, a: Align, _t: Nothrow) -> *mut u8 = throwing::nothrow_aligned(n, a);
    _ZdlPv(p: *mut u8) = hot::free::<V>(p);
    _ZdaPv(p: *mut u8) = hot::free::<V>(p);
    _ZdlPvRKSt9nothrow_t(p: *mut u8, _t: Nothrow) = hot::free::<V>(p);
    _ZdaPvRKSt9nothrow_t(p: *mut u8, _t: Nothrow) = hot::free::<V>(p);
    _ZdlPvm(p: *mut u8, _n: usize) = hot::free::<V>(p);
    _ZdaPvm(p: *mut u8, _n: usize) = hot::free::<V>(p);
    _ZdlPvSt11align_val_t(p: *mut u8, _a: Align) = hot::free::<V>(p);
    _ZdaPvSt11align_val_t(p: *mut u8, _a: Align) = hot::free::<V>(p);
    _ZdlPvmSt11align_val_t(p: *mut u8, _n: usize, _a: Align) = hot::free::<V>(p);
    _ZdaPvmSt11align_val_t(p: *mut u8, _n: usize, _a: Align) = hot::free::<V>(p);
    _ZdlPvSt11align_val_tRKSt9nothrow_t(p: *mut u8, _a: Align, _t: Nothrow) = hot::free::<V>(p);
    _ZdaPvSt11align_val_tRKSt9nothrow_t(p: *mut u8, _a: Align, _t: Nothrow) = hot::free::<V>(p);
}
