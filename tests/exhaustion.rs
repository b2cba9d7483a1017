//! An arena that is used up, at every point of a session: a request that finds no memory returns null and sets `ENOMEM`,
//! harms nothing, and when memory is free again everything can be had.
//!
//! The arena is filled to its last object, a number of those is freed, and then a session asks for memory by every entry
//! point and in every way: classes, large and huge objects, growth in place and by moving, a thread that starts. With each
//! number it runs dry at another request. (What the *kernel* refuses is the matter of the client `limits_refused`.)

use hz3::core::abi::{c, introspect};
use hz3::core::{Variant, hot, os};
use std::alloc::GlobalAlloc;
use std::ptr;
use std::thread;
use std::time::Duration;

hz3::variant!(Full = "tests/fixtures/full.toml");
hz3::variant!(FullBank = "tests/fixtures/full-bank.toml");
hz3::variant!(FullRing = "tests/fixtures/full-ring.toml");

/// Objects that belong to this session, with what must be in them.
struct Held {
    all: Vec<(*mut u8, usize)>,
    refused: usize,
}

/// What must be in an object's first and last bytes.
fn mark(p: *mut u8, size: usize) -> u8 {
    (p as usize / 16 + size) as u8
}

impl Held {
    fn new() -> Self {
        Held {
            all: Vec::new(),
            refused: 0,
        }
    }

    /// Keeps what a request returned, or sees that it said why not. `before` is `errno` before it.
    fn keep(&mut self, p: *mut u8, size: usize, what: &str) {
        let errno = os::errno();
        if p.is_null() {
            assert_eq!(errno, os::ENOMEM, "{what} of {size} bytes fails with another error");
            self.refused += 1;
            return;
        }
        assert_eq!(errno, 0, "{what} of {size} bytes succeeds and sets an error");
        // SAFETY: the object is this session's.
        unsafe {
            p.write(mark(p, size));
            p.add(size - 1).write(mark(p, size));
        }
        self.all.push((p, size));
    }

    fn check(p: *mut u8, size: usize, marked: u8) {
        // SAFETY: the object is the caller's and has so many bytes.
        let ends = unsafe { [p.read(), p.add(size - 1).read()] };
        assert_eq!(ends, [marked; 2], "somebody wrote into {size} bytes at {p:p}");
    }

    fn free<V: Variant>(&mut self, n: usize) {
        let (p, size) = self.all.swap_remove(n);
        Self::check(p, size, mark(p, size));
        // SAFETY: the object is this session's, and gone from its list.
        unsafe { hot::free::<V>(p) };
        assert_eq!(os::errno(), 0, "free of {size} bytes sets an error");
    }

    fn free_all<V: Variant>(&mut self) {
        os::set_errno(0);
        while !self.all.is_empty() {
            self.free::<V>(self.all.len() - 1);
        }
    }

    /// Resizes the `n`-th object. If that is refused, it is what it was.
    fn resize<V: Variant>(&mut self, n: usize, to: usize) {
        let (p, had) = self.all[n];
        os::set_errno(0);
        // SAFETY: the object is this session's.
        let moved = unsafe { c::realloc::<V>(p, to) };
        if moved.is_null() {
            assert_eq!(
                os::errno(),
                os::ENOMEM,
                "realloc from {had} to {to} fails with another error"
            );
            Self::check(p, had, mark(p, had));
            self.refused += 1;
            return;
        }
        // SAFETY: the object has at least one byte.
        let first = unsafe { moved.read() };
        assert_eq!(first, mark(p, had), "realloc from {had} to {to} lost what was there");
        self.all.swap_remove(n);
        self.keep(moved, to, "realloc");
    }
}

