//! Rounds through the depots: what is to be looked at next, and that only one thread looks.
//!
//! A round is long where there are many depots, so events walk it in steps, and each goes on where the last one ended, whoever
//! that was.

use crate::sync::{AtomicU32, Ordering, const_but_in_models};

/// No round is under way.
const NONE: u32 = 0;
/// Somebody is in it.
const TAKEN: u32 = 1;
/// And from here on: the round goes on at place 0, 1, 2, …
const PLACES: u32 = 2;

/// Where a round is. All zero at the start.
#[derive(Default)]
pub struct Rounds {
    place: AtomicU32,
    /// Rounds that were begun. It wraps.
    number: AtomicU32,
    /// Whether this one goes through the runs, too.
    runs: AtomicU32,
    /// Whether something is to be expected of another look at the runs.
    hope: AtomicU32,
    /// When (milliseconds, the lower half of the number) somebody last asked [`since_last`](Self::since_last).
    stepped: AtomicU32,
}

impl Rounds {
    const_but_in_models! {
        /// No round.
        pub fn new() -> Self {
            Rounds {
                place: AtomicU32::new(NONE),
                number: AtomicU32::new(0),
                runs: AtomicU32::new(0),
                hope: AtomicU32::new(0),
                stepped: AtomicU32::new(0),
            }
        }
    }

    /// Begins a round at the first place, if none is under way. Every other one goes through the runs, too, and each that follows one
    /// that left hope.
    pub fn begin(&self) {
        let mine = self
            .place
            .compare_exchange(NONE, TAKEN, Ordering::Acquire, Ordering::Relaxed)
            .is_ok();
        if mine {
            let before = self.number.fetch_add(1, Ordering::Relaxed);
            let runs = (before % 2) | self.hope.swap(0, Ordering::Relaxed);
            self.runs.store(runs, Ordering::Relaxed);
            self.leave(Some(0));
        }
    }

    /// How many rounds were begun. It wraps.
    pub fn number(&self) -> u32 {
        self.number.load(Ordering::Relaxed)
    }

    /// Whether the round goes through the runs. For whoever is in it.
    pub fn goes_through_runs(&self) -> bool {
        self.runs.load(Ordering::Relaxed) != 0
    }

    /// The next round had better go through the runs. For whoever is in this one.
    pub fn hope(&self) {
        self.hope.store(1, Ordering::Relaxed);
    }

    /// Whether a round waits for somebody to go on.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.place.load(Ordering::Relaxed) >= PLACES
    }

    /// Goes into the round, alone: returns the place where it goes on. None if there is no round, or somebody is in it.
    pub fn enter(&self) -> Option<u32> {
        let at = self.place.load(Ordering::Relaxed);
        let mine = at >= PLACES
            && self
                .place
                .compare_exchange(at, TAKEN, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        mine.then(|| at - PLACES)
    }

    /// Leaves the round, for whoever [`enter`](Self::enter)ed it: it goes on at that place, or is over.
    pub fn leave(&self, at: Option<u32>) {
        let at = at.map_or(NONE, |at| at.saturating_add(PLACES));
        self.place.store(at, Ordering::Release);
    }

    /// Milliseconds since this was last asked. For whoever is in the round.
    pub fn since_last(&self, now_ms: u64) -> u32 {
        let now = now_ms as u32;
        let before = self.stepped.load(Ordering::Relaxed);
        self.stepped.store(now, Ordering::Relaxed);
        now.wrapping_sub(before)
    }

    /// In the child of a fork: whoever was in a round is not here, and another one will begin.
    pub fn reset(&self) {
        self.place.store(NONE, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn goes_on_where_it_was_left_until_it_is_over() {
        let rounds = Rounds::new();
        assert!(!rounds.is_open() && rounds.enter().is_none());
        rounds.begin();
        assert!(rounds.is_open());
        for at in [0, 7, 300] {
            assert_eq!(rounds.enter(), Some(at));
            // One at a time, and one round at a time.
            rounds.begin();
            assert!(!rounds.is_open() && rounds.enter().is_none());
            rounds.leave(Some(if at == 0 { 7 } else { 300 }));
            rounds.begin();
        }
        assert_eq!(rounds.enter(), Some(300));
        rounds.leave(None);
        assert!(!rounds.is_open() && rounds.enter().is_none());
        rounds.begin();
        assert_eq!(rounds.enter(), Some(0));
        rounds.reset();
        rounds.begin();
        assert_eq!(rounds.enter(), Some(0));
    }

    #[test]
    fn goes_through_the_runs_every_other_time_and_where_there_is_hope() {
        let rounds = Rounds::new();
        let through = |hope: bool| {
            rounds.begin();
            assert_eq!(rounds.enter(), Some(0));
            if hope {
                rounds.hope();
            }
            let through = rounds.goes_through_runs();
            rounds.leave(None);
            through
        };
        let seen = [false, false, false, true, true, false, false].map(through);
        assert_eq!(seen, [false, true, false, true, true, true, false]);
        assert_eq!(rounds.number(), 7);
    }

    #[test]
    fn knows_how_long_ago_the_last_step_was() {
        let rounds = Rounds::default();
        let times = [5, 5, 12, (1 << 32) - 3, (1 << 32) + 4];
        assert_eq!(times.map(|t| rounds.since_last(t)), [5, 0, 7, u32::MAX - 14, 7]);
    }
}
