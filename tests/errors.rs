//! What the allocator finds wrong in a program that goes on after that (`hardening.on_error = "continue"`): the program's function
//! is told, and what the error was about is left alone.

use hz3::core::abi::{c, calls, object};
use hz3::core::{Shared, Variant, hot, list};
use hz3::{Error, Fault};
use std::sync::Mutex;

hz3::variant!(Going = "tests/fixtures/errors.toml");
hz3::variant!(Banked = "tests/fixtures/errors-bank.toml");
hz3::variant!(Ringed = "tests/fixtures/errors-ring.toml");
hz3::variant!(Flat = "tests/fixtures/errors-flat.toml");

/// What was told: fault, pointer, object, size, text.
type Told = (Fault, usize, usize, usize, String);

static TOLD: Mutex<Vec<Told>> = Mutex::new(Vec::new());
static ALONE: Mutex<()> = Mutex::new(());

extern "C" fn told(error: &Error) {
    // SAFETY: both texts end with a zero, and live until this function returns.
    let (name, text) = unsafe {
        (
            std::ffi::CStr::from_ptr(error.name),
            std::ffi::CStr::from_ptr(error.text),
        )
    };
    assert!(!name.is_empty());
    let text = text.to_str().expect("a text").to_owned();
    let told = (
        error.fault,
        error.pointer as usize,
        error.object as usize,
        error.size,
        text,
    );
    TOLD.lock().expect("no test fails here").push(told);
}

/// What is told while `f` runs.
fn while_running(f: impl FnOnce()) -> Vec<Told> {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    hz3::on_error::<Going>(Some(told));
    TOLD.lock().expect("no test fails here").clear();
    f();
    hz3::on_error::<Going>(None);
    TOLD.lock().expect("no test fails here").clone()
}

#[test]
fn foreign_pointers_are_left_alone() {
    let local = [0u128; 4];
    let p = (&raw const local[1]).cast_mut().cast::<u8>();
    let errors = while_running(|| {
        // SAFETY: none: the pointer is nobody's, which is reported.
        unsafe {
            hot::free::<Going>(p);
            assert_eq!(object::usable::<Going>(p), 0);
            assert!(c::realloc::<Going>(p, 100).is_null());
        }
    });
    assert_eq!(errors.len(), 3, "{errors:?}");
    for (fault, pointer, object, size, text) in errors {
        assert_eq!((fault, pointer, object, size), (Fault::Foreign, p as usize, 0, 0));
        assert!(text.contains("not an address that malloc gave"), "{text}");
    }
}

#[test]
fn large_objects() {
    // SAFETY: none: the object is freed twice, and a pointer into another one is freed; both are reported.
    let errors = while_running(|| unsafe {
        let p = hot::malloc::<Going>(100_000);
        hot::free::<Going>(p);
        hot::free::<Going>(p);
        let p = hot::malloc::<Going>(5 << 20);
        hot::free::<Going>(p.add(4096));
        hot::free::<Going>(p);
    });
    let faults: Vec<Fault> = errors.iter().map(|told| told.0).collect();
    assert_eq!(faults, [Fault::DoubleFree, Fault::Interior]);
    let (_, pointer, object, size, text) = &errors[1];
    assert_eq!((pointer - object, *size), (4096, 5 << 20), "{text}");
}

/// Objects of one size, which this thread has just allocated.
fn objects<V: Variant>(size: usize, n: usize) -> Vec<*mut u8> {
    // SAFETY: an allocation has no conditions.
    (0..n).map(|_| unsafe { hot::malloc::<V>(size) }).collect()
}

fn free_all<V: Variant>(objects: &[*mut u8]) {
    for &p in objects {
        // SAFETY: the caller's objects.
        unsafe { hot::free::<V>(p) };
    }
}

/// What is told of `V` while `f` runs on a thread of its own, whose end gives back all that it has.
fn of_a_thread<V: Variant>(f: impl FnOnce() + Send) -> Vec<Told> {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    V::shared().errors().set_hook(Some(told));
    TOLD.lock().expect("no test fails here").clear();
    std::thread::scope(|s| {
        s.spawn(f).join().expect("it only reports");
    });
    // What waits between threads goes home, too.
    // SAFETY: no event of this thread is under way.
    unsafe { c::trim::<V>(0) };
    V::shared().errors().set_hook(None);
    TOLD.lock().expect("no test fails here").clone()
}

fn faults(told: &[Told]) -> Vec<Fault> {
    told.iter().map(|told| told.0).collect()
}

/// An object goes home twice: found by what its run knows.
fn twice<V: Variant>() {
    for size in [16, 48, 1000, 20_000] {
        // The run stays open, as some of its objects are in use.
        let kept: Vec<usize> = objects::<V>(size, 12).into_iter().map(|p| p as usize).collect();
        let p = kept[5];
        let once = || of_a_thread::<V>(move || free_all::<V>(&[p as *mut u8]));
        assert_eq!(once(), []);
        let told = once();
        assert_eq!(faults(&told), [Fault::DoubleFree], "{size}: {told:?}");
        assert_eq!((told[0].1, told[0].2), (p, p));
        assert!(told[0].3 >= size, "{told:?}");
        for (i, &p) in kept.iter().enumerate().filter(|(i, _)| *i != 5) {
            assert_eq!(
                of_a_thread::<V>(move || free_all::<V>(&[p as *mut u8])),
                [],
                "{size}: object {i}"
            );
        }
    }
}

