//! What a program can ask: glibc's reports, and hz3's own (`hz3.h`).

use crate::Preload as V;
use core::ffi::{c_char, c_int};
use hz3_core::abi::{c, introspect, profile};
use hz3_core::statics::errors::OnError;
use hz3_core::{Shared, Variant, os};

/// glibc's `struct mallinfo2`; bytes unless it says otherwise.
#[repr(C)]
#[derive(Clone, Copy, Default)]
#[allow(missing_docs)] // The names are glibc's.
pub struct MallInfo<T> {
    pub arena: T,
    pub ordblks: T,
    pub smblks: T,
    pub hblks: T,
    pub hblkhd: T,
    pub usmblks: T,
    pub fsmblks: T,
    pub uordblks: T,
    pub fordblks: T,
    pub keepcost: T,
}

/// `mallinfo2`.
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo2() -> MallInfo<usize> {
    let t = introspect::totals::<V>();
    let free = (t.run_free + t.pages_free + t.depots + t.magazines) as usize;
    let taken = t.taken as usize;
    MallInfo {
        arena: taken - t.huge as usize,
        ordblks: t.segments as usize,
        hblks: t.outside as usize,
        hblkhd: t.huge as usize,
        uordblks: (t.live() - t.huge) as usize,
        fordblks: free,
        keepcost: t.pages_dirty as usize,
        ..MallInfo::default()
    }
}

/// `mallinfo`: the same in `int`s, cut off at their largest value.
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo() -> MallInfo<c_int> {
    let m = mallinfo2();
    let cut = |n: usize| c_int::try_from(n).unwrap_or(c_int::MAX);
    MallInfo {
        arena: cut(m.arena),
        ordblks: cut(m.ordblks),
        smblks: 0,
        hblks: cut(m.hblks),
        hblkhd: cut(m.hblkhd),
        usmblks: 0,
        fsmblks: 0,
        uordblks: cut(m.uordblks),
        fordblks: cut(m.fordblks),
        keepcost: cut(m.keepcost),
    }
}

/// `malloc_stats`: the statistics as one line of JSON on standard error.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_stats() {
    introspect::report::<V>();
}

/// `malloc_info`: the statistics as XML. `options` must be 0; -1 with `EINVAL` otherwise.
///
/// # Safety
/// If `options` is 0, `stream` is an open stream of the C library, and stays open until this call returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_info(options: c_int, stream: *mut libc::FILE) -> c_int {
    if options != 0 {
        os::set_errno(os::EINVAL);
        return -1;
    }
    let mut buffer = [0u8; introspect::REPORT];
    // SAFETY: the buffer can be written for the length that is passed, and `info_xml` ends what it writes with a zero, as
    // `fputs` needs it; the stream is open by the contract above.
    unsafe {
        introspect::info_xml::<V>(buffer.as_mut_ptr(), buffer.len());
        libc::fputs(buffer.as_ptr().cast(), stream).min(0)
    }
}

/// The generator's version.
#[unsafe(no_mangle)]
pub extern "C" fn hz3_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The variant's name.
#[unsafe(no_mangle)]
pub extern "C" fn hz3_name() -> *const c_char {
    V::NAME_C.as_ptr()
}

/// The resolved config, as TOML.
#[unsafe(no_mangle)]
pub extern "C" fn hz3_config() -> *const c_char {
    V::CONFIG.as_ptr()
}

/// The statistics as JSON, like `snprintf`: at most `room` bytes with the final zero. Returns the length of the whole text.
///
/// # Safety
/// `out` can be written for `room` bytes, and nobody else uses them until this call returns. With a `room` of 0 it may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hz3_stats_json(out: *mut c_char, room: usize) -> usize {
    // SAFETY: `stats_json` writes at most `room` bytes at `out`, which the contract above allows.
    unsafe { introspect::stats_json::<V>(out.cast(), room) }
}

/// Writes a profile to the path, or to the config's if it is null. Returns 0, or an `errno`.
///
/// # Safety
/// `path` is null, or a text that ends with a zero and stays as it is until this call returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hz3_profile_dump(path: *const c_char) -> c_int {
    // SAFETY: it asks for no more than the contract above.
    unsafe { profile::profile_dump::<V>(path) }
}

/// Gives back what can be given back; returns the bytes that the kernel got.
#[unsafe(no_mangle)]
pub extern "C" fn hz3_trim() -> usize {
    // SAFETY: no event of this thread is under way: this is called by the program, and no event calls the program.
    unsafe { c::trim::<V>(0) }
}

/// Sets the limits of the heap, in bytes; 0 is none. Returns 0, or `EINVAL` if the soft one is above the hard one.
#[unsafe(no_mangle)]
pub extern "C" fn hz3_set_limit(soft: usize, hard: usize) -> c_int {
    // SAFETY: no event of this thread is under way: this is called by the program, and no event calls the program.
    unsafe { c::set_limit::<V>(soft, hard) }
}

/// Has a function told of each error, or nobody.
#[unsafe(no_mangle)]
pub extern "C" fn hz3_on_error(told: Option<OnError>) {
    V::shared().errors().set_hook(told);
}
