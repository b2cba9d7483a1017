//! The thread that forks, if there is one: which thread it is, and whether it can go on.
//!
//! Between the fork handler that takes our locks and the fork itself, the C library runs the handlers that were registered
//! before ours, and takes locks of its own. So two more things must not wait for our locks in vain:
//!
//! - those handlers, which may allocate. They run in the forking thread, which is told by its thread pointer.
//! - a thread that holds what the forking thread waits for, and allocates. It is not known which thread that is, but the
//!   forking thread sleeps then: it is neither copying the process nor about to. So after a while of waiting a thread looks
//!   into `/proc` whether the forking thread sleeps, once more a moment later, and borrows the lock if it does.
//!
//! One thread borrows at a time, and once it is inside of one lock it borrows those at once that it needs beside.
//!
//! What is taken for granted there: that a thread which slept for that long does not wake, and copy the process, in the
//! microsecond for which locks are borrowed, unless it was the borrower that it waited for. The child would find the lock
//! lent, and ends with a message.

use super::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The forking thread. One for all variants of a program or library: they have one thread that forks (see [`super::turn`]).
struct Forker {
    /// Its identity; 0 if nobody forks.
    thread: AtomicUsize,
    /// Its number in the kernel.
    number: AtomicU32,
}

#[cfg(not(loom))]
static FORKER: Forker = Forker {
    thread: AtomicUsize::new(0),
    number: AtomicU32::new(0),
};

#[cfg(loom)]
loom::lazy_static! {
    static ref FORKER: Forker = Forker {
        thread: AtomicUsize::new(0),
        number: AtomicU32::new(0),
    };
}

/// This thread forks, and no other does.
pub(super) fn set() {
    FORKER.number.store(own_number(), Ordering::Relaxed);
    FORKER.thread.store(identity(), Ordering::Relaxed);
}

/// Nobody forks any more.
pub(super) fn clear() {
    FORKER.thread.store(0, Ordering::Relaxed);
}

/// Whether this thread forks. Others may see the word change meanwhile, but never to their own identity.
pub fn is_me() -> bool {
    FORKER.thread.load(Ordering::Relaxed) == identity()
}

/// Whether a thread forks and sleeps. Takes a few milliseconds if so.
#[cfg(not(loom))]
pub fn is_stuck() -> bool {
    use crate::os;
    /// Milliseconds between two looks.
    const AGAIN: u64 = 4;
    let number = FORKER.number.load(Ordering::Relaxed);
    if !os::thread_sleeps(number) {
        return false;
    }
    os::sleep_ms(AGAIN);
    FORKER.number.load(Ordering::Relaxed) == number && os::thread_sleeps(number)
}

/// The thread that borrows locks because the forking one is stuck, and how many it has.
#[cfg(not(loom))]
static BORROWER: Forker = Forker {
    thread: AtomicUsize::new(0),
    number: AtomicU32::new(0),
};

#[cfg(loom)]
loom::lazy_static! {
    static ref BORROWER: Forker = Forker {
        thread: AtomicUsize::new(0),
        number: AtomicU32::new(0),
    };
}

/// Whether this thread borrows.
pub fn borrows() -> bool {
    BORROWER.thread.load(Ordering::Relaxed) == identity()
}

/// This thread is about to borrow its first lock. False if another one borrows.
pub fn begin_borrowing() -> bool {
    let alone = BORROWER
        .thread
        // With `less_borrowed`: the count of the one before is behind us.
        .compare_exchange(0, identity(), Ordering::Acquire, Ordering::Relaxed)
        .is_ok();
    if alone {
        BORROWER.number.store(1, Ordering::Relaxed);
    }
    alone
}

/// This thread has one lock more, if it is the one that borrows and not the one that forks.
pub fn more_borrowed() {
    if borrows() {
        BORROWER.number.fetch_add(1, Ordering::Relaxed);
    }
}

/// It has one less. Who has none borrows no more.
pub fn less_borrowed() {
    if borrows() && BORROWER.number.fetch_sub(1, Ordering::Relaxed) == 1 {
        BORROWER.thread.store(0, Ordering::Release);
    }
}

/// In the child of a fork: who was about to borrow is not there.
pub(super) fn forget_borrower() {
    BORROWER.thread.store(0, Ordering::Relaxed);
}

#[cfg(not(loom))]
fn identity() -> usize {
    crate::os::thread_identity()
}

#[cfg(not(loom))]
fn own_number() -> u32 {
    crate::os::thread_number()
}

/// The model's threads have no `/proc`; what follows from a look there is modelled by itself.
#[cfg(loom)]
pub fn is_stuck() -> bool {
    false
}

#[cfg(loom)]
fn own_number() -> u32 {
    1
}

#[cfg(loom)]
fn identity() -> usize {
    ME.with(core::cell::Cell::get)
}

#[cfg(loom)]
loom::thread_local! {
    /// The identity of the model's thread, as its test chose it; threads that do not fork need none.
    pub static ME: core::cell::Cell<usize> = core::cell::Cell::new(usize::MAX);
}
