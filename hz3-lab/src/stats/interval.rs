//! Intervals around the centre of a handful of samples. Neither draws a random number: the same samples give the same
//! interval, and its error is no accident of a seed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// An interval of log ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

impl Interval {
    /// What is said when too few samples say nothing.
    pub const EVERYTHING: Self = Self {
        lo: f64::NEG_INFINITY,
        hi: f64::INFINITY,
    };

    /// The least interval that holds both.
    pub fn hull(self, other: Self) -> Self {
        Self {
            lo: self.lo.min(other.lo),
            hi: self.hi.max(other.hi),
        }
    }
}

/// The interval of the median that holds it with probability `level`, from order statistics; everything, if there are too
/// few samples for that (fewer than six at 95 %).
///
/// The k-th sample from below and the k-th from above enclose the median of any distribution with a probability that is
/// exact, and that jumps with k: of 13 samples, 97.8 % for the third and 90.8 % for the fourth. Between two neighbours
/// it is interpolated as Hettmansperger and Sheather do (1986), which keeps what is stated within half a percent for any
/// number of samples and for all distributions that the tests try.
pub fn median_interval(samples: &[f64], level: f64) -> Interval {
    let n = samples.len();
    let Some((k, inward)) = order(n, level) else {
        return Interval::EVERYTHING;
    };
    let mut v = samples.to_vec();
    v.sort_by(f64::total_cmp);
    let between = |outer: f64, inner: f64| outer + inward * (inner - outer);
    if inward == 0.0 {
        return Interval {
            lo: v[k - 1],
            hi: v[n - k],
        };
    }
    Interval {
        lo: between(v[k - 1], v[k]),
        hi: between(v[n - k], v[n - k - 1]),
    }
}

/// Which sample from each end is the outer one (counted from 1), and how far to go from it to its inner neighbour.
fn order(n: usize, level: f64) -> Option<(usize, f64)> {
    // inside(k): probability that the k-th from each end enclose the median.
    let mut share = 0.5f64.powi(i32::try_from(n).ok()?);
    let (mut below, mut k, mut inside) = (share, 1, 1.0 - 2.0 * share);
    if n < 2 || inside < level {
        return None;
    }
    while 2 * (k + 1) <= n {
        share *= (n - k + 1) as f64 / k as f64;
        below += share;
        let next = 1.0 - 2.0 * below;
        if next < level {
            let part = (inside - level) / (inside - next);
            let (outer, rest) = (k as f64, (n - k) as f64);
            return Some((k, rest * part / (outer + (rest - outer) * part)));
        }
        (k, inside) = (k + 1, next);
    }
    Some((k, 0.0))
}

/// The signed-rank interval that misses the centre of a symmetric distribution with a probability of at most `alpha`;
/// everything, if there are too few samples for that.
pub fn exact(samples: &[f64], alpha: f64) -> Interval {
    let n = samples.len();
    let k = cut(n, alpha);
    if k == 0 {
        return Interval::EVERYTHING;
    }
    let mut means = Vec::with_capacity(n * (n + 1) / 2);
    for i in 0..n {
        for j in i..n {
            means.push((samples[i] + samples[j]) / 2.0);
        }
    }
    means.sort_by(f64::total_cmp);
    Interval {
        lo: means[k - 1],
        hi: means[means.len() - k],
    }
}

/// How many means of pairs may be cut off at each end: the largest `k` with `2 P(T < k) <= alpha`, where `T` is the sum of
/// a random subset of the ranks `1..=n`.
fn cut(n: usize, alpha: f64) -> usize {
    // The looks ask for the same few values again and again.
    static KNOWN: Mutex<BTreeMap<(usize, u64), usize>> = Mutex::new(BTreeMap::new());
    // A panic elsewhere leaves no half of an entry.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *known.entry((n, alpha.to_bits())).or_insert_with(|| cut_of(n, alpha))
}

