//! Every order in which threads can meet on the way to a lot, within loom's model of memory.

use super::lot::with_owner;
use super::returned::Returned;
use super::run::{GONE, Run};
use crate::sync::explore::explore;
use crate::sync::{AtomicU32, Lock, Ordering};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

/// Ranges, and for each the memory of its pages: whoever has the range may write there, and nobody else.
struct Way {
    returned: Returned,
    runs: Vec<core::cell::UnsafeCell<Run>>,
    pages: Vec<UnsafeCell<usize>>,
}

// SAFETY: descriptors and pages are only reached by who has the range; that it is one at a time is what the tests prove.
unsafe impl Sync for Way {}
// SAFETY: as above.
unsafe impl Send for Way {}

const GIVEN: usize = 1;
const TAKEN: usize = 2;

impl Way {
    fn new(ranges: usize) -> Arc<Way> {
        let run = |n: usize| Run {
            next: core::ptr::null_mut(),
            prev: core::ptr::null_mut(),
            head: n as u32,
            free: 0,
            carved: 0,
            capacity: 0,
            pool: GONE,
            pages: 1 << n,
            shift: 0,
            within: 0,
        };
        Arc::new(Way {
            returned: Returned::new(),
            runs: (0..ranges).map(|n| core::cell::UnsafeCell::new(run(n))).collect(),
            pages: (0..ranges).map(|_| UnsafeCell::new(0)).collect(),
        })
    }

    /// Gives range `n` back. Returns the pages that wait.
    fn push(&self, n: usize) -> usize {
        // SAFETY: range `n` is this thread's until it is given.
        self.pages[n].with_mut(|p| unsafe { *p = GIVEN });
        // SAFETY: so is its descriptor.
        unsafe { self.returned.push(self.runs[n].get()) }
    }

    /// Takes all that wait, each of which was given once and not taken before.
    fn take(&self) -> Vec<usize> {
        let mut got = Vec::new();
        let (mut run, _) = self.returned.take();
        while !run.is_null() {
            // SAFETY: the stack has handed the range to this thread alone.
            let (n, next) = unsafe { ((*run).head as usize, (*run).next) };
            // SAFETY: as above.
            self.pages[n].with_mut(|p| unsafe {
                assert_eq!(*p, GIVEN, "taken twice, or before it was given");
                *p = TAKEN;
            });
            got.push(n);
            run = next;
        }
        got
    }
}

/// Two threads give, one takes: every range is delivered exactly once, and what waits is counted.
#[test]
fn two_give_and_one_takes() {
    explore(Some(4), || {
        let way = Way::new(2);
        let givers: Vec<_> = (0..2)
            .map(|n| {
                let way = way.clone();
                thread::spawn(move || way.push(n))
            })
            .collect();
        let mut got = way.take();
        for (n, giver) in givers.into_iter().enumerate() {
            let waiting = giver.join().unwrap();
            assert!(waiting & (1 << n) != 0 && waiting < 4, "{waiting} pages");
        }
        got.extend(way.take());
        got.sort_unstable();
        assert_eq!(got, [0, 1]);
        assert_eq!(way.returned.pages(), 0);
    });
}

/// A range that was taken is given again while another thread is about to give: a word that is the same again still stands
/// for a whole stack.
#[test]
fn ranges_go_around() {
    explore(Some(3), || {
        let way = Way::new(2);
        way.push(0);
        let other = {
            let way = way.clone();
            thread::spawn(move || {
                for n in way.take() {
                    way.push(n);
                }
            })
        };
        way.push(1);
        let mut got = way.take();
        other.join().unwrap();
        got.extend(way.take());
        got.sort_unstable();
        assert_eq!(got, [0, 1]);
    });
}

/// A segment that the page heap (0) or a lot (1) has, and its page sets, which only the holder of that one's lock may touch.
struct Owned {
    owner: AtomicU32,
    locks: [Lock; 2],
    sets: UnsafeCell<usize>,
}

// SAFETY: the sets are only reached under the right lock; which one that is, is what the tests prove.
unsafe impl Sync for Owned {}
// SAFETY: as above.
unsafe impl Send for Owned {}

impl Owned {
    fn new(owner: u32) -> Arc<Owned> {
        Arc::new(Owned {
            owner: AtomicU32::new(owner),
            locks: [Lock::new(), Lock::new()],
            sets: UnsafeCell::new(0),
        })
    }

    fn give(&self) {
        with_owner(
            &self.owner,
            |number| self.locks[number as usize].lock(),
            |_, _guard| {
                // SAFETY: this is the right lock.
                self.sets.with_mut(|sets| unsafe { *sets += 1 });
            },
        );
    }

    /// It goes from one to the other, under both locks, in their order.
    fn pass(&self) {
        let _lot = self.locks[1].lock();
        let _heap = self.locks[0].lock();
        // SAFETY: both locks are held.
        self.sets.with_mut(|sets| unsafe { *sets += 1 });
        let owner = self.owner.load(Ordering::Relaxed);
        self.owner.store(1 - owner, Ordering::Release);
    }
}

/// Ranges are given to a segment that is lent or comes back at that moment: nobody touches its sets without the right lock.
#[test]
fn a_segment_changes_hands() {
    for owner in 0..2 {
        explore(Some(3), move || {
            let owned = Owned::new(owner);
            let others: Vec<_> = (0..2)
                .map(|n| {
                    let owned = owned.clone();
                    thread::spawn(move || if n == 0 { owned.give() } else { owned.pass() })
                })
                .collect();
            owned.give();
            for other in others {
                other.join().unwrap();
            }
            // SAFETY: nobody else is left.
            owned.sets.with(|sets| assert_eq!(unsafe { *sets }, 3));
            assert_eq!(owned.owner.load(Ordering::Relaxed), 1 - owner);
        });
    }
}
