//! How objects of other owners leave a thread: in which groups, and when.

use hz3::core::list::BatchWord;
use hz3::core::sync::Ordering;
use hz3::core::{Shared, Variant};
use std::alloc::{GlobalAlloc, Layout};
use std::thread;

hz3::variant!(Sorted = "configs/hz3-scale.toml");
hz3::variant!(ByTable = "configs/ring-table.toml");
hz3::variant!(Unsorted = "configs/ring-unsorted.toml");
hz3::variant!(SingleFile = "configs/ring-unsorted.toml");
hz3::variant!(RingLate = "configs/hz3-scale.toml");
hz3::variant!(RingEarly = "configs/ring-early.toml");
hz3::variant!(BankLate = "configs/hz3-fast.toml");
hz3::variant!(BankEarly = "tests/fixtures/bank-early.toml");

const SIZES: [usize; 4] = [16, 48, 160, 1024];

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

/// Objects of all sizes by turns, `n` of each. The calling thread is of the first owner.
fn made<V: GlobalAlloc>(v: &V, n: usize) -> Vec<(usize, usize)> {
    let sizes = (0..n).flat_map(|_| SIZES);
    // SAFETY: the layout is not empty.
    sizes
        .map(|size| (unsafe { v.alloc(layout(size)) } as usize, size))
        .collect()
}

fn free<V: GlobalAlloc>(v: &V, objects: impl IntoIterator<Item = (usize, usize)>) {
    for (p, size) in objects {
        assert_ne!(p, 0, "no memory");
        // SAFETY: made with this layout, and freed here alone.
        unsafe { v.dealloc(p as *mut u8, layout(size)) };
    }
}

/// Objects in each batch that waits for the first owner.
fn waiting<V: Variant>() -> Vec<u32> {
    // SAFETY: the first owner's pools are those of the first numbers.
    let words = (0..V::CLASSES).flat_map(|pool| unsafe { V::shared().depot(pool) });
    words
        .map(|word| BatchWord(word.load(Ordering::Relaxed)).unpack().count)
        .filter(|&count| count > 0)
        .collect()
}

/// The batches of a ring's worth of objects that another owner's thread has freed, size after size or by turns.
fn handed_over<V: Variant + GlobalAlloc + Sync>(v: &'static V, by_size: bool) -> Vec<u32> {
    let mut objects = made(v, V::POLICY.ownership.ring as usize / SIZES.len());
    if by_size {
        objects.sort_by_key(|&(_, size)| size);
    }
    thread::scope(|all| {
        let seen = all.spawn(|| {
            free(v, made(v, 1)); // It starts as a thread of the second owner.
            free(v, objects);
            waiting::<V>()
        });
        seen.join().expect("a thread")
    })
}

#[test]
fn a_ring_leaves_in_the_groups_that_the_config_wants() {
    assert_eq!(handed_over(&Sorted, false), [64; 4]);
    assert_eq!(handed_over(&ByTable, false), [64; 4]);
    assert_eq!(handed_over(&Unsorted, true), [64; 4]);
    assert_eq!(
        handed_over(&SingleFile, false),
        [],
        "more batches of one than a depot has place for"
    );
}

/// Objects that wait for the first owner, before and after another owner's thread has taken pages for a class of its own.
fn around_new_pages<V: Variant + GlobalAlloc + Sync>(v: &'static V) -> [u32; 2] {
    let objects = made(v, 5);
    thread::scope(|all| {
        let seen = all.spawn(|| {
            free(v, made(v, 1));
            free(v, objects);
            let before = waiting::<V>().iter().sum();
            // SAFETY: the layout is not empty.
            let other = unsafe { v.alloc(layout(512)) } as usize;
            let after = waiting::<V>().iter().sum();
            free(v, [(other, 512)]);
            [before, after]
        });
        seen.join().expect("a thread")
    })
}

#[test]
fn what_is_others_leaves_before_pages_are_taken_where_the_config_says_so() {
    let all = 5 * SIZES.len() as u32;
    assert_eq!(around_new_pages(&RingLate), [0, 0]);
    assert_eq!(around_new_pages(&RingEarly), [0, all]);
    assert_eq!(around_new_pages(&BankLate), [0, 0]);
    assert_eq!(around_new_pages(&BankEarly), [0, all]);
}
