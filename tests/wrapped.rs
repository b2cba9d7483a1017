//! What objects have on beside their bytes (`hardening.canary`, `double_free = "exact"`, `fill_freed`, `fill_new`, `quarantine`), all
//! at once, in every mode of ownership and tag space, and outside of the arena: what is wrong in a program that goes on after errors
//! is told, and nothing else is.

#[path = "common/told.rs"]
mod told;

use hz3::Fault;
use hz3::core::abi::{c, calls, global, introspect, object};
use hz3::core::event::wrap::quarantine;
use hz3::core::policy::knobs::Fill;
use hz3::core::policy::tag_of;
use hz3::core::statics::ThreadBlock;
use hz3::core::{Shared, Variant};
use std::alloc::Layout;
use std::sync::{Mutex, MutexGuard};
use told::{all_told, while_running};

hz3::variant!(Adopting = "tests/fixtures/wrapped.toml");
hz3::variant!(Banking = "tests/fixtures/wrapped-bank.toml");
hz3::variant!(Ringing = "tests/fixtures/wrapped-ring.toml");
hz3::variant!(Flat = "tests/fixtures/wrapped-flat.toml");
hz3::variant!(Outside = "tests/fixtures/wrapped-outside.toml");
hz3::variant!(Guarded = "tests/fixtures/wrapped-guarded.toml");
hz3::variant!(Sampled = "tests/fixtures/wrapped-sampled.toml");

/// Below and above the largest class, at the ends of classes and between them, up to huge ones.
const SIZES: [usize; 17] = [
    0,
    1,
    7,
    8,
    9,
    24,
    40,
    100,
    248,
    1000,
    4088,
    5000,
    32_760,
    32_768,
    100_000,
    300_000,
    3 << 20,
];

static ALONE: Mutex<()> = Mutex::new(());

/// Tests share their variants, and who is told.
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(|e| e.into_inner())
}

/// How much of an object of `n` bytes is filled.
fn filled<V: Variant>(n: usize) -> usize {
    match V::POLICY.hardening.fill_bytes {
        0 => n,
        most => n.min(most),
    }
}

fn all_are(p: *mut u8, range: std::ops::Range<usize>, byte: u8) -> bool {
    // SAFETY: the callers' objects hold so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(p.add(range.start), range.len()) };
    // Each is what the one before it is: by the C library's means, which are fast in a build for tests, too.
    bytes
        .first()
        .is_none_or(|first| *first == byte && bytes[1..] == bytes[..bytes.len() - 1])
}

/// A byte behind what was asked for, whatever is written there.
fn overflows<V: Variant>() {
    for n in SIZES {
        for with in [0, 0x41, 0xff] {
            let mut object = 0;
            // SAFETY: none: it writes behind an object, which is what is to be told.
            let errors = while_running::<V>(|| unsafe {
                let p = calls::malloc::<V>(n);
                assert_eq!(c::malloc_usable_size::<V>(p), n);
                if *p.add(n) == with {
                    return calls::free::<V>(p);
                }
                *p.add(n) = with;
                object = p as usize;
                calls::free::<V>(p);
            });
            if object != 0 {
                assert_eq!(errors, [(Fault::Overflow, object)], "{n} bytes");
            }
        }
    }
}

/// Objects that are freed twice, by turns and at once, and pointers to none.
fn wrong_frees<V: Variant>() {
    for n in SIZES {
        let mut object = 0;
        // SAFETY: none: it frees objects twice, and pointers into them.
        let errors = while_running::<V>(|| unsafe {
            let (p, q) = (calls::malloc::<V>(n), calls::malloc::<V>(n));
            object = p as usize;
            calls::free::<V>(p);
            calls::free::<V>(p);
            assert!(c::realloc::<V>(p, 10).is_null());
            assert_eq!(c::malloc_usable_size::<V>(p), 0);
            if n >= 24 {
                calls::free::<V>(q.add(16));
                calls::free::<V>(q.add(8));
            }
            calls::free::<V>(q);
        });
        let faults: Vec<Fault> = errors.iter().map(|told| told.0).collect();
        let double = [Fault::DoubleFree; 3];
        let want = if n >= 24 {
            [&double[..], &[Fault::Interior; 2]].concat()
        } else {
            double.to_vec()
        };
        // Where a huge object was, nothing is perhaps.
        if n < 1 << 20 || V::NAME != "wrapped-outside" {
            assert_eq!(faults, want, "{n} bytes");
        }
    }
}

