//! What a search found: figures, group by group.

use crate::fit::candidates::Line;
use crate::fit::ladder::Weight;
use std::collections::BTreeMap;

/// The keys of a config that differ from the base's, and their values as TOML has them.
pub type Keys = BTreeMap<&'static str, String>;

/// What a recording takes under a config.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Figures {
    /// Most backed bytes of the heap.
    pub peak: f64,
    /// Backed bytes on average.
    pub mean: f64,
    /// Nanoseconds that events, page faults and purging take.
    pub nanoseconds: f64,
    /// Page faults.
    pub faults: f64,
}

impl Figures {
    /// What is more than in others.
    pub(super) fn more(self, than: Self) -> Self {
        Self {
            peak: self.peak - than.peak,
            mean: self.mean - than.mean,
            nanoseconds: self.nanoseconds - than.nanoseconds,
            faults: self.faults - than.faults,
        }
    }
}

/// What was found about a group of keys.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Finding {
    /// What the keys are about.
    pub name: &'static str,
    /// Why another value may be better.
    pub why: &'static str,
    /// The best that they could say, whether or not it is taken.
    pub lines: Vec<Line>,
    /// What it changes on all recordings.
    pub effect: Figures,
    /// What the value that serves the others best changes on the part that it was not made from, in each trial.
    pub elsewhere: Vec<Figures>,
    /// Whether it is taken.
    pub taken: bool,
}

/// What bytes of objects and runs are wasted, on average over time.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Waste {
    /// By the base's classes.
    pub base: f64,
    /// By classes that were fitted to other parts.
    pub fitted: f64,
}

/// The classes that fit all recordings best at one price of a class, and what the model says of them.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Priced {
    /// What objects count.
    pub weight: Weight,
    /// Times the price of a class that is reckoned.
    pub price: f64,
    /// Classes.
    pub classes: usize,
    /// Bytes of live objects that are wasted, on average over time.
    pub slack: f64,
    /// What they change; none where the base's other keys do not allow them.
    pub effect: Option<Figures>,
}

/// The result.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Found {
    /// What was found, group by group, in the order in which it was looked for.
    pub findings: Vec<Finding>,
    /// The classes, band by band, if others than the base's are taken.
    pub classes: Option<Vec<Vec<u32>>>,
    /// Which bands differ from the base's.
    pub bands: Vec<bool>,
    /// All classes that were considered, of no more waste than the base's.
    pub prices: Vec<Priced>,
    /// The keys that differ, but for classes.
    pub keys: Keys,
    /// The base's figures.
    pub before: Figures,
    /// What all that is taken changes.
    pub effect: Figures,
    /// The same in each trial, by what was not made from it.
    pub elsewhere: Vec<Figures>,
    /// Live bytes that classes waste where they were not fitted, in each trial.
    pub waste: Vec<Waste>,
    /// The same of what each profile says was alive: nothing was fitted to them.
    pub witnesses: Vec<Waste>,
    /// Nanoseconds that the recorded programs took, as far as that is known.
    pub nanoseconds: f64,
    /// Models that were run.
    pub models: usize,
}

impl Found {
    /// Whether anything is better than the base.
    pub fn changes(&self) -> bool {
        self.classes.is_some() || !self.keys.is_empty()
    }
}
