//! Guards (`hardening.guards`), and freed large objects that wait (`quarantine_large`): what nobody may touch cannot be touched, whatever
//! comes and goes, in every mode of ownership and space of tags, in several threads and in the child of a fork.

mod common;

use common::fork::ending;
use hz3::core::Shared;
use hz3::core::abi::{c, introspect};
use hz3::core::heap::large::Large;
use hz3::core::heap::run::Run;
use hz3::core::heap::segment::Segment;
use hz3::core::hot;
use hz3::core::policy::Class;
use hz3::core::policy::knobs::Guards;
use hz3::core::variant::Variant;
use std::ffi::{c_int, c_long};
use std::sync::Mutex;
use std::thread;

hz3::variant!(Adopted = "tests/fixtures/guards.toml");
hz3::variant!(Banked = "tests/fixtures/guards-bank.toml");
hz3::variant!(Ringed = "tests/fixtures/guards-ring.toml");
hz3::variant!(Flat = "tests/fixtures/guards-flat.toml");

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn __errno_location() -> *mut c_int;
}

const PAGE: usize = 4096;
const SIGABRT: c_int = 6;
const SIGSEGV: c_int = 11;

/// Who forks: the child of another test would be in the middle of something.
static ALONE: Mutex<()> = Mutex::new(());

/// Whether eight bytes can be read there: the kernel reads a set of signals before it finds that it does not know what to do with it.
fn reachable(p: usize) -> bool {
    const RT_SIGPROCMASK: c_long = if cfg!(target_arch = "x86_64") { 14 } else { 135 };
    const EFAULT: c_int = 14;
    // SAFETY: the kernel only looks.
    unsafe { syscall(RT_SIGPROCMASK, 99usize, p, 0usize, 8usize) == 0 || *__errno_location() != EFAULT }
}

fn largest<V: Variant>() -> usize {
    V::classes().last().map_or(0, |class| class.size as usize)
}

/// Nobody reaches the pages around what is above the largest class; of what is above half a segment under every policy.
fn look_around<V: Variant>(objects: &[(usize, usize)]) {
    let large = V::POLICY.hardening.guards != Guards::Tables;
    for &(p, size) in objects {
        // SAFETY: the object is this test's.
        let end = p + unsafe { c::malloc_usable_size::<V>(p as *mut u8) };
        assert!(reachable(p) && reachable(end - 8));
        if size > 1 << 20 || large && size > largest::<V>() {
            assert!(
                !reachable(p - PAGE) && !reachable(p - 8),
                "before {size} bytes at {p:x}"
            );
            assert!(!reachable(end), "behind {size} bytes at {p:x}");
        }
    }
}

/// Objects of all sizes come, become longer and shorter, and go. Each holds what was written to it.
fn use_heap<V: Variant>(seed: usize, rounds: usize) {
    let mut state = seed as u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % below
    };
    let mut live: Vec<(usize, usize)> = Vec::new();
    let size = |random: &mut dyn FnMut(usize) -> usize| match random(16) {
        0..8 => 16 + random(1000),
        8..12 => 1000 + random(largest::<V>()),
        12..15 => largest::<V>() + 1 + random(400_000),
        _ => (1 << 20) + random(5) * (512 << 10) + random(2) * 100,
    };
    // SAFETY: the objects are this function's, at least 16 bytes each, and freed once.
    unsafe {
        let write = |p: usize, size: usize| {
            (p as *mut usize).write(p ^ size);
            ((p + size - 8) as *mut usize).write_unaligned(p ^ size);
        };
        let check = |&(p, size): &(usize, usize)| {
            assert_eq!((p as *const usize).read(), p ^ size);
            assert_eq!(((p + size - 8) as *const usize).read_unaligned(), p ^ size);
        };
        for round in 0..rounds {
            let (n, place) = (size(&mut random), random(live.len().max(1)));
            match random(4) {
                0 if !live.is_empty() => {
                    let (p, old) = live[place];
                    check(&live[place]);
                    let q = c::realloc::<V>(p as *mut u8, n) as usize;
                    assert!(q != 0 && (q as *const usize).read() == p ^ old);
                    write(q, n);
                    live[place] = (q, n);
                }
                1 => {
                    let align = 16 << random(13);
                    let p = c::memalign::<V>(align, n) as usize;
                    assert!(p != 0 && p.is_multiple_of(align));
                    write(p, n);
                    live.push((p, n));
                }
                2 => {
                    let p = c::calloc::<V>(1, n) as usize;
                    assert!(
                        p != 0
                            && (p as *const usize).read() == 0
                            && ((p + n - 8) as *const usize).read_unaligned() == 0
                    );
                    write(p, n);
                    live.push((p, n));
                }
                _ => {
                    let p = hot::malloc::<V>(n) as usize;
                    assert!(p != 0);
                    write(p, n);
                    live.push((p, n));
                }
            }
            while live.len() > 60 {
                let gone = live.swap_remove(random(live.len()));
                check(&gone);
                hot::free::<V>(gone.0 as *mut u8);
            }
            if round % 64 == 63 {
                live.iter().for_each(check);
                look_around::<V>(&live);
            }
            if round % 500 == 499 {
                c::trim::<V>(0);
            }
        }
        look_around::<V>(&live);
        live.into_iter().for_each(|(p, _)| hot::free::<V>(p as *mut u8));
    }
}

