//! Access to a thread's block, on x86-64 and aarch64.
//!
//! `thread_local!` in a shared library calls `__tls_get_addr` on every access. A variant's block is a hidden symbol of its
//! own, which the expansion declares and reads by these macros, in one of three models (`build.tls`):
//!
//! - **Initial-exec**: at a fixed distance from the thread pointer, which stands in the global offset table. Two
//!   instructions. The object has to be there when the program starts, or to fit the little that the C library sets aside for
//!   objects that come later.
//! - **Dynamic**: by a TLS descriptor. The dynamic linker puts a function into it that returns the distance: of two
//!   instructions if the object was there at the start, else one that looks whether this thread has its block yet and
//!   makes it if not. The object can be loaded at any time and be unloaded. What the C library allocates for that comes from
//!   the program's malloc, not from a library that was loaded late.
//!
//! - **Local-exec**: the distance is an immediate of the instruction. Only the linker of an executable knows it; that of a shared
//!   library refuses, and names the symbol, which says why.
//!
//! The linker of an executable turns the first two models into the third where it can: it writes an immediate where a load was,
//! and keeps the number of instructions.

mod near;

pub use near::NEAR;

/// Declares the symbol `$name`: `$size` zero bytes, aligned to 64, in every thread.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_symbol {
    ($name:literal, $size:expr) => {
        ::core::arch::global_asm!(
            concat!(".pushsection .tbss.", $name, ",\"awT\",@nobits"),
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ", @object"),
            ".p2align 6",
            concat!($name, ":"),
            ".zero {size}",
            concat!(".size ", $name, ", {size}"),
            ".popsection",
            size = const $size,
        );
    };
}

/// Declares the symbol `$name` of `$size` bytes, whose first ones are in every new thread what `$words` say, one directive of the
/// assembler for each eight bytes, and the others zero. `$operands` are what the words name.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_symbol_with {
    ($name:literal, $size:expr, [$($word:literal),*], $($operands:tt)*) => {
        ::core::arch::global_asm!(
            concat!(".pushsection .tdata.", $name, ",\"awT\",@progbits"),
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ", @object"),
            ".p2align 6",
            concat!($name, ":"),
            $(concat!(".quad ", $word),)*
            concat!(".zero {size} - (. - ", $name, ")"),
            concat!(".size ", $name, ", {size}"),
            ".popsection",
            size = const $size,
            $($operands)*
        );
    };
}

/// The address `$offset` bytes into this thread's block of symbol `$name`; initial-exec.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_address {
    ($name:literal, $offset:expr) => {{
        let mut at: usize = $offset;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: reads the thread pointer and the symbol's offset from it; neither changes during the thread's life.
        unsafe {
            ::core::arch::asm!(
                "add {at}, qword ptr fs:[0]",
                concat!("add {at}, qword ptr [rip + ", $name, "@GOTTPOFF]"),
                at = inout(reg) at,
                options(pure, nomem, nostack),
            );
        }
        #[cfg(target_arch = "aarch64")]
        {
            let pointer = $crate::__thread_pointer!();
            at = at.wrapping_add(pointer.wrapping_add($crate::__tls_from_pointer!($name)));
        }
        at
    }};
}

