//! `operator new` of an allocation token. Where there is no memory the forms without a token go on: what is made after a new-handler
//! has made room is of no token.

use super::{Align, throwing};
use hz3_core::abi::calls;
use hz3_core::hot::{self, Null};
use hz3_core::list::Slot;
use hz3_core::variant::{Miss, Variant};

/// C's ending, then C++'s.
struct Throw;

macro_rules! endings {
    ($($name:ident($($arg:ident: $ty:ty),*)),*) => {
        impl Miss for Throw {
            $(
                #[inline(always)]
                unsafe fn $name<W: Variant>(n: usize, $($arg: $ty),*) -> *mut u8 {
                    /// Out of line, so that an object at hand is served without a frame.
                    ///
                    /// # Safety
                    /// As for the function around it.
                    #[inline(never)]
                    unsafe fn late<W: Variant>(n: usize, $($arg: $ty),*) -> *mut u8 {
                        // SAFETY: as the caller says. To throw is the last thing here.
                        unsafe {
                            let p = Null::$name::<W>(n, $($arg),*);
                            if p.is_null() { throwing::new(n) } else { p }
                        }
                    }
                    // SAFETY: as the caller says. The call is the last thing here and in `malloc_or`, which nothing but the
                    // exported function calls: nothing is left to be dropped when it throws.
                    unsafe { late::<W>(n, $($arg),*) }
                }
            )*
        }
    };
}

endings! { refill(slot: *mut Slot), torn(slot: *mut Slot), due(), large() }

/// `operator new(size_t)`.
///
/// # Safety
/// The call is the last thing that its caller does: nothing is left to be dropped when it throws.
#[inline(always)]
pub unsafe fn new<T: Variant>(n: usize) -> *mut u8 {
    // SAFETY: the call is the last thing here, and in the caller.
    unsafe {
        if !calls::attended::<T>() {
            return hot::malloc_or::<T, Throw>(n);
        }
        let p = calls::malloc::<T>(n);
        if p.is_null() { throwing::new(n) } else { p }
    }
}

/// `operator new(size_t, std::align_val_t)`.
///
/// # Safety
/// As for [`new`]; the alignment is a power of two.
#[inline(always)]
pub unsafe fn new_aligned<T: Variant>(n: usize, a: Align) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe {
        let p = calls::aligned::<T>(a, n);
        if p.is_null() { throwing::new_aligned(n, a) } else { p }
    }
}

/// `operator new(size_t, const std::nothrow_t &)`.
///
/// # Safety
/// Nothing is asked of the caller.
#[inline(always)]
pub unsafe fn nothrow<T: Variant>(n: usize, _: usize) -> *mut u8 {
    // SAFETY: an allocation asks nothing of its caller.
    unsafe {
        let p = calls::malloc::<T>(n);
        if p.is_null() { throwing::nothrow(n) } else { p }
    }
}

/// `operator new(size_t, std::align_val_t, const std::nothrow_t &)`.
///
/// # Safety
/// The alignment is a power of two.
#[inline(always)]
pub unsafe fn nothrow_aligned<T: Variant>(n: usize, a: Align, _: usize) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe {
        let p = calls::aligned::<T>(a, n);
        if p.is_null() {
            throwing::nothrow_aligned(n, a)
        } else {
            p
        }
    }
}