/// Freed large objects cannot be touched and are not served again, until memory is asked for back. In the child of a fork neither, and
/// whoever frees one again is told.
fn large_objects_wait<V: Variant>() {
    // As many as wait together.
    let sizes = [1, 60_000, 20_000, 40_000].map(|more| largest::<V>() + more);
    // SAFETY: the objects are this function's; one is freed twice, and touched after it was freed, in processes that end by that.
    unsafe {
        c::trim::<V>(0);
        let waiting = || introspect::totals::<V>().quarantine_large as usize;
        assert_eq!(waiting(), 0);
        let live = || introspect::totals::<V>().live() as usize;
        let new = |&size: &usize| (hot::malloc::<V>(size), size);
        let objects: Vec<(*mut u8, usize)> = sizes.iter().map(new).collect();
        let bytes: usize = objects.iter().map(|(p, _)| c::malloc_usable_size::<V>(*p)).sum();
        let before = live();
        for &(p, size) in &objects {
            p.write_bytes(7, size);
            hot::free::<V>(p);
        }
        let look = || {
            for &(p, size) in &objects {
                assert!(!reachable(p as usize) && !reachable(p as usize + size - 8));
            }
        };
        look();
        assert_eq!(waiting(), bytes);
        assert_eq!(live(), before - bytes);
        let again: Vec<*mut u8> = sizes.iter().map(|size| hot::malloc::<V>(*size)).collect();
        assert!(again.iter().all(|p| objects.iter().all(|(old, _)| old != p)));
        look();
        let served_again = || {
            c::trim::<V>(0);
            assert_eq!(waiting(), 0);
            for &(p, size) in &objects {
                let q = c::calloc::<V>(1, size);
                assert!(q.read() == 0 && q.add(size - 1).read() == 0, "{p:?}");
                q.write_bytes(1, size);
                hot::free::<V>(q);
            }
        };
        assert_eq!(ending(look), 0);
        assert_eq!(ending(served_again), 0);
        let (p, size) = objects[0];
        assert_eq!(ending(|| hot::free::<V>(p)) & 0x7f, SIGABRT);
        assert_eq!(ending(|| _ = c::realloc::<V>(p, size / 2)) & 0x7f, SIGABRT);
        assert_eq!(ending(|| p.add(size / 2).write(1)) & 0x7f, SIGSEGV);
        served_again();
        again.into_iter().for_each(|p| hot::free::<V>(p));
        // However many come, a bounded number of bytes waits.
        for n in 0..300 {
            hot::free::<V>(hot::malloc::<V>(largest::<V>() + 1 + n * 300));
        }
        let most = V::POLICY.hardening.quarantine_large;
        assert!(waiting() > most / 4 && waiting() <= most);
        c::trim::<V>(0);
        assert_eq!(waiting(), 0);
    }
}

