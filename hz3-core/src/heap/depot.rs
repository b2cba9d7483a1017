//! Depots: whole batches that wait between threads.
//!
//! A depot is an array of words, each empty or holding one batch (address and count in 64 bits). It is bounded by
//! construction, has no head to fight over, and cannot suffer from ABA: a word is only ever exchanged as a whole, and
//! whoever gets it owns the batch that it names, whatever happened to the word in between.

use crate::list::{Batch, BatchWord};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Times that a depot is found full in vain before it closes.
const PATIENCE: u32 = 16;
/// Set when time has passed without anybody taking.
const RESTS: u32 = 1 << 16;

/// Whether somebody takes from a depot. All zero at the start.
///
/// Objects that wait in a depot lie in as many runs, and keep all of them open. Where batches only ever arrive, as at the
/// end of a program's phase, that is worth nothing: such a depot is emptied and closed until somebody looks for a batch.
///
/// A guess that may be late: nothing but the choice of a batch's way depends on it.
pub struct Demand {
    /// Times that the depot was found full in vain, and `RESTS`.
    times: AtomicU32,
    /// Whether something was put in since it was last emptied for good.
    filled: AtomicU32,
}

impl Demand {
    /// Nobody has come yet.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Demand {
            times: AtomicU32::new(0),
            filled: AtomicU32::new(0),
        }
    }

    /// Somebody takes a batch, or looked for one in vain.
    #[inline]
    pub fn taken(&self) {
        // No write where nothing changes: the word is read by all threads.
        if self.times.load(Ordering::Relaxed) != 0 {
            self.times.store(0, Ordering::Relaxed);
        }
    }

    /// A batch was put in.
    #[inline]
    pub fn stored(&self) {
        // After the batch, and before or after whoever clears it and then looks for batches: either this is seen, or that
        // batch.
        self.filled.store(1, Ordering::Release);
    }

    /// Whether there may be batches in the depot, which the caller is about to take out, all of them.
    #[inline]
    pub fn clear(&self) -> bool {
        self.filled.load(Ordering::Relaxed) != 0 && self.filled.swap(0, Ordering::Acquire) != 0
    }

    /// Whether batches had better go to their runs.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.times.load(Ordering::Relaxed) & (RESTS - 1) >= PATIENCE
    }

    /// The depot was found full. True if it closes now, so that its batches had better go to their runs.
    pub fn full(&self) -> bool {
        let times = self.times.load(Ordering::Relaxed);
        if times & (RESTS - 1) < PATIENCE {
            self.times.store(times + 1, Ordering::Relaxed);
        }
        self.is_closed()
    }

    /// Time has passed. True if nobody has taken since this was last asked.
    pub fn rests(&self) -> bool {
        let times = self.times.load(Ordering::Relaxed);
        self.times.store(times | RESTS, Ordering::Relaxed);
        times & RESTS != 0
    }
}

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

    #[test]
    fn closes_when_nobody_takes_and_opens_when_somebody_looks() {
        let demand = Demand::new();
        for _ in 0..3 {
            for _ in 1..PATIENCE {
                assert!(!demand.full() && !demand.is_closed());
            }
            demand.taken();
        }
        assert_eq!((0..PATIENCE).filter(|_| demand.full()).count(), 1);
        assert!(demand.is_closed());
        assert!(!demand.rests() && demand.is_closed());
        demand.taken();
        assert!(!demand.is_closed());
    }

    #[test]
    fn knows_whether_something_was_put_in() {
        let demand = Demand::new();
        assert!(!demand.clear());
        demand.stored();
        demand.stored();
        demand.taken();
        assert!(demand.clear() && !demand.clear());
    }

    #[test]
    fn rests_from_the_second_look_on() {
        let demand = Demand::new();
        demand.taken();
        assert!(!demand.rests());
        assert!(demand.rests());
        demand.taken();
        assert!(!demand.rests());
    }
}
