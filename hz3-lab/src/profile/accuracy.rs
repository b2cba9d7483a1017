//! How far a sampled profile is from the exact one of the same run.

use super::{Estimate, Profile, Row, Which, distance};
use std::collections::BTreeMap;

/// The 95 % point of Kolmogorov's distribution.
const KOLMOGOROV: f64 = 1.358;

/// One kind of rows.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Apart {
    /// Bytes that were estimated.
    pub bytes: Estimate,
    /// Bytes that there were.
    pub exact_bytes: f64,
    /// How much more was estimated, as a share of what there was.
    pub apart: f64,
    /// Kolmogorov distance of objects by size.
    pub distance: f64,
    /// What chance alone keeps this distance below in 95 % of cases.
    pub by_chance: f64,
    /// The same of bytes by the size of their objects.
    pub bytes_distance: f64,
}

/// A profile beside the exact one.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Accuracy {
    /// What is in use.
    pub in_use: Apart,
    /// All that was allocated.
    pub allocated: Apart,
}

/// The 95 % point of Kolmogorov's distribution, for as many equal samples as these are worth: small objects are seldom seen
/// and stand for many, so that they are worth less than their number.
fn by_chance<'a>(rows: impl Iterator<Item = &'a Row>) -> f64 {
    let (mut objects, mut squares) = (0.0, 0.0);
    for row in rows {
        let n = row.objects as f64;
        objects += n;
        squares += row.variance(n);
    }
    if objects > 0.0 {
        (KOLMOGOROV * squares.sqrt() / objects).min(1.0)
    } else {
        1.0
    }
}

impl Profile {
    /// Compares this profile with the exact one of the same run, taken at the same moment.
    pub fn against(&self, exact: &Profile) -> Accuracy {
        let of = |which| {
            let bytes = self.estimate(self.rows(which), |row| row.bytes as f64);
            let exact_bytes: f64 = exact.rows(which).map(|row| row.bytes as f64).sum();
            let objects = |profile: &Profile| -> BTreeMap<u64, f64> {
                let sizes = profile.sizes(which).into_iter();
                sizes.map(|(size, n)| (size, n as f64)).collect()
            };
            let bytes_of = |profile: &Profile| -> BTreeMap<u64, f64> {
                let mut sizes = BTreeMap::new();
                for row in profile.rows(which) {
                    *sizes.entry(row.size).or_insert(0.0) += row.bytes as f64;
                }
                sizes
            };
            Apart {
                bytes,
                exact_bytes,
                apart: if exact_bytes > 0.0 {
                    bytes.value / exact_bytes - 1.0
                } else {
                    0.0
                },
                distance: distance(&objects(self), &objects(exact)),
                by_chance: by_chance(self.rows(which)),
                bytes_distance: distance(&bytes_of(self), &bytes_of(exact)),
            }
        };
        Accuracy {
            in_use: of(Which::InUse),
            allocated: of(Which::Allocated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Level, Moment};
    use crate::stats::Rng;
    use crate::trace::{Call, Event, Trace};

    #[test]
    fn a_sampled_profile_is_as_near_as_chance_lets_it_be() {
        let mut rng = Rng(2);
        let mut events = Vec::new();
        for made in 0..40_000u32 {
            let call = Call::Malloc(1 << (4 + rng.below(7)));
            events.push(Event { thread: 0, call });
            if made >= 10_000 {
                let call = Call::Free(made - 10_000);
                events.push(Event { thread: 0, call });
            }
        }
        let trace = Trace {
            events,
            ..Trace::default()
        };
        let exact = Profile::of_trace(&trace, Moment::End);
        let itself = exact.against(&exact);
        assert_eq!(
            (itself.in_use.apart, itself.in_use.distance, itself.in_use.by_chance),
            (0.0, 0.0, 0.0)
        );
        let (mut beyond, mut wide) = (0, 0);
        for _ in 0..40 {
            let mut sampled = Profile {
                level: Level::All,
                period: 2000,
                rows: Vec::new(),
                ..exact.clone()
            };
            for row in &exact.rows {
                let chance = 1.0 - (-(row.size as f64) / 2000.0).exp();
                let seen = (0..row.samples).filter(|_| (rng.below(1 << 24) as f64) < chance * f64::from(1 << 24));
                let seen = seen.count() as u64;
                let objects = (seen as f64 / chance).round() as u64;
                sampled.rows.extend((seen > 0).then_some(Row {
                    objects,
                    bytes: objects * row.size,
                    samples: seen,
                    ..*row
                }));
            }
            let one = sampled.against(&exact).allocated;
            beyond += u32::from(one.distance > one.by_chance);
            wide += u32::from(one.by_chance > 0.1 || one.apart.abs() > 0.05 || one.bytes_distance > 0.05);
        }
        assert!(beyond <= 6 && wide == 0, "{beyond} of 40 beyond, {wide} wide");
    }
}
