use super::*;
use crate::os::stack;
use std::collections::BTreeSet;
use std::vec::Vec;

/// A pen of so many places.
fn policy(places: u32) -> Policy {
    let mut policy = Policy::default();
    policy.hardening.guarded = places;
    policy.hardening.guarded_bytes = 1;
    policy.stats.depth = 4;
    policy
}

fn close(pen: &Pen) {
    // SAFETY: the tests use no object any more.
    unsafe { pen.end_all() };
}

#[test]
fn objects_lie_at_the_ends_of_pages_of_their_own() {
    let (pen, policy) = (Pen::new(), policy(8));
    assert!(!pen.contains(ptr::null()) && pen.asked(ptr::null()).is_none());
    for (n, end) in [
        (0, true),
        (1, true),
        (16, true),
        (17, false),
        (100, true),
        (4096, true),
        (4096, false),
    ] {
        let p = pen.make(&policy, n, end, 7, &[1, 2, 3, 4, 5]);
        assert!(!p.is_null() && p.addr().is_multiple_of(16));
        let beside = if end {
            p.addr() + n.max(1).next_multiple_of(16)
        } else {
            p.addr()
        };
        assert!(beside.is_multiple_of(PAGE));
        assert_eq!(pen.asked(p), Some(n));
        // SAFETY: the object has so many bytes.
        unsafe { ptr::write_bytes(p, 1, n) };
        assert_eq!(pen.end(p, 8, &[9]), Ok(()));
        assert_eq!(pen.asked(p), None);
        let found = pen.find(p).expect("it is known");
        assert_eq!((found.harm, found.cell.asked, found.cell.at), (Harm::AfterFree, n, p));
        assert_eq!((found.born, found.ended), ([1, 2, 3, 4].as_slice(), [9].as_slice()));
        assert_eq!((found.cell.born.by, found.cell.ended.by), (7, 8));
    }
    assert!(pen.make(&policy, 4097, true, 1, &[]).is_null());
    close(&pen);
}

#[test]
fn what_was_written_beside_an_object_is_found_at_its_end() {
    let (pen, policy) = (Pen::new(), policy(8));
    for (end, offset, harm) in [
        (true, 20, Harm::Overflow),
        (true, 31, Harm::Overflow),
        (false, 20, Harm::Overflow),
        (false, 4095, Harm::Overflow),
        (true, -1, Harm::Underflow),
        (true, -4064, Harm::Underflow),
    ] {
        let p = pen.make(&policy, 20, end, 1, &[]);
        // SAFETY: the byte lies in the page of the object.
        unsafe { *p.offset(offset) = 0 };
        assert_eq!(pen.end(p, 1, &[]), Err(harm), "{end} {offset}");
    }
    close(&pen);
}

#[test]
fn wrong_addresses_end_nothing() {
    let (pen, policy) = (Pen::new(), policy(8));
    let p = pen.make(&policy, 64, true, 1, &[]);
    for wrong in [
        p.wrapping_add(16),
        p.wrapping_sub(1),
        p.wrapping_sub(PAGE),
        p.wrapping_add(64),
    ] {
        assert_eq!(pen.end(wrong, 1, &[]), Err(Harm::NotItsAddress));
    }
    assert_eq!(pen.end(p.wrapping_add(2 * PAGE), 1, &[]), Err(Harm::Nowhere));
    assert_eq!(pen.end(p, 1, &[]), Ok(()));
    assert_eq!(pen.end(p, 1, &[]), Err(Harm::DoubleFree));
    assert_eq!(pen.end(p.wrapping_add(1), 1, &[]), Err(Harm::NotItsAddress));
    close(&pen);
}

#[test]
fn a_fault_is_told_of_the_nearer_object() {
    let (pen, policy) = (Pen::new(), policy(8));
    let (a, b) = (
        pen.make(&policy, 64, true, 1, &[]),
        pen.make(&policy, 64, false, 1, &[]),
    );
    assert_eq!(b.addr() - a.addr(), PAGE + 64, "one page lies between them");
    for (p, harm, at) in [
        (a.wrapping_add(64), Harm::Overflow, a),
        (a.wrapping_add(64 + PAGE / 2), Harm::Underflow, b),
        (b.wrapping_sub(1), Harm::Underflow, b),
        (b.wrapping_add(PAGE), Harm::Overflow, b),
        (b.wrapping_add(64), Harm::Overflow, b),
        (a.wrapping_sub(1), Harm::Underflow, a),
    ] {
        let found = pen.find(p).expect("somebody is near");
        assert_eq!((found.harm, found.cell.at), (harm, at));
    }
    assert!(pen.find(b.wrapping_add(5 * PAGE)).is_none());
    assert!(
        pen.find(b.wrapping_add(6 * PAGE))
            .is_some_and(|found| found.harm == Harm::Nowhere)
    );
    close(&pen);
}

#[test]
fn the_place_that_was_left_first_is_used_next() {
    let (pen, policy) = (Pen::new(), policy(6));
    let all: std::vec::Vec<_> = (0..3).map(|_| pen.make(&policy, 16, true, 1, &[])).collect();
    assert!(all.iter().all(|p| !p.is_null()));
    assert!(
        pen.make(&policy, 16, true, 1, &[]).is_null(),
        "half of the places are in use"
    );
    all.iter().for_each(|p| assert_eq!(pen.end(*p, 1, &[]), Ok(())));
    // Three that were never used come first, then the ones that were left.
    for round in 0..6 {
        let p = pen.make(&policy, 16, true, 1, &[]);
        assert_eq!(round >= 3, all.contains(&p), "{round}");
        assert_eq!(pen.end(p, 1, &[]), Ok(()));
    }
    assert_eq!(pen.count(), 9);
    close(&pen);
}

#[test]
fn a_program_that_is_let_through_goes_on() {
    let (pen, policy) = (Pen::new(), policy(2));
    for end in [true, false] {
        let p = pen.make(&policy, 16, end, 1, &[]);
        let beside = if end { p.wrapping_add(16) } else { p.wrapping_sub(1) };
        assert!(pen.let_through(beside));
        // SAFETY: the page was made accessible.
        unsafe { *beside = 1 };
        assert_eq!(pen.end(p, 1, &[]), Ok(()));
        assert!(pen.let_through(p));
        // SAFETY: as above; a page that was given back reads as zero.
        assert_eq!(unsafe { *p }, 0);
    }
    assert!(!pen.let_through(stack::bounds as *const u8));
    close(&pen);
}

#[test]
fn objects_are_apart_in_time() {
    let pen = Pen::new();
    assert!(pen.is_time(0) && pen.is_time(0));
    assert!(pen.is_time(1_000_000_000_000 / 1000) || os::now_ns() < 1_000_000_000);
    assert!(!pen.is_time(1_000_000_000_000));
}

#[test]
fn threads_have_dice_of_their_own_and_one_is_the_first() {
    let (one, other) = (Pen::new(), Pen::new());
    one.seed();
    other.seed();
    let draws: Vec<(u64, bool)> = [&one, &one, &one, &other]
        .iter()
        .map(|pen| pen.enroll())
        .map(|(mut dice, first)| (dice.bits(), first))
        .collect();
    assert_eq!(
        draws.iter().map(|draw| draw.1).collect::<Vec<_>>(),
        [true, false, false, true]
    );
    let different: BTreeSet<u64> = draws.iter().map(|draw| draw.0).collect();
    assert_eq!(different.len(), 4);
}
