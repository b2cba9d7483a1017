//! The program that this code is a part of: whether it runs yet, and when it ends.

use super::glibc::weak;
use core::ffi::{c_int, c_void};
use core::ptr;

/// Bytes at the upper end of the first thread's stack in which the start code's call lies: one frame, of the C library's
/// first function.
const FIRST_FRAME: usize = 512;
/// Most bytes of the program's start code from its entry to the instruction behind its call of the C library.
const START_CODE: usize = 128;

unsafe extern "C" {
    fn __cxa_atexit(run: unsafe extern "C" fn(*mut c_void), argument: *mut c_void, owner: *const c_void) -> c_int;
    fn __cxa_finalize(owner: *const c_void);
}

/// Whether the program's start code has called the C library: what is loaded from now on was loaded by the program, not with
/// it, and what is registered for its end from now on is called before the finalizers of libraries.
///
/// The C library does not say so. But then the first frame of the first thread's stack returns to the start code, right
/// behind the program's entry, and before that no frame does. False where the program has start code of another sort, and
/// where the C library does not say where the stack ended (musl, which never unloads a library either).
pub fn is_running() -> bool {
    // Where the stack ended when the program was given to its start code; the dynamic linker's.
    let stack_end = weak!("__libc_stack_end").cast::<*const usize>();
    if stack_end.is_null() {
        return false;
    }
    // SAFETY: always safe to call; the dynamic linker has set the word before it calls anybody.
    let (entry, end) = unsafe { (libc::getauxval(libc::AT_ENTRY) as usize, *stack_end) };
    if entry == 0 || end.is_null() {
        return false;
    }
    let words = FIRST_FRAME / size_of::<usize>();
    (1..=words).any(|n| {
        // SAFETY: the first thread's stack is there as long as the process, and below its end lies a page of it at least: all
        // that the dynamic linker does is done there. Other threads may change a word meanwhile, but the frame in question
        // stays as it is.
        let word = unsafe { ptr::read_volatile(end.sub(n)) };
        word > entry && word - entry <= START_CODE
    })
}

/// Has `run` called when the process ends, unless [`forget_end`] is called before with the same owner, an address of the
/// caller's. May allocate. False if there is no memory for it.
///
/// # Safety
/// `run` is there until the process ends or [`forget_end`] was called with this owner.
pub unsafe fn at_end(run: unsafe extern "C" fn(*mut c_void), owner: *const c_void) -> bool {
    // SAFETY: the function is there as long as it can be called; the owner is compared with, not looked at.
    unsafe { __cxa_atexit(run, ptr::null_mut(), owner) == 0 }
}

/// Calls what `owner` has registered by [`at_end`], and takes it out.
///
/// # Safety
/// `owner` is an address of the caller's own, under which nobody else has registered anything that is still to be called.
pub unsafe fn forget_end(owner: *const c_void) {
    // SAFETY: only this owner's functions are called, which are there.
    unsafe { __cxa_finalize(owner) };
}
