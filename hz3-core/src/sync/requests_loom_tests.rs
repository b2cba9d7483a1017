//! Every order in which signal handlers can ask for something, and threads do it.

use super::explore::explore;
use super::{AtomicU32, Ordering, Requests};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

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
