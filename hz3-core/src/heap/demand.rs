//! Whether somebody takes from a depot.

use crate::sync::{AtomicU32, Ordering, const_but_in_models, fence};

/// Times that a depot is found full in vain before it closes; twice as many after each time that this was a mistake.
const PATIENCE: u32 = 16;
/// Mistakes that are counted at most: a turn of whoever frees may be some times as long as the depot.
const MISTAKES: u32 = 3;
/// Where they are counted, above the times.
const MISTAKE: u32 = 1 << 16;
/// Batches in a list that leaves its thread as a whole that count as one such time: as long a list, as often in a row, is no burst
/// whose objects are wanted again.
const LONG: u32 = 4;
/// Bytes of a batch of large objects that count as one such time: a few of these in a row, and a phase of large objects has ended. A
/// mistake costs little, as a batch of so many bytes takes long to be filled.
const LARGE: usize = 128 << 10;

/// Whether somebody takes from a depot. All zero at the start.
///
/// Objects that wait in a depot lie in as many runs, and keep all of them open. Where batches only ever arrive, as at the
/// end of a program's phase, that is worth nothing: such a depot is emptied and closed until somebody looks for a batch.
///
/// A guess that may be late: nothing but the choice of a batch's way depends on it.
pub struct Demand {
    /// Times that the depot was found full in vain, and [`MISTAKE`]s.
    times: AtomicU32,
    /// Whether something was put in since it was last emptied for good.
    filled: AtomicU32,
}

impl Demand {
    const_but_in_models! {
        /// Nobody has come yet.
        pub fn new() -> Self {
            Demand {
                times: AtomicU32::new(0),
                filled: AtomicU32::new(0),
            }
        }
    }

    /// Somebody takes a batch, or looked for one in vain.
    #[inline]
    pub fn taken(&self) {
        // No write where nothing changes: the word is read by all threads.
        let word = self.times.load(Ordering::Relaxed);
        if Self::times(word) != 0 {
            // Threads that take turns may give more than a depot holds before the other comes for it.
            let mistakes = (word / MISTAKE + u32::from(Self::is_out(word))).min(MISTAKES);
            self.times.store(mistakes * MISTAKE, Ordering::Relaxed);
        }
    }

    /// Time has passed: what was a mistake then need not be one now.
    #[inline]
    pub fn forget(&self) {
        let word = self.times.load(Ordering::Relaxed);
        if word >= MISTAKE {
            self.times.store(Self::times(word), Ordering::Relaxed);
        }
    }

    fn times(word: u32) -> u32 {
        word % MISTAKE
    }

    /// Whether its patience is at an end.
    fn is_out(word: u32) -> bool {
        Self::times(word) >= PATIENCE << (word / MISTAKE)
    }

    /// A batch was put in.
    #[inline]
    pub fn stored(&self) {
        // After the batch, and before or after whoever clears it and then looks for batches: either this is seen, or that
        // batch. No write where nothing changes, as above.
        fence(Ordering::SeqCst);
        if self.filled.load(Ordering::Relaxed) == 0 {
            self.filled.store(1, Ordering::Release);
        }
    }

    /// What was put in is a list of so many batches and bytes. True if the depot closes now, as for [`full`](Self::full).
    #[inline]
    pub fn stored_long(&self, batches: u32, bytes: usize) -> bool {
        let large = if bytes > LARGE { (bytes / LARGE) as u32 } else { 0 };
        let more = large.max(batches / LONG);
        more > 0 && self.in_vain(more)
    }

    /// Whether there may be batches in the depot, which the caller is about to take out, all of them.
    #[inline]
    pub fn clear(&self) -> bool {
        let any = self.filled.load(Ordering::Relaxed) != 0 && self.filled.swap(0, Ordering::Acquire) != 0;
        if any {
            // With the one in `stored`.
            fence(Ordering::SeqCst);
        }
        any
    }

    /// Whether batches had better go to their runs.
    #[inline]
    pub fn is_closed(&self) -> bool {
        Self::is_out(self.times.load(Ordering::Relaxed))
    }

    /// The depot was found full. True if it closes now, so that its batches had better go to their runs.
    pub fn full(&self) -> bool {
        self.in_vain(1)
    }

    /// So many more batches came, and nobody took one. Returns whether the depot is closed.
    fn in_vain(&self, more: u32) -> bool {
        let word = self.times.load(Ordering::Relaxed);
        if !Self::is_out(word) {
            self.times.store(word + more.min(PATIENCE), Ordering::Relaxed);
        }
        self.is_closed()
    }

    /// Whether there may be batches in the depot.
    #[inline]
    pub fn holds(&self) -> bool {
        self.filled.load(Ordering::Relaxed) != 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

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
        demand.taken();
        assert!(!demand.is_closed());
    }

    #[test]
    fn closes_later_where_that_was_a_mistake() {
        let demand = Demand::new();
        let turns = || {
            let times = (1..).find(|_| demand.full()).unwrap_or(0);
            demand.taken();
            times
        };
        let patience = [0, 1, 2, 3, 3].map(|mistakes| PATIENCE << mistakes);
        assert_eq!([(); 5].map(|()| turns()), patience);
        demand.forget();
        assert_eq!((1..).find(|_| demand.full()), Some(PATIENCE));
        // Somebody who comes while there is something left says nothing of that.
        demand.taken();
        demand.forget();
        for _ in 0..5 {
            assert!(!demand.full());
            demand.taken();
        }
        assert_eq!((1..).find(|_| demand.full()), Some(PATIENCE));
    }

    #[test]
    fn long_lists_close_it_sooner() {
        let demand = Demand::new();
        for _ in 0..100 {
            assert!(!demand.stored_long(1, LARGE) && !demand.stored_long(LONG - 1, 0));
        }
        let lists = |batches: u32| {
            demand.taken();
            demand.forget();
            (1..).find(|_| demand.stored_long(batches, 0)).unwrap_or(0)
        };
        assert_eq!(
            (lists(LONG), lists(4 * LONG), lists(1000 * LONG)),
            (PATIENCE, PATIENCE / 4, 1)
        );
        assert!(demand.is_closed());
        demand.taken();
        assert!(!demand.is_closed());
    }

    #[test]
    fn batches_of_large_objects_close_it_sooner() {
        let demand = Demand::new();
        let batches = |bytes: usize| {
            demand.taken();
            demand.forget();
            (1..).find(|_| demand.stored_long(1, bytes)).unwrap_or(0)
        };
        assert_eq!(
            [2, 3, 8, 100].map(|n| batches(n * LARGE)),
            [PATIENCE / 2, PATIENCE.div_ceil(3), 2, 1]
        );
    }

    #[test]
    fn knows_whether_something_was_put_in() {
        let demand = Demand::new();
        assert!(!demand.holds() && !demand.clear());
        demand.stored();
        demand.stored();
        demand.taken();
        assert!(demand.holds() && demand.clear());
        assert!(!demand.holds() && !demand.clear());
    }
}
