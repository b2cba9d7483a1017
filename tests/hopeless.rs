//! Requests that nothing can serve: they fail, and cost nobody anything, however often they are made. What others have is
//! asked for only where that may help, and whoever asks for little is not refused because somebody asked for much.

#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Narrow, Ring};
use hz3::core::abi::{c, introspect};
use hz3::core::heap::Reliefs;
use hz3::core::{Shared, Variant, hot, os};
use std::ptr;
use std::sync::mpsc::channel;
use std::thread;

hz3::variant!(Full = "tests/fixtures/full.toml");
hz3::variant!(FullBank = "tests/fixtures/full-bank.toml");
hz3::variant!(FullRing = "tests/fixtures/full-ring.toml");
hz3::variant!(Asks = "tests/fixtures/full.toml");
hz3::variant!(AsksRing = "tests/fixtures/full-ring.toml");

fn counts<V: Variant>() -> Reliefs {
    V::shared().heap().pressure.counts()
}

fn fails<V: Variant>(n: usize, align: usize) {
    // SAFETY: allocations have no conditions; the resized object is this function's.
    unsafe {
        for kind in 0..3 {
            let p = match kind {
                0 => hot::malloc::<V>(n),
                1 => c::calloc::<V>(1, n),
                _ => c::memalign::<V>(align, n),
            };
            assert!(p.is_null(), "{n} bytes");
            assert_eq!(os::errno(), os::ENOMEM);
            os::set_errno(0);
        }
        let mut out = ptr::null_mut();
        assert_eq!(c::posix_memalign::<V>(&mut out, align, n), os::ENOMEM);
        for had in [100, 50_000, 3 << 20] {
            let p = hot::malloc::<V>(had);
            p.write(7);
            assert!(c::realloc::<V>(p, n).is_null());
            assert_eq!((os::errno(), p.read()), (os::ENOMEM, 7));
            hot::free::<V>(p);
            os::set_errno(0);
        }
    }
}

/// No cache is given up, nobody is asked and nobody waits.
fn cost_nothing<V: Variant>(sizes: &[usize]) {
    // SAFETY: the objects are this function's.
    unsafe {
        let some: Vec<*mut u8> = (0..2000).map(|i| hot::malloc::<V>(i % 3000 + 1)).collect();
        for &p in &some {
            hot::free::<V>(p);
        }
        // What the requests below need themselves: the first time may go to the runs.
        fails::<V>(usize::MAX / 2, 64);
        fails::<V>(usize::MAX, 64);
        let (cached, before) = (introspect::totals::<V>().magazines, counts::<V>());
        assert!(cached > 1000);
        for &n in sizes {
            for _ in 0..100 {
                fails::<V>(n, 64);
            }
        }
        let after = counts::<V>();
        assert_eq!(introspect::totals::<V>().magazines, cached, "caches were given up");
        let told = |r: Reliefs| (r.epochs, r.runs, r.waits, r.object_bytes);
        assert_eq!(told(after), told(before));
        assert_eq!(after.failed - before.failed, sizes.len() as u64 * 700);
    }
}

/// Beyond all addresses, and all that there is.
const ABSURD: [usize; 5] = [usize::MAX - 4096, usize::MAX / 2, 1 << 60, 1 << 48, (1 << 47) - 4096];

#[test]
fn beyond_all_addresses() {
    cost_nothing::<Narrow>(&ABSURD);
    cost_nothing::<Bank>(&ABSURD);
}

/// Beyond an arena that is all there is, or what is left of it beside objects that stay.
#[test]
fn beyond_the_arena() {
    let sizes = [1 << 47, 1 << 40, 33 << 20];
    cost_nothing::<Full>(&sizes);
    cost_nothing::<FullBank>(&sizes);
    cost_nothing::<FullRing>(&sizes);
    cost_nothing::<Ring>(&sizes);
    // SAFETY: allocations have no conditions.
    assert!(unsafe { !hot::malloc::<Full>(12 << 20).is_null() });
    cost_nothing::<Full>(&[21 << 20, 30 << 20]);
}

/// Fills the arena with objects of one size.
fn fill<V: Variant>(size: usize) -> Vec<*mut u8> {
    // SAFETY: allocations have no conditions.
    std::iter::from_fn(|| unsafe { Some(hot::malloc::<V>(size)).filter(|p| !p.is_null()) }).collect()
}

/// What another thread caches is had by whoever needs it, though nobody could help somebody else a moment ago.
fn asks<V: Variant>() {
    const SIZE: usize = 2000;
    let (to, orders) = channel::<()>();
    let (answers, from) = channel::<()>();
    let other = thread::spawn(move || {
        // SAFETY: the objects are this thread's.
        unsafe {
            let objects: Vec<*mut u8> = (0..200).map(|_| hot::malloc::<V>(SIZE)).collect();
            answers.send(()).expect("a listener");
            orders.recv().expect("an order");
            for p in objects {
                hot::free::<V>(p);
            }
            answers.send(()).expect("a listener");
            // Its events, until it is told to end.
            while orders.try_recv().is_err() {
                hot::free::<V>(hot::malloc::<V>(100_000));
                thread::yield_now();
            }
        }
    });
    from.recv().expect("its objects");
    let mut all = fill::<V>(300_000);
    all.extend(fill::<V>(SIZE));
    let before = counts::<V>();
    // Nobody can help with that; but it is in the arena's bounds, so that others are asked.
    let mut refused = 0;
    for _ in 0..300 {
        // SAFETY: an allocation has no conditions.
        refused += usize::from(unsafe { hot::malloc::<V>(9 << 20) }.is_null());
    }
    assert_eq!(refused, 300);
    let asked = counts::<V>().epochs - before.epochs;
    assert!(
        asked <= 8,
        "for {refused} requests of one size all caches were given up {asked} times"
    );
    to.send(()).expect("the thread");
    from.recv().expect("its caches are full");
    // SAFETY: an allocation has no conditions.
    let p = unsafe { hot::malloc::<V>(SIZE) };
    assert!(
        !p.is_null(),
        "another thread has objects of this size: {:?}",
        counts::<V>()
    );
    all.push(p);
    to.send(()).expect("the thread");
    other.join().expect("a thread");
    for p in all {
        // SAFETY: the object is this function's.
        unsafe { hot::free::<V>(p) };
    }
}

#[test]
fn asks_others_where_that_may_help() {
    asks::<Asks>();
    asks::<AsksRing>();
}
