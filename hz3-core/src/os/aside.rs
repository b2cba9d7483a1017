//! A stack aside, for what takes more than a signal handler may have: it may be called on a few KiB that the program has set up
//! for handlers, as Rust's threads do.

use super::{Access, map, unmap};
use core::arch::asm;

/// Bytes of the stack, of which only those that are used are backed. Code that is not optimised takes some 50 KiB.
const BYTES: usize = 256 << 10;

/// Calls `f` on a stack of its own. False if there is no memory for that: then it is not called.
pub fn aside(f: extern "C" fn()) -> bool {
    let base = map(0, BYTES, Access::Uncounted);
    if base.is_null() {
        return false;
    }
    let top = base.wrapping_add(BYTES);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the stack was just mapped, nobody else has it, and its top is aligned as the calling convention asks. `f` leaves
    // r12 as it is, and comes back here: nothing unwinds out of it.
    unsafe {
        asm!(
            "mov r12, rsp",
            "mov rsp, {top}",
            "call {f}",
            "mov rsp, r12",
            top = in(reg) top,
            f = in(reg) f,
            out("r12") _,
            clobber_abi("C"),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above, with x20.
    unsafe {
        asm!(
            "mov x20, sp",
            "mov sp, {top}",
            "blr {f}",
            "mov sp, x20",
            top = in(reg) top,
            f = in(reg) f,
            out("x20") _,
            clobber_abi("C"),
        );
    }
    // SAFETY: it was mapped here, and `f` has returned.
    unsafe { unmap(base, BYTES) };
    true
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn what_is_called_aside_has_another_stack_and_comes_back() {
        static PLACE: AtomicUsize = AtomicUsize::new(0);
        extern "C" fn note() {
            let large = [1u8; 100 << 10];
            PLACE.store(core::hint::black_box(&large).as_ptr() as usize, Ordering::Relaxed);
        }
        let here = 0u8;
        for _ in 0..3 {
            assert!(aside(note));
            let apart = PLACE.load(Ordering::Relaxed).abs_diff(&raw const here as usize);
            assert!(apart > BYTES, "{apart}");
        }
    }
}
