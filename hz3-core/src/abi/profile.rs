//! Profiles, as programs ask for them.

use crate::event::profile;
use crate::os::{ENOMEM, file::File};
use crate::text::Text;
use crate::variant::Variant;
use core::ffi::{CStr, c_char, c_int};

/// `hz3_profile_dump`: writes a profile to the path, or to the config's if it is null. 0, or an `errno`.
///
/// # Safety
/// `path` is null, or a text that ends with a zero and stays as it is while the call lasts.
pub unsafe fn profile_dump<V: Variant>(path: *const c_char) -> c_int {
    // SAFETY: as the caller says.
    let path = (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) });
    profile::dump::<V>(path).err().unwrap_or(0)
}

/// Writes a profile to a path.
///
/// # Errors
/// An `errno`: see [`profile::dump`].
pub fn dump<V: Variant>(path: &CStr) -> Result<(), c_int> {
    profile::dump::<V>(Some(path))
}

/// Hands a profile to `out`, piece by piece, until that returns false. It may allocate: the profile is complete by then, and
/// nothing is held.
///
/// # Errors
/// An `errno`: see [`profile::dump`]; `ENOMEM` if there is no memory for the profile.
pub fn each<V: Variant>(out: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), c_int> {
    let file = File::in_memory(c"hz3 profile").ok_or(ENOMEM)?;
    let mut path = [0u8; 40];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(path.as_mut_ptr(), path.len()) };
    text.push(b"/proc/self/fd/").number(file.descriptor() as u64);
    text.finish();
    dump::<V>(CStr::from_bytes_until_nul(&path).map_err(|_| ENOMEM)?)?;
    let mut buffer = [0u8; 4096];
    loop {
        let got = file.read(&mut buffer);
        if got == 0 || !out(buffer.get(..got).unwrap_or_default()) {
            return Ok(());
        }
    }
}