/// Of threads that free the same objects one is right.
fn at_once<V: Variant>() {
    const OBJECTS: usize = 300;
    let before = V::shared().errors().count();
    while_running::<V>(|| {
        let sizes = [24, 300, 50_000];
        // SAFETY: an allocation asks nothing.
        let objects: Vec<usize> = (0..OBJECTS)
            .map(|i| unsafe { calls::malloc::<V>(sizes[i % 3]) } as usize)
            .collect();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                // SAFETY: none: each object is freed by three threads.
                scope.spawn(|| objects.iter().for_each(|&p| unsafe { calls::free::<V>(p as *mut u8) }));
            }
        });
        // SAFETY: as above; what was freed is served once.
        unsafe {
            let mut again: Vec<usize> = (0..OBJECTS * 2).map(|_| calls::malloc::<V>(300) as usize).collect();
            again.sort_unstable();
            again.dedup();
            assert_eq!(again.len(), OBJECTS * 2);
            for p in again {
                calls::free::<V>(p as *mut u8);
            }
        }
    });
    assert_eq!(V::shared().errors().count() - before, 2 * OBJECTS as u64);
}

/// Whether a byte of a freed object of `n` bytes is looked at when that is served again.
fn is_looked_at<V: Variant>(n: usize, at: usize) -> bool {
    match V::POLICY.hardening.fill_bytes {
        _ if at >= n => false,
        0 => true,
        bytes => at < bytes - 16 || at >= n.next_multiple_of(8).saturating_sub(16),
    }
}

/// A write into a freed object is found when the object is served, which others come and go for.
fn writes_after_free<V: Variant>() {
    for n in [8usize, 24, 100, 1000, 20_000] {
        for at in [0, 8, 16, n / 2, n.saturating_sub(9), n - 1] {
            // What is too long for the quarantine has a link there at once.
            if !is_looked_at::<V>(n, at) || at == 0 && n > V::POLICY.hardening.quarantine / 4 - 64 {
                continue;
            }
            let mut object = 0;
            // SAFETY: none: it writes into a freed object.
            let errors = while_running::<V>(|| unsafe {
                let p = calls::malloc::<V>(n);
                object = p as usize;
                calls::free::<V>(p);
                *p.add(at) ^= 0x10;
                for _ in 0..200 {
                    let others: Vec<*mut u8> = (0..100).map(|_| calls::malloc::<V>(n)).collect();
                    assert!(
                        others.iter().all(|&other| other != p),
                        "{n} bytes: a written object is served"
                    );
                    others.into_iter().for_each(|p| calls::free::<V>(p));
                    if !all_told().is_empty() {
                        break;
                    }
                }
            });
            assert_eq!(errors, [(Fault::UseAfterFree, object)], "{n} bytes, at {at}");
        }
    }
}

/// A free object is looked at to its end, however little of it is filled: its canary is there still.
fn writes_at_the_end_of_free_objects<V: Variant>() {
    for n in [24, 100, 1000] {
        let mut object = 0;
        // SAFETY: none: it writes into a freed object.
        let errors = while_running::<V>(|| unsafe {
            let p = calls::malloc::<V>(n);
            object = p as usize;
            let last = object::usable::<V>(p) - 1;
            calls::free::<V>(p);
            *p.add(last) ^= 0x10;
            for _ in 0..200 {
                let others: Vec<*mut u8> = (0..100).map(|_| calls::malloc::<V>(n)).collect();
                others.into_iter().for_each(|p| calls::free::<V>(p));
            }
        });
        assert_eq!(errors, [(Fault::UseAfterFree, object)], "{n} bytes");
    }
}

