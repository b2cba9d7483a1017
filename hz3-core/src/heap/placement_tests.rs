//! Choices of placement, held against a search page by page; and a segment under quarantine.

use super::*;
use crate::heap::segment::USABLE;
use crate::policy::knobs::PlacementOrder::{Densest, Fullest, Lowest};

/// What may be wished of a placement: `order`, `pack_tries`, `quarantine_events`.
pub(super) type Wish = (PlacementOrder, u32, u32);

pub(super) const WISHES: [Wish; 11] = [
    (Fullest, 0, 0),
    (Lowest, 0, 0),
    (Densest, 0, 0),
    (Fullest, 1, 0),
    (Fullest, 1000, 0),
    (Lowest, 4, 0),
    (Densest, 1000, 0),
    (Fullest, 0, 5),
    (Lowest, 0, 40),
    (Densest, 0, 40),
    (Lowest, 1000, 9),
];

/// What a request for pages may expect, reckoned page by page.
pub(super) struct Foreseen {
    /// There is memory for it.
    pub(super) served: bool,
    /// The segments with a hole for all of it that are not under quarantine, and the tightest such hole of each.
    open: Vec<(*mut Segment, usize)>,
    /// All segments: whether it is a huge page, and its free pages.
    all: Vec<(*mut Segment, bool, usize)>,
    /// Requests for pages until the quarantine ends.
    pub(super) left: u32,
}

impl Foreseen {
    /// What comes first has less.
    fn rank(&self, order: PlacementOrder, segment: *mut Segment) -> (bool, usize) {
        let &(_, huge, free) = self
            .all
            .iter()
            .find(|(other, ..)| *other == segment)
            .expect("a segment");
        match order {
            Lowest => (false, segment as usize),
            Fullest => (false, free),
            Densest => (!huge, free),
        }
    }
}

/// The length of the tightest hole that holds `len` pages from a multiple of `align` on.
fn tightest(free: &PageSet, len: usize, align: usize) -> Option<usize> {
    let mut tightest = None;
    let mut first = 0usize;
    for page in 0..=PAGES {
        if page < PAGES && free.has(Page::new(page)) {
            continue;
        }
        if first.next_multiple_of(align) + len <= page && tightest.is_none_or(|t| page - first < t) {
            tightest = Some(page - first);
        }
        first = page + 1;
    }
    tightest
}

impl World {
    pub(super) fn foresee(&self, min: usize, want: usize, align: usize) -> Foreseen {
        self.heap.locked(|h| {
            let (mut open, mut all, mut shorter, mut quarantined) = (Vec::new(), Vec::new(), false, false);
            h.for_each(|segment| {
                // SAFETY: segments in a bucket are live, and the lock is held.
                let (free, usable, huge) =
                    unsafe { (&(*segment).free, usize::from((*segment).usable), (*segment).is_huge()) };
                all.push((segment, huge, free.count()));
                let hole = tightest(free, want, align);
                shorter |= tightest(free, min, 1).is_some();
                if h.drain.left > 0 && h.drain.segment == segment && free.count() < usable {
                    quarantined = hole.is_some();
                } else if let Some(hole) = hole {
                    open.push((segment, hole));
                }
            });
            let room = h.arena.used() < h.arena.segments() || self.policy.grows_outside();
            Foreseen {
                // The alignment of a shorter range is the chance's.
                served: !open.is_empty() || quarantined || room || align == 1 && shorter,
                open,
                all,
                left: h.drain.left,
            }
        })
    }

    /// What the policy says of a range that was taken from the segments that there were.
    pub(super) fn judge(&self, before: &Foreseen, taken: &Taken) {
        if before.open.is_empty() {
            return; // Nowhere else, in a new segment, or shorter.
        }
        let Some(&(_, hole)) = before.open.iter().find(|(segment, _)| *segment == taken.segment) else {
            panic!("taken from the segment under quarantine, or from a new one, while there was room elsewhere");
        };
        let all = before.open.len();
        let tight = before.open.iter().map(|(_, hole)| *hole).min();
        let (tries, order) = (self.policy.placement.pack_tries as usize, self.policy.placement.order);
        if tries >= all {
            assert_eq!(Some(hole), tight, "there was a tighter hole");
        }
        if order != Fullest && (tries == 0 || tries >= all) {
            let packs = tries > 0;
            let rivals = before.open.iter().filter(|(_, other)| !packs || *other == hole);
            let best = rivals.map(|&(segment, _)| before.rank(order, segment)).min();
            let taken = before.rank(order, taken.segment);
            assert_eq!(Some(taken), best, "a better segment had room as well");
        }
    }
}

/// Runs of four pages in all segments of a world without memory outside, every second one free.
fn sieve(wish: Wish) -> World {
    let mut world = World::placing(wish, false, 0);
    while let Some(t) = world
        .heap
        .locked(|h| h.take(&world.policy, request(Reach::Arena, 4, 4, 1)))
    {
        let p = Segment::page_address(t.segment, t.span.first);
        world.hold(p, 4, 4, t.clean, Some((t.segment, t.span)));
    }
    for n in (0..world.held.len()).rev().step_by(2) {
        world.give(n);
    }
    world.audit();
    world
}

fn run_of_four() -> Op {
    Op::Take {
        min: 4,
        more: 0,
        align: 0,
        touched: 4,
    }
}

