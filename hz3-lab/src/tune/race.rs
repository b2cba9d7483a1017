//! Successive halving.

use super::{Bench, FINALISTS, Trial, Wish};
use crate::stats;

/// Blocks of the first round: fewer tell nothing, more are wasted on the half that goes.
const FIRST: usize = 3;
/// Candidates that are kept when a race ends.
const KEPT: usize = 4;

/// One that is in the race.
struct Runner {
    who: usize,
    trial: Trial,
}

/// One that is out of the race.
#[derive(Debug, Clone)]
pub struct Dropped {
    /// Who.
    pub who: usize,
    /// What was known of it.
    pub trial: Trial,
    /// Why it does not work, if it does not.
    pub problem: Option<String>,
}

/// The search.
pub(super) struct Race<'a> {
    wish: &'a Wish,
    live: Vec<Runner>,
    dropped: Vec<Dropped>,
    seed: u64,
}

impl<'a> Race<'a> {
    pub(super) fn new(wish: &'a Wish) -> Self {
        Self {
            wish,
            live: Vec::new(),
            dropped: Vec::new(),
            seed: wish.seed,
        }
    }

    pub(super) fn enter(&mut self, who: Vec<usize>) {
        let trial = Trial::default();
        self.live.extend(who.into_iter().map(|who| Runner {
            who,
            trial: trial.clone(),
        }));
    }

    /// Halves until a handful is left, or `until` seconds are over.
    pub(super) fn run<B: Bench>(&mut self, bench: &mut B, until: f64) -> Result<(), String> {
        let mut goal = FIRST;
        loop {
            let over = |bench: &B| bench.stopped() || bench.elapsed() >= until;
            let before = bench.elapsed();
            // Those that came later catch up first, so that all are compared by as many blocks.
            while !over(bench) {
                let behind: Vec<usize> = self.behind(goal);
                if behind.is_empty() {
                    break;
                }
                let text = format!(
                    "search: {} candidates, {} of {goal} blocks",
                    self.live.len(),
                    self.least()
                );
                bench.progress(&text);
                self.block(bench, &behind)?;
            }
            if over(bench) || self.live.len() <= KEPT {
                break;
            }
            self.halve();
            // The next round has half as many, and so twice the blocks for the same time, if there is that much.
            let spent = bench.elapsed() - before;
            let rounds = (self.live.len() as f64 / KEPT as f64).log2().ceil().max(0.0) + 1.0;
            let share = (until - bench.elapsed()).max(0.0) / rounds;
            let factor = if spent > 0.0 {
                (2.0 * share / spent).clamp(1.5, 4.0)
            } else {
                2.0
            };
            goal = ((goal as f64 * factor).ceil() as usize).min(64);
        }
        while self.live.len() > KEPT {
            self.halve();
        }
        Ok(())
    }

    fn least(&self) -> usize {
        self.live.iter().map(|r| r.trial.goal.len()).min().unwrap_or(0)
    }

    fn behind(&self, goal: usize) -> Vec<usize> {
        let least = self.least();
        let behind = |r: &&Runner| r.trial.goal.len() < goal && r.trial.goal.len() == least;
        self.live.iter().filter(behind).map(|r| r.who).collect()
    }

    fn block<B: Bench>(&mut self, bench: &mut B, who: &[usize]) -> Result<(), String> {
        self.seed += 1;
        let all: Vec<usize> = [0].iter().chain(who).copied().collect();
        let mut figures = bench.block(&all, self.seed).into_iter();
        let base = match figures.next() {
            Some(Ok(base)) => base,
            _ if bench.stopped() => return Ok(()),
            Some(Err(why)) => return Err(why),
            None => return Ok(()),
        };
        for (who, found) in who.iter().zip(figures) {
            let Some(at) = self.live.iter().position(|r| r.who == *who) else {
                continue;
            };
            match found {
                Ok(own) => {
                    let runner = &mut self.live[at];
                    let before = runner.trial.goal.len();
                    runner.trial.add(&self.wish.goal, &own, &base);
                    if runner.trial.goal.len() == before {
                        self.drop(at, Some("the goal is no number for it".into()));
                    }
                }
                Err(why) if !bench.stopped() => self.drop(at, Some(why)),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn drop(&mut self, at: usize, problem: Option<String>) {
        let runner = self.live.remove(at);
        self.dropped.push(Dropped {
            who: runner.who,
            trial: runner.trial,
            problem,
        });
    }

    /// The worse half goes; the leaders in time and in memory stay for the front.
    fn halve(&mut self) {
        self.live.sort_by(|a, b| a.trial.median().total_cmp(&b.trial.median()));
        let keep = self.live.len().div_ceil(2).max(KEPT);
        while self.live.len() > keep {
            self.drop(self.live.len() - 1, None);
        }
    }

    /// Who is left, the best first.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut live: Vec<&Runner> = self.live.iter().collect();
        live.sort_by(|a, b| a.trial.median().total_cmp(&b.trial.median()));
        live.iter().map(|r| r.who).collect()
    }

    /// The finalists: the best by the goal, and those that are ahead in time or in memory alone, be they dropped or not.
    pub(super) fn end(mut self) -> (Vec<usize>, Vec<Dropped>) {
        let mut finalists: Vec<usize> = self.order().into_iter().take(FINALISTS - 2).collect();
        for at in (0..self.live.len()).rev() {
            self.drop(at, None);
        }
        for of in [|t: &Trial| stats::median(&t.value), |t: &Trial| stats::median(&t.peak)] {
            let tried = self
                .dropped
                .iter()
                .filter(|d| d.problem.is_none() && d.trial.goal.len() >= FIRST);
            let ahead = tried.min_by(|a, b| of(&a.trial).total_cmp(&of(&b.trial)));
            let ahead = ahead.filter(|d| of(&d.trial) < 0.0).map(|d| d.who);
            finalists.extend(ahead.filter(|who| !finalists.contains(who)));
        }
        self.dropped.retain(|d| !finalists.contains(&d.who));
        self.dropped
            .sort_by(|a, b| a.trial.median().total_cmp(&b.trial.median()));
        (finalists, self.dropped)
    }
}