/// A write before an object is found when that is freed, where it is the end of its neighbour.
fn writes_before<V: Variant>() {
    for n in [24, 100, 1000] {
        let mut want = Vec::new();
        // SAFETY: none: it writes before an object, and then again what was there.
        let errors = while_running::<V>(|| unsafe {
            let mut objects: Vec<usize> = (0..100).map(|_| calls::malloc::<V>(n) as usize).collect();
            objects.sort_unstable();
            let bytes = object::usable::<V>(objects[0] as *mut u8);
            let beside = |i: &usize| objects[*i] - objects[i - 1] == bytes && !objects[*i].is_multiple_of(4096);
            let second = (1..objects.len()).find(beside).expect("two that lie side by side");
            let p = objects.remove(second) as *mut u8;
            // The runs of objects without tags are not looked up.
            if tag_of::<V>(p) != 0 {
                want.push((Fault::Overflow, objects[second - 1]));
            }
            *p.sub(1) ^= 0x10;
            calls::free::<V>(p);
            *p.sub(1) ^= 0x10;
            objects.into_iter().for_each(|p| calls::free::<V>(p as *mut u8));
        });
        assert_eq!(errors, want, "{n} bytes");
    }
}

/// What new and freed objects hold, and what stays in resized ones.
fn contents<V: Variant>() {
    let new = match V::POLICY.hardening.fill_new {
        Fill::Poison => 0xaa,
        _ => 0,
    };
    // SAFETY: objects are written within what was asked for.
    let errors = while_running::<V>(|| unsafe {
        for round in 0..2 {
            for n in SIZES {
                let p = calls::malloc::<V>(n);
                assert!(all_are(p, 0..filled::<V>(n), new), "malloc({n}), round {round}");
                p.write_bytes(0x33, n);
                calls::free::<V>(p);
                let p = c::calloc::<V>(1, n);
                assert!(all_are(p, 0..n, 0), "calloc({n}), round {round}");
                p.write_bytes(0x44, n);
                calls::free::<V>(p);
                for align in [32, 256, 4096, 1 << 16] {
                    let p = c::aligned_alloc::<V>(align, n);
                    assert!((p as usize).is_multiple_of(align) && c::malloc_usable_size::<V>(p) == n);
                    assert!(all_are(p, 0..filled::<V>(n), new), "aligned_alloc({align}, {n})");
                    p.write_bytes(0x55, n);
                    calls::free::<V>(p);
                }
            }
        }
        let mut p = calls::malloc::<V>(1);
        let mut have = 1;
        p.write_bytes(0x66, 1);
        let up = SIZES.iter().skip(1);
        let down = SIZES.iter().rev();
        for &n in up.chain(down).chain(&[100, 101, 90, 99, 3 << 20, 7 << 20, 5 << 20, 20]) {
            if n == 0 {
                continue;
            }
            let q = c::realloc::<V>(p, n);
            assert!(!q.is_null() && c::malloc_usable_size::<V>(q) == n, "from {have} to {n}");
            assert!(all_are(q, 0..n.min(have), 0x66), "from {have} to {n}");
            q.write_bytes(0x66, n);
            (p, have) = (q, n);
        }
        *p.add(have) ^= 1;
        assert!(c::realloc::<V>(p, 50).is_null());
        // Rust's own interface, which says how long an object was.
        let layout = |n, align| Layout::from_size_align(n, align).expect("a layout");
        for align in [8, 64, 8192] {
            let mut p = global::alloc_zeroed::<V>(layout(100, align));
            assert!(all_are(p, 0..100, 0));
            p.write_bytes(0x77, 100);
            p = global::realloc::<V>(p, layout(100, align), 40_000);
            assert!((p as usize).is_multiple_of(align) && all_are(p, 0..100, 0x77));
            p = global::realloc::<V>(p, layout(40_000, align), 10);
            assert!((p as usize).is_multiple_of(align) && all_are(p, 0..10, 0x77));
            global::dealloc::<V>(p, layout(10, align));
        }
    });
    let faults: Vec<Fault> = errors.iter().map(|told| told.0).collect();
    assert_eq!(faults, [Fault::Overflow]);
}