/// A segment under quarantine drains while others serve, ends its quarantine when it is free, and goes back to the arena.
#[test]
fn a_quarantined_segment_becomes_free() {
    let mut world = sieve((Fullest, 0, 1 << 20));
    world.run(&Op::Drain);
    let segment = world.heap.locked(|h| h.drain.segment);
    let inside = |h: &Held| Segment::of(h.p) == segment;
    assert!(!segment.is_null());
    while let Some(n) = world.held.iter().position(inside) {
        world.run(&run_of_four());
        assert_eq!(
            world.held.last().map(inside),
            Some(false),
            "a run was placed in the drained segment"
        );
        world.give(n);
        world.audit();
    }
    world.run(&run_of_four());
    world
        .heap
        .locked(|h| assert_eq!(h.drain.left, 0, "wholly free, and still under quarantine"));
    world.end();
}

/// A quarantine of a segment that does not drain ends after its number of requests, whether they are served or not, and
/// the next one is another segment's. At no moment does a request fail for it.
#[test]
fn a_quarantine_ends_and_costs_nobody_memory() {
    const EVENTS: u32 = 7;
    let mut world = sieve((Fullest, 0, EVENTS));
    let given = world.held.len();
    world.run(&Op::Drain);
    let first = world.heap.locked(|h| h.drain.segment);
    let never = || {
        world
            .heap
            .locked(|h| h.take(&world.policy, request(Reach::Arena, 9, 9, 1)).is_none())
    };
    for left in (0..EVENTS).rev() {
        assert!(never(), "all holes have four pages");
        world.heap.locked(|h| assert_eq!(h.drain.left, left));
    }
    world.run(&Op::Drain);
    assert_ne!(
        first,
        world.heap.locked(|h| h.drain.segment),
        "a segment that keeps its pages"
    );
    // While it lasts and after it, all pages that are free can be had.
    while world.held.len() < 2 * given {
        let held = world.held.len();
        world.run(&run_of_four());
        assert_eq!(world.held.len(), held + 1, "a request failed");
    }
    world.heap.locked(|h| {
        assert_eq!(
            h.free_pages,
            ARENA * (USABLE % 4),
            "more than the rests of the segments"
        )
    });
    world.end();
}

/// A hole of exactly the right length is found in a segment whose longest hole is much longer.
#[test]
fn packing_finds_the_tightest_hole() {
    for (wish, tight) in [
        ((Fullest, 0, 0), false),
        ((Fullest, 8, 0), true),
        ((Lowest, 8, 0), true),
        ((Densest, 8, 0), true),
    ] {
        let mut world = World::placing(wish, false, 0);
        let take = |world: &mut World, pages: usize| {
            world.run(&Op::Take {
                min: pages,
                more: 0,
                align: 0,
                touched: 0,
            });
            world.held.len() - 1
        };
        // The first segment: a hole of three and one of some more; the second: one of a few.
        let three = take(&mut world, 3);
        take(&mut world, USABLE - 3 - USABLE / 5);
        take(&mut world, USABLE - USABLE / 25);
        let hole = world.held[three].p;
        world.give(three);
        let got = take(&mut world, 3);
        assert_eq!(world.held[got].p == hole, tight, "{wish:?}");
        world.audit();
        world.end();
    }
}

#[test]
fn a_request_that_may_not_grow_takes_holes_of_full_length_only() {
    for wish in WISHES {
        let mut world = sieve(wish);
        let segments = world.heap.locked(|h| h.segments);
        let take = |world: &World, min, want| {
            let taken = world
                .heap
                .locked(|h| h.take(&world.policy, request(Reach::Segments, min, want, 1)));
            taken.map(|t| (t, Segment::page_address(t.segment, t.span.first)))
        };
        let empty = World::placing(wish, true, 0);
        assert!(
            take(&empty, 1, 1).is_none(),
            "{wish:?}: there is no segment, and none to be taken"
        );
        assert!(
            take(&world, 4, 9).is_none(),
            "{wish:?}: there are holes of four pages only"
        );
        let mut runs = 0;
        while let Some((t, p)) = take(&world, 4, 4) {
            world.hold(p, 4, 4, t.clean, Some((t.segment, t.span)));
            runs += 1;
        }
        assert!(runs > 0, "{wish:?}: there were holes");
        assert_eq!(world.heap.locked(|h| h.segments), segments, "{wish:?}: it grew");
        world.audit();
    }
}

/// Of two segments that both have room the one that is a huge page serves, although the other is fuller; of two alike the fuller one,
/// although its hole is longer than need be.
#[test]
fn huge_pages_fill_first_and_sparse_segments_last() {
    for huge in [false, true] {
        let mut world = World::placing((Densest, 0, 0), false, 0);
        let take = |world: &mut World, pages: usize| {
            world.run(&Op::Take {
                min: pages,
                more: 0,
                align: 0,
                touched: 0,
            });
            world.held.last().expect("a range").p
        };
        // One segment has a hole of twenty pages, and the other many of two, a hundred in all.
        let mut small = Vec::new();
        for n in 0..101 {
            let p = take(&mut world, if n < 100 { 2 } else { USABLE - 200 });
            small.extend((n % 2 == 0 && n < 100).then_some(p));
        }
        let sparse = Segment::of(small[0]);
        let full = Segment::of(take(&mut world, USABLE - 20));
        assert_ne!(sparse, full);
        for p in small {
            let n = world.held.iter().position(|held| held.p == p).expect("a range");
            world.give(n);
        }
        if huge {
            // SAFETY: the segment is live, and nobody else is here. It has no backed page that is free.
            unsafe { (*sparse).tell_huge() };
        }
        let got = Segment::of(take(&mut world, 2));
        assert_eq!(got, if huge { sparse } else { full });
        world.audit();
        world.end();
    }
}
