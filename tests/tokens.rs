//! Allocation tokens (`hardening.partition = "token"`): what is allocated with one never lies in a page that served another, by
//! whichever function it is asked for and whoever frees it.

use hz3::core::abi::{c, calls};
use hz3::core::policy::Shape;
use hz3::core::variant::{Token, Variant};
use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;
use std::thread;

hz3::variant!(Adopted = "tests/fixtures/tokens.toml");
hz3::variant!(Banked = "tests/fixtures/tokens-bank.toml");
hz3::variant!(Ringed = "tests/fixtures/tokens-ring.toml");

/// What can be asked of one token.
struct Calls {
    malloc: unsafe fn(usize) -> *mut u8,
    calloc: unsafe fn(usize, usize) -> *mut u8,
    realloc: unsafe fn(*mut u8, usize) -> *mut u8,
    memalign: unsafe fn(usize, usize) -> *mut u8,
    free: unsafe fn(*mut u8),
}

fn calls<T: Variant>() -> Calls {
    Calls {
        malloc: calls::malloc::<T>,
        calloc: c::calloc::<T>,
        realloc: c::realloc::<T>,
        memalign: c::memalign::<T>,
        free: calls::free::<T>,
    }
}

fn largest<V: Shape>() -> usize {
    V::classes().last().map_or(0, |class| class.size as usize)
}

/// Objects of all tokens come and go. Returns the token of each page that ever served a class.
fn use_heap<V: Variant>(tokens: &[Calls], seed: u64, rounds: usize) -> BTreeMap<usize, usize> {
    let mut state = seed;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % below
    };
    let mut served: BTreeMap<usize, usize> = BTreeMap::new();
    // What is above the largest class is of no token. (Where objects have canaries, that is a little less.)
    let small = largest::<V>() - 64;
    let mut live: Vec<(usize, usize, usize)> = Vec::new();
    let mut serve = |p: *mut u8, size: usize, token: usize| {
        assert!(!p.is_null());
        if size <= small {
            for page in p as usize >> 12..=(p as usize + size - 1) >> 12 {
                let before = *served.entry(page).or_insert(token);
                assert_eq!(before, token, "{size} bytes at {p:p}");
            }
        }
    };
    // SAFETY: the objects are this function's, and at least 16 bytes each.
    unsafe {
        let stamp = |p: usize, size: usize| (p as *mut usize).write(p ^ size);
        let check = |p: usize, size: usize| assert_eq!((p as *const usize).read(), p ^ size);
        for round in 0..rounds {
            let token = random(tokens.len());
            let asked = &tokens[token];
            let size = match random(20) {
                0 => largest::<V>() + 1 + random(100_000),
                1..5 => 16 + random(small - 16),
                _ => 16 + random(700),
            };
            let p = match random(4) {
                0 => {
                    let p = (asked.calloc)(1, size);
                    assert!((0..size).step_by(8).all(|i| p.add(i).read() == 0));
                    p
                }
                1 => {
                    let align = 32 << random(6);
                    let p = (asked.memalign)(align, size);
                    assert!((p as usize).is_multiple_of(align));
                    // An aligned object may be of a larger class, or none.
                    if size > small / 2 {
                        (tokens[0].free)(p);
                        continue;
                    }
                    p
                }
                2 if !live.is_empty() => {
                    let (old, had, whose) = live.swap_remove(random(live.len()));
                    check(old, had);
                    let p = (asked.realloc)(old as *mut u8, size);
                    if p as usize == old {
                        // It stays what it was.
                        serve(p, size.min(had), whose);
                        stamp(p as usize, size);
                        live.push((p as usize, size, whose));
                        continue;
                    }
                    assert_eq!((p as *const usize).read(), old ^ had);
                    p
                }
                _ => (asked.malloc)(size),
            };
            serve(p, size, token);
            stamp(p as usize, size);
            live.push((p as usize, size, token));
            while live.len() > 300 {
                let (p, size, _) = live.swap_remove(random(live.len()));
                check(p, size);
                (tokens[random(tokens.len())].free)(p as *mut u8);
            }
            if round % 1000 == 999 {
                // Runs close, and pages become free: they serve their token again.
                for (p, size, _) in live.drain(20..) {
                    check(p, size);
                    (tokens[0].free)(p as *mut u8);
                }
                c::trim::<V>(0);
            }
        }
        live.into_iter().for_each(|(p, _, _)| (tokens[0].free)(p as *mut u8));
    }
    served
}

fn share_no_pages<V: Variant>(tokens: &[Calls]) {
    let mut served: BTreeMap<usize, usize> = BTreeMap::new();
    let all: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (1..4)
            .map(|seed| scope.spawn(move || use_heap::<V>(tokens, seed, 6000)))
            .collect();
        threads.into_iter().map(|t| t.join().expect("no panic")).collect()
    });
    for (page, token) in all.into_iter().flatten() {
        assert_eq!(*served.entry(page).or_insert(token), token, "of two threads");
    }
    for token in 0..tokens.len() {
        assert!(served.values().filter(|t| **t == token).count() > 50, "token {token}");
    }
}

#[test]
fn of_threads_that_adopt() {
    share_no_pages::<Adopted>(&[
        calls::<Adopted>(),
        calls::<Token<Adopted, 1>>(),
        calls::<Token<Adopted, 2>>(),
        calls::<Token<Adopted, 3>>(),
    ]);
}

#[test]
fn of_owners_behind_a_bank() {
    share_no_pages::<Banked>(&[
        calls::<Token<Banked, 0>>(),
        calls::<Token<Banked, 1>>(),
        calls::<Token<Banked, 2>>(),
    ]);
}

#[test]
fn of_owners_behind_a_ring() {
    share_no_pages::<Ringed>(&[calls::<Ringed>(), calls::<Token<Ringed, 1>>()]);
}

/// In Rust a token is an allocator beside the variant's own. A size that is told at the end is looked at in every row.
#[test]
fn a_token_is_an_allocator() {
    let (own, other) = (Adopted, Token::<Adopted, 3>::new());
    // SAFETY: the sizes are not 0, and each object is freed once, by its layout.
    unsafe {
        for size in [16, 100, 1000, 30_000, 200_000] {
            let layout = Layout::from_size_align(size, 16).unwrap();
            let (p, q) = (own.alloc(layout), other.alloc_zeroed(layout));
            assert!(!p.is_null() && q.read() == 0);
            assert!(size > 32_000 || p as usize >> 12 != q as usize >> 12);
            let wider = Layout::from_size_align(size * 2, 16).unwrap();
            let q = other.realloc(q, layout, size * 2);
            own.dealloc(q, wider);
            other.dealloc(p, layout);
        }
    }
}
