//! Profiles, as C asks for them.

use crate::event::sample::dump;
use crate::variant::Variant;
use core::ffi::{CStr, c_char, c_int};

/// `hz3_profile_dump`: writes a profile to the path, or to the config's if it is null. 0, or an `errno`.
///
/// # Safety
/// `path` is null, or a text that ends with a zero and stays as it is while the call lasts.
pub unsafe fn profile_dump<V: Variant>(path: *const c_char) -> c_int {
    // SAFETY: as the caller says.
    let path = (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) });
    dump::dump::<V>(path).err().unwrap_or(0)
}
