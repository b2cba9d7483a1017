//! C++ `operator new` and `operator delete`, by their Itanium names on 64-bit targets.
//!
//! A program may replace some of them and not the others. Then the others have to call its own: the standard says which form
//! calls which.

use crate::Preload as V;
use core::ffi::c_void;
use hz3_core::Variant;
use hz3_core::abi::calls;
use hz3_core::hot;
use hz3_core::list::Slot;
use hz3_core::variant::{Miss, Record};

extern "C" fn plain(n: usize) -> *mut u8 {
    // SAFETY: an allocation asks nothing of its caller.
    unsafe { calls::malloc::<V>(n) }
}

extern "C" fn aligned(align: usize, n: usize) -> *mut u8 {
    // SAFETY: the alignment is a power of two: it comes from a `std::align_val_t`, of which the C++ standard says so.
    unsafe { calls::aligned::<V>(align, n) }
}

#[cfg(target_arch = "x86_64")]
mod throwing {
    hz3_core::__cxx_new!(
        "__hz3_new",
        "__hz3_new_aligned",
        "__hz3_nothrow",
        "__hz3_nothrow_aligned",
        "__hz3_replaced",
        super::plain,
        super::aligned
    );

    // The functions of the macro above. `new` and `new_aligned` may throw: then they leave through their caller, whose frame
    // must not be one of Rust's with anything left to do. A caller makes them the last thing that it does.
    unsafe extern "C" {
        /// `operator new` without an object at hand.
        ///
        /// # Safety
        /// The call is the last thing that its caller does: nothing is left to be dropped when it throws.
        #[link_name = "__hz3_new"]
        pub fn new(n: usize) -> *mut u8;
        /// The same for an alignment.
        ///
        /// # Safety
        /// As [`new`]; `align` is a power of two.
        #[link_name = "__hz3_new_aligned"]
        pub fn new_aligned(n: usize, align: usize) -> *mut u8;
        /// The nothrow form of [`new`].
        ///
        /// # Safety
        /// Nothing is asked of the caller: it throws nothing.
        #[link_name = "__hz3_nothrow"]
        pub fn nothrow(n: usize) -> *mut u8;
        /// The nothrow form of [`new_aligned`].
        ///
        /// # Safety
        /// `align` is a power of two.
        #[link_name = "__hz3_nothrow_aligned"]
        pub fn nothrow_aligned(n: usize, align: usize) -> *mut u8;
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod throwing {
    //! Without the hand-written frames an exception cannot leave this library: out of memory ends the process. Nor can one
    //! be caught: a nothrow form whose other form a program has replaced throws what that throws.

    fn or_die(p: *mut u8) -> *mut u8 {
        if p.is_null() {
            hz3_core::os::die(b"operator new: out of memory")
        } else {
            p
        }
    }

    /// # Safety
    /// Nothing is asked of the caller. It is unsafe as the form that throws is.
    pub unsafe fn new(n: usize) -> *mut u8 {
        or_die(super::plain(n))
    }

    /// # Safety
    /// `align` is a power of two.
    pub unsafe fn new_aligned(n: usize, align: usize) -> *mut u8 {
        or_die(super::aligned(align, n))
    }

    /// # Safety
    /// Nothing is asked of the caller. It is unsafe as the form that throws is.
    pub unsafe fn nothrow(n: usize) -> *mut u8 {
        super::plain(n)
    }

    /// # Safety
    /// `align` is a power of two.
    pub unsafe extern "C" fn nothrow_aligned(n: usize, align: usize) -> *mut u8 {
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
                // SAFETY: the call is the last thing here and in `malloc_or`, which nothing but the exported function calls:
                // nothing is left to be dropped.
                unsafe { throwing::$new(n) }
            }

            #[inline(always)]
            unsafe fn due<W: Variant>(n: usize) -> *mut u8 {
                // SAFETY: what was called counts once more.
                unsafe { hz3_core::event::sample::recount::<W>(n) };
                // SAFETY: as in `refill`.
                unsafe { throwing::$new(n) }
            }

            #[inline(always)]
            unsafe fn large<W: Variant>(n: usize) -> *mut u8 {
                // SAFETY: the call is the last thing here and in `malloc_or`, which nothing but the exported function calls:
                // nothing is left to be dropped.
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

/// `operator new(size_t)`. Where calls are told of, it is told of what the endings give: they ask [`plain`] anew.
///
/// # Safety
/// The call is the last thing that its caller does: nothing is left to be dropped when it throws.
#[inline(always)]
unsafe fn new(n: usize) -> *mut u8 {
    // SAFETY: the call is the last thing here, and in the caller.
    unsafe {
        if !<<V as Variant>::Record as Record>::CALLS {
            return hot::malloc_or::<V, Throw>(n);
        }
        let p = plain(n);
        if p.is_null() { throwing::new(n) } else { p }
    }
}

/// `std::nothrow_t` by reference, and `std::align_val_t`.
type Nothrow = *const c_void;
type Align = usize;

/// The functions that a program may replace, and that do something of their own. The sentence in front says what they ask of
/// their callers.
macro_rules! export {
    ($contract:literal: $($name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? = $body:expr;)*) => {
    $(
        #[doc = concat!("`", stringify!($name), "`.\n\n# Safety\n", $contract)]
        #[unsafe(no_mangle)]
        #[allow(non_snake_case)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: the called function asks for no more than the contract of this group, and is the last thing that this
            // one does.
            unsafe { $body }
        }
    )*
};
}

export! {
    "An alignment is a power of two. It may throw: the caller is code of C++, or a jump from such code.":
    _Znwm(n: usize) -> *mut u8 = new(n);
    _ZnwmSt11align_val_t(n: usize, a: Align) -> *mut u8 = throwing::new_aligned(n, a);
}

export! {
    "`p` is null, or points to an object that an allocating function gave and that nobody has freed. Nobody uses the object \
     from this call on. An object of another malloc is treated as `hardening.foreign` says.":
    _ZdlPv(p: *mut u8) = calls::free::<V>(p);
    _ZdlPvSt11align_val_t(p: *mut u8, _a: Align) = calls::free::<V>(p);
}

/// Forms that are defined as a call of another one with the same first arguments. That one may be the program's own: it is
/// reached as the dynamic linker has bound it.
macro_rules! derive {
    ($($name:ident($($ty:ty),*) $(-> $ret:ty)? = $other:literal;)*) => {
    $(
        #[doc = concat!("`", stringify!($name), "`: `", $other, "`, whoever's that is.\n\n# Safety\nWhat `", $other, "` asks.")]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        #[allow(non_snake_case)]
        pub unsafe extern "C" fn $name($(_: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            core::arch::naked_asm!(concat!("jmp qword ptr [rip + ", $other, "@GOTPCREL]"));
            #[cfg(target_arch = "aarch64")]
            core::arch::naked_asm!(
                concat!("adrp x16, :got:", $other),
                concat!("ldr x16, [x16, :got_lo12:", $other, "]"),
                "br x16",
            );
        }
    )*
};
}

derive! {
    _Znam(usize) -> *mut u8 = "_Znwm";
    _ZnamSt11align_val_t(usize, Align) -> *mut u8 = "_ZnwmSt11align_val_t";
    _ZdaPv(*mut u8) = "_ZdlPv";
    _ZdlPvm(*mut u8, usize) = "_ZdlPv";
    _ZdlPvRKSt9nothrow_t(*mut u8, Nothrow) = "_ZdlPv";
    _ZdaPvm(*mut u8, usize) = "_ZdaPv";
    _ZdaPvRKSt9nothrow_t(*mut u8, Nothrow) = "_ZdaPv";
    _ZdaPvSt11align_val_t(*mut u8, Align) = "_ZdlPvSt11align_val_t";
    _ZdlPvmSt11align_val_t(*mut u8, usize, Align) = "_ZdlPvSt11align_val_t";
    _ZdlPvSt11align_val_tRKSt9nothrow_t(*mut u8, Align, Nothrow) = "_ZdlPvSt11align_val_t";
    _ZdaPvmSt11align_val_t(*mut u8, usize, Align) = "_ZdaPvSt11align_val_t";
    _ZdaPvSt11align_val_tRKSt9nothrow_t(*mut u8, Align, Nothrow) = "_ZdaPvSt11align_val_t";
}

/// The nothrow forms: as above, and null where the other one throws. As long as the other one is this library's, which the
/// linker tells by a second name, nothing need be thrown for that.
macro_rules! derive_nothrow {
    ($($name:ident($($ty:ty),*) = [$($other:literal),+] or $own:path;)*) => {
    $(
        #[doc = concat!("`", stringify!($name), "`.\n\n# Safety\nAn alignment is a power of two.")]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        #[allow(non_snake_case)]
        pub unsafe extern "C" fn $name($(_: $ty),*) -> *mut u8 {
            #[cfg(target_arch = "x86_64")]
            core::arch::naked_asm!(
                $(
                    concat!("mov rax, qword ptr [rip + ", $other, "@GOTPCREL]"),
                    concat!("lea rcx, [rip + __hz3_own", $other, "]"),
                    "cmp rax, rcx",
                    "jne __hz3_replaced",
                )+
                "jmp {own}",
                own = sym $own,
            );
            #[cfg(target_arch = "aarch64")]
            core::arch::naked_asm!(
                $(
                    concat!("adrp x16, :got:", $other),
                    concat!("ldr x16, [x16, :got_lo12:", $other, "]"),
                    concat!("adrp x17, __hz3_own", $other),
                    concat!("add x17, x17, :lo12:__hz3_own", $other),
                    "cmp x16, x17",
                    "b.ne 2f",
                )+
                "b {own}",
                "2:",
                "br x16",
                own = sym $own,
            );
        }
    )*
};
}

derive_nothrow! {
    _ZnwmRKSt9nothrow_t(usize, Nothrow) = ["_Znwm"] or nothrow;
    _ZnamRKSt9nothrow_t(usize, Nothrow) = ["_Znam", "_Znwm"] or nothrow;
    _ZnwmSt11align_val_tRKSt9nothrow_t(usize, Align, Nothrow) = ["_ZnwmSt11align_val_t"] or throwing::nothrow_aligned;
    _ZnamSt11align_val_tRKSt9nothrow_t(usize, Align, Nothrow) =
        ["_ZnamSt11align_val_t", "_ZnwmSt11align_val_t"] or throwing::nothrow_aligned;
}

/// `operator new(size_t, nothrow)` while the plain form is this library's.
///
/// # Safety
/// Nothing is asked of the caller. It is unsafe as the forms are that it stands beside.
unsafe extern "C" fn nothrow(n: usize) -> *mut u8 {
    // SAFETY: an allocation asks nothing of its caller, and this ending throws nothing.
    unsafe {
        if !<<V as Variant>::Record as Record>::CALLS {
            return hot::malloc_or::<V, NoThrow>(n);
        }
        let p = plain(n);
        if p.is_null() { throwing::nothrow(n) } else { p }
    }
}
