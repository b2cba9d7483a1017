//! Band by band: the classes that fit best, and whether they fit what they were not made from.

use super::choice::{Candidate, choose};
use super::demand::{Demand, GRANULE};
use super::strides::{Price, Strides};
use crate::stats::Rng;

/// Stretches into which a trace is cut, each of which judges or is fitted to.
pub const BLOCKS: usize = 16;
/// Parts of a stretch, of which is known what is live in them.
pub const PARTS: usize = 8;
/// Up to here every multiple of [`GRANULE`] is worth a class; bands begin above.
const FINE: u32 = 128;
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

/// Which stretch of which trace.
pub type Unit = (usize, usize);

/// All stretches of so many traces.
pub fn units(traces: usize) -> Vec<Unit> {
    (0..traces)
        .flat_map(|trace| (0..BLOCKS).map(move |block| (trace, block)))
        .collect()
}

/// In which trial a stretch is judged: the halves of one trace judge each other, and of several each is judged by itself.
pub fn fold(traces: usize, (trace, block): Unit) -> usize {
    if traces > 1 {
        trace
    } else {
        usize::from(block >= BLOCKS / 2)
    }
}

/// Trials.
pub fn folds(traces: usize) -> usize {
    traces.max(2)
}

/// What one band of classes wastes, on average over all stretches: as [`slack`].
pub fn band_slack(demands: &[Demand], band: &[u32], low: u32) -> f64 {
    let high = band.last().copied().unwrap_or(low);
    let mut sum = 0.0;
    for demand in demands {
        let all: Vec<usize> = (0..demand.blocks).collect();
        for (size, live) in demand.mean(low, high, &all) {
            let class = band[band.partition_point(|&class| class < size)];
            sum += live.objects * f64::from(class) - live.bytes;
        }
    }
    sum / demands.len().max(1) as f64
}

/// What objects count that live at different times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Each counts for as long as it is live.
    Live,
    /// A class counts as many as were ever live together so far: it keeps the runs of its highest point.
    Held,
}

/// The classes of each band that fit some stretches best, at so many times the price of a class. The first band is the base's
/// classes below all others, as they are.
pub fn ladder(
    demands: &[Demand],
    base: &[u32],
    strides: &Strides,
    units: &[Unit],
    weight: Weight,
    price: f64,
) -> Vec<Vec<u32>> {
    let ends = ends(base);
    let first = ends.first().copied().unwrap_or(0);
    let fitted = ends.iter().zip(ends.iter().skip(1)).map(|(&low, &high)| {
        Search {
            demands,
            strides,
            low,
            high,
        }
        .fitted(units, weight, price)
    });
    std::iter::once(within(base, 0, first)).chain(fitted).collect()
}

/// The same bands of the base.
pub fn rungs(base: &[u32]) -> Vec<Vec<u32>> {
    let ends = ends(base);
    let first = ends.first().copied().unwrap_or(0);
    let others = ends
        .iter()
        .zip(ends.iter().skip(1))
        .map(|(&low, &high)| within(base, low, high));
    std::iter::once(within(base, 0, first)).chain(others).collect()
}

fn within(base: &[u32], low: u32, high: u32) -> Vec<u32> {
    base.iter()
        .copied()
        .filter(|&size| low < size && size <= high)
        .collect()
}

/// Bytes of live objects of classes that nobody asked for, on average over some stretches: the ends of objects. Neither the ends
/// of runs are in it, nor what the classes cost beside their objects.
pub fn slack(demands: &[Demand], classes: &[u32], units: &[Unit]) -> f64 {
    let mut sum = 0.0;
    for &(trace, block) in units {
        let mut at = 0;
        for (size, live) in demands[trace].mean(0, u32::MAX - 1, &demands[trace].parts(block)) {
            while classes.get(at).is_some_and(|&class| class < size) {
                at += 1;
            }
            if let Some(&class) = classes.get(at) {
                sum += live.objects * f64::from(class) - live.bytes;
            }
        }
    }
    sum / units.len().max(1) as f64
}

