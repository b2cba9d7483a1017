//! Access to a thread's block.
//!
//! `thread_local!` in a shared library calls `__tls_get_addr` on every access. A hidden symbol in `.tbss` that is read
//! through its offset in the global offset table (the initial-exec model) costs two instructions, and the linker makes
//! that offset an immediate in executables. The expansion of a variant uses these macros with a symbol of its own.
//!
//! With `--cfg hz3_portable_tls`, and on architectures that have no accessor here, a block is found through a pthread
//! key instead; it is slower, and complete.

/// Declares the symbol `$name`: `$size` zero bytes, aligned to 64, in every thread.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_symbol {
    ($name:literal, $size:expr) => {
        #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(hz3_portable_tls)))]
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

/// Declares the symbol `$name` whose first two words are the address of `$trap` in every new thread, and the rest of
/// whose `$size` bytes is zero.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_symbol_with_rows {
    ($name:literal, $size:expr, $trap:path) => {
        #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(hz3_portable_tls)))]
        ::core::arch::global_asm!(
            concat!(".pushsection .tdata.", $name, ",\"awT\",@progbits"),
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ", @object"),
            ".p2align 6",
            concat!($name, ":"),
            ".quad {trap}",
            ".quad {trap}",
            ".zero {size} - 16",
            concat!(".size ", $name, ", {size}"),
            ".popsection",
            trap = sym $trap,
            size = const $size,
        );
    };
}

/// `$offset` added to the pointer that stands `$field` bytes into this thread's block of symbol `$name`, a block with
/// rows whose trap is `$trap`.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_row {
    ($name:literal, $size:expr, $trap:expr, $field:expr, $offset:expr) => {{
        let mut at: usize = $offset;
        #[cfg(all(target_arch = "x86_64", not(hz3_portable_tls)))]
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
        #[cfg(not(all(target_arch = "x86_64", not(hz3_portable_tls))))]
        // SAFETY: the block is this thread's; where it could not be initialised statically it is now.
        unsafe {
            let field = ($crate::__tls_address!($name, $size, $field)) as *mut usize;
            if *field == 0 {
                *field = $trap as usize;
            }
            at += *field;
        }
        at
    }};
}

/// The address `$offset` bytes into this thread's block of symbol `$name`.
#[macro_export]
#[doc(hidden)]
macro_rules! __tls_address {
    ($name:literal, $size:expr, $offset:expr) => {{
        let mut at: usize = $offset;
        #[cfg(all(target_arch = "x86_64", not(hz3_portable_tls)))]
        // SAFETY: reads the thread pointer and the symbol's offset from it; neither changes during the thread's life.
        unsafe {
            ::core::arch::asm!(
                "add {at}, qword ptr fs:[0]",
                concat!("add {at}, qword ptr [rip + ", $name, "@GOTTPOFF]"),
                at = inout(reg) at,
                options(pure, nomem, nostack),
            );
        }
        #[cfg(all(target_arch = "aarch64", not(hz3_portable_tls)))]
        // SAFETY: as on x86-64.
        unsafe {
            let base: usize;
            ::core::arch::asm!(
                concat!("adrp {base}, :gottprel:", $name),
                concat!("ldr {base}, [{base}, :gottprel_lo12:", $name, "]"),
                "mrs {tp}, tpidr_el0",
                "add {base}, {base}, {tp}",
                base = out(reg) base,
                tp = out(reg) _,
                options(pure, nomem, nostack),
            );
            at += base;
        }
        #[cfg(any(not(any(target_arch = "x86_64", target_arch = "aarch64")), hz3_portable_tls))]
        {
            static KEY: $crate::tls::PortableKey = $crate::tls::PortableKey::new();
            at += KEY.block($size);
        }
        at
    }};
}

use crate::os::{self, Access};
use crate::sync::{AtomicU32, Ordering};

/// A pthread key that leads to a thread's block, made at the first use.
pub struct PortableKey {
    key: AtomicU32,
}

const NO_KEY: u32 = 0;
const MAKING: u32 = u32::MAX;

impl PortableKey {
    /// No key yet.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        PortableKey {
            key: AtomicU32::new(NO_KEY),
        }
    }

    /// Address of this thread's block of `size` bytes, which is zero at first. Ends the process if there is no memory
    /// for it. Blocks are a few KiB and are left behind when their thread ends.
    pub fn block(&self, size: usize) -> usize {
        let key = self.key();
        let found = os::key_value(key);
        if !found.is_null() {
            return found as usize;
        }
        let block = os::map(0, size, Access::ReadWrite);
        if block.is_null() {
            os::die(b"no memory for a thread's block");
        }
        // SAFETY: the key has no destructor.
        unsafe { os::arm_key(key, block.cast()) };
        block as usize
    }

    fn key(&self) -> os::Key {
        loop {
            match self.key.load(Ordering::Acquire) {
                NO_KEY => {
                    if self
                        .key
                        .compare_exchange(NO_KEY, MAKING, Ordering::Acquire, Ordering::Relaxed)
                        .is_ok()
                    {
                        let Some(key) = os::make_plain_key() else {
                            os::die(b"no pthread key left")
                        };
                        self.key.store(key + 1, Ordering::Release);
                    }
                }
                MAKING => core::hint::spin_loop(),
                key => return key - 1,
            }
        }
    }
}
