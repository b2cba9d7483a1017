//! Threads, pthread keys and fork handlers: libc's. All of these may allocate, or run code of the program's.

use super::glibc::weak;
use super::{KeepErrno, raw};
use core::ffi::{c_int, c_void};
use core::mem::transmute;

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

type Handler = unsafe extern "C" fn();

unsafe extern "C" {
    /// A name of the object that this code is linked into; only its address is used.
    #[link_name = "__dso_handle"]
    static OBJECT: c_void;
}

/// Registers fork handlers. May allocate.
///
/// C libraries have different names for it. glibc's `pthread_atfork` is a part of whoever is linked, and calls a name that
/// musl has not. So a library that is to run with either finds both by weak reference. Whoever links an archive against
/// musl's has to ask for `pthread_atfork` beside, as a weak reference takes nothing out of an archive.
pub fn at_fork(prepare: Handler, parent: Handler, child: Handler) {
    let _errno = KeepErrno::new();
    type Glibc = unsafe extern "C" fn(Option<Handler>, Option<Handler>, Option<Handler>, *const c_void) -> c_int;
    type Plain = unsafe extern "C" fn(Option<Handler>, Option<Handler>, Option<Handler>) -> c_int;
    let handlers = (Some(prepare), Some(parent), Some(child));
    let glibc = weak!("__register_atfork");
    if !glibc.is_null() {
        // SAFETY: the function's type in every glibc since 2.3.2. The handlers are functions for the life of this library,
        // which the last argument names: they are forgotten when it goes.
        unsafe { transmute::<*const c_void, Glibc>(glibc)(handlers.0, handlers.1, handlers.2, &raw const OBJECT) };
        return;
    }
    #[cfg(not(target_env = "musl"))]
    let plain = weak!("pthread_atfork");
    #[cfg(target_env = "musl")]
    let plain = libc::pthread_atfork as *const c_void;
    if !plain.is_null() {
        // SAFETY: the function's type by the standard. The handlers are functions for the life of this library, which a C
        // library without the other function never unloads.
        unsafe { transmute::<*const c_void, Plain>(plain)(handlers.0, handlers.1, handlers.2) };
    }
}