/// `$offset` added to the pointer that stands `$field` bytes into this thread's block of symbol `$name`, a block with
/// rows; initial-exec.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_row {
    ($name:literal, $field:expr, $offset:expr) => {{
        let mut at: usize = $offset;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: reads the symbol's offset from the thread pointer, and a pointer of this thread's block.
        unsafe {
            ::core::arch::asm!(
                concat!("mov {tp}, qword ptr [rip + ", $name, "@GOTTPOFF]"),
                "add {at}, qword ptr fs:[{tp} + {field}]",
                tp = out(reg) _,
                at = inout(reg) at,
                field = const $field,
                options(pure, readonly, nostack),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the block is this thread's.
        unsafe {
            at += *($crate::__tls_address!($name, $field) as *const usize);
        }
        at
    }};
}

/// The distance of this thread's block of symbol `$name` from the thread pointer, as the symbol's TLS descriptor says.
///
/// By convention a descriptor's function changes no register but that of its result, but not every C library saves those
/// for vectors where it makes a block; so they count as changed. Hot paths have nothing in them.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_distance {
    ($name:literal) => {{
        let distance: usize;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the call that the ABI prescribes for a descriptor, with the stack aligned; the distance does not change
        // during the thread's life, and the C library ends the process if it has no memory for the block.
        unsafe {
            ::core::arch::asm!(
                concat!("lea rax, [rip + ", $name, "@TLSDESC]"),
                concat!("call qword ptr [rax + ", $name, "@TLSCALL]"),
                out("rax") distance,
                out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _,
                out("zmm4") _, out("zmm5") _, out("zmm6") _, out("zmm7") _,
                out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
                out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _,
                out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
                out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
                out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
                out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
                out("k1") _, out("k2") _, out("k3") _, out("k4") _, out("k5") _, out("k6") _, out("k7") _,
                options(pure, nomem),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as on x86-64.
        unsafe {
            ::core::arch::asm!(
                concat!("adrp x0, :tlsdesc:", $name),
                concat!("ldr x1, [x0, :tlsdesc_lo12:", $name, "]"),
                concat!("add x0, x0, :tlsdesc_lo12:", $name),
                concat!(".tlsdesccall ", $name),
                "blr x1",
                out("x0") distance,
                out("x1") _,
                out("lr") _,
                options(pure, nomem),
            );
        }
        distance
    }};
}

/// As [`__tls_address!`]; dynamic.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_address_dynamic {
    ($name:literal, $offset:expr) => {{
        let mut at: usize = $offset;
        let distance = $crate::__tls_distance!($name);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: reads the thread pointer.
        unsafe {
            ::core::arch::asm!(
                "add {at}, {distance}",
                "add {at}, qword ptr fs:[0]",
                at = inout(reg) at,
                distance = in(reg) distance,
                options(pure, nomem, nostack),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: reads the thread pointer.
        unsafe {
            at = at.wrapping_add($crate::__thread_pointer!()).wrapping_add(distance);
        }
        at
    }};
}

/// As [`__tls_row!`]; dynamic.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_row_dynamic {
    ($name:literal, $field:expr, $offset:expr) => {{
        let mut at: usize = $offset;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: reads a pointer of this thread's block.
        unsafe {
            ::core::arch::asm!(
                "add {at}, qword ptr fs:[{distance} + {field}]",
                distance = in(reg) $crate::__tls_distance!($name),
                at = inout(reg) at,
                field = const $field,
                options(pure, readonly, nostack),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the block is this thread's.
        unsafe {
            at += *($crate::__tls_address_dynamic!($name, $field) as *const usize);
        }
        at
    }};
}

/// As [`__tls_address!`]; local-exec.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_address_local {
    ($name:literal, $offset:expr) => {{
        let mut at: usize = $offset;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: reads the thread pointer, which does not change during the thread's life.
        unsafe {
            ::core::arch::asm!(
                "add {at}, qword ptr fs:[0]",
                concat!("lea {at}, [{at} + ", $name, "@TPOFF]"),
                at = inout(reg) at,
                options(pure, nomem, nostack),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as on x86-64.
        unsafe {
            let base: usize;
            ::core::arch::asm!(
                "mrs {base}, tpidr_el0",
                concat!("add {base}, {base}, #:tprel_hi12:", $name, ", lsl #12"),
                concat!("add {base}, {base}, :tprel_lo12_nc:", $name),
                base = out(reg) base,
                options(pure, nomem, nostack, preserves_flags),
            );
            at = at.wrapping_add(base);
        }
        at
    }};
}

/// As [`__tls_row!`]; local-exec.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_row_local {
    ($name:literal, $field:expr, $offset:expr) => {{
        let mut at: usize = $offset;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: reads a pointer of this thread's block.
        unsafe {
            ::core::arch::asm!(
                concat!("add {at}, qword ptr fs:[", $name, "@TPOFF + {field}]"),
                at = inout(reg) at,
                field = const $field,
                options(pure, readonly, nostack),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the block is this thread's.
        unsafe {
            at += *($crate::__tls_address_local!($name, $field) as *const usize);
        }
        at
    }};
}

/// Takes `$n` from the first word of this thread's block of symbol `$name`; whether there was less than that. Initial-exec.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_take {
    ($name:literal, $n:expr) => {{
        let n: usize = $n;
        #[cfg(target_arch = "x86_64")]
        {
            let at: usize;
            // SAFETY: reads the symbol's offset from the thread pointer.
            unsafe {
                ::core::arch::asm!(
                    concat!("mov {at}, qword ptr [rip + ", $name, "@GOTTPOFF]"),
                    at = out(reg) at,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            // SAFETY: the word is this thread's.
            unsafe {
                ::core::arch::asm!(
                    "sub qword ptr fs:[{at}], {n}",
                    "jb {less}",
                    at = in(reg) at,
                    n = in(reg) n,
                    less = label { return true },
                    options(nostack),
                );
            }
            false
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let word = $crate::__tls_address!($name, 0) as *mut usize;
            // SAFETY: the word is this thread's.
            unsafe {
                let (left, less) = (*word).overflowing_sub(n);
                *word = left;
                less
            }
        }
    }};
}

/// The same by a TLS descriptor.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_take_dynamic {
    ($name:literal, $n:expr) => {{
        let word = $crate::__tls_address_dynamic!($name, 0) as *mut usize;
        // SAFETY: the word is this thread's.
        unsafe {
            let (left, less) = (*word).overflowing_sub($n);
            *word = left;
            less
        }
    }};
}

/// The same; local-exec.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_take_local {
    ($name:literal, $n:expr) => {{
        let n: usize = $n;
        #[cfg(target_arch = "x86_64")]
        {
            // SAFETY: the word is this thread's.
            unsafe {
                ::core::arch::asm!(
                    concat!("sub qword ptr fs:[", $name, "@TPOFF], {n}"),
                    "jb {less}",
                    n = in(reg) n,
                    less = label { return true },
                    options(nostack),
                );
            }
            false
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let word = $crate::__tls_address_local!($name, 0) as *mut usize;
            // SAFETY: the word is this thread's.
            unsafe {
                let (left, less) = (*word).overflowing_sub(n);
                *word = left;
                less
            }
        }
    }};
}
