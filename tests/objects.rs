//! Objects against a model: contents are kept, nothing overlaps, what is asked for zero is zero, and when all are freed
//! the pages are free, too.
//!
//! Each variant is used by one test alone, as the model knows of no objects but its own.

#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Child, Coloured, Narrow, Ring, Wide};
use hz3::core::abi::object;
use hz3::core::{Shared, Variant, event};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;

hz3::variant!(Eight = "tests/fixtures/eight.toml");
hz3::variant!(EightBank = "tests/fixtures/eight-bank.toml");
hz3::variant!(EightRing = "tests/fixtures/eight-ring.toml");

#[derive(Clone, Debug)]
enum Op {
    Alloc { bytes: usize, align: u32, zeroed: bool },
    Resize(usize, usize),
    Free(usize),
}

/// Sizes of every magnitude, and those around class and segment borders.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => (4u32..15, any::<usize>()).prop_map(|(log, n)| 1 + n % (1 << log)),
        2 => (15u32..20, any::<usize>()).prop_map(|(log, n)| 1 + n % (1 << log)),
        1 => (20u32..23, any::<usize>()).prop_map(|(log, n)| 1 + n % (1 << log)),
        1 => (4u32..22, 0usize..3).prop_map(|(log, n)| (1 << log) + n - 1),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (size(), prop_oneof![3 => 0u32..5, 1 => 5u32..22], any::<bool>())
            .prop_map(|(bytes, align, zeroed)| Op::Alloc { bytes, align, zeroed }),
        2 => (any::<usize>(), size()).prop_map(|(n, bytes)| Op::Resize(n, bytes)),
        3 => any::<usize>().prop_map(Op::Free),
    ]
}

/// One object, filled with one byte.
struct Object {
    p: *mut u8,
    layout: Layout,
    fill: u8,
}

impl Object {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the object is out, and the model is who has it.
        unsafe { std::slice::from_raw_parts(self.p, self.layout.size()) }
    }
}

/// Whether all bytes are `fill`; fast without optimisation, too.
fn all(bytes: &[u8], fill: u8) -> bool {
    bytes.first().is_none_or(|first| *first == fill) && (bytes.len() < 2 || bytes[1..] == bytes[..bytes.len() - 1])
}

struct World<V> {
    allocator: V,
    objects: Vec<Object>,
    /// Address to usable bytes.
    places: BTreeMap<usize, usize>,
    fill: u8,
}

impl<V: Variant + GlobalAlloc> World<V> {
    /// Registers a new or resized object, and fills it.
    fn hold(&mut self, p: *mut u8, layout: Layout) {
        // SAFETY: the object is out.
        let usable = unsafe { object::usable::<V>(p) };
        assert!(usable >= layout.size(), "{usable} bytes for {layout:?}");
        assert!(
            (p as usize).is_multiple_of(layout.align().max(V::GRANULE)),
            "{p:p} for {layout:?}"
        );
        let at = p as usize;
        if let Some((&other, &bytes)) = self.places.range(..at + usable).next_back() {
            assert!(
                other + bytes <= at,
                "{at:#x} of {usable} bytes lies in {other:#x} of {bytes}"
            );
        }
        self.places.insert(at, usable);
        self.fill = self.fill.wrapping_add(1).max(1);
        let object = Object {
            p,
            layout,
            fill: self.fill,
        };
        // SAFETY: as above.
        unsafe { p.write_bytes(object.fill, layout.size()) };
        self.objects.push(object);
    }

