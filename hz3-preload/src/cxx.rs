//! C++ `operator new` and `operator delete`, by their Itanium names on 64-bit targets.
//!
//! A program may replace some of them and not the others. Then the others have to call its own: the standard says which form
//! calls which.

mod throwing;
#[allow(dead_code)] // Only variants that tell tokens apart have functions that call it.
pub mod token;

use crate::Preload as V;
use core::ffi::c_void;
use hz3_core::abi::calls;
use hz3_core::hot;
use hz3_core::list::Slot;
use hz3_core::variant::Miss;
use hz3_core::{Shape, Variant};

extern "C" fn plain(n: usize) -> *mut u8 {
    // SAFETY: an allocation asks nothing of its caller.
    unsafe { calls::malloc::<V>(n) }
}

extern "C" fn aligned(align: usize, n: usize) -> *mut u8 {
    // SAFETY: the alignment is a power of two: it comes from a `std::align_val_t`, of which the C++ standard says so.
    unsafe { calls::aligned::<V>(align, n) }
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
            unsafe fn torn<W: Variant>(n: usize, _: *mut Slot) -> *mut u8 {
                // SAFETY: as in `refill`; what is called finds the same.
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

/// `operator new(size_t)`. Where somebody attends to calls, that is so for what the endings give, too: they ask [`plain`] anew.
///
/// # Safety
/// The call is the last thing that its caller does: nothing is left to be dropped when it throws.
#[inline(always)]
unsafe fn new(n: usize) -> *mut u8 {
    // SAFETY: the call is the last thing here, and in the caller.
    unsafe {
        if !calls::attended::<V>() {
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
    _ZdlPvSt11align_val_t(p: *mut u8, a: Align) = calls::free_aligned::<V>(p, a);
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
    _ZdlPvRKSt9nothrow_t(*mut u8, Nothrow) = "_ZdlPv";
    _ZdaPvRKSt9nothrow_t(*mut u8, Nothrow) = "_ZdaPv";
    _ZdaPvSt11align_val_t(*mut u8, Align) = "_ZdlPvSt11align_val_t";
    _ZdlPvSt11align_val_tRKSt9nothrow_t(*mut u8, Align, Nothrow) = "_ZdlPvSt11align_val_t";
    _ZdaPvSt11align_val_tRKSt9nothrow_t(*mut u8, Align, Nothrow) = "_ZdaPvSt11align_val_t";
}

/// The sized forms: as above. Where the variant checks sizes, and the other forms are this library's, which the linker tells by
/// second names, the size is compared with the object.
macro_rules! derive_sized {
    ($($name:ident($($ty:ty),*) = [$first:literal $(, $other:literal)*] or $own:path;)*) => {
    $(
        #[doc = concat!("`", stringify!($name), "`: `", $first, "`, whoever's that is.\n\n# Safety\nWhat `", $first, "` asks.")]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        #[allow(non_snake_case)]
        pub unsafe extern "C" fn $name($(_: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            core::arch::naked_asm!(
                ".if {checks}",
                derive_sized!(@own $first),
                $(derive_sized!(@own $other),)*
                "jmp {own}",
                "2:",
                ".endif",
                concat!("jmp qword ptr [rip + ", $first, "@GOTPCREL]"),
                checks = const <V as Shape>::POLICY.hardening.sized as usize,
                own = sym $own,
            );
            #[cfg(target_arch = "aarch64")]
            core::arch::naked_asm!(
                ".if {checks}",
                derive_sized!(@own $first),
                $(derive_sized!(@own $other),)*
                "b {own}",
                "2:",
                ".endif",
                concat!("adrp x16, :got:", $first),
                concat!("ldr x16, [x16, :got_lo12:", $first, "]"),
                "br x16",
                checks = const <V as Shape>::POLICY.hardening.sized as usize,
                own = sym $own,
            );
        }
    )*
    };
    (@own $name:literal) => {
        if_own!($name)
    };
}

/// Goes to the label 2 if the function of this name is not this library's.
#[cfg(target_arch = "x86_64")]
macro_rules! if_own {
    ($name:literal) => {
        concat!(
            "mov rax, qword ptr [rip + ",
            $name,
            "@GOTPCREL]\n",
            "lea rcx, [rip + __hz3_own",
            $name,
            "]\n",
            "cmp rax, rcx\n",
            "jne 2f"
        )
    };
}

/// Goes to the label 2 if the function of this name is not this library's.
#[cfg(target_arch = "aarch64")]
macro_rules! if_own {
    ($name:literal) => {
        concat!(
            "adrp x16, :got:",
            $name,
            "\n",
            "ldr x16, [x16, :got_lo12:",
            $name,
            "]\n",
            "adrp x17, __hz3_own",
            $name,
            "\n",
            "add x17, x17, :lo12:__hz3_own",
            $name,
            "\n",
            "cmp x16, x17\n",
            "b.ne 2f"
        )
    };
}

derive_sized! {
    _ZdlPvm(*mut u8, usize) = ["_ZdlPv"] or delete_sized;
    _ZdaPvm(*mut u8, usize) = ["_ZdaPv", "_ZdlPv"] or delete_sized;
    _ZdlPvmSt11align_val_t(*mut u8, usize, Align) = ["_ZdlPvSt11align_val_t"] or delete_sized_aligned;
    _ZdaPvmSt11align_val_t(*mut u8, usize, Align) = ["_ZdaPvSt11align_val_t", "_ZdlPvSt11align_val_t"] or delete_sized_aligned;
}

/// `operator delete(void *, size_t)` where sizes are checked. What `new` gives is never resized, so the class is to be just that one.
///
/// # Safety
/// What `operator delete` asks.
unsafe extern "C" fn delete_sized(p: *mut u8, n: usize) {
    // SAFETY: it asks for no more than this function.
    unsafe { calls::free_sized::<V>(p, n, 1, true) }
}

/// `operator delete(void *, size_t, std::align_val_t)` where sizes are checked.
///
/// # Safety
/// What `operator delete` asks.
unsafe extern "C" fn delete_sized_aligned(p: *mut u8, n: usize, align: Align) {
    // SAFETY: it asks for no more than this function.
    unsafe { calls::free_sized::<V>(p, n, align, true) }
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
                    "b.ne __hz3_replaced",
                )+
                "b {own}",
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
        if !calls::attended::<V>() {
            return hot::malloc_or::<V, NoThrow>(n);
        }
        let p = plain(n);
        if p.is_null() { throwing::nothrow(n) } else { p }
    }
}
