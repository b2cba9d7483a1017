//! `arena.thp = "dense"`: what is old and in small pages all of which have memory becomes huge pages, parts of huge objects and segments of
//! the heap that was young. What a program has not touched stays without memory, and nothing that it has written changes, whoever frees,
//! resizes or forks meanwhile. In every ownership mode.

mod common;

use common::fork::ending;
use hz3::core::abi::{c, introspect};
use hz3::core::hot;
use hz3::core::os;
use hz3::core::variant::Variant;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

hz3::variant!(Dense = "tests/fixtures/dense.toml");
hz3::variant!(WholeBank = "tests/fixtures/whole-bank.toml");
hz3::variant!(WholeRing = "tests/fixtures/whole-ring.toml");
#[cfg(target_arch = "x86_64")]
hz3::variant!(DenseCpu = "tests/fixtures/dense-cpu.toml");

const PAGE: usize = 4096;
const SEGMENT: usize = 2 << 20;
/// Bytes of a huge object, for which a heap is not young.
const HUGE: usize = 16 * SEGMENT;

fn collapsed<V: Variant>() -> u32 {
    introspect::totals::<V>().huge_counts.collapsed
}

/// Whether this kernel, in this process, makes a huge page when it is asked for one.
fn can() -> bool {
    // SAFETY: the mapping is this function's.
    unsafe {
        let p = os::map_aligned(SEGMENT, SEGMENT, os::Access::ReadWrite);
        assert!(!p.is_null(), "no memory");
        p.write_bytes(1, SEGMENT);
        let can = os::is_own(p, SEGMENT / PAGE, 0) && os::collapse(p, SEGMENT);
        os::unmap(p, SEGMENT);
        can
    }
}

/// Pages of a huge object that have memory, or are read as zeroes.
fn resident(p: *mut u8) -> usize {
    // SAFETY: the object is the caller's.
    (0..HUGE / PAGE)
        .filter(|n| unsafe { os::is_backed(p.add(n * PAGE)) })
        .count()
}

/// What the `n`th page of the object at `p` says.
fn stamp(p: *mut u8, n: usize) -> usize {
    !(p as usize + n * PAGE)
}

/// A huge object; its pages that are wanted are written.
fn huge<V: Variant>(wanted: impl Fn(usize) -> bool) -> *mut u8 {
    // SAFETY: an allocation has no conditions, and the object is this test's.
    unsafe {
        let p = c::calloc::<V>(1, HUGE);
        assert!(!p.is_null(), "no memory");
        for n in (0..HUGE / PAGE).filter(|n| wanted(*n)) {
            p.add(n * PAGE).cast::<usize>().write(stamp(p, n));
        }
        p
    }
}

/// Looks at it and frees it.
fn end<V: Variant>(p: *mut u8, written: impl Fn(usize) -> bool) {
    // SAFETY: the object is this test's, and freed once.
    unsafe {
        for n in 0..HUGE / PAGE {
            let says = p.add(n * PAGE).cast::<usize>().read();
            assert_eq!(says, if written(n) { stamp(p, n) } else { 0 }, "page {n}");
        }
        hot::free::<V>(p);
    }
}

