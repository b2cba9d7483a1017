//! Many threads on one allocator, which is this program's own, too: every object is filled with a pattern of its own and
//! checked by whoever frees it. Objects change hands, threads end and leave objects behind.

#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Coloured, Narrow, Ring};
use hz3::core::{Shared, Variant};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Strings, vectors and the test harness itself live in the smallest variant of all.
#[global_allocator]
static GLOBAL: Narrow = Narrow;

/// A sequence of numbers that is the same in every run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) as usize
    }

    fn below(&mut self, n: usize) -> usize {
        self.next() % n
    }

    /// Mostly small, sometimes large, seldom huge.
    fn size(&mut self) -> usize {
        let log = match self.below(100) {
            0..80 => 4 + self.below(8),
            80..98 => 8 + self.below(8),
            _ => 16 + self.below(6),
        };
        1 + self.below(1 << log)
    }
}

/// An object that knows what must be in it: its address and length, in its first and last bytes and one in the middle.
struct Object<A: GlobalAlloc + 'static> {
    p: *mut u8,
    layout: Layout,
    allocator: &'static A,
}

// SAFETY: an object is memory that one owner writes to.
unsafe impl<A: GlobalAlloc> Send for Object<A> {}

impl<A: GlobalAlloc> Object<A> {
    fn new(allocator: &'static A, size: usize, align: usize, zeroed: bool) -> Option<Self> {
        let layout = Layout::from_size_align(size.max(24), align).expect("a layout");
        // SAFETY: the layout is not empty.
        let p = unsafe {
            if zeroed {
                allocator.alloc_zeroed(layout)
            } else {
                allocator.alloc(layout)
            }
        };
        if p.is_null() {
            return None;
        }
        let mut object = Object { p, layout, allocator };
        assert_eq!(p as usize % align, 0);
        if zeroed {
            assert!(object.places().into_iter().all(|at| object.read(at) == 0), "not zero");
        }
        object.mark();
        Some(object)
    }

    fn places(&self) -> [usize; 3] {
        let last = self.layout.size() - 8;
        [0, last / 2, last]
    }

    fn read(&self, at: usize) -> usize {
        // SAFETY: within the object, which is this owner's.
        unsafe { self.p.add(at).cast::<usize>().read_unaligned() }
    }

    fn pattern(&self, at: usize) -> usize {
        (self.p as usize).rotate_left(17) ^ self.layout.size() ^ at
    }

    fn mark(&mut self) {
        for at in self.places() {
            let value = self.pattern(at);
            // SAFETY: as in `read`.
            unsafe { self.p.add(at).cast::<usize>().write_unaligned(value) };
        }
    }

    fn check(&self) {
        // The three may overlap in short objects: the last one written decides.
        let last = self.places()[2];
        assert_eq!(
            self.read(last),
            self.pattern(last),
            "an object of {:?} was written to",
            self.layout
        );
        if self.layout.size() >= 40 {
            for at in self.places() {
                assert_eq!(
                    self.read(at),
                    self.pattern(at),
                    "an object of {:?} was written to",
                    self.layout
                );
            }
        }
    }

    fn resize(&mut self, size: usize) {
        self.check();
        let size = size.max(24);
        // SAFETY: the object is this owner's.
        let p = unsafe { self.allocator.realloc(self.p, self.layout, size) };
        if !p.is_null() {
            self.layout = Layout::from_size_align(size, self.layout.align()).expect("a layout");
            self.p = p;
            self.mark();
        }
    }
}

impl<A: GlobalAlloc> Drop for Object<A> {
    fn drop(&mut self) {
        self.check();
        // SAFETY: the object is this owner's, and its last.
        unsafe { self.allocator.dealloc(self.p, self.layout) };
    }
}

/// One thread's work: objects come, grow, go, and are handed to the neighbour. What is still alive in the end is
/// returned.
fn work<A: GlobalAlloc + Sync>(
    allocator: &'static A,
    seed: u64,
    steps: usize,
    from: Receiver<Object<A>>,
    to: SyncSender<Object<A>>,
) -> Vec<Object<A>> {
    let mut numbers = Numbers(seed);
    let mut own: Vec<Object<A>> = Vec::new();
    for step in 0..steps {
        match numbers.below(16) {
            0..7 => {
                let align = if numbers.below(8) == 0 {
                    16 << numbers.below(9)
                } else {
                    8
                };
                own.extend(Object::new(allocator, numbers.size(), align, numbers.below(4) == 0));
            }
            7..11 if !own.is_empty() => drop(own.swap_remove(numbers.below(own.len()))),
            11 if !own.is_empty() => {
                let n = numbers.below(own.len());
                own[n].resize(numbers.size());
            }
            12..15 if !own.is_empty() => {
                // A neighbour that is gone, or has enough, leaves it to us.
                let _ = to.try_send(own.swap_remove(numbers.below(own.len())));
            }
            _ => own.extend(from.try_iter().take(4)),
        }
        if own.len() > 400 || step % 4096 == 4095 {
            own.truncate(100);
        }
    }
    own
}

