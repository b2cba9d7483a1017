//! Addresses that aarch64 makes of two instructions, and of one where what is there is near.
//!
//! An instruction of aarch64 reaches a mebibyte either way. A shared library of one variant is shorter than that with all that hot
//! paths look at, so that its statics are loaded, and its tables found, by one instruction each. Who builds such a library says so
//! (the feature `near`), and the linker refuses where it is not true. In a program or an archive nobody knows where the linker puts
//! what: there it takes two (`adrp`, and the rest of the address).
//!
//! On x86-64 every address is near: nothing of this is used there.

/// Whether all that hot paths look at is near them, on a machine that makes a difference.
pub const NEAR: bool = cfg!(all(target_arch = "aarch64", feature = "near"));

/// The thread pointer of aarch64.
#[macro_export]
#[doc(hidden)]
macro_rules! __thread_pointer {
    () => {{
        let pointer: usize;
        // SAFETY: reads a register that does not change during the thread's life.
        unsafe {
            ::core::arch::asm!("mrs {0}, tpidr_el0", out(reg) pointer, options(pure, nomem, nostack, preserves_flags));
        }
        pointer
    }};
}

/// The distance of this thread's block of symbol `$name` from the thread pointer of aarch64; initial-exec.
#[cfg(not(feature = "near"))]
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_from_pointer {
    ($name:literal) => {{
        let distance: usize;
        // SAFETY: reads a word of the global offset table, which does not change once the library is there.
        unsafe {
            ::core::arch::asm!(
                concat!("adrp {0}, :gottprel:", $name),
                concat!("ldr {0}, [{0}, :gottprel_lo12:", $name, "]"),
                out(reg) distance,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        distance
    }};
}

/// The distance of this thread's block of symbol `$name` from the thread pointer of aarch64; initial-exec.
#[cfg(feature = "near")]
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_from_pointer {
    ($name:literal) => {{
        let distance: usize;
        // SAFETY: reads a word of the global offset table, which does not change once the library is there.
        unsafe {
            ::core::arch::asm!(
                concat!("ldr {0}, :gottprel:", $name),
                out(reg) distance,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        distance
    }};
}

/// Declares a thread's block as [`__tls_symbol!`](crate::__tls_symbol) does, or, if there are `$word`s, as
/// [`__tls_symbol_with!`](crate::__tls_symbol_with). Right before it two words are set aside, where hot paths need them: at first what they
/// are while there is no arena.
#[cfg(not(all(target_arch = "aarch64", feature = "near")))]
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_symbol_led {
    ($name:literal, $size:expr, [],) => {
        $crate::__tls_symbol!($name, $size);
    };
    ($name:literal, $size:expr, [$($word:literal),*], $($operands:tt)*) => {
        $crate::__tls_symbol_with!($name, $size, [$($word),*], $($operands)*);
    };
}

/// Declares a thread's block as [`__tls_symbol_with!`](crate::__tls_symbol_with) does. Right before it two words are set aside, where hot
/// paths need them: at first what they are while there is no arena.
#[cfg(all(target_arch = "aarch64", feature = "near"))]
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_symbol_led {
    ($name:literal, $size:expr, [$($word:literal),*], $($operands:tt)*) => {
        ::core::arch::global_asm!(
            concat!(".pushsection .tdata.", $name, ",\"awT\",@progbits"),
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ", @object"),
            ".p2align 6",
            ".zero 48",
            ".quad {first}",
            ".quad {second}",
            concat!($name, ":"),
            $(concat!(".quad ", $word),)*
            concat!(".zero {size} - (. - ", $name, ")"),
            concat!(".size ", $name, ", {size}"),
            ".popsection",
            size = const $size,
            first = const $crate::policy::NOWHERE.0,
            second = const $crate::policy::NOWHERE.1,
            $($operands)*
        );
    };
}

/// The two words before this thread's block of symbol `$name`.
#[cfg(all(target_arch = "aarch64", feature = "near"))]
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_lead {
    ($name:literal) => {{
        let block = $crate::__tls_address!($name, 0);
        let (a, b): (usize, usize);
        // SAFETY: two words of this thread's, right before its block.
        unsafe {
            ::core::arch::asm!(
                "ldp {a}, {b}, [{block}, #-16]",
                block = in(reg) block,
                a = lateout(reg) a,
                b = lateout(reg) b,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        (a, b)
    }};
}

/// Sets the two words before this thread's block of symbol `$name` to those of the static `$words`; whether they were others.
#[cfg(all(target_arch = "aarch64", feature = "near"))]
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_catch_up {
    ($name:literal, $words:path) => {{
        let (old, new) = ($crate::__tls_lead!($name), $crate::policy::pair_in(&$words));
        let lead = ($crate::__tls_address!($name, 0) - 16) as *mut (usize, usize);
        // SAFETY: two words of this thread's, right before its block.
        unsafe { *lead = new };
        old != new
    }};
}

/// Nothing is before a block.
#[cfg(not(all(target_arch = "aarch64", feature = "near")))]
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_lead {
    ($name:literal) => {
        $crate::policy::NOWHERE
    };
}

/// Nothing is before a block.
#[cfg(not(all(target_arch = "aarch64", feature = "near")))]
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_catch_up {
    ($name:literal, $words:path) => {
        false
    };
}

/// The two words of the static `$words`, an array of two atomic ones.
#[cfg(not(all(target_arch = "aarch64", feature = "near")))]
#[macro_export]
#[doc(hidden)]
macro_rules! __near_pair {
    ($words:path) => {
        $crate::policy::pair_in(&$words)
    };
}

/// The two words of the static `$words`, an array of two atomic ones.
#[cfg(all(target_arch = "aarch64", feature = "near"))]
#[macro_export]
#[doc(hidden)]
macro_rules! __near_pair {
    ($words:path) => {{
        let (a, b): (usize, usize);
        // SAFETY: two aligned loads of words that are there as long as the library: what relaxed atomic loads are.
        unsafe {
            ::core::arch::asm!(
                "ldr {a}, {words}",
                "ldr {b}, {words} + 8",
                a = out(reg) a,
                b = out(reg) b,
                words = sym $words,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        (a, b)
    }};
}

/// What `malloc` of `$n` bytes finds in the static `$table`: the number of a slot, and `$n - $max`, wrapped around. The table's last
/// entry is that of no bytes at all, and of more than `$max`; the one before it that of one granule of `1 << $shift` bytes; and so
/// on, down to `$max`.
///
/// So the size that is turned around is rounded up as it is shifted, and takes part in the address without one more instruction.
#[cfg(all(target_arch = "aarch64", feature = "near"))]
#[macro_export]
#[doc(hidden)]
macro_rules! __near_slot {
    ($n:expr, $table:path, $max:expr, $shift:expr) => {{
        let (beyond, slot): (usize, usize);
        // SAFETY: what is above `$max` leads to the table's last entry, and every size up to it to the one of its granule, which
        // is at most `$max >> $shift` entries before.
        unsafe {
            ::core::arch::asm!(
                "subs {beyond}, {n}, #{max}",
                "csneg {back}, xzr, {n}, hi",
                "adr {at}, {table} + {last}",
                "add {at}, {at}, {back}, asr #{shift}",
                "ldrb {slot:w}, [{at}]",
                n = in(reg) $n,
                beyond = out(reg) beyond,
                back = out(reg) _,
                at = out(reg) _,
                slot = lateout(reg) slot,
                table = sym $table,
                max = const $max,
                last = const { $max >> $shift },
                shift = const $shift,
                options(pure, readonly, nostack),
            );
        }
        (slot, beyond)
    }};
}

/// Not used: nothing makes a difference here.
#[cfg(not(all(target_arch = "aarch64", feature = "near")))]
#[macro_export]
#[doc(hidden)]
macro_rules! __near_slot {
    ($n:expr, $table:path, $max:expr, $shift:expr) => {{
        let size: usize = $n;
        let back = if size > $max { 0 } else { size.div_ceil(1 << $shift) };
        (usize::from($table[($max >> $shift) - back]), size.wrapping_sub($max))
    }};
}