/// The same of objects of whole segments, in the arena and, once that is used up, outside of it.
fn huge_objects_wait<V: Variant>() {
    const SIZE: usize = 3 << 19;
    let arena = V::ARENA_PAGES * PAGE;
    let count = if arena > 64 << 20 { 3 } else { arena / SIZE };
    let outside = |p: *mut u8| matches!(V::shared().heap().find_large(p), Some(Large::Outside(_)));
    // SAFETY: the objects are this function's; one is freed twice, and touched after it was freed, in processes that end by that.
    unsafe {
        c::trim::<V>(0);
        let waiting = || introspect::totals::<V>().quarantine_large as usize;
        let objects: Vec<*mut u8> = (0..count).map(|_| hot::malloc::<V>(SIZE)).collect();
        assert!(objects.iter().all(|p| !p.is_null()));
        assert!(
            arena > 64 << 20 || outside(objects[count - 1]),
            "the arena is not used up"
        );
        // As many as wait together; those come last that lie outside.
        let (others, last) = objects.split_at(count - 3);
        let bytes: usize = last.iter().map(|p| c::malloc_usable_size::<V>(*p)).sum();
        for &p in last {
            p.write_bytes(7, SIZE);
            hot::free::<V>(p);
        }
        assert_eq!(waiting(), bytes);
        let look = || {
            for &p in last {
                let at = [0, SIZE / 2, SIZE - 8];
                assert!(at.iter().all(|at| !reachable(p as usize + at)), "{p:?}");
            }
        };
        look();
        assert_eq!(ending(look), 0);
        for &p in last {
            assert_eq!(ending(|| hot::free::<V>(p)) & 0x7f, SIGABRT);
            assert_eq!(ending(|| hot::free::<V>(p.add(PAGE))) & 0x7f, SIGABRT);
            assert_eq!(ending(|| _ = c::realloc::<V>(p, 2 * SIZE)) & 0x7f, SIGABRT);
            assert_eq!(ending(|| _ = c::malloc_usable_size::<V>(p)) & 0x7f, SIGABRT);
            assert_eq!(ending(|| p.add(SIZE / 2).write(1)) & 0x7f, SIGSEGV);
        }
        let again: Vec<*mut u8> = (0..3).map(|_| c::calloc::<V>(1, SIZE)).collect();
        for &p in &again {
            assert!(!last.contains(&p) && p.read() == 0 && p.add(SIZE - 1).read() == 0);
            p.write_bytes(9, SIZE);
        }
        look();
        c::trim::<V>(0);
        assert_eq!(waiting(), 0);
        for &p in others.iter().chain(&again) {
            hot::free::<V>(p);
        }
        c::trim::<V>(0);
        assert_eq!(waiting(), 0);
    }
}

/// Whoever writes into a segment's header, which no object of its own leads to, ends the process.
fn headers_are_sealed<V: Variant>() {
    // SAFETY: the header can be written; the process ends by that.
    unsafe {
        let p = hot::malloc::<V>(100);
        let header = (p as usize & !((2 << 20) - 1)) as *mut u8;
        for at in [0, 448, size_of::<Segment>() - 64] {
            let status = ending(|| {
                header.add(at).write_bytes(0x41, 64);
                (0..5000).for_each(|_| _ = hot::malloc::<V>(100));
            });
            assert_eq!(status & 0x7f, SIGABRT, "{at} bytes into the header");
        }
        hot::free::<V>(p);
    }
}

fn keeps_everybody_out<V: Variant>() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    large_objects_wait::<V>();
    huge_objects_wait::<V>();
    headers_are_sealed::<V>();
    thread::scope(|scope| {
        for seed in 1..4 {
            scope.spawn(move || use_heap::<V>(seed, 1200));
        }
    });
    let objects: Vec<(usize, usize)> = [200, 60_000, 300_000, 2 << 20, 5 << 20]
        .into_iter()
        // SAFETY: an allocation has no conditions.
        .map(|size| (unsafe { hot::malloc::<V>(size) } as usize, size))
        .collect();
    look_around::<V>(&objects);
    let in_child = || {
        look_around::<V>(&objects);
        use_heap::<V>(9, 300);
    };
    assert_eq!(ending(in_child), 0, "the child");
    // SAFETY: the objects are this function's.
    unsafe {
        objects.into_iter().for_each(|(p, _)| hot::free::<V>(p as *mut u8));
    }
}

