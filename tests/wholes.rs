//! `purge.unit = "huge"` and `placement.order = "densest"`: a segment goes back as a whole, or when somebody asks; and the segments that
//! have the least room serve first. In every ownership mode.

use hz3::core::abi::{c, introspect};
use hz3::core::hot;
use hz3::core::{Shared, Variant};
use std::thread;
use std::time::Duration;

hz3::variant!(Whole = "tests/fixtures/whole.toml");
hz3::variant!(WholeBank = "tests/fixtures/whole-bank.toml");
hz3::variant!(WholeRing = "tests/fixtures/whole-ring.toml");

const SIZE: usize = 1024;
const SEGMENT: usize = 2 << 20;

/// Pages that are spared, and bytes of free pages that are backed.
fn kept<V: Variant>() -> (usize, usize) {
    let spared = V::shared().heap().locked(|h| h.dense.spared);
    (spared, introspect::totals::<V>().pages_dirty as usize)
}

fn make<V: Variant>() -> usize {
    // SAFETY: an allocation has no conditions, and the object is this test's.
    unsafe {
        let p = hot::malloc::<V>(SIZE).cast::<usize>();
        assert!(!p.is_null(), "no memory");
        p.write(!(p as usize));
        p as usize
    }
}

fn free<V: Variant>(p: usize) {
    // SAFETY: the object is this test's, and freed once.
    unsafe {
        assert_eq!((p as *const usize).read(), !p);
        hot::free::<V>(p as *mut u8);
    }
}

/// Events, until what was left alone before is old.
fn grow_old<V: Variant>() {
    for _ in 0..20 {
        let some: Vec<usize> = (0..2000).map(|_| make::<V>()).collect();
        some.into_iter().for_each(free::<V>);
        thread::sleep(Duration::from_millis(2));
    }
}

fn wholes<V: Variant>() {
    let mut objects: Vec<usize> = (0..64 * SEGMENT / SIZE).map(|_| make::<V>()).collect();
    objects.sort_unstable();
    // Of each segment but every eighth all but a few objects at its beginning and its end become free.
    let (stay, go): (Vec<usize>, Vec<usize>) = objects.into_iter().partition(|p| {
        let at = p % SEGMENT;
        (p / SEGMENT).is_multiple_of(8) || !(SEGMENT / 16..SEGMENT / 16 * 15).contains(&at)
    });
    go.iter().for_each(|p| free::<V>(*p));
    grow_old::<V>();
    let (spared, backed) = kept::<V>();
    assert!(
        spared > 40 * 512 && backed >= spared << 12,
        "{spared} pages are spared, {backed} bytes backed"
    );
    // The segments serve again before there are new ones.
    let segments = introspect::totals::<V>().segments;
    let again: Vec<usize> = (0..go.len() / 2).map(|_| make::<V>()).collect();
    assert!(introspect::totals::<V>().segments <= segments + 1, "it grew");
    again.into_iter().for_each(free::<V>);
    // What is free as a whole goes by age.
    let (low, high): (Vec<usize>, Vec<usize>) = stay.into_iter().partition(|p| (p / SEGMENT).is_multiple_of(2));
    let before = introspect::totals::<V>().segments;
    high.into_iter().for_each(free::<V>);
    grow_old::<V>();
    let after = introspect::totals::<V>();
    assert!(
        after.segments + 20 < before,
        "{} of {before} segments are left",
        after.segments
    );
    let (spared, backed) = kept::<V>();
    assert!(spared > 20 * 512, "{spared} pages are spared");
    assert!(
        backed < (spared << 12) + (8 << 20),
        "{backed} bytes backed, {spared} pages spared"
    );
    // Somebody asks.
    // SAFETY: this thread is in no event.
    unsafe { c::trim::<V>(0) };
    assert_eq!(kept::<V>(), (0, 0));
    low.into_iter().for_each(free::<V>);
    // SAFETY: as above.
    unsafe { c::trim::<V>(0) };
    assert_eq!(kept::<V>(), (0, 0));
    assert_eq!(holes::<V>(0), 0, "nothing presses");
    assert!(holes::<V>(SEGMENT) > 0, "they stay, above a limit");
}

/// Bytes of pages within runs that are given back, by age, of a heap that has such a soft limit.
fn holes<V: Variant>(soft: usize) -> u64 {
    // SAFETY: this thread is in no event.
    assert_eq!(unsafe { c::set_limit::<V>(soft, 0) }, 0);
    let mut objects: Vec<usize> = (0..4 * SEGMENT / SIZE).map(|_| make::<V>()).collect();
    objects.sort_unstable();
    // One object of two pages stays, so that every other page has none, and no run is empty.
    let (stay, go): (Vec<_>, Vec<_>) = objects.into_iter().enumerate().partition(|(n, _)| n % 8 == 0);
    go.into_iter().for_each(|(_, p)| free::<V>(p));
    grow_old::<V>();
    let holes = introspect::totals::<V>().holes;
    stay.into_iter().for_each(|(_, p)| free::<V>(p));
    // SAFETY: as above.
    unsafe {
        assert_eq!(c::set_limit::<V>(0, 0), 0);
        c::trim::<V>(0);
    }
    holes
}

#[test]
fn segments_go_back_as_a_whole() {
    wholes::<Whole>();
}

#[test]
fn those_of_banks_do() {
    wholes::<WholeBank>();
}

#[test]
fn those_of_rings_do() {
    wholes::<WholeRing>();
}
