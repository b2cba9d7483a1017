//! Every defence at once, with objects that are guarded all the time, in an arena that is used up: several threads allocate, resize and
//! free each other's objects, and the child of a fork goes on with them. Nothing is told of what is right, and all that is kept back is
//! bounded and given back. What is wrong in the midst of it is told.

mod common;
#[path = "common/told.rs"]
mod told;

use common::fork::ending;
use hz3::Fault;
use hz3::core::Shared;
use hz3::core::abi::{c, calls, introspect};
use hz3::core::variant::Variant;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use told::{all_told, told};

hz3::variant!(Fortress = "tests/fixtures/fortress-stress.toml");

/// An object of so many bytes, each of which is this number.
struct Object {
    p: usize,
    bytes: usize,
    holds: u8,
}

impl Object {
    /// Takes what was allocated, and fills it.
    fn new(p: *mut u8, bytes: usize, holds: u8) -> Object {
        assert!(!p.is_null());
        // SAFETY: the object is new, and has so many bytes.
        unsafe { p.write_bytes(holds, bytes) };
        let p = p as usize;
        Object { p, bytes, holds }
    }

    /// It holds what was written to it, as far as `bytes`.
    fn look(&self, bytes: usize) {
        // SAFETY: the object is this one's.
        let all = unsafe { std::slice::from_raw_parts(self.p as *const u8, bytes) };
        let same = all
            .first()
            .is_none_or(|first| *first == self.holds && all[1..] == all[..bytes - 1]);
        assert!(same, "{} bytes at {:x}", self.bytes, self.p);
    }

    fn free<V: Variant>(self) {
        self.look(self.bytes);
        // SAFETY: the object is this one's, which ends.
        unsafe { calls::free::<V>(self.p as *mut u8) };
    }
}

/// Objects of all sizes come, become longer and shorter, and go; every third one to the next thread, which frees it.
fn use_heap<V: Variant>(seed: usize, rounds: usize, next: Option<&Sender<Object>>, before: Option<&Receiver<Object>>) {
    let mut state = seed as u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % below
    };
    let mut live: Vec<Object> = Vec::new();
    for round in 0..rounds {
        let bytes = match random(32) {
            0..16 => random(200),
            16..26 => random(4096),
            26..30 => random(40_000),
            30 => 40_000 + random(400_000),
            _ => (1 << 20) + random(2 << 20),
        };
        let holds = random(256) as u8;
        // SAFETY: the objects are this function's.
        unsafe {
            match random(5) {
                0 if !live.is_empty() => {
                    let old = live.swap_remove(random(live.len()));
                    let p = c::realloc::<V>(old.p as *mut u8, bytes.max(1));
                    let kept = Object { p: p as usize, ..old };
                    kept.look(kept.bytes.min(bytes.max(1)));
                    live.push(Object::new(p, bytes, holds));
                }
                1 => {
                    let p = c::calloc::<V>(1, bytes);
                    let zero = Object {
                        p: p as usize,
                        bytes,
                        holds: 0,
                    };
                    zero.look(bytes);
                    live.push(Object::new(p, bytes, holds));
                }
                2 => {
                    let align = 16 << random(9);
                    let p = c::memalign::<V>(align, bytes);
                    assert!((p as usize).is_multiple_of(align));
                    live.push(Object::new(p, bytes, holds));
                }
                _ => live.push(Object::new(calls::malloc::<V>(bytes), bytes, holds)),
            }
        }
        if live.len() > 24 {
            let gone = live.swap_remove(random(live.len()));
            match next {
                Some(next) if round % 3 == 0 => next.send(gone).unwrap_or_else(|gone| gone.0.free::<V>()),
                _ => gone.free::<V>(),
            }
        }
        if let Some(before) = before {
            before.try_iter().for_each(|gone| gone.free::<V>());
        }
    }
    live.into_iter().for_each(|object| object.free::<V>());
}

#[test]
fn several_threads_behind_every_defence() {
    type V = Fortress;
    const THREADS: usize = 4;
    V::shared().errors().set_hook(Some(told));
    let (mut to, mut from): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| channel()).map(|(s, r)| (Some(s), Some(r))).unzip();
    to.rotate_left(1);
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let (next, before) = (to[seed].take().expect("one each"), from[seed].take().expect("one each"));
            scope.spawn(move || {
                use_heap::<V>(seed + 1, 1500, Some(&next), Some(&before));
                drop(next);
                // Until the thread before has ended.
                before.iter().for_each(|gone| gone.free::<V>());
            });
        }
        // The child of a fork in the midst of it, which has this thread only.
        for seed in 0..3 {
            use_heap::<V>(100 + seed, 100, None, None);
            let in_child = || {
                use_heap::<V>(200 + seed, 150, None, None);
                assert_eq!(*all_told(), []);
            };
            assert_eq!(ending(in_child), 0, "the child");
        }
    });
    assert_eq!(*all_told(), []);
    let pen = V::pen().expect("objects are guarded");
    assert!(pen.count() > 50, "{} guarded objects", pen.count());
    // SAFETY: no event of this thread is under way.
    unsafe { c::trim::<V>(0) };
    assert_eq!(introspect::totals::<V>().quarantine_large, 0);
    // One of each kind that a program of several threads commits: in the midst of what is right, and from another thread.
    // SAFETY: none: it writes behind an object, and frees one twice.
    unsafe {
        let usual = |n: usize| loop {
            // Not a guarded one: what is done to those ends the process at once.
            let p = calls::malloc::<V>(n);
            if !pen.contains(p) {
                return p as usize;
            }
        };
        let (over, twice) = (usual(100), usual(100));
        thread::scope(|scope| {
            scope.spawn(move || {
                *(over as *mut u8).add(100) ^= 1;
                calls::free::<V>(over as *mut u8);
                calls::free::<V>(twice as *mut u8);
            });
        });
        calls::free::<V>(twice as *mut u8);
        assert_eq!(*all_told(), [(Fault::Overflow, over), (Fault::DoubleFree, twice)]);
    }
    V::shared().errors().set_hook(None);
}