/// A link leads elsewhere when the thread's list goes home: what it leads to is not taken.
fn leads_elsewhere<V: Variant>() {
    static ELSEWHERE: [u128; 4] = [0; 4];
    for target in [(&raw const ELSEWHERE[1]) as usize, 0x1234_5670, 1 << 62 | 16] {
        let told = of_a_thread::<V>(move || {
            let all = objects::<V>(208, 6);
            free_all::<V>(&all);
            // SAFETY: none: the object is free.
            unsafe { all[3].cast::<usize>().write(target) };
        });
        assert_eq!(faults(&told), [Fault::WrittenLink], "{target:#x}: {told:?}");
    }
}

/// A link says that the list ends: `malloc` finds less than was freed.
fn ends_early<V: Variant>() {
    let told = of_a_thread::<V>(|| {
        let all = objects::<V>(304, 4);
        free_all::<V>(&all);
        let end = list::next::<V>;
        // SAFETY: none: the object is free. It says now that it is the last one.
        unsafe {
            assert!(!end(all[3]).is_null());
            list::set_next::<V>(all[3], std::ptr::null_mut());
        }
        let again = objects::<V>(304, 4);
        free_all::<V>(&again);
    });
    assert_eq!(faults(&told), [Fault::Counts], "{told:?}");
}

#[test]
fn at_events() {
    twice::<Going>();
    leads_elsewhere::<Going>();
    ends_early::<Going>();
}

/// All checks of lists and pointers together.
fn all<V: Variant>() {
    twice::<V>();
    leads_elsewhere::<V>();
    ends_early::<V>();
    for size in [16, 96, 5000] {
        // In turn.
        let told = of_a_thread::<V>(|| {
            let p = objects::<V>(size, 8);
            free_all::<V>(&[p[3], p[3]]);
            free_all::<V>(&[p[0], p[1]]);
        });
        assert_eq!(faults(&told), [Fault::DoubleFree], "{size}: {told:?}");
        // With others in between: found when the list leaves the thread.
        let told = of_a_thread::<V>(|| {
            let p = objects::<V>(size, 8);
            free_all::<V>(&[p[3], p[1], p[3], p[2]]);
        });
        assert!(!told.is_empty(), "{size}");
        // Into the middle, and beyond the last object that was handed out.
        let told = of_a_thread::<V>(|| {
            let p = objects::<V>(size, 8);
            // SAFETY: none: the pointer leads into an object.
            unsafe {
                hot::free::<V>(p[3].add(if size > 16 { 16 } else { 8 }));
                hot::free::<V>(p[3].add(1));
                assert_eq!(object::usable::<V>(p[3].add(1)), 0);
                assert!(c::realloc::<V>(p[3].add(1), 10).is_null());
            }
            free_all::<V>(&p);
        });
        assert_eq!(faults(&told), [Fault::Interior; 4], "{size}: {told:?}");
        // A byte in a free object's link, any of them: the next `malloc` but one would follow it.
        for byte in [0, 1, 7] {
            let told = of_a_thread::<V>(|| {
                let p = objects::<V>(size, 8);
                free_all::<V>(&p[2..5]);
                // SAFETY: none: the object is free.
                unsafe { *p[4].add(byte) ^= 0xa5 };
                let q = objects::<V>(size, 3);
                free_all::<V>(&q);
                free_all::<V>(&p[..2]);
            });
            let found = faults(&told);
            assert!(
                byte == 7 || found.contains(&Fault::WrittenLink),
                "{size}, {byte}: {told:?}"
            );
        }
    }
    // Sizes.
    let told = of_a_thread::<V>(|| {
        let p = objects::<V>(100, 4);
        // SAFETY: none: the first two sizes are not those of the objects.
        unsafe {
            calls::free_sized::<V>(p[0], 1000, 1, true);
            calls::free_sized::<V>(p[1], 40, 1, true);
            calls::free_sized::<V>(p[2], 100, 1, true);
            calls::free_sized::<V>(p[3], 100, 64, true);
            for (align, n) in [
                (32, 32),
                (64, 100),
                (256, 256),
                (4096, 10),
                (64, 5000),
                (8192, 100),
                (4096, 200_000),
                (32, 0),
                (4096, 0),
                (8192, 0),
            ] {
                // With none at hand, and with one, as a rule.
                for _ in 0..2 {
                    calls::free_sized::<V>(calls::aligned::<V>(align, n), n, align, true);
                }
            }
            // An object at hand of the smallest class may lie at a multiple of 32 by chance.
            let small: [_; 8] = std::array::from_fn(|_| calls::malloc::<V>(0));
            small.into_iter().for_each(|p| calls::free::<V>(p));
            let nothing: [_; 8] = std::array::from_fn(|_| calls::aligned::<V>(32, 0));
            nothing.into_iter().for_each(|p| calls::free_sized::<V>(p, 0, 32, true));
            for n in [0, 1, 16, 17, 4096, 32_768, 32_769, 100_000, 3 << 20] {
                calls::free_sized::<V>(calls::malloc::<V>(n), n, 1, true);
            }
            let large = calls::malloc::<V>(100_000);
            calls::free_sized::<V>(large, 50_000, 1, false);
            calls::free_sized::<V>(large, 100_000, 1, false);
        }
    });
    assert_eq!(faults(&told), [Fault::WrongSize; 4], "{told:?}");
}

#[test]
fn all_with_banks() {
    all::<Banked>();
}

#[test]
fn all_with_rings() {
    all::<Ringed>();
}

#[test]
fn all_in_a_flat_space() {
    all::<Flat>();
}
