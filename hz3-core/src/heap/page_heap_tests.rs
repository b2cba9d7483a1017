//! The page heap against a model: who has which pages, and what was written there.

use super::*;
use crate::heap::bitmap::PageSet;
use crate::heap::large::Large;
use crate::heap::lot::Seat;
use crate::heap::lots::Holder;
use crate::heap::page::Page;
use crate::heap::reservation::tags;
use crate::heap::{Heap, Waiting};
use crate::os::PAGE;
use crate::os::machine::pretend;
use crate::policy::knobs::{OnFull, Placement, PlacementOrder, Unit};
use crate::sync::{AtomicUsize, Ordering};
use proptest::prelude::*;
use std::vec::Vec;

#[path = "page_heap_audit.rs"]
mod audit;
#[path = "page_heap_held.rs"]
mod held;
use held::Held;
#[path = "placement_tests.rs"]
mod placement;
#[path = "wall_tests.rs"]
mod walls;
use placement::{WISHES, Wish};

/// A request of no group in particular.
fn request(reach: Reach, least: usize, most: usize, align: usize) -> Request {
    Request {
        reach,
        group: Group::ANY,
        least,
        most,
        frame: Frame::aligned(align),
    }
}

/// Segments of the arena: few, so that it is used up often.
const ARENA: usize = 16;

#[derive(Clone, Debug)]
enum Op {
    /// Pages for a run, of which a part will be touched.
    Take {
        min: usize,
        more: usize,
        align: u32,
        touched: usize,
    },
    /// A large or huge object.
    Large {
        pages: usize,
        align: u32,
    },
    /// Give back the n-th that is out.
    Give(usize),
    /// Let a run grow in place.
    Extend(usize, usize),
    /// Let a large object grow or shrink in place.
    Resize(usize, usize),
    /// Give all but so many backed pages to the kernel.
    Purge(usize),
    PurgeHuge,
    Retire,
    /// Lots give back what they have, or only those that rest.
    Recall(bool),
    /// Memory is short: choose a segment to drain.
    Drain,
}

fn op() -> impl Strategy<Value = Op> {
    let pages = prop_oneof![4 => 1usize..20, 2 => 1usize..257, 1 => 250usize..1600];
    prop_oneof![
        4 => (1usize..12, 0usize..40, 0u32..4, 0usize..52)
            .prop_map(|(min, more, align, touched)| Op::Take { min, more, align, touched }),
        4 => (pages.clone(), prop_oneof![4 => Just(0u32), 1 => 0u32..11]).prop_map(|(pages, align)| Op::Large { pages, align }),
        6 => any::<usize>().prop_map(Op::Give),
        1 => (any::<usize>(), 1usize..60).prop_map(|(n, more)| Op::Extend(n, more)),
        3 => (any::<usize>(), pages).prop_map(|(n, pages)| Op::Resize(n, pages)),
        1 => (0usize..600).prop_map(Op::Purge),
        1 => Just(Op::PurgeHuge),
        1 => Just(Op::Retire),
        1 => any::<bool>().prop_map(Op::Recall),
        1 => Just(Op::Drain),
    ]
}

/// Bytes of an object that is out.
fn bytes_of(what: Large) -> usize {
    // SAFETY: the caller has just found it, and has it.
    unsafe { Heap::large_bytes(what) }
}

struct World {
    heap: Heap,
    policy: Policy,
    held: Vec<Held>,
    stamp: u64,
    /// Requests for pages that the quarantine may still last.
    quarantine: u32,
    /// Where threads stand that take and free large objects, one without a lot among them.
    seats: Vec<Seat>,
}

impl World {
    fn new(grow_outside: bool, large_cache: usize) -> World {
        World::placing((PlacementOrder::Fullest, 0, 0), grow_outside, large_cache)
    }

    fn placing(wish: Wish, grow_outside: bool, large_cache: usize) -> World {
        World::of(World::policy(wish, grow_outside, large_cache), true)
    }

    fn policy((order, pack_tries, quarantine_events): Wish, grow_outside: bool, large_cache: usize) -> Policy {
        let mut policy = Policy::default();
        policy.arena.size = ARENA * SEGMENT;
        if !grow_outside {
            policy.arena.on_full = OnFull::Fail;
        }
        policy.large.cache = large_cache;
        policy.purge.dirty = 300 * PAGE;
        policy.placement = Placement {
            order,
            quarantine_events,
            pack_tries,
        };
        policy
    }

