//! Every order in which threads can meet in the list of threads, within loom's model of memory.

use super::block::Meta;
use super::threads::Threads;
use crate::sync::explore::explore;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

/// The list, and blocks of threads. Whoever finds one in the list may look at it.
struct Process {
    threads: Threads,
    blocks: Vec<Meta>,
    there: Vec<UnsafeCell<bool>>,
}

// SAFETY: a block is its thread's until it is in the list, and afterwards; in between it is reached by way of the list.
unsafe impl Sync for Process {}
// SAFETY: as above.
unsafe impl Send for Process {}

impl Process {
    fn new(threads: usize) -> Arc<Process> {
        Arc::new(Process {
            threads: Threads::new(),
            // SAFETY: all zero is a new thread's.
            blocks: (0..threads).map(|_| unsafe { core::mem::zeroed() }).collect(),
            there: (0..threads).map(|_| UnsafeCell::new(false)).collect(),
        })
    }

    fn block(&self, n: usize) -> *mut Meta {
        (&raw const self.blocks[n]).cast_mut()
    }

    /// Thread `n` comes. Returns its owner and its home.
    fn comes(&self, n: usize) -> (u16, u16) {
        // SAFETY: the block is this thread's so far.
        self.there[n].with_mut(|there| unsafe { *there = true });
        // SAFETY: it is taken out before this thread ends, and its numbers do not change meanwhile.
        unsafe {
            self.threads.link(self.block(n), 0..2, 2);
            let meta = self.block(n);
            ((*meta).shard, (*meta).home.0)
        }
    }

    /// Thread `n` goes. Returns whether it was its owner's last one.
    fn goes(&self, n: usize) -> bool {
        // SAFETY: the block is in the list.
        let last = unsafe { self.threads.unlink(self.block(n)) };
        // SAFETY: nobody finds it any more.
        self.there[n].with_mut(|there| unsafe { *there = false });
        last
    }

    /// Looks at those that are in the list.
    fn look(&self) -> usize {
        let mut count = 0;
        self.threads.for_each(|meta| {
            let found = (0..self.blocks.len()).find(|n| core::ptr::eq(self.block(*n), meta));
            let n = found.expect("a thread's block");
            // SAFETY: it is in the list, so that its thread does not go.
            assert!(self.there[n].with(|there| unsafe { *there }));
            count += 1;
        });
        count
    }
}

/// Two threads come and go while a third one looks: it finds blocks of threads that are there.
#[test]
fn whoever_looks_finds_threads_that_are_there() {
    explore(Some(3), || {
        let process = Process::new(2);
        let others: Vec<_> = (0..2)
            .map(|n| {
                let process = process.clone();
                thread::spawn(move || {
                    process.comes(n);
                    process.goes(n);
                })
            })
            .collect();
        assert!(process.look() <= 2);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(
            (process.look(), process.threads.count(), process.threads.running()),
            (0, 0, 0)
        );
    });
}

/// Threads that come at the same time get owners and homes evenly, and each owner's last one knows that it is.
#[test]
fn owners_and_homes_are_shared_evenly() {
    explore(Some(3), || {
        let process = Process::new(2);
        let other = {
            let process = process.clone();
            thread::spawn(move || (process.comes(1), process.goes(1)))
        };
        let (shard, home) = process.comes(0);
        assert!(process.threads.owners.has_threads(shard.into()));
        let ((their_shard, their_home), their_last) = other.join().unwrap();
        // The other one may have gone before this one came.
        assert_eq!(shard == their_shard, home == their_home);
        assert!(their_last, "nobody else is of its owner, or nobody else is there");
        assert!(process.goes(0));
        assert!(!process.threads.owners.has_threads(0) && !process.threads.owners.has_threads(1));
    });
}
