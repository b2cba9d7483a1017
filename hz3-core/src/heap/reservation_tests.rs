//! What is mapped, in each way to hold the arena.

use super::*;
use crate::heap::arena::{Entry, Kind};
use crate::heap::group::Group;
use crate::heap::opening::TABLE_STEP;
use crate::heap::page::PAGES;
use crate::os::refuse;
use crate::policy::knobs::OnFull;

/// A table below an arena of this policy, of 16-bit tags.
pub(in crate::heap) fn tags(policy: &Policy) -> TagTable {
    let guard = if policy.has_walls() { PAGE } else { 0 };
    TagTable::new(os::up(policy.arena.size / PAGE * 2) + guard, 2, 0)
}

fn policy(segments: usize) -> Policy {
    let mut policy = Policy::default();
    policy.arena.size = segments * SEGMENT;
    policy.arena.on_full = OnFull::Fail;
    policy
}

/// An arena that is held in a given way.
fn arena(policy: &Policy, hold: Hold) -> Arena {
    let mut arena = Arena::NONE;
    arena.tags = tags(policy);
    let done = match hold {
        Hold::Claimed => arena.claim(policy, os::random_bits()),
        Hold::Reserved => arena.try_reserve(policy, os::random_bits(), policy.arena.size, Access::None),
        _ => arena.try_reserve(policy, os::random_bits(), policy.arena.size, Access::Uncounted),
    };
    assert!(done && arena.hold == hold, "{hold:?}");
    arena
}

/// Writes the first and the last byte of so many pages.
fn touch(p: *mut u8, pages: usize) {
    for at in [0, pages * PAGE - 1] {
        // SAFETY: the pages were opened.
        unsafe {
            assert_eq!(p.add(at).read(), 0, "fresh pages are zero");
            p.add(at).write(7);
        }
    }
}

#[test]
fn opens_what_is_taken_and_no_more() {
    let policy = policy(12);
    for hold in [Hold::Claimed, Hold::Reserved, Hold::Whole] {
        let mut arena = arena(&policy, hold);
        assert_eq!(arena.take(&policy, Group::ANY, 5, SEGMENT), Some((0, 0)));
        touch(arena.address(0), 5);
        // Two and a half segments, and what is opened of them later.
        let pages = 2 * PAGES + PAGES / 2;
        assert_eq!(arena.take(&policy, Group::ANY, pages, SEGMENT), Some((1, 0)));
        touch(arena.address(1), pages);
        let opened: [usize; 5] = core::array::from_fn(|i| arena.opened(i));
        match hold {
            Hold::Whole => assert_eq!(opened, [PAGES; 5]),
            _ => assert_eq!(opened, [5, PAGES, PAGES, PAGES / 2, 0]),
        }
        assert_eq!(arena.open(&policy, 0, 9), Ok(()));
        touch(arena.address(0).wrapping_add(6 * PAGE), 3);
        assert_eq!(arena.open(&policy, 3, PAGES), Ok(()));
        touch(arena.address(3).wrapping_add(PAGES / 2 * PAGE), PAGES / 2);
        // A tag of each segment can be written, and those of segments that were never taken be read.
        let tags = |i: usize| arena.tags.cell(arena.base, arena.base + i * SEGMENT) as *mut u16;
        for i in 0..4 {
            // SAFETY: the segment was taken.
            unsafe { tags(i).write(1) };
        }
    }
}

#[test]
fn what_others_have_mapped_there_is_theirs() {
    let policy = policy(8);
    let mut arena = arena(&policy, Hold::Claimed);
    let theirs = arena.address(1) as usize + 3 * PAGE;
    assert_eq!(os::map_at(theirs, PAGE, Access::ReadWrite), Placed::Done);
    // SAFETY: mapped just now.
    unsafe { (theirs as *mut u8).write(42) };
    assert_eq!(arena.take(&policy, Group::ANY, 3 * PAGES, SEGMENT), Some((2, 0)));
    for i in 2..5 {
        let kind = Kind::Tail;
        arena.set(i, Entry { kind, ..arena.entry(i) });
    }
    assert_eq!(arena.entry(1).kind, Kind::Lost);
    assert_eq!(arena.take(&policy, Group::ANY, PAGES, SEGMENT), Some((0, 0)));
    assert_eq!(arena.take(&policy, Group::ANY, PAGES, SEGMENT), Some((5, 0)));
    // SAFETY: as above.
    assert_eq!(unsafe { (theirs as *mut u8).read() }, 42);
}

#[test]
fn a_claim_that_meets_something_goes_elsewhere() {
    let mut policy = policy(8);
    let first = arena(&policy, Hold::Claimed);
    policy.arena.base = first.base;
    let second = arena(&policy, Hold::Claimed);
    assert_ne!(first.base, second.base);
}

#[test]
fn a_reserved_range_draws_its_place_if_the_policy_says_so() {
    let mut policy = policy(8);
    policy.hardening.spread = 64 << 40;
    for hold in [Hold::Reserved, Hold::Whole] {
        let mut some = std::collections::BTreeSet::new();
        for _ in 0..64 {
            let arena = arena(&policy, hold);
            assert!((0x1000_0000_0000..0x5000_0000_0000).contains(&arena.base));
            some.insert(arena.base >> 38);
        }
        // 256 parts; 64 draws meet 57 of them in the mean, and hardly ever fewer than 40.
        assert!(some.len() >= 40, "{hold:?}: {} parts", some.len());
    }
}

#[test]
fn tags_beyond_what_was_in_use_are_not_memory_and_fences_keep_others_out() {
    // Tags of 12 GiB: 6 MiB, one fence.
    const TAGS: usize = PAGES * 2;
    let policy = policy((6 << 20) / TAGS);
    let mut arena = arena(&policy, Hold::Claimed);
    let (table, first) = (arena.base - arena.tags.bytes_below, arena.tags.written);
    assert_eq!(first, table);
    assert_eq!(os::map_at(table, 5 << 20, Access::ReadWrite), Placed::Taken);
    assert_eq!(arena.open_tables(1), Ok(()));
    assert_eq!(arena.tags.written, table + TABLE_STEP * TAGS);
    // Past the fence, in one go.
    let most = (5 << 20) / TAGS;
    assert_eq!(arena.open_tables(most), Ok(()));
    assert!(arena.tags.written >= table + most * TAGS);
    for at in (table..arena.tags.written).step_by(PAGE / 2) {
        // SAFETY: a tag that can be written.
        unsafe {
            assert_eq!((at as *const u16).read(), 0);
            (at as *mut u16).write(3);
        }
    }
}

#[test]
fn a_refusal_changes_nothing() {
    let policy = policy(8);
    for hold in [Hold::Claimed, Hold::Reserved] {
        for refused in 0..5 {
            let mut arena = arena(&policy, hold);
            refuse::calls(refused, refused + 1);
            let first = arena.take(&policy, Group::ANY, PAGES + 1, SEGMENT);
            let made = refuse::made();
            refuse::calls(0, 0);
            assert_eq!(first.is_none(), refused < made, "{hold:?}, call {refused}");
            if first.is_none() {
                assert_eq!((arena.used(), arena.high()), (0, 0));
                assert_eq!(arena.take(&policy, Group::ANY, PAGES + 1, SEGMENT), Some((0, 0)));
            }
            touch(arena.address(0), PAGES + 1);
        }
    }
}
