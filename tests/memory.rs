//! The bounds that a config promises, held against allocators that run: what threads and depots keep, what stays backed,
//! how far an arena can be filled while threads sleep on their caches, and that running out of memory harms nobody.

mod common;
#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Coloured, Narrow, Ring, Wide};
use hz3::core::abi::{c, introspect};
use hz3::core::{Shared, Variant};
use hz3_config::plan::{PAGE, Plan, SEGMENT, SEGMENT_USABLE_PAGES};
use std::alloc::{GlobalAlloc, Layout};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

hz3::variant!(Drain = "tests/fixtures/drain.toml");
hz3::variant!(Spare = "tests/fixtures/spare.toml");

const THREADS: usize = 6;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

/// Memory that one owner writes to.
struct Object {
    p: *mut u8,
    size: usize,
}

// SAFETY: see above.
unsafe impl Send for Object {}

/// An object with its size at both ends; `None` if there is no memory.
fn make<V: GlobalAlloc>(v: &V, size: usize) -> Option<Object> {
    // SAFETY: the layout is not empty, and the object is as long as it says.
    unsafe {
        let p = v.alloc(layout(size));
        if p.is_null() {
            return None;
        }
        p.cast::<u64>().write_unaligned(size as u64);
        p.add(size - 8).cast::<u64>().write_unaligned(size as u64);
        Some(Object { p, size })
    }
}

fn drop_it<V: GlobalAlloc>(v: &V, o: Object) {
    // SAFETY: the object is the caller's, made by `make`, and not used any more.
    unsafe {
        let ends = (
            o.p.cast::<u64>().read_unaligned(),
            o.p.add(o.size - 8).cast::<u64>().read_unaligned(),
        );
        assert_eq!(ends, (o.size as u64, o.size as u64), "somebody wrote into an object");
        v.dealloc(o.p, layout(o.size));
    }
}

/// Every thread makes and frees objects of all classes, in waves, so that every magazine grows as far as it may; all of
/// them keep what they have while the totals are read.
fn hoards<V: Variant + GlobalAlloc + Sync>(v: &V, file: &str) {
    let plan = common::plan(file);
    let (full, read) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for wave in 1..4 {
                    for class in &plan.classes {
                        let n = (wave * 40_000 / class.size as usize).clamp(1, 3 * class.batch as usize);
                        let all: Vec<Object> = (0..n).filter_map(|_| make(v, class.size as usize)).collect();
                        all.into_iter().for_each(|o| drop_it(v, o));
                    }
                }
                full.wait();
                read.wait();
            });
        }
        full.wait();
        let t = introspect::totals::<V>();
        read.wait();
        assert!(t.threads >= THREADS as u64, "{} threads have caches", t.threads);
        let bound = plan.cache.bytes_bound(t.threads);
        assert!(
            t.magazines <= bound,
            "{file}: magazines hold {}, more than {bound}",
            t.magazines
        );
        assert!(t.magazines > 0, "{file}: nobody keeps anything");
        let bound = plan.depot.bytes_bound;
        assert!(t.depots <= bound, "{file}: depots hold {}, more than {bound}", t.depots);
        let bound = plan.policy.purge.dirty as u64;
        assert!(
            t.pages_dirty <= bound,
            "{file}: {} free bytes are backed, more than {bound}",
            t.pages_dirty
        );
        let bound = plan.policy.large.cache as u64;
        assert!(
            t.huge_dirty <= bound,
            "{file}: huge objects keep {}, more than {bound}",
            t.huge_dirty
        );
    });
}

#[test]
fn caches_stay_within_their_bounds() {
    hoards(&Narrow, "tests/fixtures/narrow.toml");
    hoards(&Wide, "tests/fixtures/wide.toml");
    hoards(&Bank, "tests/fixtures/bank.toml");
}

/// Fills the arena with objects of one size until there is no memory.
fn fill<V: GlobalAlloc>(v: &V, size: usize) -> Vec<Object> {
    let mut all = Vec::new();
    while let Some(o) = make(v, size) {
        all.push(o);
    }
    all
}

/// Bytes of objects of `size` that the whole arena holds: no headers, no tails of runs.
fn room(plan: &Plan, size: usize) -> usize {
    let class = plan.class_for(size as u64).expect("a class");
    let pages = plan.policy.arena.size / SEGMENT as usize * SEGMENT_USABLE_PAGES as usize;
    let tail = f64::from(class.tail_waste) / f64::from(class.run_pages * PAGE);
    ((pages * PAGE as usize) as f64 * (1.0 - tail)) as usize
}

