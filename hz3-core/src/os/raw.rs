//! System calls, made directly.
//!
//! The C library's `mmap`, `munmap`, `madvise` and the like may be somebody else's: tools interpose them to keep a record of
//! mappings, and such a record wants memory. A call of ours must never enter code like that, as it may be made with a lock
//! held or in the middle of the process's start. So memory, waiting and reporting reach the kernel from here. That leaves
//! `errno` alone, too.

use core::arch::asm;

/// The number of a system call.
pub(super) type Number = libc::c_long;

/// Makes a system call. Negative results from -4095 on are errors: the negated `errno`.
///
/// # Safety
/// The caller speaks for what the call does with its arguments: which memory it reads, writes, maps or takes away.
#[inline]
pub(super) unsafe fn call(number: Number, arguments: [usize; 6]) -> isize {
    let result: isize;
    let [a, b, c, d, e, f] = arguments;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel's calling convention; `rcx` and `r11` are what the instruction itself overwrites.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            in("r9") f,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel's calling convention: it keeps all registers but the first.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b,
            in("x2") c,
            in("x3") d,
            in("x4") e,
            in("x5") f,
            options(nostack),
        );
    }
    result
}

/// Whether a result is an error.
#[inline]
pub(super) fn failed(result: isize) -> bool {
    (-4095..0).contains(&result)
}