/// Events, for so many times two milliseconds.
fn events<V: Variant>(times: usize) {
    for _ in 0..times {
        // SAFETY: each object is this test's, and freed once.
        unsafe {
            let some: Vec<*mut u8> = (0..2000).map(|_| hot::malloc::<V>(512)).collect();
            some.into_iter().for_each(|p| hot::free::<V>(p));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Events, until the kernel was asked often enough.
fn wait<V: Variant>(until: u32) {
    while collapsed::<V>() < until {
        events::<V>(1);
    }
}

/// What is full becomes huge pages, a segment of small objects as a part of a huge one, and stays what it is.
fn full<V: Variant>() {
    if !can() {
        return;
    }
    let before = collapsed::<V>();
    let p = huge::<V>(|_| true);
    // SAFETY: the objects are this test's, and written before they are read.
    let small: Vec<*mut usize> = (0..8 * SEGMENT / 512)
        .map(|_| unsafe {
            let p = hot::malloc::<V>(512).cast::<usize>();
            p.write(!(p as usize));
            p
        })
        .collect();
    wait::<V>(before + HUGE as u32 / SEGMENT as u32 / 2);
    end::<V>(p, |_| true);
    for p in small {
        // SAFETY: as above; each is freed once.
        unsafe {
            assert_eq!(p.read(), !(p as usize));
            hot::free::<V>(p.cast());
        }
    }
}

/// What is sparse, or was only read, takes no more memory than before.
fn sparse<V: Variant>() {
    let full = huge::<V>(|_| true);
    let written = |n: usize| n % 8 != 3;
    let some = huge::<V>(written);
    let read = huge::<V>(|_| false);
    let zeroes: usize = (0..HUGE / PAGE)
        // SAFETY: the object is this test's.
        .map(|n| usize::from(unsafe { read.add(n * PAGE).read_volatile() }))
        .sum();
    assert_eq!(zeroes, 0);
    let pages = resident(some);
    events::<V>(40);
    assert_eq!(resident(some), pages, "of {}", HUGE / PAGE);
    // SAFETY: the object is this test's.
    let own = (0..HUGE / PAGE).any(|n| os::is_own(unsafe { read.add(n * PAGE) }, 1, 0));
    assert!(!own, "it has memory of its own");
    end::<V>(some, written);
    end::<V>(read, |_| false);
    end::<V>(full, |_| true);
}

/// Huge objects come and go and change their length while others have events.
fn moving<V: Variant>() {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                events::<V>(1);
            }
        });
        let mut kept = huge::<V>(|_| true);
        for round in 0..8 {
            let next = huge::<V>(|n| round % 3 > 0 || n % 2 > 0);
            events::<V>(2);
            end::<V>(std::mem::replace(&mut kept, next), |n| {
                round == 0 || (round - 1) % 3 > 0 || n % 2 > 0
            });
            // SAFETY: the object is this test's; its beginning is as it was.
            unsafe {
                let long = c::realloc::<V>(kept, 2 * HUGE);
                let short = c::realloc::<V>(long, HUGE);
                assert!(!long.is_null() && !short.is_null(), "no memory");
                for n in 0..HUGE / PAGE {
                    let place = short.add(n * PAGE).cast::<usize>();
                    let written = round % 3 > 0 || n % 2 > 0;
                    assert_eq!(place.read(), if written { stamp(kept, n) } else { 0 });
                    if written {
                        place.write(stamp(short, n));
                    }
                }
                kept = short;
            }
        }
        end::<V>(kept, |n| 7 % 3 > 0 || n % 2 > 0);
        over.store(true, Ordering::Relaxed);
    });
}

/// The child of a fork has its pages with its parent, and goes on.
fn forked<V: Variant>() {
    let p = huge::<V>(|_| true);
    events::<V>(5);
    let status = ending(|| {
        events::<V>(10);
        end::<V>(p, |_| true);
        let p = huge::<V>(|_| true);
        events::<V>(5);
        end::<V>(p, |_| true);
    });
    assert_eq!(status, 0);
    events::<V>(5);
    end::<V>(p, |_| true);
}

fn all<V: Variant>() {
    full::<V>();
    sparse::<V>();
    moving::<V>();
    forked::<V>();
}

#[test]
fn what_is_full_becomes_huge_pages() {
    all::<Dense>();
}

#[test]
fn that_of_banks_does() {
    all::<WholeBank>();
}

#[test]
fn that_of_rings_does() {
    all::<WholeRing>();
}

#[test]
#[cfg(target_arch = "x86_64")]
fn that_of_processors_does() {
    all::<DenseCpu>();
}
