//! From paired samples to a verdict.
//!
//! A sample is `d = ln(variant / base)` of two fresh processes of the same block, so that what slows both cancels. Of
//! `n` such samples the *median* is the effect. Two intervals stand around it (module `interval`), and every place that
//! shows an effect shows the same two:
//!
//! - the 95 % interval of the median, from order statistics. It holds for any distribution and any number of blocks; fewer
//!   than six have none. (A bootstrap is too narrow for a handful of samples: it covered 89 % at nine blocks.)
//! - the one that *judges*, at the much smaller error that a look may have: Wilcoxon's signed-rank interval, which is the
//!   means of all pairs of samples, sorted, and as many cut off at each end as the exact null distribution of the rank sum
//!   allows; and never less than the first. If base and variant are alike, which of the two came out slower in a block
//!   is a fair coin, so `d` is symmetric about 0 whatever its distribution, and the stated error is exact for any number of
//!   blocks. It is used rather than the order statistics of the sign test because it needs a third fewer blocks for the
//!   same effect, and rather than Student's t because a burst of foreign load in one block moves it by one rank.
//!
//! **Looking more than once.** A row is looked at after [`Looks::COUNTS`] blocks, at most [`Looks::MOST`] times. By
//! Bonferroni each look may err with probability `ALPHA / MOST`, so that the chance of a wrong verdict on a row, however
//! early it stops and whatever made it stop (a decision, the time budget, Ctrl-C), is at most [`Looks::ALPHA`].
//!
//! **The floor.** The base is first measured against itself; the larger end of that interval (at least
//! [`FLOOR_LEAST`]) is what this machine, at this hour, calls different when nothing is. A verdict's interval must lie
//! beyond the floor. This makes the true rate of wrong verdicts smaller than the stated one, never larger.

mod interval;

pub use interval::{Interval, exact, median_interval};

/// The least floor: a quarter of a percent. Below it, link order and the phase of the moon decide.
pub const FLOOR_LEAST: f64 = 0.0025;

/// What an interval that is shown is worth.
pub const LEVEL: f64 = 0.95;

/// When a row is looked at, and how sure a look must be.
pub struct Looks;

impl Looks {
    /// Probability of a wrong GO or NO-GO of one variant on one row.
    pub const ALPHA: f64 = 0.02;
    /// Blocks after which a row is looked at. The first is the least number for which the exact interval exists at
    /// `ALPHA / MOST`.
    pub const COUNTS: [usize; 5] = [9, 13, 18, 26, 40];
    /// The most blocks that there may be.
    pub const LAST: usize = Self::COUNTS[Self::COUNTS.len() - 1];
    /// The most looks that there may be.
    pub const MOST: usize = Self::COUNTS.len();
    /// The probability with which one look may err.
    pub fn alpha() -> f64 {
        Self::ALPHA / Self::MOST as f64
    }
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Verdict {
    /// Better than the base, beyond the floor.
    #[serde(rename = "GO")]
    Go,
    /// Worse than the base, beyond the floor.
    #[serde(rename = "NO-GO")]
    NoGo,
    /// Neither was shown.
    #[serde(rename = "UNDECIDED")]
    Undecided,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Go => "GO",
            Self::NoGo => "NO-GO",
            Self::Undecided => "UNDECIDED",
        })
    }
}

/// The middle value; the mean of the two middle ones of an even number. NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    median_of_sorted(&v)
}

fn median_of_sorted(v: &[f64]) -> f64 {
    match v.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => v[n / 2],
        n => (v[n / 2 - 1] + v[n / 2]) / 2.0,
    }
}

/// `ln(variant / base)` of each block.
pub fn log_ratios(variant: &[f64], base: &[f64]) -> Vec<f64> {
    variant.iter().zip(base).map(|(v, b)| (v / b).ln()).collect()
}

/// A small generator for resampling and for the order of blocks: splitmix64. Deterministic by design.
#[derive(Debug, Clone)]
pub struct Rng(pub u64);

impl Rng {
    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }
    /// Uniform in (0, 1).
    pub fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }
    /// Puts a slice in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// The floor that samples of A against A give.
pub fn floor(aa: &[f64]) -> f64 {
    let i = median_interval(aa, LEVEL);
    let f = i.lo.abs().max(i.hi.abs());
    if f.is_finite() {
        f.max(FLOOR_LEAST)
    } else {
        f64::INFINITY
    }
}

/// One look at the samples of one variant on one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Median log ratio.
    pub effect: f64,
    /// 95 % interval of the median.
    pub shown: Interval,
    /// The interval that the verdict rests on; it holds the shown one.
    pub judged: Interval,
    /// The verdict.
    pub verdict: Verdict,
    /// The smallest log ratio that these samples could have told from nothing: the floor and half of the judged
    /// interval.
    pub smallest: f64,
}

/// Looks at samples (log ratios, less is better) with a floor.
pub fn look(samples: &[f64], floor: f64) -> Look {
    look_at(samples, floor, Looks::alpha())
}

