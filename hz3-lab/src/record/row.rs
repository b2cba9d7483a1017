//! A row of a comparison: its cells, and what is derived from them.

use super::outcome::{Outcome, maybe};
use crate::rows::{Metric, Point};
use crate::{stats, tails::Calls};
use hz3_config::plan::Goal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a verdict of a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// The row's own figure, by its metric.
    Value,
    /// Peak resident memory.
    Peak,
    /// Resident memory at the end, where the client says so.
    Final,
}

/// One row of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowRecord {
    /// Its name.
    pub name: String,
    /// One line for people.
    pub about: String,
    /// Program (without its folder) and arguments.
    pub command: Vec<String>,
    /// What is judged.
    pub metric: Metric,
    /// Base against itself: the pairs.
    pub null: Vec<[f64; 2]>,
    /// Peak resident bytes of these pairs; records from before 2026-11-26 have none.
    #[serde(default)]
    pub null_rss_peak: Vec<[u64; 2]>,
    /// Resident bytes at the end of these pairs, likewise, where the client says so.
    #[serde(default)]
    pub null_rss_end: Vec<[u64; 2]>,
    /// The floor of the judged value, a log ratio; not finite if the base was not measured against itself often enough.
    #[serde(with = "maybe")]
    pub floor: f64,
    /// Looks that were taken.
    pub looks: usize,
    /// Whether there was no time for it.
    #[serde(default)]
    pub left_out: bool,
    /// The base, and the client alone on the empty allocator: pairs of one block.
    #[serde(default)]
    pub alone: Vec<[f64; 2]>,
    /// The client's own share of the base's value, in the same unit; rows of one thread have it.
    pub empty: Option<f64>,
    /// Which point of a curve it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// Counters that could not be had, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, String>,
    /// The contenders, the base first. Values of equal index are of one block; who is decided is not run any further, so
    /// that its arrays may be shorter than the base's.
    pub cells: Vec<Cell>,
}

/// A contender on a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Which contender.
    pub label: String,
    /// Judged value of each block.
    pub values: Vec<f64>,
    /// Peak resident bytes of each block.
    pub rss_peak: Vec<u64>,
    /// Page faults of each block.
    #[serde(default)]
    pub faults: Vec<u64>,
    /// Resident bytes at the end of each block, where the client says so.
    pub rss_end: Vec<u64>,
    /// CPU seconds of each block.
    pub cpu: Vec<f64>,
    /// Most live bytes as the client counts them, the last block's.
    pub live_peak: Option<u64>,
    /// Failed allocations, all blocks.
    pub failures: u64,
    /// Resident bytes over time in an execution of its own: microseconds, bytes.
    pub series: Vec<[u64; 2]>,
    /// Instructions of a short execution under callgrind.
    pub instructions: Option<u64>,
    /// Steps of an execution, where the client counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Steps a second of each block, all threads together, by the client's clock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate: Vec<f64>,
    /// What the kernel and the processor counted of each block, by the counter's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, Vec<f64>>,
    /// Single calls, by executions of the client's twin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Calls>,
    /// The same by execution, in nanoseconds: `malloc.p99`, `free.max`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub single: BTreeMap<String, Vec<f64>>,
    /// Why there are no figures, if there are none.
    pub problem: Option<String>,
    /// The judged value against the base's; none for the base itself.
    pub result: Option<Outcome>,
    /// Peak resident memory against the base's, likewise.
    #[serde(default)]
    pub result_rss_peak: Option<Outcome>,
    /// Resident memory at the end, likewise; none where that is the judged value, or nothing says it.
    #[serde(default)]
    pub result_rss_end: Option<Outcome>,
}

impl Aspect {
    /// All, as tables have them.
    pub const ALL: [Self; 3] = [Self::Value, Self::Peak, Self::Final];

    /// What tables call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Value => "judged",
            Self::Peak => "peak RSS",
            Self::Final => "final RSS",
        }
    }

    /// What a goal of a config is judged by on a row of this metric; none where the row does not show it.
    pub fn of(goal: Goal, metric: Metric) -> Option<Self> {
        let tail = metric.call().is_some();
        match goal {
            Goal::Time => (!tail && metric != Metric::RssEnd).then_some(Self::Value),
            Goal::Latency => tail.then_some(Self::Value),
            Goal::Rss => Some(Self::Peak),
            Goal::Final if metric == Metric::RssEnd => Some(Self::Value),
            Goal::Final => Some(Self::Final),
        }
    }
}

