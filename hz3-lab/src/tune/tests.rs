//! The search on simulated machines: true costs are known, noise is that of a shared machine.

use super::*;
use crate::stats::Rng;
use crate::stats::tests::noisy;

/// A machine on which candidate `i` takes `time[i]` and `peak[i]` of the base; 0 is the base.
struct Machine {
    time: Vec<f64>,
    peak: Vec<f64>,
    first: usize,
    rng: Rng,
    elapsed: f64,
    given: usize,
}

impl Machine {
    fn new(seed: u64, time: &[f64]) -> Self {
        let time: Vec<f64> = [1.0].iter().chain(time).copied().collect();
        Self {
            peak: vec![1.0; time.len()],
            first: time.len(),
            time,
            rng: Rng(seed),
            elapsed: 0.0,
            given: 1,
        }
    }
}

impl Bench for Machine {
    fn block(&mut self, who: &[usize], _: u64) -> Vec<Result<Vec<Figures>, String>> {
        let drift = self.rng.unit() * 0.2;
        let mut run = |who: &usize| {
            let value = noisy(&mut self.rng, drift) * self.time[*who];
            self.elapsed += 0.3;
            let lag = if self.rng.unit() < 0.3 { self.rng.below(16) } else { 0 };
            let figures = Figures {
                value,
                cpu: value,
                peak: (750 + lag) as f64 * self.peak[*who],
                end: None,
                faults: 1.0,
                tail: false,
            };
            Ok(vec![figures])
        };
        who.iter().map(&mut run).collect()
    }
    fn candidates(&mut self, _: &[usize], _: f64) -> Vec<usize> {
        let end = if self.given == 1 { self.first } else { self.time.len() };
        let new = (self.given..end).collect();
        self.given = end;
        new
    }
    fn elapsed(&self) -> f64 {
        self.elapsed
    }
    fn stopped(&self) -> bool {
        false
    }
    fn progress(&mut self, _: &str) {}
}

fn wish(goal: &str, budget: f64, floored: bool) -> Wish {
    Wish {
        goal: goal.parse().unwrap(),
        budget,
        margin: 0.01,
        seed: 1,
        floored,
    }
}

#[test]
fn of_configs_that_are_all_alike_none_wins_more_often_than_is_stated() {
    let mut wrong = [0, 0];
    for seed in 0..150 {
        let mut machine = Machine::new(seed, &[1.0; 12]);
        let found = search(&mut machine, &wish("time", 150.0, false)).unwrap();
        assert!(found.blocks >= Looks::COUNTS[0], "{} blocks", found.blocks);
        wrong[0] += usize::from(found.best.is_some());
        let peak = |j: &Judged| j.peak.is_some_and(|o| o.decided());
        wrong[1] += usize::from(found.finalists.iter().any(peak));
    }
    // 3 of 150 are expected at most in each aspect, with a standard error of 1.7.
    assert!(wrong[0] <= 7 && wrong[1] <= 7, "{wrong:?} of 150");
}

#[test]
fn the_better_of_two_that_are_three_percent_apart_is_found() {
    // Beside ten that change nothing, with ten minutes: one that is 3 % faster; and two that both are, one of them more.
    for (planted, best) in [(vec![0.97], 11), (vec![0.90, 0.873], 12)] {
        let time = [vec![1.0; 10], planted].concat();
        let found = |seed: &u64| {
            let mut machine = Machine::new(1000 + *seed, &time);
            search(&mut machine, &wish("time", 600.0, true)).unwrap().best == Some(best)
        };
        let found = (0..20).filter(found).count();
        assert!(found >= 18, "{found} of 20 tries find {best}");
    }
}

#[test]
fn a_goal_of_two_weighs_them_and_the_front_keeps_both_ends() {
    // Fast and fat, slow and lean, and one that is a little of both.
    let mut machine = Machine::new(7, &[0.9, 1.08, 0.95, 1.3]);
    machine.peak = vec![1.0, 1.4, 0.7, 0.9, 1.3];
    let found = search(&mut machine, &wish("time + rss", 600.0, true)).unwrap();
    assert_eq!(found.best, Some(2), "{:?}", found.finalists);
    assert_eq!(found.front(), [1, 3, 2], "{:?}", found.finalists);
    assert!(found.dropped.iter().any(|d| d.who == 4) || !found.judged(4).unwrap().wins());
}

#[test]
fn candidates_of_the_second_round_are_judged_like_all_others() {
    let mut machine = Machine::new(3, &[1.0, 0.98, 1.0, 1.02, 1.0, 0.9]);
    // The last one exists only when the first round has ended.
    machine.first = machine.time.len() - 1;
    let found = search(&mut machine, &wish("time", 400.0, true)).unwrap();
    assert_eq!(found.best, Some(6));
}

#[test]
fn of_what_is_alike_the_first_is_recommended() {
    // The last is the third with keys that do nothing.
    let mut machine = Machine::new(5, &[1.0, 1.02, 1.0, 1.0]);
    machine.peak = vec![1.0, 1.0, 1.1, 0.8, 0.8];
    machine.first = machine.time.len() - 1;
    let found = search(&mut machine, &wish("rss", 400.0, true)).unwrap();
    assert!(found.judged(4).is_some_and(Judged::wins), "{:?}", found.finalists);
    assert_eq!(found.best, Some(3));
}
