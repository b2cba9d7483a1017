//! Every order in which threads can meet in the lock and the gate, within loom's model of memory.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p hz3-core --release --lib --target-dir target/loom loom`

use super::lock::{Guard, Lock};
use super::{Gate, forker, turn};
use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

/// Explores with at most so many preemptions; three threads with three steps each have too many orders otherwise.
pub(crate) fn explore(preemptions: Option<usize>, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(f);
}

// ---- the lock ----

/// A number that only the holder of the lock may touch; loom reports any two accesses that nothing orders.
struct Guarded {
    lock: Lock,
    number: UnsafeCell<usize>,
}

// SAFETY: the number is only reached under the lock; that this is enough is what the tests prove.
unsafe impl Sync for Guarded {}

impl Guarded {
    fn add(&self) {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        self.number.with_mut(|n| unsafe { *n += 1 });
    }
}

fn count(threads: usize, times: usize) {
    let shared = Arc::new(Guarded {
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
        let shared = Arc::new(Guarded {
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

// ---- the lock while a thread forks ----

/// What a forking thread does around the fork, and between its own handlers: one of somebody else's, which uses the heap.
fn fork(me: usize, shared: &Guarded) {
    forker::ME.with(|own| own.set(me));
    turn::enter();
    shared.lock.acquire();
    shared.lock.keep();
    shared.add();
    shared.lock.end_keep();
    turn::leave();
}

fn guarded() -> Arc<Guarded> {
    Arc::new(Guarded {
        lock: Lock::new(),
        number: UnsafeCell::new(0),
    })
}

fn total(shared: &Guarded) -> usize {
    // SAFETY: the other threads have ended.
    shared.number.with(|n| unsafe { *n })
}

/// One thread forks, another one does something; both use what the lock guards once.
fn fork_beside(other: fn(&Guarded)) {
    let shared = guarded();
    let beside = {
        let shared = shared.clone();
        thread::spawn(move || other(&shared))
    };
    fork(1, &shared);
    beside.join().unwrap();
    assert_eq!(total(&shared), 2);
}

#[test]
fn a_forking_thread_passes_its_own_lock_and_others_wait() {
    explore(None, || fork_beside(Guarded::add));
}

#[test]
fn two_threads_fork_one_after_the_other() {
    explore(Some(3), || fork_beside(|shared| fork(2, shared)));
}

/// A thread that finds the forking one asleep borrows the lock: never while somebody else is inside, and never once the
/// fork is over.
#[test]
fn a_borrower_is_alone() {
    explore(Some(4), || {
        let shared = guarded();
        let borrower = {
            let shared = shared.clone();
            thread::spawn(move || {
                if !shared.lock.borrow() {
                    return 0;
                }
                let _guard = Guard {
                    lock: &shared.lock,
                    lent: true,
                };
                // SAFETY: the lock is borrowed.
                shared.number.with_mut(|n| unsafe { *n += 1 });
                1
            })
        };
        let other = {
            let shared = shared.clone();
            thread::spawn(move || shared.add())
        };
        fork(1, &shared);
        let borrowed = borrower.join().unwrap();
        other.join().unwrap();
        assert_eq!(total(&shared), 2 + borrowed);
    });
}

// ---- the gate ----

/// Closed, the gate has nobody inside, without any lock being taken.
#[test]
fn nobody_is_inside_of_a_closed_gate() {
    explore(None, || {
        let shared = Arc::new((Gate::new(), guarded()));
        let helper = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (gate, guarded) = &*shared;
                for _ in 0..2 {
                    if gate.enter() {
                        if let Some(_guard) = guarded.lock.try_lock() {
                            // SAFETY: the lock is held.
                            guarded.number.with_mut(|n| unsafe { *n += 1 });
                        }
                        gate.leave();
                    }
                }
            })
        };
        let (gate, guarded) = &*shared;
        if gate.shut() || gate.is_empty() {
            // SAFETY: the gate is closed: here a process is copied, with a number that nobody is changing.
            guarded.number.with_mut(|n| unsafe { *n += 1 });
        }
        gate.open();
        helper.join().unwrap();
    });
}
