//! Every order in which threads can meet in the lock.

use super::explore::explore;
use super::lock::Lock;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

/// A number that only the holder of the lock may touch; loom reports any two accesses that nothing orders.
pub(super) struct Counted {
    pub(super) lock: Lock,
    pub(super) number: UnsafeCell<usize>,
}

// SAFETY: the number is only reached under the lock; that this is enough is what the tests prove.
unsafe impl Sync for Counted {}

impl Counted {
    pub(super) fn add(&self) {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        self.number.with_mut(|n| unsafe { *n += 1 });
    }
}

pub(super) fn guarded() -> Arc<Counted> {
    Arc::new(Counted {
        lock: Lock::new(),
        number: UnsafeCell::new(0),
    })
}

pub(super) fn total(shared: &Counted) -> usize {
    // SAFETY: the other threads have ended.
    shared.number.with(|n| unsafe { *n })
}

fn count(threads: usize, times: usize) {
    let shared = Arc::new(Counted {
        lock: Lock::new(),
        number: UnsafeCell::new(0),
    });
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let shared = shared.clone();
            thread::spawn(move || (0..times).for_each(|_| shared.add()))
        })
        .collect();
    (0..times).for_each(|_| shared.add());
    for other in others {
        other.join().unwrap();
    }
    // SAFETY: the other threads have ended.
    assert_eq!(shared.number.with(|n| unsafe { *n }), threads * times);
}

/// Mutual exclusion, and no sleeper is forgotten: every order ends.
#[test]
fn the_lock_excludes_two_threads_in_every_order() {
    explore(None, || count(2, 2));
}

#[test]
fn the_lock_excludes_three_threads() {
    explore(Some(3), || count(3, 1));
}

/// As `fork` uses it: taken and released without a guard, by functions that do not know each other.
#[test]
fn a_lock_without_a_guard_is_the_same_lock() {
    explore(None, || {
        let shared = Arc::new(Counted {
            lock: Lock::new(),
            number: UnsafeCell::new(0),
        });
        let other = {
            let shared = shared.clone();
            thread::spawn(move || shared.add())
        };
        shared.lock.acquire();
        // SAFETY: the lock is held.
        shared.number.with_mut(|n| unsafe { *n += 1 });
        shared.lock.release();
        other.join().unwrap();
        // SAFETY: the other thread has ended.
        assert_eq!(shared.number.with(|n| unsafe { *n }), 2);
    });
}

/// Who finds the lock taken leaves it to whom it belongs.
#[test]
fn a_lock_that_is_only_tried_excludes_too() {
    explore(None, || {
        let shared = guarded();
        let trying = {
            let shared = shared.clone();
            thread::spawn(move || {
                (0..2)
                    .filter(|_| {
                        let guard = shared.lock.try_lock();
                        if guard.is_some() {
                            // SAFETY: the lock is held.
                            shared.number.with_mut(|n| unsafe { *n += 1 });
                        }
                        guard.is_some()
                    })
                    .count()
            })
        };
        shared.add();
        shared.add();
        let times = trying.join().unwrap();
        assert_eq!(total(&shared), 2 + times);
    });
}