/// The same with another error of one look.
pub fn look_at(samples: &[f64], floor: f64, alpha: f64) -> Look {
    let shown = median_interval(samples, LEVEL);
    let judged = exact(samples, alpha).hull(shown);
    let verdict = if judged.hi < -floor {
        Verdict::Go
    } else if judged.lo > floor {
        Verdict::NoGo
    } else {
        Verdict::Undecided
    };
    Look {
        effect: median(samples),
        shown,
        judged,
        verdict,
        smallest: floor + (judged.hi - judged.lo) / 2.0,
    }
}

/// A log ratio in percent: 0.05 is `+5.13`.
pub fn percent(log_ratio: f64) -> f64 {
    (log_ratio.exp() - 1.0) * 100.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    pub(super) fn normal(rng: &mut Rng) -> f64 {
        (-2.0 * rng.unit().ln()).sqrt() * (2.0 * std::f64::consts::PI * rng.unit()).cos()
    }

    /// Times as a shared machine gives them: a drift that both members of a block share, and heavy-tailed slowdowns.
    pub(crate) fn noisy(rng: &mut Rng, drift: f64) -> f64 {
        let slow = if rng.unit() < 0.15 { rng.unit() * 0.4 } else { 0.0 };
        (1.0 + drift + 0.02 * normal(rng).abs() + slow) * 0.3
    }

    fn run_row(rng: &mut Rng, effect: f64, use_floor: bool) -> Verdict {
        let pair = |rng: &mut Rng, effect: f64| {
            let drift = rng.unit() * 0.2;
            (noisy(rng, drift) * effect / noisy(rng, drift)).ln()
        };
        let aa: Vec<f64> = (0..Looks::COUNTS[0]).map(|_| pair(rng, 1.0)).collect();
        let floor = if use_floor { floor(&aa) } else { 0.0 };
        let mut d: Vec<f64> = Vec::new();
        for n in Looks::COUNTS {
            while d.len() < n {
                d.push(pair(rng, effect));
            }
            // The judged interval alone is what the stated rate speaks of; the floor and the other interval only add to it.
            let v = if use_floor {
                look(&d, floor).verdict
            } else {
                match exact(&d, Looks::alpha()) {
                    i if i.hi < 0.0 => Verdict::Go,
                    i if i.lo > 0.0 => Verdict::NoGo,
                    _ => Verdict::Undecided,
                }
            };
            if v != Verdict::Undecided {
                return v;
            }
        }
        Verdict::Undecided
    }

    #[test]
    fn a_against_a_keeps_the_stated_rate() {
        let mut rng = Rng(2024);
        let mut wrong = |rows: u32, floor| {
            let judged = |_: &u32| run_row(&mut rng, 1.0, floor) != Verdict::Undecided;
            (0..rows).filter(judged).count()
        };
        // Without the floor the bound must hold by the exact intervals alone: at most 80 expected, and the standard
        // error of that is 9.
        let bare = wrong(4000, false);
        assert!(bare <= 98, "{bare} of 4000 rows judged without a floor");
        let whole = wrong(150, true);
        assert!(whole <= 2, "{whole} of 150 rows judged with the floor");
    }

    /// Memory comes in pages, and most blocks of a row have as many as the one before: ties are the rule. An interval from
    /// ranks only gets wider by them.
    #[test]
    fn pages_that_are_mostly_the_same_keep_the_stated_rate() {
        let mut rng = Rng(77);
        // Of 750 pages, now and then the kernel's counters lag behind by up to a batch of 64; sometimes they never do.
        let mut pages = |share: f64| {
            let lag = if rng.unit() < share { rng.below(64) } else { 0 };
            (750 + lag) as f64
        };
        for share in [0.02, 0.2, 0.6, 1.0] {
            let wrong = (0..600).filter(|_| {
                let mut pair = || (pages(share) / pages(share)).ln();
                let mut d: Vec<f64> = Vec::new();
                Looks::COUNTS.into_iter().any(|n| {
                    d.extend((d.len()..n).map(|_| pair()));
                    look(&d, 0.0).verdict != Verdict::Undecided
                })
            });
            let wrong = wrong.count();
            // 12 are expected at most, with a standard error of 3.5.
            assert!(
                wrong <= 19,
                "{wrong} of 600 rows judged where {share} of the blocks lag"
            );
        }
    }

    #[test]
    fn effects_are_found_with_the_right_sign() {
        let mut rng = Rng(99);
        for (effect, want, wrong) in [(1.10, Verdict::NoGo, Verdict::Go), (0.90, Verdict::Go, Verdict::NoGo)] {
            let got: Vec<Verdict> = (0..40).map(|_| run_row(&mut rng, effect, true)).collect();
            assert!(!got.contains(&wrong), "a 10 % effect with the wrong sign");
            let found = got.iter().filter(|v| **v == want).count();
            assert!(found >= 24, "10 % found in {found} of 40 rows");
        }
    }

    #[test]
    fn shuffles_reach_every_order_evenly() {
        let mut rng = Rng(5);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let mut v = [0, 1, 2];
            rng.shuffle(&mut v);
            *seen.entry(v).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|n| (850..1150).contains(n)), "{seen:?}");
    }
}
