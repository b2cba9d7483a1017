//! A thread that the C library does not know: it has no thread-local storage of its own, no `errno`, and makes system calls
//! only.

use super::raw;
use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};

/// On whose behalf this thread acts: real and effective user and group.
pub fn credentials() -> [u32; 4] {
    [libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid].map(|number| {
        // SAFETY: asks only.
        unsafe { raw::call(number, [0; 6]) as u32 }
    })
}

/// Whether a filter stands between this thread and the kernel (seccomp).
pub fn is_filtered() -> bool {
    // SAFETY: asks only.
    let said = unsafe { raw::call(libc::SYS_prctl, [libc::PR_GET_SECCOMP as usize, 0, 0, 0, 0, 0]) };
    // A kernel without filters does not know the question.
    said != 0 && said != -(libc::EINVAL as isize)
}

/// Starts a thread that the C library does not know, with all signals blocked. Its number stands in `number` before this
/// returns, and until the kernel has let go of its stack: then it is 0 again. False if there cannot be one.
///
/// For the C library the thread does not exist: a process with one thread besides is one with one thread, and ends with
/// it. In turn the thread must not use the C library, nor thread-local storage: its thread pointer is null, so that an attempt
/// does no silent harm.
///
/// # Safety
/// `top` is the upper end of a stack, a multiple of 16, that is the thread's until `number` is 0; `run` uses nothing but
/// system calls and what lives as long as itself.
pub unsafe fn start_bare_thread(run: extern "C" fn() -> !, top: *mut u8, number: &'static AtomicU32) -> bool {
    const FLAGS: i32 = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM
        | libc::CLONE_SETTLS
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_CLEARTID;
    let (all, mut old) = (u64::MAX, 0u64);
    let mask = |set: *const u64, old: *mut u64| {
        let how = libc::SIG_SETMASK as usize;
        let arguments = [how, set as usize, old as usize, size_of::<u64>(), 0, 0];
        // SAFETY: both sets outlive the call.
        unsafe { raw::call(libc::SYS_rt_sigprocmask, arguments) }
    };
    if raw::failed(mask(&raw const all, &raw mut old)) {
        return false;
    }
    // SAFETY: the stack is the new thread's, and `number` a static.
    let result = unsafe { clone(FLAGS as usize, top, number.as_ptr(), run) };
    mask(&raw const old, core::ptr::null_mut());
    !raw::failed(result)
}

/// The call itself: it returns twice, and the second time on another stack, which only assembly can take.
///
/// # Safety
/// As for [`start_bare_thread`]: the stack below `top` is the new thread's, `number` outlives it, and `run` never returns.
unsafe fn clone(flags: usize, top: *mut u8, number: *mut u32, run: extern "C" fn() -> !) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel writes to `number` only. In the new thread nothing of this frame is used: it calls `run`, which
    // never returns.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "call r9",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") flags,
            in("rsi") top,
            in("rdx") number,
            in("r10") number,
            in("r8") 0usize,
            in("r9") run,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as on x86-64.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "blr x9",
            "brk 1",
            "2:",
            in("x8") libc::SYS_clone,
            inlateout("x0") flags as isize => result,
            in("x1") top,
            in("x2") number,
            in("x3") 0usize,
            in("x4") number,
            in("x9") run,
            options(nostack),
        );
    }
    result
}

/// Ends a thread that [`start_bare_thread`] started.
///
/// # Safety
/// The calling thread was started by [`start_bare_thread`], and nobody waits for anything that is on its stack.
pub unsafe fn end_bare_thread() -> ! {
    loop {
        // SAFETY: nobody waits for anything else of this thread than that it ends.
        unsafe { raw::call(libc::SYS_exit, [0; 6]) };
    }
}

/// Waits until a bare thread has ended, for a tenth of a second at most. The kernel wakes those who wait for the number.
pub fn wait_for_bare_thread(number: &AtomicU32) {
    let seen = number.load(Ordering::Acquire);
    if seen != 0 {
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        let arguments = [
            number.as_ptr() as usize,
            // Not a private one: the kernel's own wake-up is not.
            libc::FUTEX_WAIT as usize,
            seen as usize,
            &raw const time as usize,
            0,
            0,
        ];
        // SAFETY: the kernel reads the word and the time, and uses the word's address as a key.
        unsafe { raw::call(libc::SYS_futex, arguments) };
    }
}
