//! Pointers that a variant did not give, in a program that it is linked into: `hardening.foreign` decides about all that can
//! be done with them, and what is nobody's is named in a message.

#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Coloured, Narrow};
use hz3::core::abi::{c, object};
use hz3::core::{Variant, hot, os};
use std::alloc::{GlobalAlloc, Layout};
use std::process::Command;

hz3::variant!(Ignoring = "tests/fixtures/foreign-ignore.toml");

unsafe extern "C" {
    fn malloc(n: usize) -> *mut u8;
    fn free(p: *mut u8);
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a layout")
}

/// An object of the C library's with `size` bytes, all of them 7.
fn theirs(size: usize) -> *mut u8 {
    // SAFETY: the object has `size` bytes.
    unsafe {
        let p = malloc(size);
        assert!(!p.is_null());
        p.write_bytes(7, size);
        p
    }
}

fn sevens(p: *const u8, size: usize) {
    assert!(!p.is_null());
    // SAFETY: the caller's object has `size` bytes.
    assert!(unsafe { std::slice::from_raw_parts(p, size) }.iter().all(|b| *b == 7));
}

/// They go to the malloc that the process has.
fn handed_over<V: Variant + GlobalAlloc>(v: &V) {
    for size in [1, 100, 5000, 300_000, 3_000_000] {
        // SAFETY: all objects are this function's.
        unsafe {
            v.dealloc(theirs(size), layout(size, 16));
            let p = theirs(size);
            assert!((size..size + 5000).contains(&object::usable::<V>(p)));
            let p = v.realloc(p, layout(size, 16), size * 2);
            sevens(p, size);
            // It is still theirs.
            free(p);
            let p = c::realloc::<V>(theirs(size), size * 3);
            sevens(p, size);
            hot::free::<V>(p);
            // A stricter alignment than theirs makes it ours, if it has to move.
            let p = v.realloc(theirs(size), layout(size, 4096), size * 2 + 5000);
            sevens(p, size);
            assert!((p as usize).is_multiple_of(4096));
            v.dealloc(p, layout(size * 2 + 5000, 4096));
            assert!(c::realloc::<V>(theirs(size), 0).is_null());
        }
    }
}

#[test]
fn libc() {
    handed_over(&Narrow);
}

#[test]
fn libc_with_owners() {
    handed_over(&Bank);
}

#[test]
fn ignore() {
    let v = &Ignoring;
    for size in [1, 100, 5000, 300_000] {
        let p = theirs(size);
        // SAFETY: all objects are this function's.
        unsafe {
            v.dealloc(p, layout(size, 16));
            assert_eq!(object::usable::<Ignoring>(p), 0);
            os::set_errno(0);
            assert!(c::realloc::<Ignoring>(p, 7).is_null(), "nobody knows how long it is");
            assert_eq!(os::errno(), os::ENOMEM);
            for align in [16, 64] {
                let q = v.realloc(p, layout(size, align), size * 2);
                sevens(q, size);
                assert_ne!(p, q);
                assert!(object::usable::<Ignoring>(q) >= size * 2);
                v.dealloc(q, layout(size * 2, align));
            }
            sevens(p, size);
            free(p);
        }
    }
}

const CASE: &str = "HZ3_TEST_FOREIGN";

/// What a child does, and a part of what it must say.
const CASES: [(&str, &str); 7] = [
    ("stack", "on the stack of this thread"),
    ("theirs", "in a mapping that is not the heap's"),
    ("static", "foreign-"),
    ("unmapped", "nothing is mapped there"),
    ("odd", "in a mapping that is not the heap's, and no multiple of 16"),
    (
        "outside",
        "2097168 bytes behind the beginning of an object of 6291456 bytes",
    ),
    ("records", "among the heap's own records"),
];

/// A large object that lies outside of the arena, which has no room for it.
fn outside() -> *mut u8 {
    // SAFETY: an allocation has no conditions.
    unsafe {
        for _ in 0..6 {
            hot::malloc::<Narrow>(5 << 20);
        }
        hot::malloc::<Narrow>(5 << 20)
    }
}

fn child(case: &str) {
    static FIXED: [u64; 4] = [1, 2, 3, 4];
    let local = [0u128; 4];
    // SAFETY: none: these pointers are nobody's, which ends the process.
    unsafe {
        match case {
            "stack" => hot::free::<Coloured>((&raw const local[1]).cast_mut().cast()),
            "theirs" => hot::free::<Coloured>(malloc(100)),
            "static" => hot::free::<Coloured>((&raw const FIXED).cast_mut().cast()),
            "unmapped" => drop(object::usable::<Coloured>(4096 as *mut u8)),
            "odd" => drop(c::realloc::<Coloured>(malloc(100).add(1), 200)),
            "outside" => hot::free::<Narrow>(outside().add((2 << 20) + 16)),
            _ => {
                let p = hot::malloc::<Narrow>(100_000);
                hot::free::<Narrow>((p as usize & !((2 << 20) - 1)) as *mut u8);
            }
        }
    }
}

#[test]
fn abort() {
    if let Ok(case) = std::env::var(CASE) {
        return child(&case);
    }
    for (case, words) in CASES {
        let ended = Command::new(std::env::current_exe().expect("this program"))
            .args(["abort", "--exact", "--nocapture"])
            .env(CASE, case)
            .output()
            .expect("a child");
        let said = String::from_utf8_lossy(&ended.stderr);
        let line = said.lines().find(|line| line.starts_with("hz3: ")).unwrap_or_default();
        assert!(!ended.status.success(), "{case}: {said}");
        assert!(
            line.contains("(0x") && line.contains("): not an address that malloc gave: "),
            "{case}: {said}"
        );
        assert!(line.contains(words), "{case}: {said}");
    }
}
