//! The classes of each band of sizes that fit best some stretches of what programs keep alive, and what classes waste there.

use super::choice::{Candidate, choose};
use super::demand::{Demand, FINEST, GRANULE};
use super::strides::{Price, Strides};
use super::trials::Unit;

/// Up to here every multiple of the granule is worth a class; bands begin above.
const FINE: u32 = 128;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Each counts for as long as it is live.
    Live,
    /// A class counts as many as were ever live together so far: it keeps the runs of its highest point.
    Held,
}

/// The classes of each band that fit some stretches best, at so many times the price of a class. The first band is the base's
/// classes below all others, as they are, or all multiples of [`FINEST`] where that is the granule.
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
    let below = match strides.granule {
        FINEST => (GRANULE..=first).step_by(FINEST as usize).collect(),
        _ => within(base, 0, first),
    };
    std::iter::once(below).chain(fitted).collect()
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

/// The classes of the base above `low` and up to `high`.
pub fn within(base: &[u32], low: u32, high: u32) -> Vec<u32> {
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

/// Sizes above `low` and up to `high`, for which classes are chosen.
pub struct Search<'a> {
    /// What is kept alive.
    pub demands: &'a [Demand],
    /// What classes cost.
    pub strides: &'a Strides,
    /// Sizes above this
    pub low: u32,
    /// and up to this.
    pub high: u32,
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
        let granule = self.strides.granule;
        let mut all: Vec<Candidate> = (self.low / granule + 1..=self.high / granule)
            .map(|n| n * granule)
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
                let candidate = &mut all[((size - self.low) / granule - 1) as usize];
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

    /// The classes that fit some stretches best, at so many times the price of a class.
    pub fn fitted(&self, units: &[Unit], weight: Weight, factor: f64) -> Vec<u32> {
        let (all, chunk) = self.candidates(units, weight, factor);
        choose(&all, self.low, chunk).into_iter().map(|j| all[j].size).collect()
    }

    /// Bytes that classes take in one stretch, their prices included, and those that were asked for.
    pub fn taken(&self, classes: &[u32], (trace, block): Unit) -> (f64, f64) {
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
    pub fn mean(&self, classes: &[u32], units: &[Unit]) -> (f64, f64) {
        let n = units.len().max(1) as f64;
        units
            .iter()
            .map(|&u| self.taken(classes, u))
            .fold((0.0, 0.0), |sum, one| (sum.0 + one.0 / n, sum.1 + one.1 / n))
    }
}

/// The ends of bands: of the base's classes the largest up to each power of two.
pub fn ends(base: &[u32]) -> Vec<u32> {
    let mut ends: Vec<u32> = (FINE.trailing_zeros()..=20)
        .filter_map(|log| base.iter().copied().rfind(|&size| size <= 1 << log))
        .collect();
    ends.dedup();
    ends
}
