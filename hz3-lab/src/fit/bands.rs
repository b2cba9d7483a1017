//! Band by band: the classes that fit best, and whether they fit what they were not made from.

use super::demand::Demand;
use super::ladder::{Search, Weight, ends, within};
use super::strides::Strides;
use super::trials::{BLOCKS, Unit, fold, folds, units};
use crate::stats::Rng;

/// Resamples for an interval.
const RESAMPLES: usize = 4000;
/// Share of all live bytes that a band has to save at least, to be worth a line of a config.
const WORTH: f64 = 0.001;
/// Bytes that all bands together have to save at least: nobody sees less.
const SEEN: f64 = 65536.0;
/// Times the price of a class, for the curve.
const FACTORS: [f64; 6] = [0.0, 0.25, 1.0, 4.0, 16.0, 64.0];

/// What classes save on stretches of time that they were not made from, in bytes on average over time.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Judged {
    /// Saved bytes.
    pub saved: f64,
    /// With a probability of 90 % it is more than this
    pub low: f64,
    /// and less than this.
    pub high: f64,
}

/// One band of sizes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Band {
    /// Sizes above this many bytes
    pub low: u32,
    /// and up to this many.
    pub high: u32,
    /// The classes of the config that was started from.
    pub base: Vec<u32>,
    /// The classes that fit best.
    pub fitted: Vec<u32>,
    /// Live bytes that were asked for, on average over time.
    pub asked: f64,
    /// Bytes that the base's classes take beyond them, all that they cost included.
    pub base_slack: f64,
    /// Bytes that the fitted classes take beyond them.
    pub fitted_slack: f64,
    /// What the fit is worth elsewhere.
    pub judged: Judged,
    /// Whether that holds wherever it was judged.
    pub taken: bool,
}

/// A point of the curve of price against waste.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Point {
    /// Times the price of a class.
    pub price: f64,
    /// Classes.
    pub classes: usize,
    /// Bytes that they take beyond what was asked for, at their true price.
    pub slack: f64,
}

/// The classes that fit.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Fit {
    /// The base's classes below all bands.
    pub below: Vec<u32>,
    /// The bands, rising.
    pub bands: Vec<Band>,
    /// Live bytes of all classes, on average over time.
    pub asked: f64,
    /// Bytes that the base's classes take beyond them, all bands and what is below.
    pub base_slack: f64,
    /// What all the bands that are taken save elsewhere.
    pub judged: Judged,
    /// How fewer or more classes would do, where nothing is judged.
    pub curve: Vec<Point>,
}

impl Fit {
    /// Whether any band is better than the base's.
    pub fn changes(&self) -> bool {
        self.bands.iter().any(|band| band.taken)
    }
}

/// The 90 % interval of a mean, by resampling.
fn interval(samples: &[f64]) -> (f64, f64) {
    let mut rng = Rng(1);
    let n = samples.len();
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| (0..n).map(|_| samples[rng.below(n)]).sum::<f64>() / n as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    (means[RESAMPLES / 20], means[RESAMPLES - RESAMPLES / 20 - 1])
}

fn judged(samples: &[f64]) -> Judged {
    let (low, high) = interval(samples);
    Judged {
        saved: samples.iter().sum::<f64>() / samples.len() as f64,
        low,
        high,
    }
}

/// Fits classes to what programs keep alive, starting from those of `base` (bytes, rising).
///
/// One trace is judged by its halves: the classes that fit one are judged on the other. Of several traces each is judged by
/// the classes that fit the others. A band is taken if its classes save bytes in each of these trials.
///
/// # Panics
///
/// If there is no demand, or a demand whose stretches are no multiple of [`BLOCKS`].
pub fn fit(demands: &[Demand], base: &[u32], strides: &Strides) -> Fit {
    assert!(!demands.is_empty() && demands.iter().all(|d| d.blocks.is_multiple_of(BLOCKS)));
    let all = units(demands.len());
    let fold = |&unit: &Unit| fold(demands.len(), unit);
    let folds = folds(demands.len());
    let ends = ends(base);
    let first = ends.first().copied().unwrap_or(0);
    let below = within(base, 0, first);
    let search = |low, high| Search {
        demands,
        strides,
        low,
        high,
    };
    let (taken, mut asked) = search(0, first).mean(&below, &all);
    let mut base_slack = taken - asked;
    let mut saved = vec![0.0; all.len()];
    let mut bands = Vec::new();
    // What was asked for is known only when all bands are; so whether they are worth a line is decided below.
    for (&low, &high) in ends.iter().zip(ends.iter().skip(1)) {
        let search = search(low, high);
        let old = within(base, low, high);
        let mut samples = vec![0.0; all.len()];
        let mut everywhere = true;
        for k in 0..folds {
            let (here, elsewhere): (Vec<Unit>, Vec<Unit>) = all.iter().partition(|unit| fold(unit) == k);
            let new = search.fitted(&elsewhere, Weight::Live, 1.0);
            let mut sum = 0.0;
            for unit in here {
                let one = search.taken(&old, unit).0 - search.taken(&new, unit).0;
                samples[unit.0 * BLOCKS + unit.1] = one;
                sum += one;
            }
            everywhere &= sum > 0.0;
        }
        let fitted = search.fitted(&all, Weight::Live, 1.0);
        let (before, wanted) = search.mean(&old, &all);
        let after = search.mean(&fitted, &all).0;
        asked += wanted;
        base_slack += before - wanted;
        let judged = judged(&samples);
        bands.push((
            samples,
            Band {
                low,
                high,
                taken: everywhere && judged.low > 0.0 && fitted != old,
                base: old,
                fitted,
                asked: wanted,
                base_slack: before - wanted,
                fitted_slack: after - wanted,
                judged,
            },
        ));
    }
    for (samples, band) in &mut bands {
        band.taken &= band.judged.saved >= WORTH * asked;
        if band.taken {
            saved.iter_mut().zip(samples).for_each(|(sum, one)| *sum += *one);
        }
    }
    let judged = judged(&saved);
    if judged.low < SEEN {
        bands.iter_mut().for_each(|(_, band)| band.taken = false);
    }
    let curve = FACTORS.map(|factor| {
        let mut point = Point {
            price: factor,
            classes: below.len(),
            slack: taken_below(&search(0, first), &below, &all),
        };
        for (_, band) in &bands {
            let search = search(band.low, band.high);
            let classes = search.fitted(&all, Weight::Live, factor);
            let (taken, asked) = search.mean(&classes, &all);
            point.classes += classes.len();
            point.slack += taken - asked;
        }
        point
    });
    Fit {
        below,
        bands: bands.into_iter().map(|(_, band)| band).collect(),
        asked,
        base_slack,
        judged,
        curve: curve.to_vec(),
    }
}