/// Threads that make, resize, hand on and free objects with patterns in them; nothing is wrong, and nothing is told.
fn stress<V: Variant>() {
    const THREADS: usize = 4;
    const STEPS: usize = 2000;
    let queues: Vec<Mutex<Vec<(usize, usize)>>> = (0..THREADS).map(|_| Mutex::new(Vec::new())).collect();
    // SAFETY: each object is one thread's at a time, and written within what was asked for.
    let errors = while_running::<V>(|| unsafe {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let queues = &queues;
                scope.spawn(move || {
                    let mut state = thread as u64 + 1;
                    let mut dice = move |below: usize| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (state >> 33) as usize % below
                    };
                    let ends = |p: *mut u8, n: usize| {
                        assert!(all_are(p, 0..n.min(64), n as u8) && all_are(p, n - n.min(64)..n, n as u8));
                        calls::free::<V>(p);
                    };
                    for step in 0..STEPS {
                        let most = if step % 100 == 0 { 200_000 } else { 2000 };
                        let n = 1 + dice(most);
                        let p = match dice(4) {
                            0 => c::calloc::<V>(1, n),
                            1 => c::memalign::<V>(64, n),
                            _ => calls::malloc::<V>(n),
                        };
                        p.write_bytes(n as u8, n);
                        let to = 1 + dice(most);
                        let (p, n) = if dice(3) == 0 {
                            let q = c::realloc::<V>(p, to);
                            assert!(all_are(q, 0..n.min(to), n as u8));
                            q.write_bytes(to as u8, to);
                            (q, to)
                        } else {
                            (p, n)
                        };
                        queues[dice(THREADS)].lock().expect("no panic").push((p as usize, n));
                        let taken = {
                            let mut mine = queues[thread].lock().expect("no panic");
                            if mine.len() > 200 {
                                mine.split_off(100)
                            } else {
                                Vec::new()
                            }
                        };
                        taken.into_iter().for_each(|(p, n)| ends(p as *mut u8, n));
                        if step % 500 == 0 {
                            c::trim::<V>(0);
                        }
                    }
                });
            }
        });
        for (p, _) in queues.iter().flat_map(|queue| queue.lock().expect("no panic").clone()) {
            calls::free::<V>(p as *mut u8);
        }
    });
    assert_eq!(errors, []);
}

/// What is in quarantine is bounded, told, and given back.
fn quarantine_is_bounded<V: Variant>() {
    while_running::<V>(|| {
        // SAFETY: the block is this thread's, which has caches; objects are freed once.
        unsafe {
            c::trim::<V>(0);
            let held = || quarantine::held::<V>(V::Thread::meta(V::thread()));
            assert_eq!(held(), 0);
            let objects: Vec<*mut u8> = (0..2000).map(|_| calls::malloc::<V>(200)).collect();
            objects.into_iter().for_each(|p| calls::free::<V>(p));
            let most = V::POLICY.hardening.quarantine;
            assert!((most / 2..=most).contains(&held()), "{} bytes", held());
            assert!(introspect::totals::<V>().quarantine >= held() as u64);
            c::trim::<V>(0);
            assert_eq!(held(), 0);
        }
    });
}

macro_rules! checks {
    ($name:ident: $variant:ty: $($test:ident = $check:ident;)*) => {
        mod $name {
            use super::*;

            $(
                #[test]
                fn $test() {
                    let _alone = alone();
                    $check::<$variant>();
                }
            )*
        }
    };
}

macro_rules! all_checks {
    ($($name:ident: $variant:ty;)*) => {
        $(checks! {
            $name: $variant:
            overflows_are_told = overflows;
            wrong_frees_are_told = wrong_frees;
            of_frees_at_once_one_is_right = at_once;
            writes_after_free_are_told = writes_after_free;
            writes_at_the_end_of_free_objects_are_told = writes_at_the_end_of_free_objects;
            writes_before_objects_are_told = writes_before;
            contents_are_as_they_should_be = contents;
            nothing_is_told_of_what_is_right = stress;
            the_quarantine_is_bounded_and_given_back = quarantine_is_bounded;
        })*
    };
}

all_checks! {
    adopt: Adopting;
    owner_bank: Banking;
    owner_ring: Ringing;
    flat: Flat;
    outside: Outside;
}

// An object in pages of its own is gone with them: nothing tells of a write into it.
checks! {
    sampled: Sampled:
    overflows_are_told = overflows;
    contents_are_as_they_should_be = contents;
    nothing_is_told_of_what_is_right = stress;
}

// Guarded objects have nothing on: their pages tell.
checks! {
    guarded: Guarded:
    nothing_is_told_of_what_is_right = stress;
}