/// All objects are freed: waits until the threads that a scope has left behind have really ended, and nothing is live.
fn settle<V: Variant>() {
    for _ in 0..500 {
        // SAFETY: an event of this thread.
        unsafe { c::trim::<V>(0) };
        if introspect::totals::<V>().live() == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{:?}", introspect::totals::<V>());
}

/// Others sleep on full magazines; one thread fills the arena. It must get all but what they are allowed to keep, and
/// everything once they wake up.
fn sleepers<V: Variant + GlobalAlloc + Sync>(v: &V, file: &str) {
    let plan = common::plan(file);
    let size = 4096;
    let (asleep, wake) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let all: Vec<Object> = (0..200).filter_map(|_| make(v, size)).collect();
                all.into_iter().for_each(|o| drop_it(v, o));
                asleep.wait();
                wake.wait();
            });
        }
        asleep.wait();
        let all = fill(v, size);
        let (got, most) = (all.len() * size, room(&plan, size));
        // What a thread keeps may lie scattered: each object may hold one run open.
        let class = plan.class_for(size as u64).expect("a class");
        let batches = THREADS as u64 * u64::from(plan.policy.cache.magazines * class.batch);
        let kept = plan.cache.bytes_bound(THREADS as u64).min(batches * 4096);
        let least = most.saturating_sub(kept as usize + (2 << 20));
        assert!(
            got >= least,
            "{file}: {got} bytes of {most}, though sleepers keep at most {kept}"
        );
        let failed = V::shared().heap().pressure.counts().failed;
        assert!(failed > 0, "{file}: a failure was not counted");
        wake.wait();
        all.into_iter().for_each(|o| drop_it(v, o));
    });
    // Whatever was in pieces is whole again.
    settle::<V>();
    let half = plan.policy.arena.size / 2;
    let whole = make(v, half).unwrap_or_else(|| panic!("{file}: no {half} bytes in an empty arena"));
    drop_it(v, whole);
}

#[test]
fn an_arena_can_be_filled_while_others_sleep() {
    // One after the other: each has an arena of its own, which the other test must not use meanwhile.
    sleepers(&Coloured, "tests/fixtures/coloured.toml");
    sleepers(&Ring, "tests/fixtures/ring.toml");
    many_run_out(&Coloured);
    many_run_out(&Ring);
}

#[test]
fn draining_a_segment_costs_nobody_memory() {
    // One after the other, as above.
    sleepers(&Spare, "tests/fixtures/spare.toml");
    sleepers(&Drain, "tests/fixtures/drain.toml");
    one_after_the_other(&Spare, "tests/fixtures/spare.toml");
    one_after_the_other(&Drain, "tests/fixtures/drain.toml");
    many_run_out(&Spare);
    many_run_out(&Drain);
    for (file, counts) in [
        ("spare", Spare::shared().heap().pressure.counts()),
        ("drain", Drain::shared().heap().pressure.counts()),
    ] {
        assert!(counts.drains > 0, "{file}: relief never began with a segment");
        assert!(counts.quarantines > 0, "{file}: no segment was put under quarantine");
    }
}

/// The arena is filled with objects of one size, and what of them is freed, scattered over all runs, stays in caches as far
/// as they hold it. All of it serves the next size, but for what lies beside objects that are in use.
fn one_after_the_other<V: Variant + GlobalAlloc + Sync>(v: &V, file: &str) {
    let plan = common::plan(file);
    let mut kept: Vec<Object> = Vec::new();
    let mut pages = 0;
    for size in [4096, 64, 1024, 30_000, 250, 8192, 4096] {
        let class = plan.class_for(size as u64).expect("a class");
        let all = fill(v, size);
        let (got, most) = (all.len() * class.size as usize, room(&plan, size));
        // Each object that is kept may hold a run of sixteen pages; one run of each class may be in pieces.
        let beside = pages * PAGE as usize + plan.classes.len() * (64 << 10);
        assert!(got + beside >= most, "{file}: {got} bytes of {size}, though {most} fit");
        let apart = (2 << 20) / size.min(1 << 20) + 1;
        for (n, object) in all.into_iter().enumerate() {
            if n % (4 * apart) == 0 {
                pages += class.run_pages as usize;
                kept.push(object);
            } else {
                drop_it(v, object);
            }
        }
    }
    kept.into_iter().for_each(|o| drop_it(v, o));
    settle::<V>();
}

/// Threads that want more than there is, all at once: requests fail, objects stay whole, and all comes back.
fn many_run_out<V: Variant + GlobalAlloc + Sync>(v: &V) {
    thread::scope(|scope| {
        for seed in 1..=THREADS as u64 {
            scope.spawn(move || {
                let (mut state, mut failed) = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), 0);
                let mut objects: Vec<Object> = Vec::new();
                for _ in 0..30_000 {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    let r = (state >> 33) as usize;
                    if r % 16 < 9 {
                        let size = if r.is_multiple_of(512) {
                            16 + r % (3 << 20)
                        } else {
                            16 + r % 60_000
                        };
                        match make(v, size) {
                            Some(o) => objects.push(o),
                            None => failed += 1,
                        }
                    } else if !objects.is_empty() {
                        let n = r % objects.len();
                        drop_it(v, objects.swap_remove(n));
                    }
                    if failed > 200 {
                        break;
                    }
                }
                assert!(failed > 0, "32 MiB were enough for everybody");
                objects.into_iter().for_each(|o| drop_it(v, o));
            });
        }
    });
    settle::<V>();
}
