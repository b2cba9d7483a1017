//! Depots: whole batches that wait between threads.
//!
//! A depot is an array of words, each empty or holding one batch (address and count in 64 bits). It is bounded by
//! construction, has no head to fight over, and cannot suffer from ABA: a word is only ever exchanged as a whole, and
//! whoever gets it owns the batch that it names, whatever happened to the word in between.

use crate::list::{Batch, BatchWord};
use crate::sync::{AtomicU64, Ordering};

/// Puts a batch in. False when all words are taken: the batch is still the caller's.
pub fn put(words: &[AtomicU64], batch: Batch) -> bool {
    let word = BatchWord::pack(batch).0;
    for w in words {
        // A look first: a failing exchange would take the cache line from everybody else.
        if w.load(Ordering::Relaxed) == BatchWord::NONE.0
            && w.compare_exchange(BatchWord::NONE.0, word, Ordering::Release, Ordering::Relaxed)
                .is_ok()
        {
            return true;
        }
    }
    false
}

/// Takes a batch out, the one most recently put in as far as that is known without a count: the fuller end first.
pub fn take(words: &[AtomicU64]) -> Option<Batch> {
    for w in words.iter().rev() {
        if w.load(Ordering::Relaxed) != BatchWord::NONE.0 {
            let word = BatchWord(w.swap(BatchWord::NONE.0, Ordering::Acquire));
            if !word.is_none() {
                return Some(word.unpack());
            }
        }
    }
    None
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn batch(n: usize) -> Batch {
        Batch {
            head: (n * 16) as *mut u8,
            count: n as u32,
        }
    }

    #[test]
    fn is_bounded_and_gives_back_what_it_got() {
        let words: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
        for n in 1..=4 {
            assert!(put(&words, batch(n)));
        }
        assert!(!put(&words, batch(5)));
        let mut got: Vec<u32> = core::iter::from_fn(|| take(&words)).map(|b| b.count).collect();
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3, 4]);
    }
}