    fn run(&mut self, op: &Op) {
        let len = self.objects.len();
        match *op {
            Op::Alloc { bytes, align, zeroed } => {
                let layout = Layout::from_size_align(bytes, 1 << align).expect("a layout");
                // SAFETY: the layout is not empty.
                let p = unsafe {
                    if zeroed {
                        self.allocator.alloc_zeroed(layout)
                    } else {
                        self.allocator.alloc(layout)
                    }
                };
                if p.is_null() {
                    return assert!(!V::POLICY.grows_outside(), "no memory for {layout:?}");
                }
                // SAFETY: a new object of that length.
                let contents = unsafe { std::slice::from_raw_parts(p, bytes) };
                assert!(!zeroed || all(contents, 0), "{layout:?} is not zero");
                self.hold(p, layout);
            }
            Op::Resize(n, bytes) if len > 0 => {
                let object = self.objects.swap_remove(n % len);
                assert!(all(object.bytes(), object.fill), "{:?} was written to", object.layout);
                // SAFETY: the object is out, and the model is who has it.
                let p = unsafe { self.allocator.realloc(object.p, object.layout, bytes) };
                if p.is_null() {
                    assert!(!V::POLICY.grows_outside(), "no memory for {bytes} bytes");
                    return self.objects.push(object);
                }
                let kept = object.layout.size().min(bytes);
                // SAFETY: the new object holds `bytes`.
                let same = all(unsafe { std::slice::from_raw_parts(p, kept) }, object.fill);
                assert!(same, "from {:?} to {bytes} bytes: the contents changed", object.layout);
                // SAFETY: as above.
                assert!(kept == 0 || unsafe { *p } == object.fill);
                self.places.remove(&(object.p as usize));
                let layout = Layout::from_size_align(bytes, object.layout.align()).expect("a layout");
                self.hold(p, layout);
            }
            Op::Free(n) if len > 0 => self.free(n % len),
            _ => {}
        }
    }

    fn free(&mut self, n: usize) {
        let object = self.objects.swap_remove(n);
        assert!(all(object.bytes(), object.fill), "{:?} was written to", object.layout);
        self.places.remove(&(object.p as usize));
        // SAFETY: the object is out, and the model lets it go.
        unsafe { self.allocator.dealloc(object.p, object.layout) };
    }

    /// All goes back, and when caches and depots are emptied nothing is left.
    fn end(mut self) {
        while !self.objects.is_empty() {
            self.free(0);
        }
        // SAFETY: an event of this thread.
        unsafe { event::relief::relieve::<V>() };
        let heap = V::shared().heap();
        heap.purge_to(&V::POLICY, 0);
        heap.purge_huge(None);
        heap.locked(|h| {
            assert_eq!(
                (h.segments, h.free_pages, h.dirty_pages),
                (0, 0, 0),
                "pages of small objects are left"
            );
            assert_eq!(
                (h.huge_bytes, h.huge_dirty, h.arena.used(), h.outside.len()),
                (0, 0, 0, 0)
            );
        });
    }
}

fn prove<V: Variant + GlobalAlloc>(allocator: fn() -> V) {
    let config = Config {
        cases: 120,
        failure_persistence: None,
        // A case that fails leaves its objects behind, so that a shorter one would fail for another reason.
        max_shrink_iters: 0,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec(op(), 1..160), |ops| {
            let mut world = World {
                allocator: allocator(),
                objects: Vec::new(),
                places: BTreeMap::new(),
                fill: 0,
            };
            ops.iter().for_each(|op| world.run(op));
            world.end();
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{}: {e}", V::NAME));
}

#[test]
fn narrow() {
    prove(|| Narrow);
}

#[test]
fn wide() {
    prove(|| Wide);
}

#[test]
fn coloured() {
    prove(|| Coloured);
}

#[test]
fn child() {
    prove(|| Child);
}

#[test]
fn bank() {
    prove(|| Bank);
}

#[test]
fn ring() {
    prove(|| Ring);
}

#[test]
fn eight() {
    prove(|| Eight);
}

#[test]
fn eight_bank() {
    prove(|| EightBank);
}

#[test]
fn eight_ring() {
    prove(|| EightRing);
}

#[test]
fn classes_of_eight_bytes_are_used() {
    let layout = |bytes, align| Layout::from_size_align(bytes, align).expect("a layout");
    for (bytes, align, class) in [
        (24, 8, 24),
        (17, 1, 24),
        (24, 16, 32),
        (40, 4, 40),
        (120, 16, 128),
        (490, 16, 512),
    ] {
        let layout = layout(bytes, align);
        // SAFETY: the layout is not empty, and the object is freed once.
        unsafe {
            let p = EightBank.alloc(layout);
            assert_eq!(object::usable::<EightBank>(p), class, "{layout:?}");
            assert!((p as usize).is_multiple_of(align), "{layout:?} at {p:p}");
            EightBank.dealloc(p, layout);
        }
    }
}
