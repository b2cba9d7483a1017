//! One thread forks at a time: what it does before and after, for each variant that the program or library has.

use super::atomic::{AtomicU32, Ordering};
use super::forker;
use super::lock::{self, Lock};

struct Turn {
    /// Held by the thread that forks.
    lock: Lock,
    /// Variants whose locks it has taken.
    variants: AtomicU32,
}

#[cfg(not(loom))]
static TURN: Turn = Turn {
    lock: Lock::new(),
    variants: AtomicU32::new(0),
};

#[cfg(loom)]
loom::lazy_static! {
    static ref TURN: Turn = Turn {
        lock: Lock::new(),
        variants: AtomicU32::new(0),
    };
}

/// This thread forks: it is about to take the locks of one variant, maybe of another one, too. Waits for threads that fork
/// already.
pub fn enter() {
    if !forker::is_me() {
        TURN.lock.acquire();
        forker::set();
    }
    TURN.variants.fetch_add(1, Ordering::Relaxed);
}

/// Calls a function with each lock of a variant, in their order.
type Each<'a> = &'a dyn Fn(&mut dyn FnMut(&Lock));

/// This thread forks: takes all locks of one variant.
pub fn hold(each: Each<'_>) {
    enter();
    each(&mut Lock::acquire);
    // Only now, as a lock can be borrowed from here on, and this thread might sleep for another one.
    each(&mut Lock::keep);
}

/// In the parent: releases them, each as soon as nobody is inside. Who is inside of one may wait for one that comes later: so none
/// is waited for before the others.
pub fn let_go(each: Each<'_>) {
    loop {
        let mut all = true;
        each(&mut |lock| all &= lock.end_keep());
        if all {
            break;
        }
        lock::spin();
    }
    leave();
}

/// In the parent: this thread has released the locks of one variant.
pub fn leave() {
    if one_less() {
        TURN.lock.release();
    }
}

/// In the child: this thread has made the locks of one variant anew.
pub fn leave_in_child() {
    forker::forget_borrower();
    if one_less() {
        TURN.lock.reset();
    }
}

fn one_less() -> bool {
    let last = TURN.variants.fetch_sub(1, Ordering::Relaxed) == 1;
    if last {
        forker::clear();
    }
    last
}