fn cut_of(n: usize, alpha: f64) -> usize {
    let most = n * (n + 1) / 2;
    // ways[t]: share of the 2^n subsets whose sum is t.
    let mut ways = vec![0.0f64; most + 1];
    ways[0] = 1.0;
    for rank in 1..=n {
        for t in (0..=most).rev() {
            let with = if t >= rank { ways[t - rank] } else { 0.0 };
            ways[t] = (ways[t] + with) / 2.0;
        }
    }
    let mut below = 0.0;
    for (k, share) in ways.iter().enumerate() {
        below += share;
        if 2.0 * below > alpha {
            return k;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::super::{Looks, Rng, tests::normal};
    use super::*;

    #[test]
    fn signed_rank_cuts_against_the_printed_tables() {
        // Critical values of Wilcoxon's T, two-sided, as every book of tables has them; the cut is one more.
        for (n, alpha, t) in [
            (6, 0.05, 0),
            (10, 0.05, 8),
            (20, 0.05, 52),
            (25, 0.05, 89),
            (10, 0.01, 3),
            (20, 0.01, 37),
        ] {
            assert_eq!(cut_of(n, alpha), t + 1, "n = {n}, alpha = {alpha}");
        }
        assert_eq!((cut(8, Looks::alpha()), cut(9, Looks::alpha())), (0, 1));
    }

    #[test]
    fn intervals_of_few_samples() {
        let v: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(exact(&v, Looks::alpha()), Interval { lo: 1.0, hi: 9.0 });
        assert_eq!(exact(&v[..8], Looks::alpha()).hi, f64::INFINITY);
        assert_eq!(exact(&[], 0.05).lo, f64::NEG_INFINITY);
        // Six values at 5 %: nothing is cut but the ends themselves.
        assert_eq!(
            exact(&[5.0, 1.0, 2.0, 3.0, 4.0, 9.0], 0.05),
            Interval { lo: 1.0, hi: 9.0 }
        );
        for n in 0..6 {
            assert_eq!(median_interval(&v[..n], 0.95), Interval::EVERYTHING, "{n} samples");
        }
    }

    #[test]
    fn the_median_lies_between_the_order_statistics_that_tables_name() {
        // Outer sample, and whether its inner neighbour would be too much: Conover's tables for the sign test.
        for (n, outer) in [(6, 1), (9, 2), (13, 3), (18, 5), (26, 8), (40, 14)] {
            let (k, inward) = order(n, 0.95).unwrap();
            assert_eq!(k, outer, "n = {n}");
            assert!((0.0..1.0).contains(&inward), "n = {n}: {inward}");
        }
        let v: Vec<f64> = (1..=9).map(f64::from).collect();
        let i = median_interval(&v, 0.95);
        assert!(
            (2.0..3.0).contains(&i.lo) && (7.0..=8.0).contains(&i.hi) && (i.lo + i.hi - 10.0).abs() < 1e-9,
            "{i:?}"
        );
        // At the level that order statistics have by themselves there is nothing between.
        let whole = median_interval(&v, 1.0 - 2.0 * 10.0 / 512.0);
        assert!(
            (whole.lo - 2.0).abs() < 1e-9 && (whole.hi - 8.0).abs() < 1e-9,
            "{whole:?}"
        );
    }

    /// One sample of a sort of noise.
    type Draw = fn(&mut Rng) -> f64;

    /// Samples whose median is 0, from sorts of noise that have little in common.
    const NOISE: [(&str, Draw); 6] = [
        ("normal", normal),
        ("flat", |r| r.unit() - 0.5),
        ("pointed", |r| (2.0 * r.unit() - 1.0).signum() * r.unit().ln()),
        ("without a mean", |r| (std::f64::consts::PI * (r.unit() - 0.5)).tan()),
        ("skewed", |r| -r.unit().ln() - std::f64::consts::LN_2),
        ("times of a busy machine", |r| {
            let drift = r.unit() * 0.2;
            (super::super::tests::noisy(r, drift) / super::super::tests::noisy(r, drift)).ln()
        }),
    ];

    #[test]
    fn what_is_shown_as_95_percent_is_95_percent_for_every_number_of_blocks() {
        const RUNS: usize = 25_000;
        let mut rng = Rng(1986);
        for (name, draw) in NOISE {
            let mut held = [0usize; Looks::LAST + 1];
            for _ in 0..RUNS {
                // One more block after the other, as a comparison gets them; sorted already, for the test's own sake.
                let mut row: Vec<f64> = Vec::with_capacity(Looks::LAST);
                for (n, held) in held.iter_mut().enumerate().skip(1) {
                    let d = draw(&mut rng);
                    row.insert(row.partition_point(|x| *x < d), d);
                    if n >= 6 {
                        let i = median_interval(&row, 0.95);
                        *held += usize::from(i.lo <= 0.0 && 0.0 <= i.hi);
                    }
                }
            }
            for (n, held) in held.iter().enumerate().skip(6) {
                let percent = 100.0 * *held as f64 / RUNS as f64;
                assert!((94.0..=96.0).contains(&percent), "{name}, {n} blocks: {percent:.2} %");
            }
        }
    }
}
