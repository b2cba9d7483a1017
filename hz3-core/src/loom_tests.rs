//! Every order in which threads can meet in the lock-free pieces, within loom's model of memory.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p hz3-core --release --lib --target-dir target/loom loom`

use crate::event::owners::Owners;
use crate::forker;
use crate::gate::Gate;
use crate::heap::depot;
use crate::list::Batch;
use crate::sync::{AtomicU64, Guard, Lock};
use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

/// Explores with at most so many preemptions; three threads with three steps each have too many orders otherwise.
fn explore(preemptions: Option<usize>, f: impl Fn() + Send + Sync + 'static) {
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
    forker::enter();
    shared.lock.acquire();
    shared.lock.keep();
    shared.add();
    shared.lock.end_keep();
    forker::leave();
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

// ---- the depot ----

/// A depot of `words` words, and for each of `batches` batches the memory of its objects: whoever owns the batch may
/// write there, and nobody else.
struct Market {
    words: Vec<AtomicU64>,
    objects: Vec<UnsafeCell<usize>>,
}

// SAFETY: the objects of a batch are only reached by its owner; that a batch has one owner is what the tests prove.
unsafe impl Sync for Market {}

const MADE: usize = 1;
const TAKEN: usize = 2;

impl Market {
    fn new(words: usize, batches: usize) -> Arc<Market> {
        Arc::new(Market {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            objects: (0..batches).map(|_| UnsafeCell::new(0)).collect(),
        })
    }

    /// Fills batch `n` and puts it in; says whether there was room.
    fn put(&self, n: usize) -> bool {
        // SAFETY: batch `n` is put by one thread, which owns it until the depot has it.
        self.objects[n].with_mut(|o| unsafe { *o = MADE });
        depot::put(
            &self.words,
            Batch {
                head: ((n + 1) * 16) as *mut u8,
                count: n as u32 + 1,
            },
        )
    }

    /// Takes a batch, which must be whole, filled by its putter and taken by nobody before.
    fn take(&self) -> Option<usize> {
        let batch = depot::take(&self.words)?;
        let n = batch.head as usize / 16 - 1;
        assert_eq!(batch.count as usize, n + 1, "address and count of different batches");
        // SAFETY: the depot has given the batch to this thread alone.
        self.objects[n].with_mut(|o| unsafe {
            assert_eq!(*o, MADE, "taken twice, or before it was filled");
            *o = TAKEN;
        });
        Some(n)
    }

    /// What is still inside, when no other thread is left.
    fn drain(&self) -> Vec<usize> {
        std::iter::from_fn(|| self.take()).collect()
    }
}

/// Two threads put, one takes: every batch that found room is delivered exactly once, the others are still their
/// putters'.
#[test]
fn two_put_and_one_takes() {
    explore(Some(4), || {
        let market = Market::new(2, 2);
        let putters: Vec<_> = (0..2)
            .map(|n| {
                let market = market.clone();
                thread::spawn(move || market.put(n))
            })
            .collect();
        let mut got: Vec<usize> = (0..2).filter_map(|_| market.take()).collect();
        let put: Vec<bool> = putters.into_iter().map(|t| t.join().unwrap()).collect();
        assert_eq!(put, [true, true], "two words hold two batches");
        got.extend(market.drain());
        got.sort_unstable();
        assert_eq!(got, [0, 1]);
    });
}

/// One word, two batches: the depot never holds more than it may, and refuses nothing without cause.
#[test]
fn one_word_holds_one_batch() {
    explore(None, || {
        let market = Market::new(1, 2);
        let other = {
            let market = market.clone();
            thread::spawn(move || market.put(1))
        };
        let mine = market.put(0);
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "one batch has room, and only one");
        assert_eq!(market.drain(), [usize::from(theirs)]);
    });
}

/// Two threads want the same batch: one gets it.
#[test]
fn two_take_and_one_gets() {
    explore(None, || {
        let market = Market::new(2, 1);
        assert!(market.put(0));
        let other = {
            let market = market.clone();
            thread::spawn(move || market.take())
        };
        let mine = market.take();
        let theirs = other.join().unwrap();
        assert!(mine.is_some() != theirs.is_some(), "{mine:?} and {theirs:?}");
    });
}

/// A word that is emptied and filled again while somebody looks at it still gives whole batches to one taker each: the
/// place where an ABA fault would show. A batch taken is put again under the same address.
#[test]
fn batches_go_around() {
    explore(Some(3), || {
        let market = Market::new(1, 2);
        assert!(market.put(0));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let market = market.clone();
                thread::spawn(move || {
                    let Some(n) = market.take() else { return Vec::new() };
                    if market.put(n) { Vec::new() } else { std::vec![n] }
                })
            })
            .collect();
        let mine = market.put(1);
        let mut owned: Vec<usize> = if mine { Vec::new() } else { std::vec![1] };
        for other in others {
            owned.extend(other.join().unwrap());
        }
        owned.extend(market.drain());
        owned.sort_unstable();
        assert_eq!(owned, [0, 1], "each batch has exactly one owner in the end");
    });
}

// ---- owners ----

/// A batch is put into the depot of an owner whose last thread ends at that moment: it is never left there. Either the one
/// who ends finds it, or the one who put it, or it was not put at all.
#[test]
fn nothing_waits_for_an_owner_that_was_deserted() {
    explore(None, || {
        let shared = Arc::new((Owners::new(), [AtomicU64::new(0), AtomicU64::new(0)]));
        shared.0.settle(5);
        let other = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (owners, words) = &*shared;
                let mut back = Vec::new();
                let batch = Batch {
                    head: 4096 as *mut u8,
                    count: 3,
                };
                if !owners.put(5, words, batch, |batch| back.push(batch.count)) {
                    back.push(batch.count);
                }
                back
            })
        };
        let (owners, words) = &*shared;
        owners.desert(5);
        let mut found: Vec<u32> = core::iter::from_fn(|| depot::take(words))
            .map(|batch| batch.count)
            .collect();
        found.extend(other.join().unwrap());
        assert!(depot::take(words).is_none(), "a batch waits for nobody");
        assert_eq!(found, [3], "it is given back once");
    });
}
