//! A process that has no pthread key left when a variant is first used: no thread keeps anything, as nobody would hear of
//! its end. Here the variants are linked into the program itself.

#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Coloured, Narrow, Ring};
use hz3::core::Variant;
use hz3::core::abi::introspect;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::Once;
use std::thread;

/// Takes all keys that the process has.
fn take_all_keys() {
    unsafe extern "C" {
        fn pthread_key_create(key: *mut u32, destructor: Option<unsafe extern "C" fn(*mut u8)>) -> i32;
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut key = 0;
        // SAFETY: `key` outlives the calls; the keys have no destructor.
        while unsafe { pthread_key_create(ptr::from_mut(&mut key), None) } == 0 {}
    });
}

/// Objects of many classes, one of them large.
fn some<V: GlobalAlloc>(v: &V) -> Vec<(usize, Layout)> {
    (0..400)
        .map(|i| {
            let size = if i == 399 { 100_000 } else { 16 + i * 41 % 5000 };
            let layout = Layout::from_size_align(size, 16).expect("a layout");
            // SAFETY: the layout is not empty.
            let p = unsafe { v.alloc(layout) };
            assert!(!p.is_null(), "no memory for {size} bytes");
            (p as usize, layout)
        })
        .collect()
}

fn free<V: GlobalAlloc>(v: &V, objects: Vec<(usize, Layout)>) {
    for (p, layout) in objects {
        // SAFETY: the object was made by `some`, and only one caller has it.
        unsafe { v.dealloc(p as *mut u8, layout) }
    }
}

fn nothing_stays<V: Variant + GlobalAlloc + Sync>(v: &'static V) {
    take_all_keys();
    let mut of_others = some(v);
    for _ in 0..30 {
        let theirs = thread::spawn(move || {
            free(v, of_others);
            free(v, some(v));
            some(v)
        });
        of_others = theirs.join().expect("a thread");
    }
    free(v, of_others);
    let totals = introspect::totals::<V>();
    let kept = (
        totals.threads,
        totals.live(),
        totals.magazines,
        totals.ring_objects,
        totals.depots,
    );
    assert_eq!(kept, (0, 0, 0, 0, 0), "{totals:?}");
}

#[test]
fn adopt() {
    nothing_stays(&Narrow);
}

#[test]
fn adopt_with_coloured_runs() {
    nothing_stays(&Coloured);
}

#[test]
fn owner_bank() {
    nothing_stays(&Bank);
}

#[test]
fn owner_ring() {
    nothing_stays(&Ring);
}
