//! The judgement of the finalists, on blocks of its own.

use super::{ALPHA, Bench, Dropped, Figures, Found, Trial, Wish};
use crate::record::Outcome;
use crate::stats::{self, Interval, Verdict};

/// When the finalists are looked at.
pub struct Looks;

impl Looks {
    /// Blocks after which there is a look. The first is the least for which the exact interval exists with the most finalists.
    pub const COUNTS: [usize; 9] = [12, 18, 26, 38, 56, 80, 116, 170, 250];

    /// The probability with which one look at one of so many finalists may err.
    pub fn alpha(finalists: usize) -> f64 {
        ALPHA / (Self::COUNTS.len() * finalists.max(1)) as f64
    }
}

/// A finalist.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Who.
    pub who: usize,
    /// What was measured, in the blocks of the judgement.
    pub trial: Trial,
    /// The same, as it was measured: each row of each block.
    pub figures: Vec<Vec<Figures>>,
    /// The goal against the base.
    pub goal: Option<Outcome>,
    /// Time (or the tail of single calls) against the base.
    pub value: Option<Outcome>,
    /// Peak memory against the base.
    pub peak: Option<Outcome>,
    /// Why it is out, if it failed.
    pub problem: Option<String>,
}

impl Judged {
    fn new(who: usize) -> Self {
        Self {
            who,
            trial: Trial::default(),
            figures: Vec::new(),
            goal: None,
            value: None,
            peak: None,
            problem: None,
        }
    }

    /// Whether it is called better than the base in the goal.
    pub fn wins(&self) -> bool {
        self.problem.is_none() && self.goal.is_some_and(|o| o.verdict == Verdict::Go)
    }

    /// Whether it needs no more blocks: it failed, or it is surely worse.
    fn out(&self) -> bool {
        self.problem.is_some() || self.goal.is_some_and(|o| o.verdict == Verdict::NoGo)
    }
}

/// Runs the finalists until all is clear, or the time is up.
pub(super) fn judge<B: Bench>(
    bench: &mut B,
    wish: &Wish,
    finalists: Vec<usize>,
    dropped: Vec<Dropped>,
) -> Result<Found, String> {
    let mut all: Vec<Judged> = finalists.into_iter().map(Judged::new).collect();
    let mut again = Trial::default();
    let mut pairs = Vec::new();
    let alpha = Looks::alpha(all.len());
    let (mut blocks, mut looks) = (0, 0);
    // Far from the seeds of the search: what was found there must hold for others, too.
    let seed = wish.seed + 1_000_000;
    while looks < Looks::COUNTS.len() && !all.iter().all(Judged::out) {
        if bench.stopped() || bench.elapsed() >= wish.budget {
            break;
        }
        let live: Vec<usize> = (0..all.len()).filter(|i| !all[*i].out()).collect();
        bench.progress(&format!("judgement: {} finalists, block {}", live.len(), blocks + 1));
        let who: Vec<usize> = [0, 0].into_iter().chain(live.iter().map(|i| all[*i].who)).collect();
        let mut figures = bench.block(&who, seed + blocks as u64).into_iter();
        let (Some(first), Some(second)) = (figures.next(), figures.next()) else {
            break;
        };
        let (first, second) = match (first, second) {
            (Ok(first), Ok(second)) => (first, second),
            _ if bench.stopped() => break,
            (Err(why), _) | (_, Err(why)) => return Err(why),
        };
        let figures: Vec<_> = figures.collect();
        // A block counts as a whole or not at all.
        let failed = live
            .iter()
            .zip(&figures)
            .filter_map(|(i, f)| Some((*i, f.as_ref().err()?.clone())));
        let failed: Vec<(usize, String)> = failed.collect();
        if bench.stopped() {
            break;
        }
        if !failed.is_empty() {
            failed.into_iter().for_each(|(i, why)| all[i].problem = Some(why));
            continue;
        }
        again.add(&wish.goal, &second, &first);
        for (i, own) in live.iter().zip(figures) {
            if let Ok(own) = own {
                all[*i].trial.add(&wish.goal, &own, &first);
                all[*i].figures.push(own);
            }
        }
        pairs.push([first, second]);
        blocks += 1;
        if Looks::COUNTS.contains(&blocks) {
            looks += 1;
            look(&mut all, &again, wish, alpha);
            if settled(&all, wish.margin, alpha) {
                break;
            }
        }
    }
    // Those that were open when the time was up use one of their remaining looks on what there is.
    if looks < Looks::COUNTS.len() && !Looks::COUNTS.contains(&blocks) {
        looks += 1;
        look(&mut all, &again, wish, alpha);
    }
    all.sort_by(|a, b| a.trial.median().total_cmp(&b.trial.median()));
    Ok(Found {
        best: recommended(&all, wish.margin, alpha),
        finalists: all,
        dropped,
        pairs,
        looks,
        blocks,
        floor: floor(&again.goal, wish),
        stopped: bench.stopped(),
    })
}

/// What the base shows against itself.
fn floor(again: &[f64], wish: &Wish) -> f64 {
    if wish.floored { stats::floor(again) } else { 0.0 }
}

fn look(all: &mut [Judged], again: &Trial, wish: &Wish, alpha: f64) {
    let floors = [&again.goal, &again.value, &again.peak].map(|samples| floor(samples, wish));
    for judged in all
        .iter_mut()
        .filter(|j| j.problem.is_none() && !j.trial.goal.is_empty())
    {
        let trial = &judged.trial;
        let places = [
            (&trial.goal, &mut judged.goal),
            (&trial.value, &mut judged.value),
            (&trial.peak, &mut judged.peak),
        ];
        for ((samples, place), floor) in places.into_iter().zip(floors) {
            // What was decided at an earlier look stays decided; its interval may get narrower.
            let now = Outcome::at(samples, floor, wish.margin, alpha);
            let verdict = place.filter(Outcome::decided).map(|before| before.verdict);
            *place = Some(Outcome {
                verdict: verdict.unwrap_or(now.verdict),
                ..now
            });
        }
    }
}

/// Whether more blocks would change nothing: every finalist is clear, and nobody may still overtake the best.
fn settled(all: &[Judged], margin: f64, alpha: f64) -> bool {
    let live: Vec<&Judged> = all.iter().filter(|j| !j.out()).collect();
    if !live.iter().all(|j| j.goal.is_some_and(|o| o.settled())) {
        return false;
    }
    let Some(best) = live.iter().min_by(|a, b| a.trial.median().total_cmp(&b.trial.median())) else {
        return true;
    };
    live.iter().filter(|j| j.who != best.who).all(|other| {
        let difference = difference(best, other, alpha);
        difference.hi < 0.0 || within(difference, margin)
    })
}

/// The best of those that win. Of two that are surely alike it is the one that came first: what is made of others later has their
/// keys and more, and keys that do nothing are not recommended.
fn recommended(all: &[Judged], margin: f64, alpha: f64) -> Option<usize> {
    let winners = || all.iter().filter(|j| j.wins());
    let best = winners().next()?;
    let alike = winners().filter(|j| j.who == best.who || within(difference(best, j, alpha), margin));
    alike.map(|j| j.who).min()
}

/// The goal of one in terms of another's, block by block: the interval that judges.
fn difference(one: &Judged, other: &Judged, alpha: f64) -> Interval {
    let pairs = one.trial.goal.iter().zip(&other.trial.goal);
    let d: Vec<f64> = pairs.map(|(a, b)| a - b).collect();
    stats::look_at(&d, 0.0, alpha).judged
}

fn within(interval: Interval, margin: f64) -> bool {
    interval.lo > -margin && interval.hi < margin
}
