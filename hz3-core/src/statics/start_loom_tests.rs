//! Every order in which threads can meet where a process starts, within loom's model of memory.

use super::start::Start;
use crate::sync::explore::explore;
use crate::sync::{AtomicU32, Ordering};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

/// A process, and what is made of it as it starts.
struct Process {
    start: Start,
    /// 0 is nothing, 1 half of it, 2 all.
    heap: UnsafeCell<usize>,
    /// Times that it was made anew.
    anew: AtomicU32,
    begun: AtomicU32,
}

// SAFETY: the heap is made by one thread, and used by those that know that it is there: the tests prove that.
unsafe impl Sync for Process {}
// SAFETY: as above.
unsafe impl Send for Process {}

impl Process {
    fn new(heap: usize) -> Arc<Process> {
        Arc::new(Process {
            start: Start::new(),
            heap: UnsafeCell::new(heap),
            anew: AtomicU32::new(0),
            begun: AtomicU32::new(0),
        })
    }

    fn make(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        // SAFETY: one thread makes it, before anybody uses it.
        self.heap.with_mut(|heap| unsafe {
            assert_eq!(*heap, 0, "it is made once, of nothing");
            *heap = 1;
        });
        thread::yield_now();
        // SAFETY: as above.
        self.heap.with_mut(|heap| unsafe { *heap = 2 });
    }

    /// What every thread does before it uses the heap.
    fn uses(&self, process: u32) {
        let anew = || {
            self.anew.fetch_add(1, Ordering::Relaxed);
            // SAFETY: all other threads wait.
            self.heap.with_mut(|heap| unsafe { *heap = 0 });
        };
        if !self.start.is_done() {
            self.start.once(process, anew, || self.make());
        }
        // SAFETY: the process has started, so nobody writes it any more.
        assert_eq!(self.heap.with(|heap| unsafe { *heap }), 2, "it is whole");
    }

    fn used_by(this: &Arc<Process>, threads: usize, process: u32) {
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let this = this.clone();
                thread::spawn(move || this.uses(process))
            })
            .collect();
        this.uses(process);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(this.begun.load(Ordering::Relaxed), 1);
    }
}

/// One of the threads starts the process, and all others find it whole.
#[test]
fn one_thread_starts_a_process() {
    explore(None, || Process::used_by(&Process::new(0), 2, 7));
    explore(Some(2), || Process::used_by(&Process::new(0), 3, 7));
}

/// A process is copied, without fork handlers, while a thread starts it that the copy does not have: what that one left is made
/// anew, once, and the threads of the copy find it whole.
#[test]
fn a_copy_of_a_start_begins_again() {
    for left in 0..=1 {
        explore(Some(3), move || {
            let copy = Process::new(left);
            copy.start.leave_half_done(6);
            Process::used_by(&copy, 2, 7);
            assert_eq!(copy.anew.load(Ordering::Relaxed), 1);
        });
    }
}