    /// One of a policy, whose arena claims its range, or reserves it.
    fn of(policy: Policy, claims: bool) -> World {
        let heap = Heap::new();
        let base = AtomicUsize::new(0);
        heap.locked(|h| h.arena.hold_by(&policy, tags(&policy), &base, claims));
        World {
            heap,
            policy,
            held: Vec::new(),
            stamp: 1,
            quarantine: 0,
            seats: std::vec![Seat::new()],
        }
    }

    /// So many threads come that have lots of their own, where a policy has any.
    fn with_lots(mut self, lots: usize) -> World {
        if self.policy.places_plainly() {
            self.seats.extend((0..lots).map(|_| Seat::in_lot(&self.heap.lots)));
        }
        self
    }

    /// Where somebody stands.
    fn seat(&self, n: usize) -> &Seat {
        &self.seats[n % self.seats.len()]
    }

    fn hold(&mut self, p: *mut u8, pages: usize, touched: usize, clean: bool, run: Option<(*mut Segment, Span)>) {
        self.stamp += 1 << 32;
        let held = Held {
            p,
            pages,
            touched,
            stamp: self.stamp,
            run,
        };
        if clean {
            held.check_zero();
        }
        held.stamp(0);
        self.held.push(held);
    }

    fn large(&self, p: *mut u8) -> Large {
        self.heap.find_large(p).expect("an object that is out is found")
    }

    fn give(&mut self, n: usize) {
        let held = self.held.swap_remove(n);
        held.check(held.pages);
        match held.run {
            // SAFETY: the range is out, and nobody uses it any more.
            Some((segment, span)) => unsafe { self.heap.give(segment, span, held.touched) },
            // SAFETY: the object is out, and nobody uses it any more.
            None => unsafe {
                let seat = self.seat(held.pages + n);
                self.heap.give_large(&self.policy, held.p, self.large(held.p), seat);
            },
        }
    }

