//! Relief of one segment: what caches hold of it goes back to its runs, and all else stays where it is.

#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Coloured, Narrow, Ring, Wide};
use hz3::core::abi::introspect;
use hz3::core::event::relief;
use hz3::core::heap::segment::{SEGMENT, USABLE};
use hz3::core::{Shared, Variant};
use std::alloc::{GlobalAlloc, Layout};
use std::sync::Barrier;
use std::thread;

const SIZES: [usize; 7] = [24, 100, 400, 700, 1500, 2500, 4000];
const OBJECTS: usize = 5000;

/// An address and a size; whoever has it owns the object.
type Object = (usize, usize);

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

fn make<V: GlobalAlloc>(v: &V, size: usize) -> Object {
    // SAFETY: the layout is not empty, and the object is as long as it says.
    unsafe {
        let p = v.alloc(layout(size));
        assert!(!p.is_null());
        p.write_bytes(size as u8, size);
        (p as usize, size)
    }
}

fn make_all<V: GlobalAlloc>(v: &V) -> Vec<Object> {
    let all: Vec<Object> = (0..OBJECTS).map(|n| make(v, SIZES[n % SIZES.len()])).collect();
    let mut sorted = all.clone();
    sorted.sort_unstable();
    for pair in sorted.windows(2) {
        assert!(pair[0].0 + pair[0].1 <= pair[1].0, "two have the same memory");
    }
    all
}

/// Frees all, in an order that scatters those of each class.
fn free_all<V: GlobalAlloc>(v: &V, all: &[Object]) {
    let mut n = 0;
    for _ in 0..all.len() {
        // The step and the number of objects have no common divisor, so that each has its turn.
        n = (n + 1009) % all.len();
        let (p, size) = all[n];
        // SAFETY: the object is the caller's, made with this layout.
        unsafe {
            let bytes = std::slice::from_raw_parts(p as *const u8, size);
            assert!(bytes.iter().all(|b| *b == size as u8), "somebody wrote into an object");
            v.dealloc(p as *mut u8, layout(size));
        }
    }
}

/// Segments that have pages in use: their addresses.
fn in_use<V: Variant>() -> Vec<usize> {
    let mut all = Vec::new();
    V::shared().heap().locked(|h| {
        h.for_each(|segment| {
            // SAFETY: `for_each` passes live segments.
            if (unsafe { (*segment).free_pages } as usize) < USABLE {
                all.push(segment as usize);
            }
        });
    });
    all.sort_unstable();
    all
}

/// Ends the program when its thread panics: the other one would wait for ever.
struct Together;

impl Drop for Together {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("a thread of this test panicked; `-- --nocapture` says where");
            std::process::exit(101);
        }
    }
}

/// Two threads free each other's objects and their own. Then each in its turn drains one segment after the other: it comes
/// free, and as long as it is not the last one the caches keep what lies elsewhere.
fn drains<V: Variant + GlobalAlloc + Sync>(v: &V, name: &str) {
    let (freed, turn, done) = (Barrier::new(2), Barrier::new(2), Barrier::new(2));
    let drain = |segment: usize| {
        // SAFETY: an event of this thread.
        unsafe { relief::drain::<V>(segment as *const _) }
    };
    let all = make_all(v);
    let (mine, yours) = all.split_at(OBJECTS / 2);
    let segments = in_use::<V>();
    assert!(segments.len() > 2, "{name}: {} segments", segments.len());
    assert!(all.iter().all(|(p, _)| segments.contains(&(p & !(SEGMENT - 1)))));
    let (at_first, bytes, steps, nothing) = thread::scope(|scope| {
        let _together = Together;
        scope.spawn(|| {
            let _together = Together;
            free_all(v, yours);
            freed.wait();
            for &segment in &segments {
                turn.wait();
                drain(segment);
                done.wait();
            }
            freed.wait();
            // Both have caches, and use them.
            let again = make_all(v);
            free_all(v, &again);
            done.wait();
        });
        free_all(v, mine);
        freed.wait();
        let cached = || {
            let t = introspect::totals::<V>();
            t.magazines + t.depots
        };
        // Judged when both threads have gone: one that ends early would leave the other waiting.
        let (mut bytes, mut steps) = (0, Vec::new());
        let at_first = cached();
        for &segment in &segments {
            turn.wait();
            done.wait();
            bytes += drain(segment);
            steps.push((segment, in_use::<V>(), cached()));
        }
        let nothing = drain(segments[0]);
        freed.wait();
        let again = make_all(v);
        free_all(v, &again);
        done.wait();
        (at_first, bytes, steps, nothing)
    });
    for (segment, left, _) in &steps {
        assert!(!left.contains(segment), "{name}: a drained segment is in use");
    }
    let (_, left, cached) = &steps[0];
    assert!(*cached > 0, "{name}: the caches are empty");
    assert!(*cached < at_first, "{name}: the caches have lost nothing");
    assert!(!left.is_empty(), "{name}: all segments came free with the first");
    assert_eq!(
        steps.last().map(|step| step.2),
        Some(0),
        "{name}: objects lie in no segment"
    );
    assert!(bytes > 0, "{name}: nothing came from the caches");
    assert_eq!(nothing, 0, "{name}: drained twice");
}

#[test]
fn a_drained_segment_comes_free_and_caches_keep_the_rest() {
    drains(&Narrow, "narrow");
    drains(&Wide, "wide");
    drains(&Coloured, "coloured");
    drains(&Bank, "bank");
    drains(&Ring, "ring");
}