/// Requests by every entry point.
fn session<V: Variant>(held: &mut Held, sizes: &[usize]) {
    for (i, &size) in sizes.iter().enumerate() {
        os::set_errno(0);
        // SAFETY: allocations have no conditions; all objects are this session's.
        unsafe {
            held.keep(hot::malloc::<V>(size), size, "malloc");
            os::set_errno(0);
            let zero = c::calloc::<V>(1, size);
            if !zero.is_null() {
                let bytes = std::slice::from_raw_parts(zero, size);
                assert!(bytes.iter().all(|b| *b == 0), "calloc of {size} bytes is not zero");
            }
            held.keep(zero, size, "calloc");
            os::set_errno(0);
            let align = 64 << (i % 8);
            let p = c::memalign::<V>(align, size);
            assert!((p as usize).is_multiple_of(align), "memalign({align}, {size})");
            held.keep(p, size, "memalign");
            os::set_errno(0);
            let mut p = ptr::null_mut();
            let error = c::posix_memalign::<V>(&mut p, align * 2, size);
            assert_eq!(os::errno(), 0, "posix_memalign sets no error");
            assert_eq!(error == 0, !p.is_null(), "posix_memalign({}, {size})", align * 2);
            if error != 0 {
                assert_eq!(error, os::ENOMEM, "posix_memalign({}, {size})", align * 2);
                os::set_errno(error);
            }
            held.keep(p, size, "posix_memalign");
        }
        if !held.all.is_empty() {
            held.resize::<V>(held.all.len() - 1, size * 3);
        }
        if !held.all.is_empty() {
            held.resize::<V>(held.all.len() / 2, size / 2 + 1);
        }
        if i % 3 == 2 && held.all.len() > 4 {
            os::set_errno(0);
            held.free::<V>(i % 4);
        }
    }
}

const SIZES: [usize; 14] = [
    16, 100, 600, 2048, 3000, 4096, 9000, 20_000, 32_768, 50_000, 300_000, 1_000_000, 2_097_152, 5_000_000,
];

/// Fills the arena with objects of one size.
fn fill<V: Variant>(size: usize) -> Held {
    let mut held = Held::new();
    while held.refused == 0 {
        os::set_errno(0);
        // SAFETY: an allocation has no conditions.
        held.keep(unsafe { hot::malloc::<V>(size) }, size, "malloc");
    }
    held
}

/// Waits until nothing is live: threads that were joined may still be on their last steps.
fn settle<V: Variant>() {
    for _ in 0..500 {
        // SAFETY: an event of this thread.
        unsafe { c::trim::<V>(0) };
        if introspect::totals::<V>().live() == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("{:?}", introspect::totals::<V>());
}

/// What is left of a full arena when a session begins.
#[derive(Clone, Copy)]
struct Left {
    /// Bytes of the objects that fill it.
    size: usize,
    /// Those of them that are freed.
    objects: usize,
    /// Whether they come from all over the arena, so that most of it is in pieces shorter than a run.
    scattered: bool,
}

/// Runs a session in a full arena. Returns how many requests were refused.
fn run_dry<V: Variant + GlobalAlloc + Sync>(left: Left) -> usize {
    let mut ballast = fill::<V>(left.size);
    os::set_errno(0);
    let step = if left.scattered {
        (ballast.all.len() / (left.objects + 1)).max(1)
    } else {
        1
    };
    for k in (0..left.objects).rev() {
        ballast.free::<V>(k * step);
    }
    let mut mine = Held::new();
    session::<V>(&mut mine, &SIZES);
    // A thread that starts here, and one that has memory of its own to give back.
    let theirs = thread::spawn(|| {
        let mut held = Held::new();
        session::<V>(&mut held, &SIZES[..6]);
        let refused = held.refused;
        held.free_all::<V>();
        refused
    });
    let refused = mine.refused + theirs.join().expect("a thread");
    mine.free_all::<V>();
    ballast.free_all::<V>();
    settle::<V>();
    refused
}

fn every_point<V: Variant + GlobalAlloc + Sync>(name: &str) {
    let (mut least, mut most) = (usize::MAX, 0);
    let plans = [
        (16_384, 40, 1, true),
        (16_384, 600, 15, false),
        (300_000, 90, 3, true),
        (300_000, 90, 3, false),
    ];
    for (size, end, step, scattered) in plans {
        for objects in (0..end).step_by(step) {
            let refused = run_dry::<V>(Left {
                size,
                objects,
                scattered,
            });
            (least, most) = (least.min(refused), most.max(refused));
            // Everything can be had again: the same session in an empty arena.
            if objects % 30 == 0 {
                let mut held = Held::new();
                session::<V>(&mut held, &SIZES[..12]);
                assert_eq!(
                    held.refused, 0,
                    "{name}: refused in an empty arena, after {objects} of {size}"
                );
                held.free_all::<V>();
                settle::<V>();
            }
        }
    }
    println!("{name}: {least} to {most} requests of a session were refused");
    assert!(
        least < 10,
        "{name}: {least} requests were refused in each session, so none ran dry late"
    );
    assert!(most > 40, "{name}: at most {most} requests were refused");
}

#[test]
fn adopt() {
    every_point::<Full>("adopt");
}

#[test]
fn owner_bank() {
    every_point::<FullBank>("owner-bank");
}

#[test]
fn owner_ring() {
    every_point::<FullRing>("owner-ring");
}
