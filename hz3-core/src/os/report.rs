//! Messages, and the end of the process.

use super::raw;

/// Writes a line to standard error without allocating, in one piece: what others write does not come in between.
pub fn complain(parts: &[&[u8]]) {
    const MOST: usize = 8;
    let mut vectors = [(0usize, 0usize); MOST];
    for (vector, part) in vectors.iter_mut().zip(parts) {
        *vector = (part.as_ptr() as usize, part.len());
    }
    debug_assert!(parts.len() <= MOST);
    // SAFETY: a pair is an `iovec`, an address and a length; the slices are readable for their lengths.
    unsafe {
        raw::call(
            libc::SYS_writev,
            [2, vectors.as_ptr() as usize, parts.len().min(MOST), 0, 0, 0],
        )
    };
}

/// Ends the process after a message.
pub fn die(message: &[u8]) -> ! {
    complain(&[b"hz3: ", message, b"\n"]);
    abort()
}

/// Ends the process.
pub fn abort() -> ! {
    // SAFETY: always safe to call.
    unsafe { libc::abort() }
}
