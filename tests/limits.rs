//! `arena.soft_limit` and `arena.hard_limit`: what the heap has committed stays below the soft limit as long as that is enough for
//! what is live, and below the hard one always. The program may set others.

mod common;

use hz3::core::abi::introspect;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::Barrier;
use std::thread;

hz3::variant!(Limited = "tests/fixtures/limited.toml");

static HZ3: Limited = Limited;

const MIB: usize = 1 << 20;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

fn committed() -> usize {
    introspect::totals::<Limited>().committed as usize
}

/// Objects of one size, which are freed when this is dropped.
struct Held(Vec<*mut u8>, usize);

impl Held {
    /// As many as there is memory for, at most so many.
    fn fill(size: usize, most: usize) -> Held {
        let mut all = Vec::new();
        while all.len() < most {
            // SAFETY: the layout is not empty, and the object holds `size` bytes.
            unsafe {
                let p = HZ3.alloc(layout(size));
                if p.is_null() {
                    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(12), "{size} bytes");
                    break;
                }
                p.write_bytes(1, size);
                all.push(p);
            }
        }
        Held(all, size)
    }

    fn bytes(&self) -> usize {
        self.0.len() * self.1
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: each object was made with that layout, and is freed once.
        self.0.iter().for_each(|&p| unsafe { HZ3.dealloc(p, layout(self.1)) });
    }
}

/// Fills the heap with objects of one size: they get nine tenths of the limit, no more than it, and it comes back.
fn fills(size: usize, hard: usize) {
    let held = Held::fill(size, usize::MAX);
    assert!(
        committed() <= hard,
        "{} bytes committed, {size} bytes each",
        committed()
    );
    assert!(
        held.bytes() > hard / 10 * 9,
        "only {} bytes of {hard} with {size} bytes each",
        held.bytes()
    );
    drop(held);
}

// The parts follow each other: the heap is one.
#[test]
fn limits_hold() {
    let plan = common::plan("tests/fixtures/limited.toml");
    let (soft, hard) = (plan.policy.arena.soft_limit, plan.policy.arena.hard_limit);
    let totals = introspect::totals::<Limited>();
    assert_eq!((totals.soft_limit as usize, totals.hard_limit as usize), (soft, hard));

    // Small objects, large ones, and huge ones of whole segments.
    for size in [400, 24 << 10, 100 << 10, 3 * MIB] {
        fills(size, hard);
    }
    // What cannot be is refused at once.
    assert!(Held::fill(hard + MIB, 1).0.is_empty());

    // What others have cached comes back, and what is free does not stay backed near the soft limit.
    let (cached, end) = (Barrier::new(5), Barrier::new(5));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                drop(Held::fill(1000, 2000));
                cached.wait();
                end.wait();
            });
        }
        cached.wait();
        for _ in 0..6 {
            let held = Held::fill(2000, 36 * MIB / 2000);
            assert!(held.bytes() > 35 * MIB);
            assert!(committed() <= soft, "{} bytes committed", committed());
            let large = Held::fill(200 << 10, 20);
            assert_eq!(large.0.len(), 20);
            assert!(committed() <= soft, "{} bytes committed", committed());
        }
        end.wait();
    });
    let counts = introspect::reliefs::<Limited>();
    let count = |name: &str| counts.iter().find(|(key, _)| *key == name).map_or(0, |(_, n)| *n);
    assert!(count("soft_limits") > 0 && count("hard_limits") > 0, "{counts:?}");

    // Growth in place is bounded, too.
    // SAFETY: the layouts are not empty, and each object is resized or freed as it was made.
    unsafe {
        let (p, from) = (HZ3.alloc(layout(4 * MIB)), layout(4 * MIB));
        assert!(HZ3.realloc(p, from, hard + MIB).is_null());
        let q = HZ3.realloc(p, from, 20 * MIB);
        assert!(!q.is_null() && committed() <= hard);
        HZ3.dealloc(q, layout(20 * MIB));
    }

    // The program's own limits, and none.
    assert!(!hz3::set_limit::<Limited>(Some(2), Some(1)));
    assert!(hz3::set_limit::<Limited>(None, Some(16 * MIB)));
    fills(500, 16 * MIB);
    assert!(hz3::set_limit::<Limited>(None, None));
    let held = Held::fill(100 << 10, 1000);
    assert_eq!(held.0.len(), 1000, "there is no limit");
    drop(held);
    // Where the heap has more than the soft limit, what is free goes at once.
    assert!(hz3::set_limit::<Limited>(Some(8 * MIB), None));
    assert!(committed() <= 8 * MIB, "{} bytes committed", committed());
}