impl Cell {
    /// A cell without figures yet.
    pub fn new(label: &str) -> Self {
        Self {
            label: label.into(),
            ..Self::default()
        }
    }
    /// Median judged value.
    pub fn value(&self) -> f64 {
        stats::median(&self.values)
    }
    /// What was measured of an aspect, by block.
    pub fn samples(&self, of: Aspect) -> Vec<f64> {
        let bytes = |v: &[u64]| v.iter().map(|b| *b as f64).collect();
        match of {
            Aspect::Value => self.values.clone(),
            Aspect::Peak => bytes(&self.rss_peak),
            Aspect::Final => bytes(&self.rss_end),
        }
    }
    /// What was found of an aspect.
    pub fn outcome(&self, of: Aspect) -> Option<Outcome> {
        match of {
            Aspect::Value => self.result,
            Aspect::Peak => self.result_rss_peak,
            Aspect::Final => self.result_rss_end,
        }
    }
    /// The place for what was found of an aspect.
    pub fn outcome_mut(&mut self, of: Aspect) -> &mut Option<Outcome> {
        match of {
            Aspect::Value => &mut self.result,
            Aspect::Peak => &mut self.result_rss_peak,
            Aspect::Final => &mut self.result_rss_end,
        }
    }
    /// Median ratio of CPU time to that of the base.
    pub fn cpu_ratio(&self, base: &Self) -> f64 {
        stats::median(&stats::log_ratios(&self.cpu, &base.cpu)).exp()
    }
    /// Median peak resident bytes.
    pub fn rss_peak(&self) -> f64 {
        stats::median(&self.samples(Aspect::Peak))
    }
    /// Median of page faults; records from before 2026-11-25 have none.
    pub fn faults(&self) -> Option<f64> {
        let faults = self.faults.iter().map(|v| *v as f64).collect::<Vec<_>>();
        (!faults.is_empty()).then(|| stats::median(&faults))
    }
    /// Median resident bytes at the end.
    pub fn rss_end(&self) -> f64 {
        stats::median(&self.samples(Aspect::Final))
    }
}

impl RowRecord {
    /// The client's own share from the existing pairs.
    pub fn set_client_share(&mut self) {
        let ratios: Vec<f64> = self.alone.iter().map(|[base, alone]| alone / base).collect();
        let share = stats::median(&ratios) * self.cells[0].value();
        self.empty = share.is_finite().then_some(share);
    }

    /// The client's own share for tables.
    pub fn client_share(&self) -> Option<String> {
        let share = self.empty?;
        Some(if share < self.cells.first()?.value() {
            format!("{:.2}", self.metric.show(share))
        } else {
            "all of it".into()
        })
    }

    /// The floor of the judged value, from the pairs.
    pub fn set_floor(&mut self) {
        let d: Vec<f64> = self.null.iter().map(|[a, b]| (b / a).ln()).collect();
        self.floor = stats::floor(&d);
    }

    /// What the base shows against itself: of memory, from the pairs.
    pub fn floor_of(&self, of: Aspect) -> f64 {
        let pairs = match of {
            Aspect::Value => return self.floor,
            Aspect::Peak => &self.null_rss_peak,
            Aspect::Final => &self.null_rss_end,
        };
        let d: Vec<f64> = pairs.iter().map(|[a, b]| (*b as f64 / *a as f64).ln()).collect();
        stats::floor(&d)
    }

    /// Whether an aspect is judged at all: resident memory at the end may be the judged value, and then has its verdict.
    pub fn judges(&self, of: Aspect) -> bool {
        of != Aspect::Final || self.metric != Metric::RssEnd
    }

    /// Memory has verdicts since 2026-11-26. Of older rows the intervals are made from the samples. The base was not compared
    /// with itself there, so that nothing can be told from nothing.
    pub(super) fn judge_memory(&mut self, margin: f64) {
        for of in [Aspect::Peak, Aspect::Final] {
            let floor = self.floor_of(of);
            if !self.judges(of) {
                continue;
            }
            let Some((base, others)) = self.cells.split_first_mut() else {
                return;
            };
            let base = base.samples(of);
            for cell in others.iter_mut().filter(|c| c.result.is_some()) {
                let samples = cell.samples(of);
                if cell.outcome(of).is_none() && !samples.is_empty() && !base.is_empty() {
                    *cell.outcome_mut(of) = Some(Outcome::of(&samples, &base, floor, margin));
                }
            }
        }
    }

    /// Turns a row of form 1 into one of today's form.
    pub(super) fn renew(&mut self) {
        // The share of several threads counted how they waited for each other.
        if self.command.first().is_some_and(|c| c == "ring") {
            self.empty = None;
        }
        let Some((base, others)) = self.cells.split_first_mut() else {
            return;
        };
        for cell in others {
            let new = Outcome::of(&cell.values, &base.values, self.floor, 0.0);
            if let Some(old) = &mut cell.result {
                (old.lo, old.hi, old.judged_lo, old.judged_hi) = (new.lo, new.hi, new.judged_lo, new.judged_hi);
            }
        }
    }
}
