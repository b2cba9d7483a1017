//! Threads, pthread keys and fork handlers: libc's. All of these may allocate, or run code of the program's.

use super::{KeepErrno, raw};
use core::ffi::c_void;
use core::ptr;

/// A thread of ours, which somebody has to wait for.
pub type Thread = libc::pthread_t;

/// Waits until a thread has left our code for good.
///
/// `start_thread` gave it, and nobody else waits for it.
pub unsafe fn join_thread(thread: Thread) {
    let _errno = KeepErrno::new();
    // SAFETY: the caller's contract.
    unsafe { libc::pthread_join(thread, ptr::null_mut()) };
}

/// Starts a thread with a small stack and all signals blocked. None if there cannot be one. May allocate.
pub fn start_thread(run: extern "C" fn(*mut c_void) -> *mut c_void) -> Option<Thread> {
    /// Bytes of the stack: enough for the C library's own and for thread-local storage.
    const STACK: usize = 256 << 10;
    let _errno = KeepErrno::new();
    // SAFETY: all structures outlive their calls and are made by the C library before they are used; the thread needs
    // nothing of this frame.
    unsafe {
        let mut attributes = core::mem::zeroed::<libc::pthread_attr_t>();
        let (mut all, mut old) = (
            core::mem::zeroed::<libc::sigset_t>(),
            core::mem::zeroed::<libc::sigset_t>(),
        );
        if libc::pthread_attr_init(&mut attributes) != 0 {
            return None;
        }
        libc::pthread_attr_setstacksize(&mut attributes, STACK);
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, &mut old);
        let mut thread: libc::pthread_t = 0;
        let r = libc::pthread_create(&mut thread, &attributes, run, ptr::null_mut());
        libc::pthread_sigmask(libc::SIG_SETMASK, &old, ptr::null_mut());
        libc::pthread_attr_destroy(&mut attributes);
        (r == 0).then_some(thread)
    }
}

/// Sleeps.
pub fn sleep_ms(ms: u64) {
    let time = libc::timespec {
        tv_sec: (ms / 1000) as libc::time_t,
        tv_nsec: (ms % 1000 * 1_000_000) as libc::c_long,
    };
    // SAFETY: `time` outlives the call; a shorter sleep does no harm.
    unsafe { raw::call(libc::SYS_nanosleep, [&raw const time as usize, 0, 0, 0, 0, 0]) };
}

/// A pthread key.
pub type Key = libc::pthread_key_t;

/// Makes a key whose destructor runs at thread exit. None when the process has no key left.
pub fn make_key(destructor: unsafe extern "C" fn(*mut c_void)) -> Option<Key> {
    let mut key: Key = 0;
    // SAFETY: `key` outlives the call.
    let r = unsafe { libc::pthread_key_create(&mut key, Some(destructor)) };
    (r == 0).then_some(key)
}

/// Gives a key back: its destructor is not called any more.
pub fn delete_key(key: Key) {
    // SAFETY: `key` is one of ours.
    unsafe { libc::pthread_key_delete(key) };
}

/// Stores `value` under `key` for this thread, so that its destructor runs with it. May allocate. False when the C library
/// has no memory for that.
///
/// The destructor can be called with `value`.
pub unsafe fn arm_key(key: Key, value: *const c_void) -> bool {
    let _errno = KeepErrno::new();
    // SAFETY: `key` is one of ours; the caller speaks for the value.
    unsafe { libc::pthread_setspecific(key, value) == 0 }
}

/// Registers fork handlers. May allocate.
pub fn at_fork(prepare: unsafe extern "C" fn(), parent: unsafe extern "C" fn(), child: unsafe extern "C" fn()) {
    let _errno = KeepErrno::new();
    // SAFETY: the handlers are functions for the life of this library, and the registration names its DSO.
    unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
}
