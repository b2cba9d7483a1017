//! Every order in which threads can meet in the lock while one of them forks.

use super::explore::explore;
use super::lock::{Guard, Lock};
use super::lock_loom_tests::{Counted, guarded, total};
use super::{AtomicU32, Ordering, forker, turn};
use loom::sync::Arc;
use loom::thread;

/// What a forking thread does around the fork, and between its own handlers: one of somebody else's, which uses the heap.
fn fork(me: usize, shared: &Counted) {
    forker::ME.with(|own| own.set(me));
    let each = |f: &mut dyn FnMut(&Lock)| f(&shared.lock);
    turn::hold(&each);
    shared.add();
    turn::let_go(&each);
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
