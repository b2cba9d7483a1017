//! Which keys of a config serve a recording better than the base's, line by line, and whether each does so elsewhere.
//!
//! One group of keys after the other is tried (`candidates`), each value by the `model`, together with what was taken before. A
//! group is judged like classes are: the value that serves one part best is held against what was there on the other part, and it
//! must be better in every trial. Memory and time are judged together, and neither may become worse than under the base: what a
//! config saves is not paid for elsewhere.

mod by_class;
mod classes;
mod config;
mod found;
mod models;

pub use config::is_finer;
pub use found::{Figures, Finding, Found, Keys, Priced, Waste};

use super::candidates::{BY_CLASS, Group, groups};
use super::trials::{Unit, fold, folds, units};
use super::{Demand, Strides};
use crate::trace::Trace;
use config::Config;
use hz3_config::Plan;
use models::Models;

/// What is searched in.
pub struct Search<'a> {
    traces: &'a [Trace],
    demands: &'a [Demand],
    base: &'a Plan,
    strides: &'a Strides,
    models: Models<'a>,
    prices: Vec<Priced>,
    witnesses: &'a [Demand],
}

impl<'a> Search<'a> {
    /// Of recordings and what they keep alive, starting from a base, which is named `parent` by what extends it.
    pub fn new(
        traces: &'a [Trace],
        demands: &'a [Demand],
        parent: &'a str,
        base: &'a Plan,
        strides: &'a Strides,
    ) -> Self {
        Self {
            traces,
            demands,
            base,
            strides,
            models: Models::new(traces, parent),
            prices: Vec::new(),
            witnesses: &[],
        }
    }

    /// The same, and nothing is taken that wastes more at the ends of objects of what these say was alive. They are of profiles,
    /// which know no order of calls.
    pub fn witnessed(self, witnesses: &'a [Demand]) -> Self {
        Self { witnesses, ..self }
    }

    /// The parts of each trial: what is fitted to, and what judges.
    fn trials(&self) -> Vec<(Vec<Unit>, Vec<Unit>)> {
        let n = self.traces.len();
        (0..folds(n))
            .map(|k| units(n).into_iter().partition(|&unit| fold(n, unit) != k))
            .collect()
    }

    /// Tries a group of keys on top of what was taken.
    fn group(&mut self, group: &Group, now: &Config) -> Option<(Config, Finding)> {
        let configs: Vec<Config> = group.choices.iter().map(|lines| now.with(lines)).collect();
        self.considered((group.name, group.why), now, |_, _| Some(configs.clone()))
    }

    /// The best config of those that are made from some stretches, judged on the others.
    fn considered(
        &mut self,
        (name, why): (&'static str, &'static str),
        now: &Config,
        made: impl Fn(&mut Self, &[Unit]) -> Option<Vec<Config>>,
    ) -> Option<(Config, Finding)> {
        let all = units(self.traces.len());
        let best = |search: &mut Self, units: &[Unit]| {
            let mut configs = made(search, units)?;
            search.models.learn(&configs);
            configs.retain(|config| search.models.same_code(config, now) == Some(false));
            search.models.best(&configs, now, units).cloned()
        };
        let found = best(self, &all)?;
        let mut elsewhere = Vec::new();
        let mut everywhere = true;
        for (here, there) in self.trials() {
            let chosen = best(self, &here).unwrap_or_else(|| now.clone());
            let more = self
                .models
                .figures(&chosen, &there)?
                .more(self.models.figures(now, &there)?);
            elsewhere.push(more);
            everywhere &=
                chosen != *now && self.models.better(&chosen, now, &there) && self.models.better(&found, now, &there);
        }
        let found = self.models.without_idle(found, now);
        let lines = found
            .keys
            .iter()
            .filter(|(key, value)| now.keys.get(*key) != Some(value))
            .map(|(key, value)| (*key, value.clone()))
            .collect();
        let finding = Finding {
            name,
            why,
            lines,
            effect: self.models.figures(&found, &all)?.more(self.models.figures(now, &all)?),
            elsewhere,
            taken: everywhere,
        };
        Some((found, finding))
    }

    /// Looks for the best config.
    pub fn run(mut self) -> Option<Found> {
        let (all, base) = (units(self.traces.len()), Config::default());
        self.models.learn(std::slice::from_ref(&base));
        let mut now = base.clone();
        let mut findings = Vec::new();
        let (mut bands, mut waste, mut witnesses) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(classes) = self.classes() {
            if classes.finding.taken {
                (now, bands) = (classes.config, classes.bands);
                (waste, witnesses) = (classes.waste, classes.witnesses);
            }
            findings.push(classes.finding);
        }
        let milliseconds = self
            .traces
            .iter()
            .filter_map(|t| t.ticks.last())
            .map(|tick| u64::from(tick.1))
            .max();
        let threads = self.traces.iter().map(Trace::threads).max().unwrap_or(1);
        let mut take = |now: &mut Config, found: Option<(Config, Finding)>| {
            if let Some((config, finding)) = found {
                if finding.taken {
                    *now = config;
                }
                findings.push(finding);
            }
        };
        for group in groups(self.base, threads, milliseconds.unwrap_or(0)) {
            if !self.models.may_run(group.choices.len()) {
                break;
            }
            let found = self.group(&group, &now);
            take(&mut now, found);
            for by_class in BY_CLASS.iter().filter(|by_class| by_class.after == group.name) {
                let found = self.by_class(by_class, &now);
                take(&mut now, found);
            }
        }
        let more = |units: &[Unit]| {
            Some(
                self.models
                    .figures(&now, units)?
                    .more(self.models.figures(&base, units)?),
            )
        };
        let elsewhere = self
            .trials()
            .iter()
            .map(|(_, there)| more(there))
            .collect::<Option<_>>()?;
        Some(Found {
            findings,
            classes: now.classes.clone(),
            bands,
            prices: self.prices,
            before: self.models.figures(&base, &all)?,
            effect: more(&all)?,
            elsewhere,
            waste,
            witnesses,
            nanoseconds: self.models.nanoseconds.iter().sum(),
            models: self.models.count,
            keys: now.keys,
        })
    }
}
