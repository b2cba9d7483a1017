//! Guards: the kernel is asked, after every step, whether they keep everybody out.

use super::*;
use crate::heap::wall::{FIRST, LAST};
use crate::os::guard::{old_kernel, reachable};
use crate::policy::knobs::Guards;

impl World {
    /// How many pages of a segment that could be free are guards. `out` are those that somebody has.
    pub(super) fn guards_of(&self, segment: *mut Segment, out: &PageSet) -> usize {
        if !self.policy.has_walls() {
            return 0;
        }
        // SAFETY: the segment is live, and nobody else is here.
        let s = unsafe { &*segment };
        let mut guards = s.walls.guards;
        assert_eq!(
            guards.and(out).count() + guards.and(&s.free).count(),
            0,
            "a guard is no guard"
        );
        assert_eq!(s.walls.shut.and(out).count(), 0, "what is in use cannot be touched");
        assert_eq!(
            s.walls.shut.and(&s.dirty).count(),
            0,
            "something is in what cannot be touched"
        );
        assert!(guards.has(FIRST) && guards.has(LAST));
        guards.remove(Span { first: FIRST, len: 1 });
        guards.remove(Span { first: LAST, len: 1 });
        for page in s
            .walls
            .shut
            .spans()
            .flat_map(|s| (0..s.len).map(move |n| s.first.plus(n)))
        {
            assert!(!reachable(Segment::page_address(segment, page)), "a page that is shut");
        }
        guards.count()
    }

    /// Nobody reaches the pages around what is out.
    fn look_around(&self) {
        for held in &self.held {
            let (before, behind) = (held.p.wrapping_sub(PAGE), held.p.wrapping_add(held.pages * PAGE));
            let segment = Segment::of(held.p);
            let in_pages = held.run.is_some() || matches!(self.large(held.p), Large::Pages(_));
            for page in [FIRST, LAST].into_iter().filter(|_| in_pages) {
                assert!(!reachable(Segment::page_address(segment, page)), "an end of a segment");
            }
            let guarded = match held.run {
                Some((_, span)) => (false, span.len > held.pages),
                None => {
                    let large = matches!(self.large(held.p), Large::Pages(_));
                    (self.policy.encloses() || !large, self.policy.encloses() || !large)
                }
            };
            // Outside of the arena an object has whole segments.
            let outside = held.run.is_none() && matches!(self.large(held.p), Large::Outside(_));
            assert!(
                !guarded.0 || !reachable(before),
                "{:p} can be reached from before",
                held.p
            );
            assert!(
                !guarded.1 || outside || !reachable(behind),
                "{:p} can be reached from behind",
                held.p
            );
            assert!(reachable(held.p) && reachable(behind.wrapping_sub(8)));
            let guard = self.heap.fence(behind).flatten();
            if held.run.is_none() && guarded.1 && !outside {
                let guard = guard.expect("a guard is known");
                assert_eq!((guard.start, guard.bytes), (held.p as usize, held.pages * PAGE));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nobody_reaches_a_guard(
        ops in prop::collection::vec(op(), 1..80),
        guards in prop::sample::select(&[Guards::Tables, Guards::Large, Guards::Runs][..]),
        (grow, claims, old) in (any::<bool>(), any::<bool>(), any::<bool>()),
        cache in 0usize..6,
        lots in 0usize..3,
    ) {
        old_kernel::set(old);
        let mut policy = World::policy((PlacementOrder::Fullest, 0, 0), grow, cache * SEGMENT);
        policy.hardening.guards = guards;
        let mut world = World::of(policy, claims).with_lots(lots);
        for op in &ops {
            world.run(op);
            world.audit();
            world.look_around();
        }
        world.end();
        old_kernel::set(false);
    }
}

/// An object that comes and goes in one place finds its guards as they are: the kernel is called no more.
#[test]
fn guards_of_a_place_stay() {
    let mut policy = World::policy((PlacementOrder::Fullest, 0, 0), false, 0);
    policy.hardening.guards = Guards::Large;
    let mut world = World::of(policy, true);
    for round in 0..3 {
        world.run(&Op::Large { pages: 40, align: 0 });
        world.audit();
        // SAFETY: the segment is live.
        let shut = unsafe { (*Segment::of(world.held[0].p)).walls.shut.count() };
        assert_eq!(shut, 3, "in round {round}: behind the header, and around the object");
        world.give(0);
        world.audit();
    }
    // Another length moves one of them.
    world.run(&Op::Large { pages: 41, align: 0 });
    world.look_around();
    world.end();
}

/// Where the kernel does not let pages be touched again, a request goes without, and nothing is lost.
#[test]
fn refusals_cost_nothing_but_the_request() {
    let mut policy = World::policy((PlacementOrder::Fullest, 0, 0), false, 0);
    policy.hardening.guards = Guards::Large;
    let mut world = World::of(policy, true);
    old_kernel::set(true);
    for refused in 0..24 {
        for pages in [9, 30, 10, 300, 11] {
            crate::os::refuse::calls(refused, refused + 1);
            let fresh = world
                .heap
                .large(&world.policy, Reach::Arena, pages * PAGE, PAGE, &Seat::new());
            crate::os::refuse::calls(0, 0);
            if !fresh.p.is_null() {
                world.hold(fresh.p, pages, pages, fresh.clean, None);
            }
            world.audit();
            if world.held.len() > 3 {
                world.give(0);
            }
        }
    }
    world.end();
    old_kernel::set(false);
}
