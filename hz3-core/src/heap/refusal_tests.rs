//! The kernel refuses a call, at every place where the heap makes one: nothing is lost, nothing is given out twice, and
//! the heap is whole again when the kernel is.

use super::large::Large;
use super::lot::Seat;
use super::page_heap::Reach;
use super::reservation::tags;
use super::run::{LARGE, Run};
use super::segment::{SEGMENT, Segment};
use super::{Heap, PageHeap};
use crate::os::{Moved, PAGE, refuse};
use crate::policy::Policy;
use crate::policy::knobs::OnFull;
use crate::sync::AtomicUsize;
use std::vec::Vec;

struct Held {
    p: *mut u8,
    bytes: usize,
    stamp: u64,
}

impl Held {
    fn ends(&self) -> [*mut u64; 2] {
        [self.p.cast(), (self.p as usize + self.bytes - 8) as *mut u64]
    }

    fn write(&self) {
        for end in self.ends() {
            // SAFETY: inside of the object, which this is the owner of.
            unsafe { end.write(self.stamp) };
        }
    }

    fn check(&self) {
        // SAFETY: as in `write`.
        let [first, last] = self.ends().map(|end| unsafe { end.read() });
        assert_eq!(
            first, self.stamp,
            "the first word of {} bytes at {:p}",
            self.bytes, self.p
        );
        assert_eq!(
            last, self.stamp,
            "the last word of {} bytes at {:p}",
            self.bytes, self.p
        );
    }
}

fn policy(grow_outside: bool) -> Policy {
    let mut policy = Policy::default();
    policy.arena.size = 24 * SEGMENT;
    if !grow_outside {
        policy.arena.on_full = OnFull::Fail;
    }
    policy.large.cache = 6 * SEGMENT;
    policy.purge.dirty = 300 * PAGE;
    policy
}

/// One session: objects come, grow, move and go, in an order that depends on nothing but `seed`.
fn session(heap: &Heap, policy: &Policy, seed: u64) -> Vec<Held> {
    let mut held: Vec<Held> = Vec::new();
    let mut state = seed;
    for stamp in 1..160 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let r = (state >> 33) as usize;
        let bytes = PAGE
            * if r.is_multiple_of(5) {
                257 + r % 1300
            } else {
                1 + r % 250
            };
        if !r.is_multiple_of(3) || held.is_empty() {
            let fresh = heap.large(policy, Reach::System, bytes, PAGE, &Seat::new());
            if !fresh.p.is_null() {
                held.push(Held {
                    p: fresh.p,
                    bytes,
                    stamp,
                });
                held[held.len() - 1].write();
            }
            continue;
        }
        let n = r % held.len();
        let what = heap.find_large(held[n].p).expect("an object");
        held[n].check();
        match r % 4 {
            // SAFETY: the object is this session's, and large objects stay above the largest class here.
            0 => unsafe {
                if heap.resize_large(policy, held[n].p, what, bytes) {
                    held[n].bytes = bytes;
                    held[n].write();
                }
                held[n].ends()[0].write(held[n].stamp);
                held[n].write();
            },
            1 if matches!(what, Large::Huge(..)) => {
                let had = held[n].bytes;
                let to = heap.large(policy, Reach::System, had + SEGMENT, PAGE, &Seat::new());
                let moved = match to.p.is_null() {
                    true => Moved::Torn,
                    // SAFETY: both are this session's.
                    false => unsafe { heap.move_huge(policy, held[n].p, to.p, had) },
                };
                if moved == Moved::Done {
                    held[n].p = to.p;
                    held[n].check();
                } else if moved == Moved::Unable {
                    held.push(Held {
                        p: to.p,
                        bytes: had + SEGMENT,
                        stamp,
                    });
                    held[held.len() - 1].write();
                }
            }
            2 if r.is_multiple_of(8) => {
                heap.purge_to(policy, 0);
                heap.purge_huge(None);
            }
            _ => {
                let object = held.swap_remove(n);
                // SAFETY: the object is this session's, which does not use it any more.
                unsafe { heap.give_large(policy, object.p, what, &Seat::new()) };
            }
        }
    }
    held
}

#[test]
fn refused_at_every_call() {
    for grow_outside in [false, true] {
        let mut n = 0;
        loop {
            let policy = policy(grow_outside);
            let heap = Heap::new();
            let base = AtomicUsize::new(0);
            heap.locked(|h| h.arena.reserve(&policy, tags(&policy), &base));
            refuse::calls(n, n + 3);
            let held = session(&heap, &policy, 7 + n);
            let made = refuse::made();
            refuse::calls(0, 0);
            for object in held {
                object.check();
                let what = heap.find_large(object.p).expect("an object");
                if let Large::Pages(run) = what {
                    // SAFETY: the object is ours, so its run is open.
                    let (pool, start) = unsafe { ((*run).pool, Run::base(run)) };
                    assert_eq!((pool, start), (LARGE, object.p));
                }
                // SAFETY: nobody uses the object any more.
                unsafe { heap.give_large(&policy, object.p, what, &Seat::new()) };
            }
            heap.purge_to(&policy, 0);
            heap.purge_huge(None);
            heap.locked(|h: &mut PageHeap| {
                // One that was got for a request whose pages were refused then may have been left for the next. In segments of the
                // usual length there is always a next one.
                if SEGMENT > 2 << 20 {
                    h.retire_free(&policy);
                }
                h.for_each(|s: *mut Segment| {
                    // SAFETY: segments in a bucket are live.
                    let (free, backed) = unsafe { ((*s).free_pages, (*s).dirty_free) };
                    panic!("{free} pages are free, {backed} of them backed");
                });
                let left = (
                    h.segments,
                    h.free_pages,
                    h.dirty_pages,
                    h.huge_bytes,
                    h.huge_dirty,
                    h.purging,
                );
                assert_eq!(left, (0, 0, 0, 0, 0, 0), "after a refusal of call {n}");
                assert_eq!((h.arena.used(), h.outside.len()), (0, 0));
            });
            n += 1;
            if n > made {
                break;
            }
        }
        assert!(n > 20, "the session made only {n} calls");
    }
}
