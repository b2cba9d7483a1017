//! Faults: what the processor refuses to do for the program.

use super::KeepErrno;
use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::mem::{MaybeUninit, transmute};
use core::ptr;

/// A handler of faults, as the kernel calls it.
pub type Handler = extern "C" fn(c_int, *mut c_void, *mut c_void);

/// Who handled faults before a variant did. All zero is nobody.
pub struct Before(UnsafeCell<MaybeUninit<libc::sigaction>>);

// SAFETY: it is written by `catch`, whose caller sees that it is called once at a time, and else only read.
unsafe impl Sync for Before {}

impl Before {
    /// Nobody.
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Before(UnsafeCell::new(MaybeUninit::zeroed()))
    }

    fn action(&self) -> libc::sigaction {
        // SAFETY: all zero is an action, the default one; `catch` writes whole ones.
        unsafe { (*self.0.get()).assume_init() }
    }
}

/// Has `handler` called when the program touches what it must not, and remembers who was called so far. False if the kernel
/// refuses.
///
/// # Safety
/// Nobody else calls it for the same `before` meanwhile, and `handler` does not use it before it returns.
pub unsafe fn catch(handler: Handler, before: &Before) -> bool {
    let _errno = KeepErrno::new();
    // SAFETY: plain numbers.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: both structures outlive the calls. The old action is remembered before it is replaced.
    unsafe {
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGSEGV, ptr::null(), (*before.0.get()).as_mut_ptr()) == 0
            && libc::sigaction(libc::SIGSEGV, &action, ptr::null_mut()) == 0
    }
}

/// Ends that, if `handler` is still the one that is called.
pub fn release(handler: Handler, before: &Before) {
    let _errno = KeepErrno::new();
    // SAFETY: plain numbers.
    let mut now: libc::sigaction = unsafe { core::mem::zeroed() };
    // SAFETY: the structures outlive the calls.
    unsafe {
        if libc::sigaction(libc::SIGSEGV, ptr::null(), &mut now) == 0
            && now.sa_sigaction == handler as *const () as usize
        {
            libc::sigaction(libc::SIGSEGV, &before.action(), ptr::null_mut());
        }
    }
}

/// Leaves a fault to who handled them before. If that is nobody, it is so from now on: the program makes the same fault again
/// as soon as the handler returns, and ends.
///
/// # Safety
/// Called in a handler that [`catch`] installed, with its arguments.
pub unsafe fn leave(before: &Before, signal: c_int, info: *mut c_void, context: *mut c_void) {
    let action = before.action();
    match action.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: the structure outlives the call. Who ignores a fault is ended by it as well: the kernel says so.
            unsafe {
                let mut default: libc::sigaction = core::mem::zeroed();
                default.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &default, ptr::null_mut());
            }
        }
        handler => {
            // SAFETY: the handler is a function of the type that its flags say.
            unsafe {
                let handler = ptr::with_exposed_provenance::<c_void>(handler);
                if action.sa_flags & libc::SA_SIGINFO != 0 {
                    transmute::<*const c_void, Handler>(handler)(signal, info, context);
                } else {
                    transmute::<*const c_void, extern "C" fn(c_int)>(handler)(signal);
                }
            }
        }
    }
}

/// The address that a fault was about.
///
/// # Safety
/// `info` is what a handler of faults got.
pub unsafe fn address(info: *mut c_void) -> *mut u8 {
    // SAFETY: the kernel's structure; of a fault it has the address.
    unsafe { (*info.cast::<libc::siginfo_t>()).si_addr().cast() }
}

/// Whether it was a write; None if the processor does not tell.
///
/// # Safety
/// `context` is what a handler of faults got.
pub unsafe fn is_write(context: *mut c_void) -> Option<bool> {
    #[cfg(target_arch = "x86_64")]
    {
        const WRITE: i64 = 2;
        // SAFETY: the kernel's structure.
        let error = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_ERR as usize] };
        Some(error & WRITE != 0)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = context;
        None
    }
}

/// Whether it is known which address a fault was about. If not, the address cannot be one: the processor refused to make it.
///
/// # Safety
/// `info` is what a handler of faults got.
pub unsafe fn has_address(info: *mut c_void) -> bool {
    /// `SI_KERNEL`: the fault is no page's.
    const NO_PAGE: c_int = 0x80;
    // SAFETY: the kernel's structure.
    unsafe { (*info.cast::<libc::siginfo_t>()).si_code != NO_PAGE }
}

/// What the registers held where the fault is that a program computes with; the first argument of a function that has just been called
/// comes first.
///
/// # Safety
/// `context` is what a handler of faults got, and stays until the last one was read.
pub unsafe fn registers(context: *mut c_void) -> impl Iterator<Item = usize> + Clone {
    let context: *const libc::ucontext_t = context.cast();
    // SAFETY: the kernel's structure.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        let (first, all) = {
            // All before the instruction's own.
            let all = &(&(*context).uc_mcontext.gregs)[..libc::REG_RIP as usize];
            (all[libc::REG_RDI as usize], all)
        };
        #[cfg(target_arch = "aarch64")]
        let (first, all) = {
            let all = &(&(*context).uc_mcontext.regs)[..];
            (all[0], all)
        };
        core::iter::once(first as usize).chain(all.iter().map(|value| *value as usize))
    }
}
