//! Ranges of pages on their way back to the lot that their segment belongs to, from threads of other lots.
//!
//! A stack without a lock: whoever frees puts one range on it, and the holder of the lot's lock takes all of them. As nothing
//! is ever taken but everything, a word that is the same again stands for a stack that is whole (no ABA). A link is kept in the
//! range's descriptor, which nobody else looks at: it says [`GONE`](super::run::GONE). So no page is touched.

use super::run::Run;
use crate::policy::agreed::ADDRESS_BITS;
use crate::sync::{AtomicU64, Ordering, const_but_in_models};

/// The most that the word can count.
const PAGES_MAX: u64 = u64::MAX >> ADDRESS_BITS;

/// On a cache line of its own: who gives shall not wait for who holds the lot's lock.
///
/// Ranges that wait: the address of the first one's descriptor, and above it their pages, or the most that it can count.
#[repr(align(128))]
pub(super) struct Returned(AtomicU64);

impl Returned {
    const_but_in_models! {
        /// Nothing.
        pub(super) fn new() -> Self {
            Returned(AtomicU64::new(0))
        }
    }

    /// Adds a range. Returns how many pages wait.
    ///
    /// # Safety
    /// `run` is the descriptor of a range of pages that is the caller's to give, and is so no more.
    pub(super) unsafe fn push(&self, run: *mut Run) -> usize {
        // SAFETY: the descriptor is the caller's until it is on the stack.
        let pages = u64::from(unsafe { (*run).pages });
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: as above.
            unsafe { (*run).next = Self::first(seen) };
            let all = ((seen >> ADDRESS_BITS) + pages).min(PAGES_MAX);
            let word = run as u64 | all << ADDRESS_BITS;
            match self
                .0
                .compare_exchange(seen, word, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return all as usize,
                Err(now) => seen = now,
            }
        }
    }

    /// Takes all of them, linked by their descriptors' `next`, and their pages, as far as they were counted.
    pub(super) fn take(&self) -> (*mut Run, usize) {
        if self.0.load(Ordering::Relaxed) == 0 {
            return (core::ptr::null_mut(), 0);
        }
        let seen = self.0.swap(0, Ordering::Acquire);
        (Self::first(seen), (seen >> ADDRESS_BITS) as usize)
    }

    /// Pages that wait.
    pub(super) fn pages(&self) -> usize {
        (self.0.load(Ordering::Relaxed) >> ADDRESS_BITS) as usize
    }

    fn first(word: u64) -> *mut Run {
        (word & (u64::MAX >> (64 - ADDRESS_BITS))) as *mut Run
    }
}