    fn run(&mut self, op: &Op) {
        let len = self.held.len();
        match *op {
            Op::Take {
                min,
                more,
                align,
                touched,
            } => {
                // Where runs have guards, every second one.
                let back = usize::from(self.policy.ends_runs() && touched % 2 == 0);
                let (min, want, align) = (min + back, min + more + back, 1usize << align);
                let before = self.foresee(min, want, align);
                let mut request = request(Reach::System, min, want, align);
                request.frame.back = back;
                let taken = self.heap.take(&self.policy, request);
                self.quarantine = self.quarantine.saturating_sub(1);
                match taken {
                    Some(t) => {
                        self.judge(&before, &t);
                        assert!((min..=want).contains(&t.span.len) && t.span.first.number().is_multiple_of(align));
                        let p = Segment::page_address(t.segment, t.span.first);
                        let pages = t.span.len - back;
                        self.hold(p, pages, touched.min(pages), t.clean, Some((t.segment, t.span)));
                    }
                    None => assert!(!before.served, "there was memory for {min} to {want} pages"),
                }
                let left = self.heap.locked(|h| h.drain.left);
                assert!(left < before.left || left == 0, "the quarantine's clock stands still");
            }
            Op::Large { pages, align } => {
                let align = PAGE << align;
                let fresh = self
                    .heap
                    .large(&self.policy, Reach::System, pages * PAGE, align, self.seat(pages));
                if fresh.p.is_null() {
                    assert!(!self.policy.grows_outside(), "there is memory outside of the arena");
                    return;
                }
                assert!((fresh.p as usize).is_multiple_of(align));
                let bytes = bytes_of(self.large(fresh.p));
                assert!(bytes >= pages * PAGE);
                self.hold(fresh.p, pages, pages, fresh.clean, None);
            }
            Op::Give(n) if len > 0 => self.give(n % len),
            Op::Extend(n, more) if len > 0 => {
                let held = &mut self.held[n % len];
                let Some((segment, span)) = held.run.as_mut() else {
                    return;
                };
                let extended = |holder: Holder<'_>| match holder {
                    // SAFETY: the range is out.
                    Holder::Heap(h) => unsafe { h.extend(&self.policy, *segment, *span, more) },
                    Holder::Lot(..) => false,
                };
                // SAFETY: the range is out.
                if unsafe { self.heap.held(*segment, extended) } {
                    span.len += more;
                    held.pages += more;
                    let from = held.touched;
                    held.touched = held.pages;
                    held.stamp(from);
                }
            }
            Op::Resize(n, pages) if len > 0 => {
                let held = &mut self.held[n % len];
                if held.run.is_some() {
                    return;
                }
                let what = self.heap.find_large(held.p).expect("an object that is out is found");
                // SAFETY: the object is out, and this is who has it.
                if unsafe { self.heap.resize_large(&self.policy, held.p, what, pages * PAGE) } {
                    let from = held.pages;
                    held.check(pages);
                    (held.pages, held.touched) = (pages, pages);
                    held.stamp(from);
                    let now = bytes_of(self.large(self.held[n % len].p));
                    assert!(now >= pages * PAGE, "it says that it grew");
                }
            }
            Op::Purge(pages) => {
                self.heap.purge_to(&self.policy, pages * PAGE);
                // Of a page of the kernel's that holds something in use, nothing can go.
                let shared = |h: &mut PageHeap| os::pages() > 1 && h.purge_begin(u64::MAX, usize::MAX).is_none();
                self.heap.locked(|h| assert!(h.dirty_pages <= pages || shared(h)));
            }
            Op::PurgeHuge => {
                self.heap.purge_huge(None);
                self.heap.locked(|h| assert_eq!(h.huge_dirty, 0));
            }
            Op::Retire => {
                self.heap.locked(|h| h.retire_free(&self.policy));
            }
            Op::Recall(resting) => self.heap.recall(&Waiting, resting),
            Op::Drain if self.heap.locked(|h| h.choose_drained(&self.policy)) => {
                self.quarantine = self.policy.placement.quarantine_events;
            }
            _ => {}
        }
    }

    /// Everything goes back, and nothing is left.
    fn end(mut self) {
        while !self.held.is_empty() {
            self.give(0);
        }
        self.audit();
        self.heap.purge_to(&self.policy, 0);
        self.heap.purge_huge(None);
        self.audit();
        self.heap.locked(|h| {
            assert_eq!((h.segments, h.free_pages, h.dirty_pages), (0, 0, 0));
            assert_eq!(
                (h.huge_bytes, h.huge_dirty, h.arena.used(), h.outside.len()),
                (0, 0, 0, 0)
            );
            // SAFETY: nothing of the arena is in use, and the heap ends here.
            unsafe { os::unmap(h.arena.address(0), h.arena.segments() * SEGMENT) };
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_model(
        ops in prop::collection::vec(op(), 1..120),
        grow in any::<bool>(),
        cache in 0usize..6,
        wish in prop::sample::select(&WISHES[..]),
        lots in 0usize..4,
        page in prop::sample::select(&[0usize, 16 << 10, 64 << 10][..]),
        claims in any::<bool>(),
        wholes in any::<bool>(),
    ) {
        // What the model knows of contents holds whatever the kernel's pages are.
        let _page = pretend::Pages::of(page);
        let mut policy = World::policy(wish, grow, cache * SEGMENT);
        if wholes && page == 0 {
            policy.purge.unit = Unit::Huge;
        }
        let mut world = World::of(policy, claims).with_lots(lots);
        for op in &ops {
            world.run(op);
            world.audit();
        }
        world.end();
    }
}

/// A huge object shorter than its segment, in a segment that a longer one had before: what the kernel gets back is the
/// whole segment, or else the next object finds what the first one left.
#[test]
fn a_segment_that_goes_back_is_clean_to_its_end() {
    let mut world = World::new(false, SEGMENT);
    let large = |pages| Op::Large { pages, align: 0 };
    for op in [
        large(512),
        large(512),
        Op::Give(0),
        large(300),
        Op::Give(0),
        Op::Give(0),
        large(512),
        large(512),
    ] {
        world.run(&op);
        world.audit();
    }
    world.end();
}

/// The same for a tail that an object gives back when it shrinks.
#[test]
fn a_tail_that_goes_back_is_clean_to_its_end() {
    let mut world = World::new(false, 2 * SEGMENT);
    let large = |pages| Op::Large { pages, align: 0 };
    for op in [
        large(1024),
        Op::Give(0),
        large(700),
        Op::Resize(0, 300),
        large(512),
        large(512),
    ] {
        world.run(&op);
        world.audit();
    }
    world.end();
}
