//! Threads, pthread keys and fork handlers: libc's. All of these may allocate, or run code of the program's.

use super::{KeepErrno, raw};
use core::ffi::c_void;

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
/// # Safety
/// The key's destructor may be called with `value` when this thread ends: what `value` points to is there then.
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
