//! Every order in which threads can meet in the lock and the gate, within loom's model of memory.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p hz3-core --release --lib --target-dir target/loom loom`

use super::lock::{Guard, Lock};
use super::{AtomicU32, Gate, Ordering, Requests, forker, turn};
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
struct Counted {
    lock: Lock,
    number: UnsafeCell<usize>,
}

// SAFETY: the number is only reached under the lock; that this is enough is what the tests prove.
unsafe impl Sync for Counted {}

impl Counted {
    fn add(&self) {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        self.number.with_mut(|n| unsafe { *n += 1 });
    }
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

// ---- the lock while a thread forks ----

/// What a forking thread does around the fork, and between its own handlers: one of somebody else's, which uses the heap.
fn fork(me: usize, shared: &Counted) {
    forker::ME.with(|own| own.set(me));
    let each = |f: &mut dyn FnMut(&Lock)| f(&shared.lock);
    turn::hold(&each);
    shared.add();
    turn::let_go(&each);
}

fn guarded() -> Arc<Counted> {
    Arc::new(Counted {
        lock: Lock::new(),
        number: UnsafeCell::new(0),
    })
}

fn total(shared: &Counted) -> usize {
    // SAFETY: the other threads have ended.
    shared.number.with(|n| unsafe { *n })
}

/// One thread forks, another one does something; both use what the lock guards once.
fn fork_beside(other: fn(&Counted)) {
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
    explore(None, || fork_beside(Counted::add));
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

/// A thread takes two locks, in their order, while another one forks, and a third uses the inner one: all of them go on, and
/// nobody is inside of a lock while the process is copied.
#[test]
fn a_fork_takes_all_locks_in_their_order() {
    explore(Some(2), || {
        let shared = Arc::new((guarded(), guarded()));
        let both = {
            let shared = shared.clone();
            thread::spawn(move || {
                let _outer = shared.0.lock.lock();
                // SAFETY: the lock is held.
                shared.0.number.with_mut(|n| unsafe { *n += 1 });
                shared.1.add();
            })
        };
        let inner = {
            let shared = shared.clone();
            thread::spawn(move || shared.1.add())
        };
        forker::ME.with(|own| own.set(1));
        let each = |f: &mut dyn FnMut(&Lock)| {
            f(&shared.0.lock);
            f(&shared.1.lock);
        };
        turn::hold(&each);
        // SAFETY: all locks are held: here the process is copied.
        let copied = [&shared.0, &shared.1].map(|counted| counted.number.with(|n| unsafe { *n }));
        assert!(
            copied[1] >= copied[0],
            "what one lock guards is whole, and so is what both do: {copied:?}"
        );
        // A handler of somebody else's, between ours and the fork.
        shared.1.add();
        turn::let_go(&each);
        both.join().unwrap();
        inner.join().unwrap();
        assert_eq!((total(&shared.0), total(&shared.1)), (1, 3));
    });
}

// ---- requests ----

/// What signal handlers ask for: the sum of what has happened, which one thread at a time writes down.
struct Asked {
    requests: Requests,
    happened: [AtomicU32; 2],
    written: UnsafeCell<u32>,
}

// SAFETY: it is written by one thread at a time, as the tests prove.
unsafe impl Sync for Asked {}
// SAFETY: as above.
unsafe impl Send for Asked {}

impl Asked {
    fn new() -> Arc<Asked> {
        Arc::new(Asked {
            requests: Requests::new(),
            happened: [AtomicU32::new(0), AtomicU32::new(0)],
            written: UnsafeCell::new(0),
        })
    }

    fn write(&self) {
        let sum = self.happened.iter().map(|n| n.load(Ordering::Relaxed)).sum();
        // SAFETY: whoever does what was asked for is alone, as loom proves here.
        self.written.with_mut(|written| unsafe { *written = sum });
    }

    /// Something happens, and a signal asks for it to be written down.
    fn signal(&self, n: usize) {
        self.happened[n].store(1, Ordering::Relaxed);
        self.requests.ask();
        self.requests.answer(|| {
            self.write();
            true
        });
    }

    fn written(&self) -> u32 {
        // SAFETY: the other threads have ended.
        self.written.with(|written| unsafe { *written })
    }
}

/// Two signals come at the same time. Whoever finds the other one writing leaves it to that one: what both ask for is written.
#[test]
fn no_signal_is_lost() {
    explore(None, || {
        let asked = Asked::new();
        let other = {
            let asked = asked.clone();
            thread::spawn(move || asked.signal(1))
        };
        asked.signal(0);
        other.join().unwrap();
        assert!(!asked.requests.is_asked());
        assert_eq!(asked.written(), 2);
    });
}

/// A signal comes while a thread writes of its own accord: it looks when it is done.
#[test]
fn a_signal_beside_one_who_writes_is_not_lost() {
    explore(None, || {
        let asked = Asked::new();
        let other = {
            let asked = asked.clone();
            thread::spawn(move || asked.signal(1))
        };
        asked.happened[0].store(1, Ordering::Relaxed);
        asked.requests.alone(thread::yield_now, || asked.write());
        asked.requests.answer(|| {
            asked.write();
            true
        });
        other.join().unwrap();
        assert!(!asked.requests.is_asked());
        assert_eq!(asked.written(), 2);
    });
}

/// A signal handler cannot do it, as a lock is taken: it stays asked for, until somebody can.
#[test]
fn what_cannot_be_done_stays_asked_for() {
    explore(None, || {
        let asked = Asked::new();
        let other = {
            let asked = asked.clone();
            thread::spawn(move || {
                asked.happened[1].store(1, Ordering::Relaxed);
                asked.requests.ask();
                asked.requests.answer(|| false);
            })
        };
        asked.signal(0);
        other.join().unwrap();
        // An event that comes later.
        if asked.requests.is_asked() {
            asked.requests.answer(|| {
                asked.write();
                true
            });
        }
        assert!(!asked.requests.is_asked());
        assert_eq!(asked.written(), 2);
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

/// A thread that has borrowed a lock takes one that comes later in the order, which nobody lends any more, as the fork is over: it
/// gets it.
#[test]
fn a_borrower_takes_an_inner_lock_when_the_fork_is_over() {
    explore(Some(3), || {
        let shared = Arc::new((guarded(), guarded()));
        let borrower = {
            let shared = shared.clone();
            thread::spawn(move || {
                if !shared.0.lock.borrow() {
                    return 0;
                }
                let _outer = Guard {
                    lock: &shared.0.lock,
                    lent: true,
                };
                // SAFETY: the lock is borrowed.
                shared.0.number.with_mut(|n| unsafe { *n += 1 });
                shared.1.add();
                1
            })
        };
        forker::ME.with(|own| own.set(1));
        let each = |f: &mut dyn FnMut(&Lock)| {
            f(&shared.0.lock);
            f(&shared.1.lock);
        };
        turn::hold(&each);
        turn::let_go(&each);
        let borrowed = borrower.join().unwrap();
        assert_eq!((total(&shared.0), total(&shared.1)), (borrowed, borrowed));
    });
}

/// A thread that found the forking one stuck borrows the outer lock, and is inside when it comes to want the inner one, which the fork
/// has not let go, or just lets go, or has let go. Beside it another one has found the forking thread stuck, too, or a handler of the
/// forking thread uses both locks. Nobody waits for another who waits for it, each lock has one inside, and when all is over nobody
/// borrows.
fn a_borrower_of_two_beside(handler: bool) {
    // The forking thread sleeps only when it keeps all locks: who sees it asleep comes after that.
    let shared = Arc::new((guarded(), guarded(), AtomicU32::new(0)));
    let both = |shared: &(Arc<Counted>, Arc<Counted>, AtomicU32)| {
        // SAFETY: the outer lock is held.
        shared.0.number.with_mut(|n| unsafe { *n += 1 });
        shared.1.add();
    };
    let borrow = |me: usize| {
        let shared = shared.clone();
        thread::spawn(move || {
            forker::ME.with(|own| own.set(me));
            if shared.2.load(Ordering::Acquire) == 0 || !shared.0.lock.borrow_first() {
                return 0;
            }
            let _outer = Guard {
                lock: &shared.0.lock,
                lent: true,
            };
            both(&shared);
            1
        })
    };
    let first = borrow(2);
    let second = (!handler).then(|| borrow(3));
    forker::ME.with(|own| own.set(1));
    let each = |f: &mut dyn FnMut(&Lock)| {
        f(&shared.0.lock);
        f(&shared.1.lock);
    };
    turn::hold(&each);
    shared.2.store(1, Ordering::Release);
    if handler {
        let _outer = shared.0.lock.lock();
        both(&shared);
    }
    turn::let_go(&each);
    let times = first.join().unwrap() + second.map_or(usize::from(handler), |second| second.join().unwrap());
    assert_eq!((total(&shared.0), total(&shared.1)), (times, times));
    assert!(forker::begin_borrowing(), "nobody borrows any more");
}

#[test]
fn of_two_borrowers_one_is_inside_and_the_fork_waits_for_no_lock_before_another() {
    explore(Some(3), || a_borrower_of_two_beside(false));
}

#[test]
fn a_borrower_and_a_handler_take_two_locks_in_their_order() {
    explore(Some(3), || a_borrower_of_two_beside(true));
}
