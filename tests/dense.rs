//! `arena.thp = "dense"`: a heap that is full has segments that are huge pages, where the kernel has any, and these stay whole as long as
//! few of their pages are free, whatever their age; but not when somebody asks for them.

use hz3::core::abi::{c, introspect};
use hz3::core::hot;
use hz3::core::{Shared, Variant};
use std::thread;
use std::time::Duration;

hz3::variant!(Dense = "tests/fixtures/dense.toml");

const SIZE: usize = 512;
const PAGE: usize = 4096;

/// Segments that are huge pages, and pages that these spare.
fn huge() -> (usize, usize) {
    Dense::shared().heap().locked(|h| {
        let mut huge = 0;
        // SAFETY: the heap is locked, so its segments are live.
        h.for_each(|segment| huge += usize::from(unsafe { (*segment).is_huge() }));
        (huge, h.dense.spared)
    })
}

/// Bytes of free pages that are backed.
fn backed() -> usize {
    introspect::totals::<Dense>().pages_dirty as usize
}

fn make() -> usize {
    // SAFETY: an allocation has no conditions, and the object is this test's.
    unsafe {
        let p = hot::malloc::<Dense>(SIZE).cast::<usize>();
        assert!(!p.is_null(), "no memory");
        p.write(!(p as usize));
        p as usize
    }
}

fn free(p: usize) {
    // SAFETY: the object is this test's, and freed once.
    unsafe {
        assert_eq!((p as *const usize).read(), !p);
        hot::free::<Dense>(p as *mut u8);
    }
}

/// Events, until what was left alone before is old.
fn grow_old() {
    for _ in 0..20 {
        let some: Vec<usize> = (0..4000).map(|_| make()).collect();
        some.into_iter().for_each(free);
        thread::sleep(Duration::from_millis(2));
    }
}

fn trim() {
    // SAFETY: this thread is in no event.
    unsafe { c::trim::<Dense>(0) };
}

#[test]
fn huge_pages_stay_whole_until_somebody_asks() {
    let young: Vec<usize> = (0..48_000).map(|_| make()).collect();
    assert_eq!(huge(), (0, 0), "a young heap asks for none");
    let mut objects: Vec<usize> = (0..240_000).map(|_| make()).collect();
    // Whether the kernel has any is not for the test to say: what fits is told that it is.
    let given = huge().0;
    Dense::shared().heap().locked(|h| {
        h.for_each(|segment| {
            // SAFETY: the heap is locked, so its segments are live, and these are full and have no backed page that is free.
            unsafe {
                if (*segment).free_pages < 32 && (*segment).dirty_free == 0 {
                    (*segment).tell_huge();
                }
            }
        });
    });
    let (told, spared) = huge();
    assert!(
        told >= given && told > 30 && spared == 0,
        "{told} of them, {given} by the kernel"
    );
    // Of each segment a few pages become free.
    objects.sort_unstable();
    let few: Vec<usize> = objects
        .iter()
        .copied()
        .filter(|p| p % (2 << 20) / PAGE % 16 == 9)
        .collect();
    objects.retain(|p| p % (2 << 20) / PAGE % 16 != 9);
    few.iter().for_each(|p| free(*p));
    grow_old();
    let (still, spared) = huge();
    assert!(still * 10 > told * 9, "{still} of {told} are whole");
    assert!(
        spared > few.len() / 16 && backed() >= spared * PAGE,
        "{spared} pages are spared"
    );
    // They serve again.
    let again: Vec<usize> = (0..few.len()).map(|_| make()).collect();
    assert!(huge().1 < spared / 2, "{} of {spared} are spared", huge().1);
    again.into_iter().for_each(free);
    grow_old();
    assert!(huge().1 > 0);
    // Somebody asks.
    trim();
    assert_eq!((huge().1, backed()), (0, 0));
    // What becomes free in numbers goes by age.
    let rest = objects.split_off(objects.len() / 20);
    rest.into_iter().for_each(free);
    grow_old();
    assert!(backed() < 8 << 20, "{} bytes stay", backed());
    objects.into_iter().chain(young).for_each(free);
    trim();
    assert_eq!((huge().1, backed()), (0, 0));
}
