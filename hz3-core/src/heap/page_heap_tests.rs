//! The page heap against a model: who has which pages, and what was written there.

use super::*;
use crate::heap::arena::{Entry, Kind};
use crate::heap::bitmap::PageSet;
use crate::heap::large::Large;
use crate::heap::lot::Seat;
use crate::heap::lots::Holder;
use crate::heap::page::Page;
use crate::heap::reservation::tags;
use crate::heap::segment::{HEADER_PAGES, WHOLE};
use crate::heap::{Heap, Waiting};
use crate::os::PAGE;
use crate::policy::knobs::{OnFull, Placement, PlacementOrder};
use crate::sync::{AtomicUsize, Ordering};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec::Vec;

#[path = "page_heap_held.rs"]
mod held;
use held::Held;
#[path = "placement_tests.rs"]
mod placement;
use placement::{WISHES, Wish};

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
        World::placing((false, 0, 0), grow_outside, large_cache)
    }

    fn placing((lowest, pack_tries, quarantine_events): Wish, grow_outside: bool, large_cache: usize) -> World {
        let mut policy = Policy::default();
        policy.arena.size = ARENA * SEGMENT;
        if !grow_outside {
            policy.arena.on_full = OnFull::Fail;
        }
        policy.large.cache = large_cache;
        policy.purge.dirty = 300 * PAGE;
        policy.placement = Placement {
            order: if lowest {
                PlacementOrder::Lowest
            } else {
                PlacementOrder::Fullest
            },
            quarantine_events,
            pack_tries,
        };
        let heap = Heap::new();
        let base = AtomicUsize::new(0);
        heap.locked(|h| h.arena.reserve(&policy, tags(&policy), &base));
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
                let (want, align) = (min + more, 1usize << align);
                let before = self.foresee(min, want, align);
                let taken = self.heap.take(&self.policy, Reach::System, min, want, align);
                self.quarantine = self.quarantine.saturating_sub(1);
                match taken {
                    Some(t) => {
                        self.judge(&before, &t);
                        assert!((min..=want).contains(&t.span.len) && t.span.first.number().is_multiple_of(align));
                        let p = Segment::page_address(t.segment, t.span.first);
                        self.hold(
                            p,
                            t.span.len,
                            touched.min(t.span.len),
                            t.clean,
                            Some((t.segment, t.span)),
                        );
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
                    Holder::Lot(_) => false,
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
                self.heap.locked(|h| assert!(h.dirty_pages <= pages));
            }
            Op::PurgeHuge => {
                self.heap.purge_huge(None);
                self.heap.locked(|h| assert_eq!(h.huge_dirty, 0));
            }
            Op::Retire => {
                self.heap.locked(|h| h.retire_free());
            }
            Op::Recall(resting) => self.heap.recall(&Waiting, resting),
            Op::Drain if self.heap.locked(|h| h.choose_drained(&self.policy)) => {
                self.quarantine = self.policy.placement.quarantine_events;
            }
            _ => {}
        }
    }

    /// Nothing overlaps, and every count is what counting gives.
    fn audit(&self) {
        let mut ranges: Vec<(usize, usize)> = self.held.iter().map(|h| (h.p as usize, h.pages)).collect();
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            assert!(
                pair[0].0 + pair[0].1 * PAGE <= pair[1].0,
                "two have the same page: {pair:x?}"
            );
        }
        // Pages in use, by segment, as the model knows them.
        let mut used: BTreeMap<usize, PageSet> = BTreeMap::new();
        let (mut huge_segments, mut huge_bytes, mut outside_huge) = (0, 0, 0);
        for held in &self.held {
            let large = held.run.is_none().then(|| self.large(held.p));
            match large {
                Some(Large::Huge(_, pages)) => {
                    huge_segments += (pages * PAGE).div_ceil(SEGMENT);
                    huge_bytes += pages * PAGE;
                }
                Some(Large::Outside(_)) => outside_huge += 1,
                _ => used
                    .entry(Segment::of(held.p) as usize)
                    .or_insert(PageSet::EMPTY)
                    .insert(Span {
                        first: Page::of(held.p),
                        len: held.pages,
                    }),
            }
        }
        let mut lent = Vec::new();
        let lent_free = self.heap.lent(&self.policy, &mut |segment| lent.push(segment));
        self.heap.locked(|h| {
            let (mut free, mut dirty, mut segments, mut outside, mut unopened) = (0, 0, 0, 0, 0);
            let mut all_segments = lent.clone();
            h.for_each(|segment| all_segments.push(segment));
            for (i, &segment) in all_segments.iter().enumerate() {
                // SAFETY: segments in a bucket are live, and nobody else is here.
                let s = unsafe { &*segment };
                let is_lent = i < lent.len();
                assert_eq!(s.lot.load(Ordering::Relaxed) != 0, is_lent, "whose it is");
                let mut all = PageSet::EMPTY;
                all.insert(Span {
                    first: WHOLE.first,
                    len: USABLE,
                });
                let mut open = PageSet::EMPTY;
                open.insert(Span {
                    first: WHOLE.first,
                    len: s.opened as usize - HEADER_PAGES,
                });
                let out = used.remove(&(segment as usize)).unwrap_or(PageSet::EMPTY);
                assert_eq!(s.free.and(&out).count(), 0, "free and in use");
                assert_eq!(s.free.count() + out.count(), USABLE, "neither free nor in use");
                assert_eq!(out.and(&open), out, "pages are in use that are not open");
                assert_eq!(s.dirty.and(&open), s.dirty, "pages hold something that are not open");
                let known = h.arena.index(segment.cast()).map_or(PAGES, |i| h.arena.opened(i));
                assert_eq!(s.opened as usize, known, "header and entry disagree about open pages");
                unopened += PAGES - s.opened as usize;
                assert_eq!(s.free.and(&all), s.free, "a header page is free");
                assert_eq!(s.free_pages as usize, s.free.count());
                assert_eq!(s.longest as usize, s.free.longest());
                let backed = if is_lent { 0 } else { s.free.and(&s.dirty).count() };
                assert_eq!(s.dirty_free as usize, backed);
                free += s.free.count();
                dirty += s.dirty_free as usize;
                segments += 1;
                outside += usize::from(s.outside);
                assert!(
                    !(is_lent && s.outside),
                    "segments from outside of the arena are not lent"
                );
            }
            assert_eq!(self.heap.lots.lent.load(Ordering::Relaxed) as usize, lent.len());
            assert_eq!(h.unopened, unopened);
            assert!(used.is_empty(), "segments in use that the heap does not know");
            let known = h.drain.segment.is_null() || all_segments.contains(&h.drain.segment);
            assert!(known, "the drained segment is gone");
            assert!(h.drain.left <= self.quarantine, "a quarantine outlasts its time");
            assert_eq!(
                (h.free_pages + lent_free, h.dirty_pages, h.segments),
                (free, dirty, segments)
            );
            let (mut listed, mut at, mut last) = (0, h.dirty_first, ptr::null_mut());
            while !at.is_null() {
                // SAFETY: as above.
                let s = unsafe { &*at };
                assert!(s.dirty_free > 0 && s.dirty_prev == last, "a broken dirty list");
                listed += s.dirty_free as usize;
                (last, at) = (at, s.dirty_next);
            }
            assert_eq!((listed, last), (dirty, h.dirty_last));
            // The arena.
            let entries: Vec<Entry> = (0..h.arena.segments()).map(|i| h.arena.entry(i)).collect();
            let kept = entries.iter().filter(|e| e.kind == Kind::Free && e.dirty).count();
            let taken = entries.iter().filter(|e| e.kind != Kind::Free).count();
            assert_eq!((h.huge_dirty, h.huge_bytes), (kept * SEGMENT, huge_bytes));
            assert_eq!(
                (h.arena.used(), taken),
                (segments - outside + huge_segments, segments - outside + huge_segments)
            );
            assert_eq!(h.outside.len(), outside + outside_huge);
        });
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
    ) {
        let mut world = World::placing(wish, grow, cache * SEGMENT).with_lots(lots);
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
