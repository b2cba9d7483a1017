//! Signals: libc's.

use super::KeepErrno;
use core::ffi::c_int;

/// Has `handler` called for a signal that nobody handles so far. System calls that it interrupts go on. False if somebody
/// does.
pub fn handle(signal: c_int, handler: extern "C" fn(c_int)) -> bool {
    let _errno = KeepErrno::new();
    // SAFETY: plain numbers.
    let mut before: libc::sigaction = unsafe { core::mem::zeroed() };
    let mut action = before;
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: both structures outlive the calls; the handler is a function that may be called at any time.
    unsafe {
        libc::sigfillset(&mut action.sa_mask);
        libc::sigaction(signal, core::ptr::null(), &mut before) == 0
            && before.sa_sigaction == libc::SIG_DFL
            && libc::sigaction(signal, &action, core::ptr::null_mut()) == 0
    }
}

/// Ends that, if it is still that handler.
pub fn forget(signal: c_int, handler: extern "C" fn(c_int)) {
    let _errno = KeepErrno::new();
    // SAFETY: plain numbers.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    // SAFETY: the structure outlives the calls; the default is what was there before.
    unsafe {
        if libc::sigaction(signal, core::ptr::null(), &mut action) == 0
            && action.sa_sigaction == handler as *const () as usize
        {
            action = core::mem::zeroed();
            action.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &action, core::ptr::null_mut());
        }
    }
}