fn taken_below(search: &Search<'_>, below: &[u32], all: &[Unit]) -> f64 {
    let (taken, asked) = search.mean(below, all);
    taken - asked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{GRANULE, strides};
    use crate::trace::{Call, Event, Trace};
    use std::path::Path;

    fn base() -> (Vec<u32>, Strides) {
        let plan = hz3_config::load(Path::new("hz3:default")).expect("a preset");
        let all = strides(&plan, "hz3:default", 1, GRANULE).expect("default allows other classes");
        (plan.classes.iter().map(|class| class.size).collect(), all)
    }

    /// A program that keeps `n` objects of sizes that `size` gives, and replaces them one by one.
    fn demand(n: u32, events: u32, mut size: impl FnMut(&mut Rng, u32) -> u64) -> Demand {
        let mut rng = Rng(3);
        let mut events_of = Vec::new();
        for made in 0..events {
            if made >= n {
                events_of.push(Call::Free(made - n));
            }
            events_of.push(Call::Malloc(size(&mut rng, made)));
        }
        let events = events_of.into_iter().map(|call| Event { thread: 0, call }).collect();
        Demand::of(
            &Trace {
                events,
                ..Trace::default()
            },
            (32768, GRANULE),
            BLOCKS,
        )
    }

    #[test]
    fn a_program_of_two_sizes_gets_them() {
        let (base, strides) = base();
        let demand = demand(20_000, 200_000, |rng, _| if rng.below(2) == 0 { 1040 } else { 4112 });
        let fit = fit(&[demand], &base, &strides);
        let taken: Vec<_> = fit.bands.iter().filter(|b| b.taken).map(|b| b.low).collect();
        assert_eq!(taken, [1024, 4096]);
        assert!(fit.bands.iter().any(|b| b.fitted.contains(&1040)));
        assert!(
            fit.judged.low > 0.0 && fit.judged.saved > 0.05 * fit.asked,
            "{:?}",
            fit.judged
        );
        assert!(fit.judged.saved < fit.base_slack);
    }

    #[test]
    fn what_does_not_come_again_is_not_fitted() {
        let (base, strides) = base();
        // Other sizes in each half.
        let demand = demand(10_000, 200_000, |rng, n| {
            let half = if n < 100_000 { 0 } else { 1 };
            1025 + (rng.below(8) as u64 * 2 + half) * 60
        });
        let fit = fit(&[demand], &base, &strides);
        for band in &fit.bands {
            assert!(!band.taken || band.judged.low > 0.0, "{band:?}");
        }
        let (low, high) = (fit.bands.iter().map(|b| b.judged.low), fit.judged.high);
        assert!(low.fold(0.0, f64::min) <= 0.0 || high >= 0.0);
    }

    #[test]
    fn a_small_program_keeps_what_it_has() {
        let (base, strides) = base();
        let fit = fit(&[demand(20, 2000, |_, _| 1040)], &base, &strides);
        assert!(!fit.changes(), "{:?}", fit.bands);
    }

    #[test]
    fn several_traces_judge_each_other() {
        let (base, strides) = base();
        let of = |size: u64| demand(10_000, 100_000, move |_, _| size);
        assert!(fit(&[of(1040), of(1040)], &base, &strides).changes());
        // What fits one of them does the other no good, and has a price.
        let strangers = fit(&[of(1040), of(2064)], &base, &strides);
        assert!(!strangers.changes(), "{:?}", strangers.bands);
    }
}
