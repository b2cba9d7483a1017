//! The malloc of this process: the C library's, or whatever is preloaded.

use super::entries::{Cxx, Entries, Own};
use std::ffi::{CStr, c_void};
use std::mem::transmute_copy;

/// What the dynamic linker has of a name.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with a zero; the default scope is always there.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// The function that is found at an address.
///
/// # Safety
/// `F` is a pointer to a function, of the type that the function there has.
unsafe fn typed<F: Copy>(found: *mut c_void) -> F {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: as the caller says; both are pointers.
    unsafe { transmute_copy(&found) }
}

/// The function of a name, of the type that is wanted here.
macro_rules! function {
    ($name:literal) => {
        match symbol($name) {
            // SAFETY: whoever exports this name has the function that the C or C++ ABI gives it, whose type the field has.
            Some(found) => unsafe { typed(found) },
            None => return None,
        }
    };
}

/// Makes an option of functions that may lack.
macro_rules! maybe {
    ($name:literal) => {
        // SAFETY: as in `function`.
        symbol($name).map(|found| unsafe { typed(found) })
    };
}

impl Entries {
    /// Those that the dynamic linker finds.
    ///
    /// # Panics
    ///
    /// If there is no malloc.
    pub fn of_process() -> Self {
        all().expect("a C library with all of malloc")
    }
}

fn all() -> Option<Entries> {
    Some(Entries {
        malloc: function!(c"malloc"),
        calloc: function!(c"calloc"),
        realloc: function!(c"realloc"),
        reallocarray: function!(c"reallocarray"),
        aligned_alloc: function!(c"aligned_alloc"),
        posix_memalign: function!(c"posix_memalign"),
        memalign: function!(c"memalign"),
        valloc: function!(c"valloc"),
        pvalloc: function!(c"pvalloc"),
        free: function!(c"free"),
        free_sized: maybe!(c"free_sized"),
        free_aligned_sized: maybe!(c"free_aligned_sized"),
        usable: function!(c"malloc_usable_size"),
        trim: maybe!(c"malloc_trim"),
        info: Some(info),
        cxx: cxx(),
        rust: None,
        own: own(),
    })
}

/// The C library's reports, as whoever is at work answers them.
extern "C" fn info() {
    // SAFETY: none of these asks anything of its caller.
    unsafe {
        std::hint::black_box((libc::mallinfo2(), libc::mallinfo(), libc::mallopt(9999, 1)));
    }
}

fn cxx() -> Option<Cxx> {
    Some(Cxx {
        new: function!(c"_Znwm"),
        new_array: function!(c"_Znam"),
        new_nothrow: function!(c"_ZnwmRKSt9nothrow_t"),
        new_aligned: function!(c"_ZnwmSt11align_val_t"),
        delete: function!(c"_ZdlPv"),
        delete_array: function!(c"_ZdaPv"),
        delete_sized: function!(c"_ZdlPvm"),
        delete_array_sized: function!(c"_ZdaPvm"),
        delete_aligned: function!(c"_ZdlPvSt11align_val_t"),
        delete_sized_aligned: function!(c"_ZdlPvmSt11align_val_t"),
    })
}

fn own() -> Option<Own> {
    Some(Own {
        stats_json: function!(c"hz3_stats_json"),
        dump: function!(c"hz3_profile_dump"),
    })
}
