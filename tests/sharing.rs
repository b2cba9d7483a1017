//! What a thread does with an object that it was handed, in a class from which it has not allocated: the next one that it
//! gets shares no cache line with the maker's objects. And depots that nobody takes from.

use hz3::core::abi::introspect;
use hz3::core::list::BatchWord;
use hz3::core::sync::Ordering;
use hz3::core::{Shared, Variant};
use std::alloc::{GlobalAlloc, Layout};
use std::thread;

hz3::variant!(Adopting = "configs/default.toml");
hz3::variant!(Banking = "configs/hz3-fast.toml");
hz3::variant!(Ringing = "configs/hz3-scale.toml");
hz3::variant!(Flooding = "configs/default.toml");
hz3::variant!(Trickling = "tests/fixtures/soon-old.toml");

const LINE: usize = 64;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

/// Objects that this thread makes side by side, each of them handed to a thread of its own, which replaces it.
fn replaced<V: GlobalAlloc + Sync>(v: &'static V, size: usize) {
    // SAFETY: the layout is not empty.
    let made: Vec<usize> = (0..8).map(|_| unsafe { v.alloc(layout(size)) } as usize).collect();
    assert!(made.iter().all(|&p| p != 0), "no memory");
    let (handed, kept): (Vec<usize>, Vec<usize>) = made.into_iter().partition(|p| p / size % 2 == 1);
    let threads = handed.into_iter().map(|p| {
        thread::spawn(move || -> usize {
            // SAFETY: the object was made above with this layout, and handed to this thread alone.
            unsafe {
                v.dealloc(p as *mut u8, layout(size));
                v.alloc(layout(size)) as usize
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    for thread in threads {
        let got = thread.join().expect("a thread");
        assert_ne!(got, 0, "no memory");
        for &mine in &kept {
            assert_ne!(got / LINE, mine / LINE, "{size} bytes: one line for two threads");
        }
        // SAFETY: the object was made by that thread, which has ended.
        unsafe { v.dealloc(got as *mut u8, layout(size)) };
    }
    for p in kept {
        // SAFETY: made above, and not handed on.
        unsafe { v.dealloc(p as *mut u8, layout(size)) };
    }
}

#[test]
fn an_object_that_was_handed_over_goes_home() {
    replaced(&Adopting, 16);
    replaced(&Banking, 16);
    replaced(&Ringing, 16);
}

/// Batches in the depot of the class of objects of `size` bytes.
fn waiting<V: Variant>(size: u32) -> u32 {
    let pool = V::classes().iter().position(|c| c.size == size).expect("a class");
    // SAFETY: `pool` is a pool's number: the variant has one owner.
    let words = unsafe { V::shared().depot(pool) }.iter();
    words
        .filter(|w| BatchWord(w.load(Ordering::Relaxed)).unpack().count > 0)
        .count() as u32
}

const SIZE: usize = 64;

fn flood(v: &impl GlobalAlloc, n: usize) -> Vec<usize> {
    // SAFETY: the layout is not empty.
    (0..n).map(|_| unsafe { v.alloc(layout(SIZE)) } as usize).collect()
}

fn drain(v: &impl GlobalAlloc, all: Vec<usize>) {
    for p in all {
        // SAFETY: made by `flood`, and freed once.
        unsafe { v.dealloc(p as *mut u8, layout(SIZE)) };
    }
}

#[test]
fn a_depot_that_nobody_takes_from_is_emptied() {
    let flood = |n| flood(&Flooding, n);
    let drain = |all| drain(&Flooding, all);
    // A few batches more than the magazines hold: they wait, as somebody may want them.
    drain(flood(128 * 10));
    assert!(waiting::<Flooding>(SIZE as u32) > 0, "nothing is kept at all");
    // Very many: nobody takes, so nothing waits in the end.
    drain(flood(128 * 200));
    assert_eq!(waiting::<Flooding>(SIZE as u32), 0);
    // Nor does the thread keep a list that became longer for a burst: this was none.
    let kept = introspect::totals::<Flooding>().magazines;
    assert!(kept <= 128 * SIZE as u64, "the thread keeps {kept} bytes");
    // And somebody who looks opens it again.
    let all = flood(128 * 4);
    drain(all);
    drain(flood(128 * 40));
    assert!(waiting::<Flooding>(SIZE as u32) > 0, "it stays closed");
}

#[test]
fn a_trickle_keeps_only_what_it_touches() {
    drain(&Trickling, flood(&Trickling, 128 * 10));
    let before = waiting::<Trickling>(SIZE as u32);
    assert!(before >= 4, "{before} batches wait");
    let mut least = before;
    let mut kept = Vec::new();
    for _ in 0..20_000 {
        // A thread takes a batch, and gives it back when it ends: somebody takes from the depot in every delay.
        let trickle = || drain(&Trickling, flood(&Trickling, 1));
        thread::spawn(trickle).join().expect("a thread");
        least = least.min(waiting::<Trickling>(SIZE as u32));
        if least <= 1 {
            break;
        }
        // Time passes at events.
        // SAFETY: the layout is not empty.
        kept.extend((0..400).map(|_| unsafe { Trickling.alloc(layout(16)) } as usize));
    }
    for p in kept {
        // SAFETY: made above, and freed once.
        unsafe { Trickling.dealloc(p as *mut u8, layout(16)) };
    }
    assert!(least <= 1, "{least} batches of {before} still wait");
}
