//! What people want to know of a profile, as figures with their intervals.

use super::{Clock, Ended, Estimate, FreedBy, Level, Profile, Row, Site, Sites, Which};
use crate::trace::size_band;
use std::collections::BTreeMap;

/// Parts of the time that a recording's births are shown in.
const PARTS: u64 = 16;

/// Objects and bytes of some rows.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Sum {
    /// Objects.
    pub objects: Estimate,
    /// Bytes.
    pub bytes: Estimate,
}

/// What one site has.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AtSite {
    /// The site.
    #[serde(flatten)]
    pub site: Site,
    /// What it has.
    #[serde(flatten)]
    pub sum: Sum,
}

/// What objects of a band of sizes, times or threads have.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Band {
    /// The smallest value of the band.
    pub from: u64,
    /// The largest.
    pub to: u64,
    /// Those that are live.
    pub live: Sum,
    /// Those and those that have ended.
    pub all: Sum,
}

/// How objects have ended.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Ends {
    /// All that have.
    pub all: Sum,
    /// Share of the objects of which it is known that another thread freed them.
    pub remote: Estimate,
    /// By lifetime: one band a doubling.
    pub lifetimes: Vec<Band>,
}

/// A profile in figures.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Report {
    /// What was profiled.
    pub command: String,
    /// The config of the variant.
    pub config: String,
    /// What the profile can know.
    pub level: Level,
    /// What times are counted in.
    pub clock: Clock,
    /// How long the program had run.
    pub duration: u64,
    /// Threads that had been started.
    pub threads_started: u64,
    /// Mean bytes between samples.
    pub period: u64,
    /// Objects that were seen.
    pub samples: u64,
    /// Samples that had no room.
    pub dropped: u64,
    /// Live bytes that were counted.
    pub live_bytes: Option<u64>,
    /// Most live bytes that were counted.
    pub peak_live_bytes: Option<u64>,
    /// What is in use.
    pub in_use: Sum,
    /// What was ever allocated. At the level `in-use` only what stayed for a while.
    pub allocated: Sum,
    /// What is in use, by site, the most bytes first.
    pub sites_in_use: Vec<AtSite>,
    /// What was allocated, by site.
    pub sites_allocated: Vec<AtSite>,
    /// By size: four bands a doubling.
    pub sizes: Vec<Band>,
    /// What has ended.
    pub ended: Ends,
    /// By the number of the thread that allocated.
    pub threads: Vec<Band>,
    /// By the time of birth.
    pub births: Vec<Band>,
}

impl Profile {
    fn sum<'a>(&self, rows: impl Iterator<Item = &'a Row> + Clone) -> Sum {
        Sum {
            objects: self.estimate(rows.clone(), |row| row.objects as f64),
            bytes: self.estimate(rows, |row| row.bytes as f64),
        }
    }

    /// Rows by bands: `band` says from where to where a row's goes.
    fn bands<'a>(&self, rows: impl Iterator<Item = &'a Row>, band: impl Fn(&Row) -> (u64, u64)) -> Vec<Band> {
        let mut groups: BTreeMap<(u64, u64), Vec<&Row>> = BTreeMap::new();
        for row in rows {
            groups.entry(band(row)).or_default().push(row);
        }
        groups
            .into_iter()
            .map(|((from, to), rows)| Band {
                from,
                to,
                live: self.sum(rows.iter().copied().filter(|row| row.live())),
                all: self.sum(rows.iter().copied()),
            })
            .collect()
    }

    fn at_sites(&self, sites: &Sites, which: Which, most: usize) -> Vec<AtSite> {
        let bytes = self.by_site(sites, self.rows(which), |row| row.bytes as f64);
        let bytes = bytes.into_iter().take(most);
        let objects: BTreeMap<usize, Estimate> = self
            .by_site(sites, self.rows(which), |row| row.objects as f64)
            .into_iter()
            .collect();
        bytes
            .map(|(site, bytes)| AtSite {
                site: sites.all[site].clone(),
                sum: Sum {
                    objects: objects.get(&site).copied().unwrap_or_default(),
                    bytes,
                },
            })
            .collect()
    }

    /// The profile in figures, with so many sites.
    pub fn report(&self, top: usize) -> Report {
        let sites = self.sites();
        let allocated = if self.level.sees_all() { top } else { 0 };
        Report {
            command: self.command.clone(),
            config: self.config.clone(),
            level: self.level,
            clock: self.clock,
            duration: self.duration,
            threads_started: self.threads,
            period: self.period,
            samples: self.rows.iter().map(|row| row.samples).sum(),
            dropped: self.dropped,
            live_bytes: self.live_bytes,
            peak_live_bytes: self.peak_live_bytes,
            in_use: self.sum(self.rows(Which::InUse)),
            allocated: self.sum(self.rows(Which::Allocated)),
            sites_in_use: self.at_sites(&sites, Which::InUse, top),
            sites_allocated: self.at_sites(&sites, Which::Allocated, allocated),
            sizes: self.bands(self.rows.iter(), |row| {
                let (_, from, to) = size_band(row.size);
                (from, to)
            }),
            ended: self.ends(),
            threads: self.bands(self.rows.iter(), |row| (row.thread, row.thread)),
            births: self.bands(self.rows.iter(), |row| self.birth_band(row.born)),
        }
    }

    fn ends(&self) -> Ends {
        let ended = || self.rows.iter().filter(|row| !row.live());
        let by = |row: &&Row, who| matches!(row.ended, Some(Ended { freed_by: Some(by), .. }) if by == who);
        let of = |who| self.estimate(ended().filter(|row| by(row, who)), |row| row.objects as f64);
        Ends {
            all: self.sum(ended()),
            remote: part(of(FreedBy::Other), of(FreedBy::Same)),
            lifetimes: self.bands(ended(), |row| doubling(row.ended.map_or(0, |ended| ended.lifetime))),
        }
    }

    /// A recording knows births by equal parts of its time. Those of an allocator are known by powers of two.
    fn birth_band(&self, born: u64) -> (u64, u64) {
        match self.clock {
            Clock::Nanoseconds => doubling(born),
            Clock::Events => {
                let part = self.duration.div_ceil(PARTS).max(1);
                let from = born / part * part;
                (from, ((from + part).min(self.duration.max(1)) - 1).max(from))
            }
        }
    }
}

