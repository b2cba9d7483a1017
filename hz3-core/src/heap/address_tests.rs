//! Kernels whose programs have addresses of another length than the words that hold an address and a number: shorter ones, where
//! the places are refused that an arena claims, and longer ones, where the kernel chooses places that are too high. Of both a test
//! sees the same: a bound below what this kernel has.

use super::hold::Hold;
use super::lot::Seat;
use super::page::SEGMENT;
use super::reservation::tags;
use super::{Heap, Reach};
use crate::os::machine::pretend::Addresses;
use crate::os::{self, PAGE};
use crate::policy::Policy;
use crate::policy::knobs::OnFull;
use crate::sync::{AtomicUsize, Ordering};
use std::vec::Vec;

/// Objects in an arena of few segments, and beyond it.
fn all_lie_below(bits: u32, spread: usize) {
    const SEGMENTS: usize = 8;
    let _addresses = Addresses::of(bits);
    let mut policy = Policy::default();
    policy.arena.size = SEGMENTS * SEGMENT;
    policy.arena.on_full = OnFull::System;
    policy.hardening.spread = spread;
    let (heap, base) = (Heap::new(), AtomicUsize::new(0));
    let hold = heap.locked(|h| {
        h.arena.reserve(&policy, tags(&policy), &base);
        h.arena.hold()
    });
    let end = base.load(Ordering::Relaxed) + SEGMENTS * SEGMENT;
    assert!(end <= 1 << bits, "the arena ends at {end:x}, above {bits} bits");
    // What is claimed lies at 44 bits and above.
    let ways = if bits > 46 {
        [Hold::Claimed; 2]
    } else {
        [Hold::Claimed, Hold::Reserved]
    };
    assert!(ways.contains(&hold), "{hold:?} in {bits} bits");
    let seat = Seat::new();
    let sizes = (0..60).map(|n| PAGE * (1 + n * n % 700));
    let objects: Vec<(*mut u8, usize)> = sizes
        .map(|bytes| (heap.large(&policy, Reach::System, bytes, PAGE, &seat).p, bytes))
        .collect();
    for (p, bytes) in objects {
        assert!(!p.is_null() && p as usize + bytes <= 1 << bits, "{p:p}, {bits} bits");
        // SAFETY: the object is this test's.
        unsafe {
            p.write_bytes(1, bytes);
            let what = heap.find_large(p).expect("an object");
            heap.give_large(&policy, p, what, &seat);
        }
    }
    heap.purge_to(&policy, 0);
    heap.purge_huge(None);
    heap.locked(|h| {
        assert_eq!((h.segments, h.outside.len()), (0, 0));
        // SAFETY: nothing of the arena is in use, and the heap ends here.
        unsafe { os::unmap(h.arena.address(0), h.arena.segments() * SEGMENT) };
    });
}

#[test]
fn whatever_length_addresses_have_ours_are_below() {
    for bits in [39, 42, 44, 46, 47] {
        for spread in [0, 64 << 40] {
            all_lie_below(bits, spread);
        }
    }
}

/// Where there is room for no table and no arena, there are none, and what is asked for comes from outside, or is null.
#[test]
fn where_nothing_fits_nothing_is_there() {
    let _addresses = Addresses::of(36);
    let policy = Policy::default();
    let (heap, base) = (Heap::new(), AtomicUsize::new(0));
    heap.locked(|h| h.arena.reserve(&policy, tags(&policy), &base));
    assert_eq!(heap.locked(|h| h.arena.hold()), Hold::Nothing);
    assert!(heap.large(&policy, Reach::System, PAGE, PAGE, &Seat::new()).p.is_null());
}