/// The classes of one band, as indices into its candidates.
struct Search<'a> {
    demands: &'a [Demand],
    strides: &'a Strides,
    low: u32,
    high: u32,
}

impl Search<'_> {
    /// What classes the band could have, for what is live in some stretches, and how many of these belong together.
    fn candidates(&self, units: &[Unit], weight: Weight, factor: f64) -> (Vec<Candidate>, usize) {
        let parts: Vec<(usize, usize)> = units
            .iter()
            .flat_map(|&(trace, block)| {
                self.demands[trace]
                    .parts(block)
                    .into_iter()
                    .map(move |part| (trace, part))
            })
            .collect();
        let stretches = match weight {
            Weight::Live => 1,
            Weight::Held => parts.len(),
        };
        let mut all: Vec<Candidate> = (self.low / GRANULE + 1..=self.high / GRANULE)
            .map(|n| n * GRANULE)
            .map(|size| (size, self.strides.price(size)))
            .map(|(size, price)| Candidate {
                size,
                stride: self.strides.stride(size),
                price: Price {
                    idle: factor * price.idle,
                    used: factor * price.used,
                },
                forced: self.demands.iter().any(|d| d.aligned.contains(&size)),
                live: vec![0.0; stretches],
            })
            .collect();
        for (trace, demand) in self.demands.iter().enumerate() {
            for (size, live) in demand.sizes.range(self.low + 1..=self.high) {
                let candidate = &mut all[((size - self.low) / GRANULE - 1) as usize];
                for (index, _) in parts.iter().enumerate().filter(|(_, part)| part.0 == trace) {
                    let objects = live[parts[index].1].objects;
                    match weight {
                        Weight::Live => candidate.live[0] += objects / parts.len() as f64,
                        Weight::Held => candidate.live[index] += objects,
                    }
                }
            }
        }
        let mine = |trace| parts.iter().filter(|part| part.0 == trace).count();
        let chunk = parts.first().map_or(1, |part| mine(part.0));
        (all, chunk)
    }

    fn fitted(&self, units: &[Unit], weight: Weight, factor: f64) -> Vec<u32> {
        let (all, chunk) = self.candidates(units, weight, factor);
        choose(&all, self.low, chunk).into_iter().map(|j| all[j].size).collect()
    }

    /// Bytes that classes take in one stretch, their prices included, and those that were asked for.
    fn taken(&self, classes: &[u32], (trace, block): Unit) -> (f64, f64) {
        let demand = &self.demands[trace];
        let all = demand.mean(self.low, self.high, &demand.parts(block));
        let asked = all.iter().map(|(_, live)| live.bytes).sum();
        let mut sizes = all.into_iter().peekable();
        let mut taken = 0.0;
        for &class in classes {
            let mut objects = 0.0;
            while let Some((_, live)) = sizes.next_if(|(size, _)| *size <= class) {
                objects += live.objects;
            }
            let price = self.strides.price(class);
            taken += objects * self.strides.stride(class) + price.idle + if objects > 0.0 { price.used } else { 0.0 };
        }
        (taken, asked)
    }

    /// Their mean over some stretches.
    fn mean(&self, classes: &[u32], units: &[Unit]) -> (f64, f64) {
        let n = units.len().max(1) as f64;
        units
            .iter()
            .map(|&u| self.taken(classes, u))
            .fold((0.0, 0.0), |sum, one| (sum.0 + one.0 / n, sum.1 + one.1 / n))
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

/// The ends of bands: of the base's classes the largest up to each power of two.
fn ends(base: &[u32]) -> Vec<u32> {
    let mut ends: Vec<u32> = (FINE.trailing_zeros()..=20)
        .filter_map(|log| base.iter().copied().rfind(|&size| size <= 1 << log))
        .collect();
    ends.dedup();
    ends
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
    use crate::fit::strides;
    use crate::trace::{Call, Event, Trace};
    use std::path::Path;

    fn base() -> (Vec<u32>, Strides) {
        let plan = hz3_config::load(Path::new("hz3:default")).expect("a preset");
        let all = strides(&plan, "hz3:default", 1).expect("default allows other classes");
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
            32768,
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
