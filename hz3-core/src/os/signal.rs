//! Signals: libc's.

use super::{KeepErrno, raw};
use core::ffi::{c_int, c_void};
use core::ptr;
// The kernel has a part in these: they cannot be a model's.
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What the kernel calls for a signal. (On the machines that we know it passes all three, whatever was asked for.)
pub type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// Bytes of the kernel's set of signals.
const SET: usize = size_of::<u64>();

/// Who handled a signal before a handler of ours did. All zero: nobody.
pub struct Before {
    /// Its address.
    handler: AtomicUsize,
    flags: AtomicUsize,
    /// Signals that are blocked while it is called, but for its own.
    mask: AtomicU64,
}

impl Before {
    /// Nobody did.
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Before {
            handler: AtomicUsize::new(libc::SIG_DFL),
            flags: AtomicUsize::new(0),
            mask: AtomicU64::new(0),
        }
    }

    fn set(&self, action: &libc::sigaction) {
        self.flags.store(action.sa_flags as usize, Ordering::Relaxed);
        self.mask.store(first_word(&action.sa_mask), Ordering::Relaxed);
        self.handler.store(action.sa_sigaction, Ordering::Release);
    }

    fn flags(&self) -> c_int {
        self.flags.load(Ordering::Relaxed) as c_int
    }

    /// Calls it, if there is one, as the kernel would have done.
    ///
    /// # Safety
    /// The kernel has called a handler of ours with these arguments, which is about to return.
    pub unsafe fn pass_on(&self, signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let handler = self.handler.load(Ordering::Acquire);
        if handler == libc::SIG_DFL {
            return;
        }
        let flags = self.flags();
        if flags & libc::SA_RESETHAND != 0 {
            let once = self
                .handler
                .compare_exchange(handler, libc::SIG_DFL, Ordering::AcqRel, Ordering::Relaxed);
            if once.is_err() {
                return;
            }
        }
        let own = match flags & libc::SA_NODEFER {
            0 => 1u64 << (signal - 1),
            _ => 0,
        };
        // SAFETY: the context is the kernel's, which puts the mask back that is in there when our handler returns; its first word
        // is all of it. The handler is a function that the program has registered for this signal.
        unsafe {
            let interrupted = first_word(&raw const (*context.cast::<libc::ucontext_t>()).uc_sigmask);
            let mask = interrupted | self.mask.load(Ordering::Relaxed) | own;
            let how = libc::SIG_SETMASK as usize;
            raw::call(libc::SYS_rt_sigprocmask, [how, &raw const mask as usize, 0, SET, 0, 0]);
            core::mem::transmute::<usize, Handler>(handler)(signal, info, context);
        }
    }
}

/// The part of a set of signals that the kernel knows.
fn first_word(set: *const libc::sigset_t) -> u64 {
    // SAFETY: callers pass sets that exist, or the kernel's, of which only this word does.
    unsafe { set.cast::<u64>().read_unaligned() }
}

/// Has `handler` called for a signal. If somebody handles it so far, that is noted: `handler` has to [pass it
/// on](Before::pass_on), and interrupts system calls as that one did. False if the signal is ignored: whoever started the
/// process wants that.
pub fn handle(signal: c_int, handler: Handler, before: &Before) -> bool {
    let _errno = KeepErrno::new();
    // SAFETY: plain numbers.
    let mut old: libc::sigaction = unsafe { core::mem::zeroed() };
    let mut action = old;
    // SAFETY: both structures outlive the calls; the handler is a function that may be called at any time. It may be as soon as
    // it is registered, so what was there is noted before.
    unsafe {
        if libc::sigaction(signal, ptr::null(), &mut old) != 0 || old.sa_sigaction == libc::SIG_IGN {
            return false;
        }
        if old.sa_sigaction == handler as *const () as usize {
            return true;
        }
        before.set(&old);
        let default = libc::SA_RESTART | libc::SA_ONSTACK;
        let as_before = match old.sa_sigaction {
            libc::SIG_DFL => default,
            _ => old.sa_flags & default,
        };
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | as_before;
        libc::sigfillset(&mut action.sa_mask);
        libc::sigaction(signal, &action, ptr::null_mut()) == 0
    }
}

/// Ends that, if it is still that handler: whoever handled the signal before does so again.
pub fn forget(signal: c_int, handler: Handler, before: &Before) {
    let _errno = KeepErrno::new();
    // SAFETY: plain numbers.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    // SAFETY: the structure outlives the calls; what is put back is what the program had registered.
    unsafe {
        if libc::sigaction(signal, ptr::null(), &mut action) == 0
            && action.sa_sigaction == handler as *const () as usize
        {
            action = core::mem::zeroed();
            action.sa_sigaction = before.handler.load(Ordering::Acquire);
            action.sa_flags = before.flags();
            (&raw mut action.sa_mask)
                .cast::<u64>()
                .write_unaligned(before.mask.load(Ordering::Relaxed));
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }
}