/// How many ranges of objects of the largest class lie side by side, and behind how many of them is a guard.
fn guarded_ranges<V: Variant>() -> (usize, usize) {
    let size = largest::<V>();
    // SAFETY: the objects are this function's.
    unsafe {
        let mut objects: Vec<usize> = (0..400).map(|_| hot::malloc::<V>(size) as usize).collect();
        objects.sort_unstable();
        let last = |p: &&usize| objects.binary_search(&(**p + size)).is_err();
        let ends: Vec<usize> = objects.iter().filter(last).map(|p| p + size).collect();
        let guarded = ends.iter().filter(|end| !reachable(**end)).count();
        let ranges = ends.len();
        objects.into_iter().for_each(|p| hot::free::<V>(p as *mut u8));
        (ranges, guarded)
    }
}

/// The guard behind the run of an object, if it has one.
fn guard_behind(p: usize) -> Option<usize> {
    // SAFETY: the object is out, so its run is open.
    let last = unsafe {
        let run = Segment::run_of(p as *const u8);
        Run::base(run) as usize + (usize::from((*run).pages) - 1) * PAGE
    };
    (!reachable(last)).then_some(last)
}

/// Pages of runs are given back between objects that stay, and served again. The guards behind these runs are there all the time.
fn stay_behind_runs_with_holes<V: Variant>() {
    let long = |class: &&Class| class.run_pages > 2 && class.size >= 16;
    let size = V::classes().iter().find(long).expect("runs of three pages").size as usize;
    // SAFETY: the objects are this function's, and freed once.
    unsafe {
        let make = || {
            let p = hot::malloc::<V>(size).cast::<usize>();
            p.write(!(p as usize));
            p as usize
        };
        let (mut kept, mut others) = (Vec::new(), Vec::new());
        for n in 0..6000 {
            let list = if n % 97 == 0 { &mut kept } else { &mut others };
            list.push(make());
        }
        let guards: Vec<usize> = kept.iter().filter_map(|&p| guard_behind(p)).collect();
        assert!(guards.len() > kept.len() / 4, "{} guards", guards.len());
        let there = || guards.iter().all(|&guard| !reachable(guard));
        others.drain(..).for_each(|p| hot::free::<V>(p as *mut u8));
        c::trim::<V>(0);
        let holes: u32 = V::shared().centrals().iter().map(|c| c.census().holes).sum();
        assert!(holes > 0 && there(), "{holes} holes");
        others.extend((0..6000).map(|_| make()));
        assert!(there());
        for p in kept.into_iter().chain(others) {
            assert_eq!((p as *const usize).read(), !p);
            hot::free::<V>(p as *mut u8);
        }
    }
}

#[test]
fn of_threads_that_adopt() {
    keeps_everybody_out::<Adopted>();
    stay_behind_runs_with_holes::<Adopted>();
    let (ranges, guarded) = guarded_ranges::<Adopted>();
    assert!(guarded > ranges / 2, "{guarded} of {ranges}");
}

#[test]
fn of_owners_behind_a_bank() {
    keeps_everybody_out::<Banked>();
}

#[test]
fn of_owners_behind_a_ring_outside_of_the_arena() {
    keeps_everybody_out::<Ringed>();
    stay_behind_runs_with_holes::<Ringed>();
    // Each run has its guard, and where one ends no other goes on.
    let (ranges, guarded) = guarded_ranges::<Ringed>();
    assert!(guarded > ranges * 9 / 10 && ranges > 40, "{guarded} of {ranges}");
}

#[test]
fn with_a_flat_table_of_tags() {
    keeps_everybody_out::<Flat>();
}
