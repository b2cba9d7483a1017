//! What a search for the best of many configs found, beside the figures of its finalists, which are a record's rows.

use super::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// The config to beat.
    pub base: String,
    /// What was to be small.
    pub goal: String,
    /// The chance that any verdict of one column of the finalists is wrong, at most.
    pub alpha: f64,
    /// Blocks of the judgement, which the search had not seen.
    pub blocks: usize,
    /// Whether the base is on the Pareto front.
    pub base_on_front: bool,
    /// The one that is recommended; none: keep the base.
    pub best: Option<Candidate>,
    /// Who was judged, the best by the goal first.
    pub finalists: Vec<Finalist>,
    /// Who was dropped before, the best by the goal first.
    pub dropped: Vec<Dropped>,
}

/// One that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// What tables call it.
    pub label: String,
    /// Where it comes from.
    pub from: String,
    /// What it sets, as TOML; nothing of a config that was named.
    pub settings: BTreeMap<String, String>,
}

/// One that was judged, over all rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finalist {
    /// Who.
    pub candidate: Candidate,
    /// The goal against the base.
    pub goal: Option<Outcome>,
    /// Time, or the tail of single calls, likewise.
    pub value: Option<Outcome>,
    /// Peak memory, likewise.
    pub peak: Option<Outcome>,
    /// Its blocks: who is surely worse is not run any further.
    pub blocks: usize,
    /// Whether nothing else beats it in the value and in peak memory at once.
    pub front: bool,
    /// Why it is out, if it failed.
    pub problem: Option<String>,
}

/// One that was dropped: medians of the race, which are no evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// Who.
    pub candidate: Candidate,
    /// Blocks of the race.
    pub blocks: usize,
    /// Why it does not work, if it does not.
    pub problem: Option<String>,
    /// The goal.
    pub goal: Option<f64>,
    /// Time, or the tail of single calls.
    pub value: Option<f64>,
    /// Peak memory.
    pub peak: Option<f64>,
}
