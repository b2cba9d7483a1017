//! Profiles, whoever recorded what they tell: on request, on a signal, and at the process's end.

use super::sample::dump as sampled;
use crate::os;
use crate::statics::Shared;
use crate::text::Text;
use crate::variant::{Record, Variant};
use core::ffi::{CStr, c_int, c_void};
use libc::siginfo_t;

/// Writes a profile to the path, or to the one of the config.
///
/// # Errors
/// `ENOSYS` if the variant records nothing of that sort; `EBUSY` if the caller is a signal handler that has interrupted the
/// recorder; what the kernel says of the file; `ENOMEM` without memory.
pub fn dump<V: Variant>(path: Option<&CStr>) -> Result<(), c_int> {
    if V::Record::CALLS {
        V::Record::dump::<V>(path)
    } else {
        sampled::dump::<V>(path)
    }
}

/// The process ends, or the library is unloaded.
pub fn at_exit<V: Variant>() {
    unasked::<V>();
}

/// Writes a profile for whom nobody waits: of a failure only standard error is told.
pub(super) fn unasked<V: Variant>() {
    if let Err(error) = dump::<V>(None) {
        complain(error);
    }
}

/// Somebody has asked by a signal. The handler may be called on a stack that is too small for what is to be done. Whoever handled
/// the signal before is told of it, too.
///
/// # Safety
/// Called by the kernel, or with what that would say.
pub unsafe extern "C" fn on_signal<V: Variant>(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    if !os::aside(answer::<V>) {
        complain(os::ENOMEM);
    }
    // SAFETY: this is what the kernel says.
    unsafe { V::shared().presence().handler.pass_on(signal, info, context) };
}

/// Writes the profile that a signal asks for, or has somebody write it.
extern "C" fn answer<V: Variant>() {
    if V::Record::CALLS {
        V::Record::asked::<V>();
    } else {
        sampled::on_signal::<V>();
    }
}

/// Says why there is no profile.
pub(super) fn complain(error: c_int) {
    let mut buffer = [0u8; 80];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(b"hz3: cannot write the profile: errno ")
        .number(error.unsigned_abs().into());
    let length = text.finish();
    os::complain(&[buffer.get(..length).unwrap_or_default(), b"\n"]);
}
