//! Pages that served one group of sizes never serve another, whatever comes and goes.

use hz3::core::abi::c;
use hz3::core::policy::Shape;
use hz3::core::{Variant, hot};
use std::collections::BTreeMap;

hz3::variant!(Mixed = "tests/fixtures/base.toml");
hz3::variant!(Partitioned = "tests/fixtures/partition.toml");
hz3::variant!(PartitionedRing = "tests/fixtures/partition-ring.toml");

/// The group of a size as the config says: its class's among as many as `groups` says, or one more.
fn group<V: Shape>(size: usize, groups: usize) -> usize {
    let class = V::classes().iter().position(|class| class.size as usize >= size);
    class.map_or(groups, |class| class * groups / V::CLASSES)
}

/// Allocates and frees objects of all sizes, more of some at one time and of others at another, so that pages become free and serve
/// again. Returns how many pages served more than one group.
fn pages_of_several_groups<V: Variant>(groups: usize) -> usize {
    let mut served: BTreeMap<usize, usize> = BTreeMap::new();
    let mut several = 0;
    let mut state = 7u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % below
    };
    let largest = V::classes().last().map_or(0, |class| class.size as usize);
    let mut live: Vec<(*mut u8, usize)> = Vec::new();
    for phase in 0..24 {
        for _ in 0..1500 {
            let size = match (phase + random(8) / 7) % 4 {
                0 => 1 + random(64),
                1 => 1 + random(2048),
                2 => largest / 4 + random(largest / 2),
                _ => largest + 1 + random(16 * largest),
            };
            // Of large objects few, and a huge one now and then.
            if size > largest && random(12) > 0 {
                continue;
            }
            let size = if size > largest && random(40) == 0 {
                3 << 20
            } else {
                size
            };
            // SAFETY: allocations have no conditions.
            let p = unsafe { hot::malloc::<V>(size) };
            if p.is_null() {
                // The arena has a hard end; what is left is tried again later.
                break;
            }
            let whose = group::<V>(size, groups);
            for page in p as usize >> 12..=(p as usize + size - 1) >> 12 {
                match served.insert(page, whose) {
                    Some(before) if before != whose => several += 1,
                    _ => {}
                }
            }
            live.push((p, size));
        }
        // Nearly all go, so that runs close and segments become free as a whole.
        while live.len() > 20 {
            let (p, _) = live.swap_remove(random(live.len()));
            // SAFETY: the object is this function's.
            unsafe { hot::free::<V>(p) };
        }
        if phase % 2 == 1 {
            // SAFETY: any thread may ask.
            unsafe { c::trim::<V>(0) };
        }
    }
    for (p, _) in live {
        // SAFETY: the object is this function's.
        unsafe { hot::free::<V>(p) };
    }
    assert!(served.len() > 5000, "{} pages", served.len());
    several
}

#[test]
fn without_groups_pages_serve_any_size() {
    assert!(pages_of_several_groups::<Mixed>(3) > 100);
}

#[test]
fn pages_serve_one_group() {
    assert_eq!(pages_of_several_groups::<Partitioned>(3), 0);
}

#[test]
fn pages_serve_one_group_of_owners_runs() {
    assert_eq!(pages_of_several_groups::<PartitionedRing>(2), 0);
}

/// An object may grow in place, into pages of its own group.
#[test]
fn large_objects_grow_into_pages_of_their_group() {
    // SAFETY: the objects are this test's.
    unsafe {
        let mut p = hot::malloc::<Partitioned>(200_000);
        let small: Vec<*mut u8> = (0..4000).map(|_| hot::malloc::<Partitioned>(64)).collect();
        for size in [300_000, 700_000, 3 << 20, 9 << 20, 20 << 20, 5 << 20, 100_000] {
            let first = p.cast::<usize>();
            first.write(size);
            p = c::realloc::<Partitioned>(p, size);
            assert_eq!(p.cast::<usize>().read(), size);
            let pages = p as usize >> 12..=(p as usize + size - 1) >> 12;
            assert!(small.iter().all(|&small| !pages.contains(&(small as usize >> 12))));
        }
        hot::free::<Partitioned>(p);
        small.into_iter().for_each(|p| hot::free::<Partitioned>(p));
    }
}
