//! In tests, calls of a thread to the kernel fail, as if memory were out.

#[cfg(all(test, not(loom)))]
use core::cell::Cell;

#[cfg(all(test, not(loom)))]
std::thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static FROM_TO: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// The calls `from..to`, counted from now on, fail.
#[cfg(all(test, not(loom)))]
pub fn calls(from: u64, to: u64) {
    CALLS.set(0);
    FROM_TO.set((from, to));
}

/// How many calls there were since then.
#[cfg(all(test, not(loom)))]
pub fn made() -> u64 {
    CALLS.get()
}

/// Whether the call that comes now fails.
#[cfg(all(test, not(loom)))]
pub(super) fn this_one() -> bool {
    let n = CALLS.get();
    CALLS.set(n + 1);
    let (from, to) = FROM_TO.get();
    n >= from && n < to
}

/// Whether the call that comes now fails: the kernel alone says that.
#[cfg(not(all(test, not(loom))))]
#[inline(always)]
pub(super) fn this_one() -> bool {
    false
}
