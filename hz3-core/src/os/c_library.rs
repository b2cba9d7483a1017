//! The malloc of somebody else: the C library's own, or that of the process that we are linked into.
//!
//! A library that exports `malloc`, `free` and all their other names cannot ask for them by name: it would find itself. The
//! loader's `dlsym` is no way either: it takes the loader's lock, under which the constructor of a library may wait for the
//! very thread that frees here, and it may allocate. So the C library's table of symbols is read as it lies in memory: that of the
//! object that `errno` lives in.

use super::KeepErrno;
use super::symbols::{function_in, in_one_object};
use core::ffi::{CStr, c_void};
use core::mem::transmute;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// The three functions that take a pointer.
#[derive(Clone, Copy)]
pub struct Malloc {
    free: unsafe extern "C" fn(*mut c_void),
    realloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    usable: unsafe extern "C" fn(*mut c_void) -> usize,
}

impl Malloc {
    /// That of the process, as the names are bound here: for code that does not export them itself.
    pub fn of_process() -> Malloc {
        Malloc {
            free: libc::free,
            realloc: libc::realloc,
            usable: libc::malloc_usable_size,
        }
    }

    /// The C library's own, whoever else exports these names. None if its symbols cannot be read, as in a static program, where
    /// there is no other malloc. Allocates nothing and takes no lock that is held while foreign code runs.
    pub fn of_c_library() -> Option<Malloc> {
        static FOUND: [AtomicPtr<c_void>; 3] = [const { AtomicPtr::new(ptr::null_mut()) }; 3];
        const NAMES: [&CStr; 3] = [c"free", c"realloc", c"malloc_usable_size"];
        // The last one is written last.
        let [free, realloc, usable] = &FOUND;
        if usable.load(Ordering::Acquire).is_null() {
            let c_library = libc::__errno_location as *const () as usize;
            if in_one_object(c_library, Self::of_c_library as *const () as usize) {
                // What goes by these names there is what calls this.
                return None;
            }
            for (found, name) in FOUND.iter().zip(NAMES) {
                let function = function_in(name, c_library)?;
                found.store(function as *mut c_void, Ordering::Release);
            }
        }
        let [free, realloc, usable] = [free, realloc, usable].map(|found| found.load(Ordering::Acquire));
        // SAFETY: functions of these names have these types in every C library.
        unsafe {
            Some(Malloc {
                free: transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(free),
                realloc: transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void>(realloc),
                usable: transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void) -> usize>(usable),
            })
        }
    }

    /// Frees `p`.
    ///
    /// # Safety
    /// `p` came from that malloc, and nobody uses it any more.
    pub unsafe fn free(&self, p: *mut u8) {
        let _errno = KeepErrno::new();
        // SAFETY: the object is of the malloc that the function is of.
        unsafe { (self.free)(p.cast()) }
    }

    /// Resizes `p`; a failure is told as C does it.
    ///
    /// # Safety
    /// `p` came from that malloc, and nobody uses it any more if the result is not null.
    pub unsafe fn realloc(&self, p: *mut u8, n: usize) -> *mut u8 {
        // SAFETY: the object is of the malloc that the function is of.
        unsafe { (self.realloc)(p.cast(), n).cast() }
    }

    /// Bytes that `p` can hold.
    ///
    /// # Safety
    /// `p` came from that malloc, and was not freed.
    pub unsafe fn usable(&self, p: *mut u8) -> usize {
        // SAFETY: the object is of the malloc that the function is of.
        unsafe { (self.usable)(p.cast()) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn serves_pointers_of_the_c_library() {
        for malloc in [
            Malloc::of_c_library().expect("the C library's malloc"),
            Malloc::of_process(),
        ] {
            // SAFETY: the object is the C library's, of 100 bytes at least.
            unsafe {
                let p: *mut u8 = libc::malloc(100).cast();
                p.add(99).write(7);
                assert!(malloc.usable(p) >= 100);
                let p = malloc.realloc(p, 100_000);
                assert!(!p.is_null() && p.add(99).read() == 7 && malloc.usable(p) >= 100_000);
                malloc.free(p);
            }
        }
    }
}
