//! The best of many configs, found in a given time, and honestly.
//!
//! Everything is measured in blocks as in a comparison: in each block the base and all who are still in the race run once with
//! the same seed, and what counts is the log ratio to the base of the same block.
//!
//! **Search.** Candidates race by successive halving: all run a few blocks, the better half goes on, until a handful is
//! left; then those that are made from the best enter, and it goes on. Nothing that was measured there is evidence, as the
//! best of many looks better than it is.
//!
//! **Judgement.** The few that are left run anew, in blocks of their own, against the base, and the base against itself.
//! These blocks know nothing of the search, so it does not matter how many were tried. [`ALPHA`] is shared by all finalists
//! and all looks (Bonferroni), so that the chance that *any* finalist is called better or worse than the base in one aspect
//! although it is not, is [`ALPHA`] at most, whenever the race ended.

mod field;
mod front;
mod judge;
mod kept;
mod race;
mod trial;

pub use field::Field;
pub use judge::{Judged, Looks};
pub use kept::About;
pub use race::Dropped;
pub use trial::{Figures, Trial};

use crate::expression::Sum;

/// Probability that any finalist is wrongly called better or worse than the base, in one aspect.
pub const ALPHA: f64 = 0.02;
/// The most finalists: with more the first look would need more blocks.
pub const FINALISTS: usize = 5;
/// Share of the time that the search may take; the rest is for the judgement.
const SEARCH: f64 = 0.45;

/// What runs.
pub trait Bench {
    /// One block: contenders, the base (0) among them, all rows, in any order, with one seed. A contender that fails gets the
    /// reason; the base may stand there twice.
    fn block(&mut self, who: &[usize], seed: u64) -> Vec<Result<Vec<Figures>, String>>;
    /// Candidates for a round: those to begin with, then those made from the best so far, the best first. Each is a number
    /// that was never given before. `seconds` may be spent on making them.
    fn candidates(&mut self, best: &[usize], seconds: f64) -> Vec<usize>;
    /// Seconds that are over.
    fn elapsed(&self) -> f64;
    /// Whether somebody has had enough.
    fn stopped(&self) -> bool;
    /// What is being done, for people.
    fn progress(&mut self, text: &str);
}

/// What to look for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// What is to be small.
    pub goal: Sum,
    /// Seconds for everything.
    pub budget: f64,
    /// Effects surely smaller than this log ratio are not worth more blocks.
    pub margin: f64,
    /// First seed.
    pub seed: u64,
    /// Whether a verdict must lie beyond what the base shows against itself. The stated chance of an error holds without, too.
    pub floored: bool,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The finalists as judged, the best by the goal first.
    pub finalists: Vec<Judged>,
    /// Who was dropped before, and why; the best by the goal first.
    pub dropped: Vec<Dropped>,
    /// The one to take: judged better than the base in the goal, and the best of those; of several that are surely alike, the
    /// one with the smallest number. None: keep the base.
    pub best: Option<usize>,
    /// The base in the judgement, and the base once more: each row of each block.
    pub pairs: Vec<[Vec<Figures>; 2]>,
    /// Looks that were taken.
    pub looks: usize,
    /// Blocks of the judgement.
    pub blocks: usize,
    /// The floor of the goal: what the base shows against itself.
    pub floor: f64,
    /// Whether it was cut short by hand.
    pub stopped: bool,
}

impl Found {
    /// A finalist.
    pub fn judged(&self, who: usize) -> Option<&Judged> {
        self.finalists.iter().find(|judged| judged.who == who)
    }

    /// Who of the base (0) and the finalists is on the Pareto front of the judged value and peak memory, by the value.
    pub fn front(&self) -> Vec<usize> {
        let sound = self.finalists.iter().filter(|judged| judged.problem.is_none());
        let placed = sound.filter_map(|judged| Some((judged.who, (judged.value?.ratio, judged.peak?.ratio))));
        let (who, points): (Vec<usize>, Vec<(f64, f64)>) = std::iter::once((0, (1.0, 1.0))).chain(placed).unzip();
        front::front(&points).into_iter().map(|at| who[at]).collect()
    }
}

/// Searches and judges. The error is that the base does not run.
pub fn search<B: Bench>(bench: &mut B, wish: &Wish) -> Result<Found, String> {
    let mut race = race::Race::new(wish);
    let fresh = bench.candidates(&[], SEARCH * wish.budget / 3.0);
    race.enter(fresh);
    race.run(bench, 0.7 * SEARCH * wish.budget)?;
    let best = race.order();
    if !best.is_empty() && !bench.stopped() {
        let seconds = (SEARCH * wish.budget - bench.elapsed()).max(0.0) / 3.0;
        let fresh = bench.candidates(&best, seconds);
        race.enter(fresh);
        race.run(bench, SEARCH * wish.budget)?;
    }
    let (finalists, dropped) = race.end();
    judge::judge(bench, wish, finalists, dropped)
}

#[cfg(test)]
mod tests;
