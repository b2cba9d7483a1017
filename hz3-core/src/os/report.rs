//! Messages, and the end of the process.

use super::raw;

/// Writes a line to standard error without allocating.
pub fn complain(parts: &[&[u8]]) {
    for part in parts {
        // SAFETY: the slice is readable for its length.
        unsafe { raw::call(libc::SYS_write, [2, part.as_ptr() as usize, part.len(), 0, 0, 0]) };
    }
}

/// Ends the process after a message.
pub fn die(message: &[u8]) -> ! {
    complain(&[b"hz3: ", message, b"\n"]);
    // SAFETY: always safe to call.
    unsafe { libc::abort() }
}
