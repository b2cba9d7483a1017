//! Where the sampled objects are that exist: their addresses, each with the number of what is known of it.
//!
//! Whoever frees an object asks whether it is a sampled one, without a lock. An address stands in one of two buckets of eight,
//! the emptier one when it came, and stays in its place until the object ends: so whoever owns the object finds it, whatever
//! is added and taken out beside it.

use super::index::mixed;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, const_but_in_models};
use core::ptr;

/// Addresses of a bucket: a cache line.
#[cfg(not(loom))]
const WAYS: usize = 8;
/// As few as a model needs.
#[cfg(loom)]
const WAYS: usize = 2;

/// The table. Changed by the holder of the samples' lock only.
pub(super) struct Live {
    /// Addresses; 0 is free. Null before there are any.
    keys: AtomicPtr<AtomicUsize>,
    /// Places less one; they are a power of two.
    mask: AtomicUsize,
}

impl Live {
    const_but_in_models! {
        pub(super) fn new() -> Live {
            Live {
                keys: AtomicPtr::new(ptr::null_mut()),
                mask: AtomicUsize::new(0),
            }
        }
    }

    /// Gives it its memory.
    ///
    /// # Safety
    /// `keys` has `places` free places, a power of two and a multiple of a bucket's, which are the table's until
    /// [`close`](Self::close).
    pub(super) unsafe fn open(&self, keys: *mut AtomicUsize, places: usize) {
        self.mask.store(places - 1, Ordering::Relaxed);
        self.keys.store(keys, Ordering::Release);
    }

    /// Takes its memory away.
    pub(super) fn close(&self) {
        self.keys.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// The places of the two buckets of an address.
    fn buckets(&self, p: *const u8) -> [usize; 2] {
        let (hash, mask) = (mixed(p as u64 >> 4), self.mask.load(Ordering::Relaxed));
        [hash, hash >> 32].map(|hash| (hash as usize).wrapping_mul(WAYS) & mask)
    }

    /// The place of an object that is the caller's; None if it is not a sampled one.
    #[inline]
    pub(super) fn find(&self, p: *const u8) -> Option<usize> {
        let keys = self.keys.load(Ordering::Acquire);
        if keys.is_null() {
            return None;
        }
        let places = self.buckets(p).into_iter().flat_map(|first| first..first + WAYS);
        places.into_iter().find(|place| {
            // SAFETY: buckets lie within the table. What else stands there may change meanwhile; the caller's object was
            // put in before it was the caller's, and is taken out by the caller.
            unsafe { (*keys.add(*place)).load(Ordering::Acquire) == p as usize }
        })
    }

    /// Puts an address in; None if both of its buckets are full. For the holder of the lock.
    ///
    /// # Safety
    /// `with` is told the place before anybody can find the address.
    pub(super) unsafe fn add(&self, p: *const u8, with: impl FnOnce(usize)) -> bool {
        let keys = self.keys.load(Ordering::Relaxed);
        if keys.is_null() {
            return false;
        }
        // SAFETY: buckets lie within the table.
        let key = |place: usize| unsafe { &*keys.add(place) };
        let free = |first: &usize| {
            (*first..first + WAYS)
                .filter(|place| key(*place).load(Ordering::Relaxed) == 0)
                .count()
        };
        let Some(first) = self.buckets(p).into_iter().max_by_key(free) else {
            return false;
        };
        let Some(place) = (first..first + WAYS).find(|place| key(*place).load(Ordering::Relaxed) == 0) else {
            return false;
        };
        with(place);
        key(place).store(p as usize, Ordering::Release);
        true
    }

    /// Takes the address at a place out. For the holder of the lock.
    pub(super) fn take(&self, place: usize) {
        let keys = self.keys.load(Ordering::Relaxed);
        // SAFETY: `find` gave the place.
        unsafe { (*keys.add(place)).store(0, Ordering::Relaxed) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn holds_what_it_was_given() {
        let memory: Vec<AtomicUsize> = (0..1024).map(|_| AtomicUsize::new(0)).collect();
        let live = Live::new();
        let address = |n: usize| ((n + 1) * 4096) as *const u8;
        assert_eq!(live.find(address(1)), None);
        // SAFETY: the memory outlives the table.
        unsafe { live.open(memory.as_ptr().cast_mut(), 1024) };
        let mut at = Vec::new();
        for n in 0..820 {
            let mut place = None;
            // SAFETY: nobody else looks.
            assert!(unsafe { live.add(address(n), |p| place = Some(p)) }, "{n} of 1024");
            at.push(place);
        }
        for (n, place) in at.iter().enumerate() {
            assert_eq!(live.find(address(n)), *place);
        }
        for n in (0..820).step_by(2) {
            live.take(at[n].expect("a place"));
        }
        for (n, place) in at.iter().enumerate() {
            assert_eq!(live.find(address(n)), if n % 2 == 0 { None } else { *place });
        }
        live.close();
        assert_eq!(live.find(address(1)), None);
    }
}
