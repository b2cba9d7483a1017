//! Choices of placement, held against a search page by page; and a segment under quarantine.

use super::*;
use crate::heap::segment::USABLE;

/// What may be wished of a placement: `order = "lowest"`, `pack_tries`, `quarantine_events`.
pub(super) type Wish = (bool, u32, u32);

pub(super) const WISHES: [Wish; 8] = [
    (false, 0, 0),
    (true, 0, 0),
    (false, 1, 0),
    (false, 1000, 0),
    (true, 4, 0),
    (false, 0, 5),
    (true, 0, 40),
    (true, 1000, 9),
];

/// What a request for pages may expect, reckoned page by page.
pub(super) struct Foreseen {
    /// There is memory for it.
    pub(super) served: bool,
    /// The segments with a hole for all of it that are not under quarantine, and the tightest such hole of each.
    open: Vec<(*mut Segment, usize)>,
    /// Requests for pages until the quarantine ends.
    pub(super) left: u32,
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
            let (mut open, mut shorter, mut quarantined) = (Vec::new(), false, false);
            h.for_each(|segment| {
                // SAFETY: segments in a bucket are live, and the lock is held.
                let (free, usable) = unsafe { (&(*segment).free, usize::from((*segment).usable)) };
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
        if order == PlacementOrder::Lowest && (tries == 0 || tries >= all) {
            let packs = tries > 0;
            let rivals = before.open.iter().filter(|(_, other)| !packs || *other == hole);
            let lowest = rivals.map(|(segment, _)| *segment).min();
            assert_eq!(Some(taken.segment), lowest, "a lower segment had room as well");
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
    let mut world = sieve((false, 0, 1 << 20));
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
    let mut world = sieve((false, 0, EVENTS));
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
    for (wish, tight) in [((false, 0, 0), false), ((false, 8, 0), true), ((true, 8, 0), true)] {
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
