//! The walk, where the kernel refuses: nothing changes, and it is asked less and less often.

use super::super::Reach;
use super::super::lot::Seat;
use super::super::reservation::tags;
use super::*;
use crate::os::{PAGE, refuse};
use crate::policy::Policy;
use crate::policy::knobs::Thp;
use crate::sync::AtomicUsize;

/// Segments of the object.
const LENGTH: usize = 40;

/// Takes steps through a round. How many there were.
fn round(heap: &Heap, now: &mut u64) -> usize {
    let at = || heap.pressure.collapse_at.load(Ordering::Relaxed);
    *now = at().max(*now);
    for steps in 1..1000 {
        heap.collapse_some(*now, 100);
        if heap.locked(|h| h.dense.walk.next) == 0 {
            return steps;
        }
        *now = at().max(*now);
    }
    panic!("a round without an end");
}

#[test]
fn the_kernel_is_asked_less_where_it_refuses() {
    if SEGMENT != 2 << 20 {
        return; // No config has `"dense"` then, as a segment is no huge page.
    }
    let mut policy = Policy::default();
    policy.arena.size = 2 * LENGTH * SEGMENT;
    policy.arena.thp = Thp::Dense;
    let heap = Heap::new();
    let base = AtomicUsize::new(0);
    heap.locked(|h| h.arena.reserve(&policy, tags(&policy), &base));
    let mut now = 1;
    assert_eq!(round(&heap, &mut now), 1, "a young heap");
    let fresh = heap.large(&policy, Reach::System, LENGTH * SEGMENT, PAGE, &Seat::new());
    assert!(!fresh.p.is_null());
    // SAFETY: the object is this test's.
    unsafe { fresh.p.write_bytes(7, LENGTH * SEGMENT) };
    if !os::is_own(fresh.p, PAGES, 0) {
        return; // An emulator does not tell.
    }
    refuse::calls(0, u64::MAX);
    assert_eq!(round(&heap, &mut now), 1, "all is new");
    assert_eq!(refuse::made(), 0);
    // One is asked for, 16 are left out; one more, and 32 are.
    let asked: [u64; 4] = core::array::from_fn(|_| {
        let before = refuse::made();
        round(&heap, &mut now);
        refuse::made() - before
    });
    assert_eq!(asked, [2, 1, 1, 0], "where there are {LENGTH} at a time");
    let next = heap.pressure.collapse_at.load(Ordering::Relaxed);
    assert!(next >= now + 800, "in {next} of {now}: rounds become rare");
    refuse::calls(0, 0);
    assert_eq!(heap.locked(|h| h.dense.counts.collapsed), 0);
    // SAFETY: the object is this test's, which does not use it any more.
    unsafe {
        assert_eq!(fresh.p.add(LENGTH * SEGMENT - 1).read(), 7);
        let what = heap.find_large(fresh.p).expect("an object");
        heap.give_large(&policy, fresh.p, what, &Seat::new());
    }
    // What has come there since then is new.
    heap.purge_huge(None);
    let again = heap.large(&policy, Reach::System, LENGTH * SEGMENT, PAGE, &Seat::new());
    assert_eq!(again.p, fresh.p);
    heap.locked(|h| assert_eq!(h.arena.age(0), Age::New));
}
