//! The entry points of an allocator, as a table.

use std::ffi::{c_char, c_int};

type New = unsafe extern "C" fn(usize) -> *mut u8;
type NewNothrow = unsafe extern "C" fn(usize, *const u8) -> *mut u8;
type NewAligned = unsafe extern "C" fn(usize, usize) -> *mut u8;
type Delete = unsafe extern "C" fn(*mut u8);
type DeleteSized = unsafe extern "C" fn(*mut u8, usize);
type DeleteAligned = unsafe extern "C" fn(*mut u8, usize);
type DeleteSizedAligned = unsafe extern "C" fn(*mut u8, usize, usize);

/// The functions of C, under their names. Their contracts are those of the C library.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Entries {
    pub malloc: unsafe extern "C" fn(usize) -> *mut u8,
    pub calloc: unsafe extern "C" fn(usize, usize) -> *mut u8,
    pub realloc: unsafe extern "C" fn(*mut u8, usize) -> *mut u8,
    pub reallocarray: unsafe extern "C" fn(*mut u8, usize, usize) -> *mut u8,
    pub aligned_alloc: unsafe extern "C" fn(usize, usize) -> *mut u8,
    pub posix_memalign: unsafe extern "C" fn(*mut *mut u8, usize, usize) -> c_int,
    pub memalign: unsafe extern "C" fn(usize, usize) -> *mut u8,
    pub valloc: unsafe extern "C" fn(usize) -> *mut u8,
    pub pvalloc: unsafe extern "C" fn(usize) -> *mut u8,
    pub free: Delete,
    pub free_sized: Option<DeleteSized>,
    pub free_aligned_sized: Option<DeleteSizedAligned>,
    pub usable: unsafe extern "C" fn(*mut u8) -> usize,
    pub trim: Option<unsafe extern "C" fn(usize) -> c_int>,
    /// Every report that there is.
    pub info: Option<extern "C" fn()>,
    pub cxx: Option<Cxx>,
    pub rust: Option<Rust>,
    pub own: Option<Own>,
}

/// C++'s operators.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Cxx {
    pub new: New,
    pub new_array: New,
    pub new_nothrow: NewNothrow,
    pub new_aligned: NewAligned,
    pub delete: Delete,
    pub delete_array: Delete,
    pub delete_sized: DeleteSized,
    pub delete_array_sized: DeleteSized,
    pub delete_aligned: DeleteAligned,
    pub delete_sized_aligned: DeleteSizedAligned,
}

/// Rust's `GlobalAlloc`: size and alignment make the layout.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Rust {
    pub alloc: unsafe extern "C" fn(usize, usize) -> *mut u8,
    pub alloc_zeroed: unsafe extern "C" fn(usize, usize) -> *mut u8,
    /// Object, size, alignment, new size.
    pub realloc: unsafe extern "C" fn(*mut u8, usize, usize, usize) -> *mut u8,
    pub dealloc: unsafe extern "C" fn(*mut u8, usize, usize),
}

/// What only a variant of hz3 has.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Own {
    pub stats_json: unsafe extern "C" fn(*mut u8, usize) -> usize,
    pub dump: unsafe extern "C" fn(*const c_char) -> c_int,
}
