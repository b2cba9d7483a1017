//! How sure a figure is that was estimated from samples, and how far two distributions are apart.
//!
//! Each object is sampled by itself, with the chance `p` that [`Row::chance`] says, and stands for `1 / p` objects. So a
//! sum over sampled objects, each with the value `v` (already divided by `p`), has the variance Σ `v²(1 - p)`. Objects much
//! larger than the period are seen for certain and add none. The interval is that of Fay and Feuer (1997): a sum that varies
//! like this is much like a scaled Poisson count of `value² / variance` samples, whose exact interval it takes. Unlike
//! `value ± 1.96 σ` it also holds for a handful of samples, and never reaches below 0.
//!
//! The interval is about the chance of sampling only. A bias of the level is not in it.

use super::{Profile, Row};
use std::collections::BTreeMap;

/// The normal distribution's quantile of 97.5 %.
const Z: f64 = 1.959_964;

/// A sum over rows, with the interval that holds the true one with a probability of 95 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Objects that were seen.
    pub samples: u64,
}

impl Estimate {
    /// Of a value that may be negative, as far as chance is like that of the normal distribution.
    pub(super) fn around(value: f64, variance: f64, samples: u64) -> Self {
        let reach = Z * variance.sqrt();
        Self {
            value,
            low: value - reach,
            high: value + reach,
            samples,
        }
    }

    /// Of a value with a variance; `largest` is the value of one sample, for the case that there was none.
    fn new(value: f64, variance: f64, samples: u64, largest: f64) -> Self {
        if variance <= 0.0 {
            return Self {
                value,
                low: value,
                high: value,
                samples,
            };
        }
        let like = value * value / variance;
        // One more sample of the largest value could be near: it belongs to the upper end.
        let above = (value + largest).powi(2) / (variance + largest * largest);
        Self {
            value,
            low: value * gamma(like, -Z) / like,
            high: (value + largest) * gamma(above, Z) / above,
            samples,
        }
    }
}

/// A quantile of the gamma distribution with shape `n` (Wilson and Hilferty): half of chi-squared with `2n` degrees of freedom.
fn gamma(n: f64, z: f64) -> f64 {
    let root = 1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt());
    n * root.max(0.0).powi(3)
}

impl Row {
    /// What its objects add to the variance of a sum, if all of them together are worth `value` in it.
    pub(super) fn variance(&self, value: f64) -> f64 {
        value * value / self.samples.max(1) as f64 * (1.0 - self.chance())
    }
}

impl Profile {
    /// The sum of a value over rows. `of` says what all objects of a row are worth together.
    pub fn estimate<'a>(&self, rows: impl Iterator<Item = &'a Row>, of: impl Fn(&Row) -> f64) -> Estimate {
        let (mut value, mut variance, mut samples, mut largest) = (0.0, 0.0, 0u64, 0.0f64);
        for row in rows {
            let v = of(row);
            value += v;
            variance += row.variance(v);
            samples += row.samples;
            if row.chance() < 1.0 {
                largest = largest.max(v / row.samples.max(1) as f64);
            }
        }
        Estimate::new(value, variance, samples, largest)
    }
}

/// The Kolmogorov distance of two distributions: the largest difference of their shares up to a value. 1 if one of them has
/// nothing and the other has something.
pub fn distance<N: Copy + Into<f64>>(a: &BTreeMap<u64, N>, b: &BTreeMap<u64, N>) -> f64 {
    let sum = |map: &BTreeMap<u64, N>| map.values().map(|&n| n.into()).sum::<f64>();
    let (whole_a, whole_b) = (sum(a), sum(b));
    if whole_a <= 0.0 || whole_b <= 0.0 {
        return if whole_a == whole_b { 0.0 } else { 1.0 };
    }
    let mut steps: BTreeMap<u64, f64> = BTreeMap::new();
    for (map, scale) in [(a, 1.0 / whole_a), (b, -1.0 / whole_b)] {
        for (&at, &n) in map {
            *steps.entry(at).or_insert(0.0) += scale * n.into();
        }
    }
    let mut apart = 0.0f64;
    let mut worst = 0.0f64;
    for step in steps.values() {
        apart += step;
        worst = worst.max(apart.abs());
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{ALIGN, Level};
    use crate::stats::Rng;

    fn row(size: u64, objects: u64, samples: u64) -> Row {
        Row {
            size,
            align: ALIGN,
            stack: 0,
            thread: 1,
            born: 0,
            ended: None,
            objects,
            bytes: size * objects,
            samples,
            lived: 0.0,
        }
    }

    #[test]
    fn what_is_exact_is_certain() {
        let profile = Profile::new(Level::Exact);
        let rows = [row(100, 3, 3), row(7, 1, 1)];
        let sum = profile.estimate(rows.iter(), |row| row.bytes as f64);
        assert_eq!((sum.low, sum.value, sum.high, sum.samples), (307.0, 307.0, 307.0, 4));
        let nothing = profile.estimate(rows[..0].iter(), |row| row.bytes as f64);
        assert_eq!(nothing, Estimate::default());
    }

    #[test]
    fn the_interval_of_a_count_is_that_of_poisson() {
        // Small objects: hardly any is seen, so that the number of samples is Poisson's.
        let mut profile = Profile::new(Level::All);
        profile.period = 1 << 40;
        for (seen, low, high) in [(1, 0.0253, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.6)] {
            let sum = profile.estimate([row(64, seen * 1000, seen)].iter(), |row| row.objects as f64);
            let near = |a: f64, b: f64| (a / b - 1.0).abs() < 0.02 || (a - b).abs() < 0.03;
            assert!(
                near(sum.low / 1000.0, low) && near(sum.high / 1000.0, high),
                "{seen}: {sum:?}"
            );
        }
    }

    #[test]
    fn intervals_hold_what_they_promise() {
        let mut rng = Rng(9);
        let mut profile = Profile::new(Level::All);
        profile.period = 4096;
        let sizes = [16u64, 200, 3000, 50_000];
        let (mut held, runs) = (0, 500);
        for _ in 0..runs {
            let mut rows = Vec::new();
            let mut truth = 0.0;
            for size in sizes {
                let chance = 1.0 - (-(size as f64) / 4096.0).exp();
                let seen = (0..200)
                    .filter(|_| (rng.below(1 << 20) as f64) < chance * f64::from(1 << 20))
                    .count() as u64;
                truth += 200.0 * size as f64;
                if seen > 0 {
                    rows.push(row(size, (seen as f64 / chance).round() as u64, seen));
                }
            }
            let sum = profile.estimate(rows.iter(), |row| row.bytes as f64);
            held += u64::from(sum.low <= truth && truth <= sum.high);
        }
        let share = held as f64 / f64::from(runs);
        assert!(share >= 0.93, "{share}");
    }

    #[test]
    fn distances() {
        let map = |pairs: &[(u64, u32)]| pairs.iter().copied().collect::<BTreeMap<u64, u32>>();
        assert_eq!(distance(&map(&[(1, 1), (5, 1)]), &map(&[(1, 10), (5, 10)])), 0.0);
        assert_eq!(distance(&map(&[(1, 1)]), &map(&[(2, 1)])), 1.0);
        assert_eq!(distance(&map(&[(1, 1), (2, 1)]), &map(&[(2, 1), (3, 1)])), 0.5);
        assert_eq!(distance(&map(&[]), &map(&[(2, 1)])), 1.0);
        assert_eq!(distance(&map(&[]), &map(&[])), 0.0);
    }
}
