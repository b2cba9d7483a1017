//! `pressure.budget`: what is taken from the system stays within it as long as live objects fit, whatever threads keep, and
//! goes beyond it only for live objects.

mod common;

use hz3::core::Variant;
use hz3::core::abi::{c, introspect};
use std::alloc::{GlobalAlloc, Layout};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

hz3::variant!(Budget = "tests/fixtures/budget.toml");
hz3::variant!(NoBudget = "tests/fixtures/budget-none.toml");

const THREADS: usize = 4;
/// Bytes of the objects that the test holds.
const SIZE: usize = 4096;
/// Bytes that may be taken beyond the larger of budget and live objects: while the others have not answered yet a request
/// gets a segment; each thread's next objects are in a run of their own, which may be all that is in a segment; and a
/// segment's header and the ends of runs are no objects.
const SLACK: u64 = 8 << 20;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

/// Makes `n` objects and frees them.
fn turn<V: GlobalAlloc>(v: &V, size: usize, n: usize) {
    // SAFETY: the layouts are not empty; each object is freed once.
    unsafe {
        let all: Vec<*mut u8> = (0..n).map(|_| v.alloc(layout(size))).collect();
        for p in all {
            assert!(!p.is_null(), "no memory for {size} bytes");
            p.write_bytes(1, size);
            v.dealloc(p, layout(size));
        }
    }
}

/// Live objects of the test, and the memory that is taken.
struct Held<'v, V: Variant + GlobalAlloc> {
    v: &'v V,
    objects: Vec<*mut u8>,
}

impl<V: Variant + GlobalAlloc> Held<'_, V> {
    fn bytes(&self) -> u64 {
        (self.objects.len() * SIZE) as u64
    }

    /// Grows to so many bytes, slowly enough for others to have events: `wait` comes back when they had some. Returns the most that
    /// was taken beyond the larger of `budget` and the live objects.
    fn grow(&mut self, to: u64, budget: u64, wait: impl Fn()) -> u64 {
        let mut beyond = 0;
        while self.bytes() < to {
            for _ in 0..64 {
                // SAFETY: the layout is not empty.
                let p = unsafe { self.v.alloc(layout(SIZE)) };
                assert!(
                    !p.is_null(),
                    "no memory at {} bytes, though the arena has it",
                    self.bytes()
                );
                // SAFETY: the object is as long as this.
                unsafe { p.write_bytes(2, SIZE) };
                self.objects.push(p);
            }
            let taken = introspect::totals::<V>().taken;
            beyond = beyond.max(taken.saturating_sub(budget.max(self.bytes())));
            wait();
        }
        beyond
    }
}

fn relief<V: Variant>(name: &str) -> u64 {
    let all = introspect::reliefs::<V>();
    all.iter().find(|(key, _)| *key == name).map_or(0, |(_, n)| *n)
}

/// Ends the threads that go on, also where the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Threads fill their caches and go on with little; meanwhile this thread's live objects grow, first within `budget`,
/// then beyond. Returns the most that was taken beyond the larger of both, in either phase. `patient` is whether this thread waits
/// for events of the others; what they keep grows old meanwhile.
fn grow_beside_hoarders<V: Variant + GlobalAlloc + Sync>(v: &V, budget: u64, patient: bool) -> [u64; 2] {
    let (full, end) = (Barrier::new(THREADS + 1), AtomicBool::new(false));
    let turns = [const { AtomicU64::new(0) }; THREADS];
    let (full, end) = (&full, &end);
    thread::scope(|scope| {
        let hoarders = turns.each_ref().map(|turned| {
            scope.spawn(move || {
                for _ in 0..4 {
                    for class in V::classes() {
                        turn(v, class.size as usize, 2 * class.batch as usize);
                    }
                }
                full.wait();
                while !end.load(Ordering::Relaxed) {
                    // More than a list has at hand: there is an event.
                    turn(v, 64, 3000);
                    turned.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_micros(100));
                }
            })
        });
        let _end = End(end);
        full.wait();
        let t = introspect::totals::<V>();
        let kept = t.magazines + t.depots;
        assert!(kept > budget / 3, "threads keep only {kept} bytes");
        // A machine that has other work may let a thread wait for long: what counts is how often it had events.
        let wait = || {
            let before = turns.each_ref().map(|n| n.load(Ordering::Relaxed));
            let few = |(n, old): (&AtomicU64, u64)| n.load(Ordering::Relaxed) < old + 2;
            while patient && turns.iter().zip(before).any(few) {
                thread::sleep(Duration::from_micros(100));
            }
        };
        let mut held = Held { v, objects: Vec::new() };
        let within = held.grow(budget * 3 / 4, budget, wait);
        let beyond = held.grow(budget * 2, budget, wait);
        for p in held.objects.drain(..) {
            // SAFETY: each object is freed once.
            unsafe { v.dealloc(p, layout(SIZE)) };
        }
        end.store(true, Ordering::Relaxed);
        // Their caches are back when they have ended, which is later than when the scope has.
        for thread in hoarders {
            thread.join().expect("a thread that hoards");
        }
        [within, beyond]
    })
}

#[test]
fn caches_give_way_to_the_budget() {
    let budget = common::plan("tests/fixtures/budget.toml").policy.pressure.budget as u64;
    let [within, beyond] = grow_beside_hoarders(&Budget, budget, true);
    let (epochs, answers) = (relief::<Budget>("epochs"), relief::<Budget>("answers"));
    println!("{within} and {beyond} bytes beyond the budget; {epochs} epochs, {answers} answers");
    assert!(
        within <= SLACK,
        "live objects fit into the budget, and {within} bytes beyond it are taken"
    );
    assert!(
        beyond <= SLACK,
        "{beyond} bytes are taken beyond what live objects need"
    );
    assert!(epochs > 0, "nobody was asked");
    assert!(answers >= THREADS as u64, "only {answers} answers");
    // SAFETY: an event of this thread.
    unsafe { c::trim::<Budget>(0) };
    let taken = introspect::totals::<Budget>().taken;
    assert!(taken <= SLACK, "{taken} bytes are taken, and nothing is live");

    // The control: without a budget caches keep what they have.
    let [within, _] = grow_beside_hoarders(&NoBudget, budget, false);
    println!("{within} bytes beyond it where there is no budget");
    assert!(
        within > SLACK,
        "without a budget the same takes {within} bytes more than one: the test shows nothing"
    );
    assert_eq!(relief::<NoBudget>("epochs"), 0, "nothing is short");
}
