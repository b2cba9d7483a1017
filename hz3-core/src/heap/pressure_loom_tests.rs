//! Every order in which threads can meet where memory is short, within loom's model of memory.

use super::pressure::{Ask, Pressure};
use crate::sync::explore::explore;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// Pressure, and what threads give back when they answer: whoever has seen an answer may touch it.
struct Shortage {
    pressure: Pressure,
    given: UnsafeCell<usize>,
}

// SAFETY: what is given is reached by its giver before the answer, and after that by who waited for it.
unsafe impl Sync for Shortage {}
// SAFETY: as above.
unsafe impl Send for Shortage {}

impl Shortage {
    fn new() -> Arc<Shortage> {
        Arc::new(Shortage {
            pressure: Pressure::new(),
            given: UnsafeCell::new(0),
        })
    }
}

/// A request waits for another thread's answer: it is woken, in every order, and then has what that thread gave back. (No sleep
/// of the model ends by itself.)
#[test]
fn whoever_waits_for_an_answer_gets_it() {
    explore(None, || {
        let shared = Shortage::new();
        let other = {
            let shared = shared.clone();
            thread::spawn(move || {
                // SAFETY: nobody has seen an answer yet.
                shared.given.with_mut(|given| unsafe { *given = 1 });
                shared.pressure.answer();
            })
        };
        while shared.pressure.answered() == 0 {
            shared.pressure.wait(0, 1);
        }
        // SAFETY: there was an answer.
        assert_eq!(shared.given.with(|given| unsafe { *given }), 1);
        other.join().unwrap();
    });
}

/// Two requests fail in the same moment: the epoch is raised once, and a thread that looks sees either epoch.
#[test]
fn one_of_two_raises_the_epoch() {
    explore(None, || {
        let shared = Shortage::new();
        let raise = |shared: &Shortage| shared.pressure.raise(7, Ask::Everything, 100);
        let other = {
            let shared = shared.clone();
            thread::spawn(move || raise(&shared))
        };
        let seen = shared.pressure.epoch();
        let mine = raise(&shared);
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "{mine} and {theirs}");
        let now = shared.pressure.epoch();
        assert_eq!(Ask::between(0, now), Ask::Everything);
        assert!(seen == 0 || seen == now);
        assert_eq!(shared.pressure.counts().epochs, 1);
    });
}

/// One asks for everything while another one asks for a segment: a thread that answers what it saw last owes nothing in the end.
#[test]
fn no_question_is_taken_for_a_smaller_one() {
    explore(None, || {
        let shared = Shortage::new();
        let other = {
            let shared = shared.clone();
            thread::spawn(move || shared.pressure.raise(7, Ask::Segment, 100))
        };
        let answering = {
            let shared = shared.clone();
            thread::spawn(move || {
                let epoch = shared.pressure.epoch();
                (epoch, Ask::between(0, epoch))
            })
        };
        assert!(shared.pressure.raise(7, Ask::Everything, 100));
        assert!(other.join().unwrap());
        let (seen, first) = answering.join().unwrap();
        let now = shared.pressure.epoch();
        let asked = [first, Ask::between(seen, now)];
        assert!(
            asked.contains(&Ask::Everything),
            "everything was asked for once: {asked:?}"
        );
    });
}

/// Two threads find that it is time to look through the free pages: one of them does.
#[test]
fn one_of_two_looks() {
    explore(None, || {
        let shared = Shortage::new();
        let other = {
            let shared = shared.clone();
            thread::spawn(move || shared.pressure.due(5, 10))
        };
        let mine = shared.pressure.due(5, 10);
        assert!(mine != other.join().unwrap());
        assert!(!shared.pressure.due(14, 10) && shared.pressure.due(15, 10));
    });
}
