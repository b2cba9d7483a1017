//! Every order in which events and the helper can meet, within loom's model of memory.

use super::stage::{LEAVING, NONE, Stage, THERE};
use crate::sync::explore::explore;
use crate::sync::{AtomicU32, Guarded, Lock, Ordering};
use core::cell::Cell;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

/// What events and the helper share.
struct Process {
    stage: Stage,
    /// The page heap's lock, and how many times pages came back.
    lock: Lock,
    returns: Guarded<u32>,
    /// The helper was told to end.
    dismissed: AtomicU32,
    /// Not 0: the helper is on its stack. The kernel's word.
    number: AtomicU32,
    /// Helpers that were started by events.
    started: AtomicU32,
}

impl Process {
    /// One whose helper is there.
    fn new() -> Arc<Process> {
        let process = Process {
            stage: Stage::new(),
            lock: Lock::new(),
            returns: Guarded::new(0),
            dismissed: AtomicU32::new(0),
            number: AtomicU32::new(1),
            started: AtomicU32::new(0),
        };
        process.stage.set(THERE);
        Arc::new(process)
    }

    fn returns(&self) -> u32 {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        unsafe { self.returns.with(|returns| *returns) }
    }

    /// The helper, which has looked at all that came back so far and rests at once. Returns what it has seen come back.
    fn helper(&self) -> u32 {
        let seen = Cell::new(self.returns());
        let nap = || self.dismissed.load(Ordering::Relaxed) != 0;
        let rest = || {
            seen.set(self.returns());
            true
        };
        self.stage.live(nap, rest, || self.returns() == seen.get());
        self.number.store(0, Ordering::Release);
        seen.get()
    }

    /// Pages come back, in an event that finds that there is something to do for a helper.
    fn event(&self) {
        {
            let _guard = self.lock.lock();
            // SAFETY: the lock is held.
            unsafe { self.returns.with(|returns| *returns += 1) };
        }
        self.looks();
    }

    fn looks(&self) {
        let stage = self.stage.get();
        let absent = match stage {
            NONE | LEAVING => true,
            THERE => self.dismissed.load(Ordering::Relaxed) != 0,
            _ => false,
        };
        if absent {
            let gone = || {
                while self.number.load(Ordering::Acquire) != 0 {
                    thread::yield_now();
                }
            };
            self.stage.wake(stage, gone, || {
                assert_eq!(self.number.load(Ordering::Relaxed), 0, "the stack is free");
                self.dismissed.store(0, Ordering::Relaxed);
                self.number.store(1, Ordering::Relaxed);
                self.started.fetch_add(1, Ordering::Relaxed);
                THERE
            });
        }
    }
}

/// A process, and its helper.
fn with_helper() -> (Arc<Process>, JoinHandle<u32>) {
    let process = Process::new();
    let helper = {
        let process = process.clone();
        thread::spawn(move || process.helper())
    };
    (process, helper)
}

/// Pages come back while the helper is about to end: it has seen them, or it stays, or another one is started.
#[test]
fn nothing_comes_back_unseen() {
    explore(Some(4), || {
        let (process, helper) = with_helper();
        process.event();
        let seen = helper.join().unwrap();
        let started = process.started.load(Ordering::Relaxed);
        assert!(seen == 1 || started == 1, "it saw {seen}, and {started} were started");
        assert_eq!(process.stage.get(), if started == 1 { THERE } else { NONE });
    });
}

/// Two events find it about to end: one helper is there afterwards, or none where the last one has seen all.
#[test]
fn one_helper_is_started() {
    explore(Some(3), || {
        let (process, helper) = with_helper();
        let other = {
            let process = process.clone();
            thread::spawn(move || process.event())
        };
        process.event();
        other.join().unwrap();
        let seen = helper.join().unwrap();
        let started = process.started.load(Ordering::Relaxed);
        assert!(
            started <= 1 && (seen == 2 || started == 1),
            "it saw {seen}, and {started} were started"
        );
        assert_eq!(process.stage.get(), if started == 1 { THERE } else { NONE });
    });
}

/// It is told to end while it leaves by itself, and an event starts another one: that one is known to be there.
#[test]
fn one_that_is_told_to_end_is_not_taken_for_the_next() {
    explore(Some(3), || {
        let (process, helper) = with_helper();
        let other = {
            let process = process.clone();
            thread::spawn(move || {
                // As where the process has come to act on behalf of somebody else.
                if process.stage.get() == THERE {
                    process.dismissed.store(1, Ordering::Relaxed);
                }
            })
        };
        process.event();
        let seen = helper.join().unwrap();
        other.join().unwrap();
        let started = process.started.load(Ordering::Relaxed);
        let told = process.dismissed.load(Ordering::Relaxed) != 0;
        // One that was told to end is replaced at the next event at the latest.
        assert!(
            seen == 1 || started == 1 || told,
            "it saw {seen}, and {started} were started"
        );
        assert_eq!(process.stage.get(), if started == 1 { THERE } else { NONE });
    });
}
