//! Classes that help each other before the heap grows: it stays smaller, and every object is what was asked for.

use hz3::core::Shared;
use hz3::core::Variant;
use hz3::core::abi::introspect;
use hz3::core::abi::object;
use std::alloc::{GlobalAlloc, Layout};

hz3::variant!(Lending = "configs/default.toml");
hz3::variant!(Alone = "configs/borrow-none.toml");

const SLOTS: usize = 6000;
const STEPS: usize = 600_000;
const LARGEST: u64 = 32768;

/// What a run came to.
struct Outcome {
    /// Most bytes of the arena in use.
    high: u64,
    /// Requests that a larger class served.
    borrowed: u64,
    /// Objects of a larger class than the one that their size has.
    larger: u64,
}

/// A generator with the constants of Knuth's MMIX.
fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// The bytes of the class that a layout is served from when nothing is borrowed.
fn class_bytes<V: Variant>(size: usize) -> usize {
    let sizes = V::classes().iter().map(|c| c.size as usize);
    sizes.into_iter().find(|&s| s >= size).unwrap_or(size)
}

/// Objects of 16 bytes to 32 KiB that come and go, so that how many each class has goes up and down; every 16th is
/// aligned to more than its size asks for. Each is filled at both ends, and checked before it goes.
fn fluctuate<V: Variant + GlobalAlloc>(v: &V) -> Outcome {
    let mut slots: Vec<Option<(*mut u8, Layout)>> = vec![None; SLOTS];
    let (mut state, mut larger) = (7, 0);
    let drop_it = |p: *mut u8, layout: Layout| {
        // SAFETY: the object was made below with this layout, and is dropped once.
        unsafe {
            assert_eq!(p.cast::<usize>().read(), layout.size(), "the front was overwritten");
            assert_eq!(
                p.add(layout.size() - 1).read(),
                layout.size() as u8,
                "the end was overwritten"
            );
            v.dealloc(p, layout);
        }
    };
    for step in 0..STEPS {
        let at = next(&mut state) as usize % SLOTS;
        if let Some((p, layout)) = slots[at].take() {
            drop_it(p, layout);
            continue;
        }
        let size = (16 + next(&mut state) % (LARGEST - 15)) as usize;
        let align = if step % 16 == 0 {
            64 << (next(&mut state) % 7)
        } else {
            16
        };
        let layout = Layout::from_size_align(size, align).expect("a layout");
        // SAFETY: the layout is not empty, and the object is as long as it says.
        unsafe {
            let p = v.alloc(layout);
            assert!(!p.is_null(), "no memory");
            assert!((p as usize).is_multiple_of(align), "{p:?} is not aligned to {align}");
            let usable = object::usable::<V>(p);
            assert!(usable >= size, "{usable} bytes for {size}");
            larger += u64::from(align == 16 && usable > class_bytes::<V>(size));
            p.cast::<usize>().write(size);
            p.add(size - 1).write(size as u8);
            slots[at] = Some((p, layout));
        }
    }
    let outcome = Outcome {
        high: introspect::totals::<V>().high,
        borrowed: V::shared().heap().pressure.counts().borrowed,
        larger,
    };
    for (p, layout) in slots.into_iter().flatten() {
        drop_it(p, layout);
    }
    outcome
}

#[test]
fn classes_that_help_each_other_need_a_smaller_heap() {
    let (lending, alone) = (fluctuate(&Lending), fluctuate(&Alone));
    assert_eq!((alone.borrowed, alone.larger), (0, 0), "nobody was to borrow");
    assert!(lending.borrowed > 0, "nobody borrowed");
    assert!(
        lending.larger > 0 && lending.larger <= lending.borrowed,
        "{} objects of larger classes, {} borrowed",
        lending.larger,
        lending.borrowed
    );
    assert!(
        lending.high * 100 <= alone.high * 98,
        "{} bytes with help, {} without",
        lending.high,
        alone.high
    );
    // One borrowed object is one event more: that must stay rare.
    assert!(lending.borrowed * 20 < STEPS as u64, "{} borrowed", lending.borrowed);
}