/// The share that one of two sums has: their chances are independent.
fn part(one: Estimate, other: Estimate) -> Estimate {
    let whole = one.value + other.value;
    if whole <= 0.0 {
        return Estimate::default();
    }
    let share = |one: f64, other: f64| if one + other > 0.0 { one / (one + other) } else { 0.0 };
    let value = share(one.value, other.value);
    // Each of them alone moves the share so far; independent, they add up as squares.
    let reach = |to_one: f64, to_other: f64| {
        let (a, b) = (share(to_one, other.value) - value, share(one.value, to_other) - value);
        a.hypot(b)
    };
    Estimate {
        value,
        low: (value - reach(one.low, other.high)).max(0.0),
        high: (value + reach(one.high, other.low)).min(1.0),
        samples: one.samples + other.samples,
    }
}

/// One band a doubling.
fn doubling(n: u64) -> (u64, u64) {
    match n.checked_ilog2() {
        None => (0, 0),
        Some(log) => (1 << log, (1 << log) + ((1 << log) - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Moment;
    use crate::trace::{Call, Event, Trace};

    #[test]
    fn bands_hold_what_they_say() {
        for n in (0..64).map(|log| 1u64 << log).flat_map(|n| [n, n - 1, n + (n - 1) / 3]) {
            let (from, to) = doubling(n);
            assert!(
                from <= n && n <= to && to <= from.saturating_mul(2),
                "{n}: {from} to {to}"
            );
        }
    }

    #[test]
    fn what_a_recording_reports() {
        let e = |thread, call| Event { thread, call };
        let trace = Trace {
            events: vec![
                e(0, Call::Malloc(100)),
                e(0, Call::Malloc(100)),
                e(1, Call::Malloc(1000)),
                e(1, Call::Free(0)),
                e(0, Call::Free(1)),
            ],
            ..Trace::default()
        };
        let report = Profile::of_trace(&trace, Moment::End).report(10);
        assert_eq!(
            (report.in_use.bytes.value, report.allocated.bytes.value),
            (1000.0, 1200.0)
        );
        assert_eq!((report.ended.remote.value, report.ended.remote.low), (0.5, 0.5));
        let sizes: Vec<(u64, f64, f64)> = report
            .sizes
            .iter()
            .map(|band| (band.from, band.live.objects.value, band.all.objects.value))
            .collect();
        assert_eq!(sizes, [(96, 0.0, 2.0), (896, 1.0, 1.0)]);
        let threads: Vec<(u64, f64)> = report.threads.iter().map(|b| (b.from, b.all.bytes.value)).collect();
        assert_eq!(threads, [(1, 200.0), (2, 1000.0)]);
        assert_eq!(report.births.len(), 3);
        assert_eq!(report.sites_in_use.len(), 1);
    }

    #[test]
    fn a_share_is_no_surer_than_its_parts() {
        let of = |value: f64, samples| Estimate {
            value,
            low: value * 0.9,
            high: value * 1.1,
            samples,
        };
        let share = part(of(10.0, 5), of(90.0, 45));
        assert!((share.value - 0.1).abs() < 1e-12 && share.samples == 50);
        assert!(
            share.low > 0.08 && share.low < 0.1 && share.high < 0.12 && share.high > 0.1,
            "{share:?}"
        );
        assert_eq!(part(Estimate::default(), Estimate::default()), Estimate::default());
    }
}
