//! Sleeping on a word until another thread wakes the sleepers.

use super::raw;
use core::ptr;
use core::sync::atomic::AtomicU32;

/// Sleeps while `*word == expected`; may return early.
pub fn futex_wait(word: &AtomicU32, expected: u32) {
    futex(word, libc::FUTEX_WAIT, expected, ptr::null());
}

/// As [`futex_wait`], but for at most `micros` microseconds.
pub fn futex_wait_for(word: &AtomicU32, expected: u32, micros: u32) {
    let time = libc::timespec {
        tv_sec: i64::from(micros / 1_000_000),
        tv_nsec: i64::from(micros % 1_000_000) * 1000,
    };
    futex(word, libc::FUTEX_WAIT, expected, &time);
}

/// Wakes all sleepers of `word`.
pub fn futex_wake_all(word: &AtomicU32) {
    futex(word, libc::FUTEX_WAKE, i32::MAX as u32, ptr::null());
}

/// Wakes one sleeper of `word`.
pub fn futex_wake(word: &AtomicU32) {
    futex(word, libc::FUTEX_WAKE, 1, ptr::null());
}

fn futex(word: &AtomicU32, operation: i32, value: u32, time: *const libc::timespec) {
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel reads the word and the time, if there is one, and uses the word's address as a key.
    unsafe {
        raw::call(
            libc::SYS_futex,
            [
                word.as_ptr() as usize,
                operation as usize,
                value as usize,
                time as usize,
                0,
                0,
            ],
        )
    };
}
