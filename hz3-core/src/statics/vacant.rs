//! What threads that have ended had outside of their blocks, kept for the next ones.

use crate::sync::{AtomicPtr, Ordering};
use core::ptr;

/// Mappings that are kept at the most.
pub const PLACES: usize = 8;

/// Mappings of threads that have ended. All of them are of one size.
pub struct Vacant([AtomicPtr<u8>; PLACES]);

impl Vacant {
    /// None.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Vacant([const { AtomicPtr::new(ptr::null_mut()) }; PLACES])
    }

    /// Takes one out; null if none is kept.
    pub fn take(&self) -> *mut u8 {
        for place in &self.0 {
            if !place.load(Ordering::Relaxed).is_null() {
                let body = place.swap(ptr::null_mut(), Ordering::Acquire);
                if !body.is_null() {
                    return body;
                }
            }
        }
        ptr::null_mut()
    }

    /// Keeps one, as one of so many at the most. False if there are as many already.
    pub fn put(&self, body: *mut u8, most: usize) -> bool {
        self.0.iter().take(most).any(|place| {
            place.load(Ordering::Relaxed).is_null()
                && place
                    .compare_exchange(ptr::null_mut(), body, Ordering::Release, Ordering::Relaxed)
                    .is_ok()
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    fn body(n: usize) -> *mut u8 {
        ptr::without_provenance_mut(n)
    }

    #[test]
    fn what_is_put_in_comes_out_once_and_no_more_than_that_is_kept() {
        let vacant = Vacant::new();
        assert!(vacant.take().is_null());
        for most in [1, 3, PLACES] {
            for n in 1..=most {
                assert!(vacant.put(body(n), most));
            }
            assert!(!vacant.put(body(99), most));
            let out: BTreeSet<usize> = (0..most).map(|_| vacant.take().addr()).collect();
            assert_eq!(out, (1..=most).collect());
            assert!(vacant.take().is_null());
        }
    }

    #[test]
    fn no_two_threads_have_the_same() {
        let (vacant, made) = (Vacant::new(), Mutex::new(0));
        let left = Mutex::new(BTreeSet::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5000 {
                        let mut mine = vacant.take();
                        if mine.is_null() {
                            let mut made = made.lock().unwrap();
                            *made += 1;
                            mine = body(*made);
                        }
                        let in_use = left.lock().unwrap().insert(mine.addr());
                        assert!(in_use, "somebody else has it");
                        left.lock().unwrap().remove(&mine.addr());
                        assert!(vacant.put(mine, PLACES), "there are no more than threads");
                    }
                });
            }
        });
        assert!(*made.lock().unwrap() <= 4);
    }
}