/// Rounds of threads in a ring; each round's leftovers are freed by other threads than those that made them.
fn ring_of_threads<A: GlobalAlloc + Sync>(allocator: &'static A, threads: usize, rounds: usize, steps: usize) {
    let mut left: Vec<Object<A>> = Vec::new();
    for round in 0..rounds {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| sync_channel(64)).unzip();
        let mut senders = senders;
        senders.rotate_left(1);
        let handles: Vec<_> = receivers
            .into_iter()
            .zip(senders)
            .enumerate()
            .map(|(n, (from, to))| {
                let seed = 0x9e37_79b9_7f4a_7c15 ^ (round * threads + n + 1) as u64;
                thread::spawn(move || work(allocator, seed, steps, from, to))
            })
            .collect();
        let made: Vec<Object<A>> = handles
            .into_iter()
            .flat_map(|h| h.join().expect("no thread failed"))
            .collect();
        // The older ones go now, in a thread of their own.
        let older = std::mem::replace(&mut left, made);
        thread::spawn(move || drop(older)).join().expect("no thread failed");
    }
}

/// After all objects were freed and every cache emptied, nothing is left.
///
/// Only for variants that nothing else uses.
fn nothing_is_left<V: Variant>() {
    // A joined thread may still be on its way out: its caches go back shortly before the kernel lets it end.
    for _ in 0..200 {
        // SAFETY: an event of this thread.
        unsafe { hz3::core::event::relief::relieve::<V>() };
        V::shared().heap().purge_to(&V::POLICY, 0);
        V::shared().heap().purge_huge(None);
        let left = V::shared()
            .heap()
            .locked(|h| (h.segments, h.huge_bytes, h.outside.len()));
        if left == (0, 0, 0) {
            return;
        }
        thread::sleep(std::time::Duration::from_millis(10));
    }
    let left = V::shared()
        .heap()
        .locked(|h| (h.segments, h.huge_bytes, h.outside.len()));
    panic!("{}: segments, huge bytes and outside: {left:?}", V::NAME);
}

#[test]
fn the_programs_own_allocator() {
    ring_of_threads(&GLOBAL, 8, 3, 60_000);
}

#[test]
fn null_where_the_arena_ends() {
    static A: Coloured = Coloured;
    ring_of_threads(&A, 4, 3, 60_000);
    nothing_is_left::<Coloured>();
}

#[test]
fn more_threads_than_owners_in_a_bank() {
    static A: Bank = Bank;
    ring_of_threads(&A, 8, 3, 60_000);
    nothing_is_left::<Bank>();
}

#[test]
fn more_threads_than_owners_behind_a_ring() {
    static A: Ring = Ring;
    ring_of_threads(&A, 8, 3, 60_000);
    nothing_is_left::<Ring>();
}

/// A producer that only allocates and a consumer that only frees: what is between them is bounded, so memory is.
#[test]
fn one_allocates_and_another_frees() {
    let (to, from) = sync_channel::<Vec<Box<[u64; 8]>>>(8);
    let consumer = thread::spawn(move || {
        let mut sum = 0;
        for batch in from {
            sum += batch.into_iter().map(|b| b[7]).sum::<u64>();
        }
        sum
    });
    let mut most = 0;
    for i in 0..2000 {
        to.send((0..100).map(|n| Box::new([i ^ n; 8])).collect())
            .expect("the consumer lives");
        if i % 100 == 99 {
            most = most.max(Narrow::shared().heap().locked(|h| h.segments));
        }
    }
    drop(to);
    let expected: u64 = (0..2000u64).map(|i| (0..100).map(|n| i ^ n).sum::<u64>()).sum();
    assert_eq!(consumer.join().expect("it counted"), expected);
    // 8 + 2 batches of 100 objects are alive at most; other tests of this program take some, too.
    assert!(most < 100, "{most} segments for 64 KiB of live objects");
}

/// Thread-local values whose destructors allocate and free after ours may have run.
#[test]
fn destructors_of_threads_allocate() {
    struct Late(Vec<String>);
    impl Drop for Late {
        fn drop(&mut self) {
            let copy: Vec<String> = self.0.iter().map(|s| format!("{s}{s}")).collect();
            assert!(copy.iter().zip(&self.0).all(|(c, s)| c.len() == 2 * s.len()));
            KEPT.with(|kept| kept.borrow_mut().extend(copy));
        }
    }
    thread_local! {
        static KEPT: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    for round in 0..20 {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                thread::spawn(move || {
                    KEPT.with(|kept| kept.borrow_mut().push("first".into()));
                    let strings = (0..50).map(|i| "x".repeat(i * (n + round))).collect();
                    LATE.with(|late| *late.borrow_mut() = Some(Late(strings)));
                })
            })
            .collect();
        for t in threads {
            t.join().expect("no thread failed");
        }
    }
}
