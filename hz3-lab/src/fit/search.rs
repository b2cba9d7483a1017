//! Which keys of a config serve a recording better than the base's, line by line, and whether each does so elsewhere.
//!
//! One group of keys after the other is tried (`candidates`), each value by the `model`,
//! together with what was taken before. A group is judged like classes are: the value that serves one part best is held against
//! what was there on the other part, and it must be better in every trial. Memory and time are judged together, and neither may
//! become worse than under the base: what a config saves is not paid for elsewhere.

use super::bands::{BLOCKS, Unit, Weight, fold, folds, ladder, rungs, slack, units};
use super::candidates::{Group, Line, groups};
use super::model::{Course, course};
use super::{Demand, Strides};
use crate::trace::Trace;
use hz3_config::{Plan, load_str};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Prices of a class, times the price that is reckoned, among which the model chooses.
const PRICES: [f64; 9] = [0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
/// Classes may win so much less than those that win most, as a share of that, if they waste fewer bytes of live objects: what is
/// saved there does not depend on the model.
const SURER: f64 = 1.0 / 3.0;
/// What a process has beside the heap that the model follows, in bytes: a share of memory is one of this, too.
const BESIDE: f64 = (4 << 20) as f64;
/// A line has to win this share of memory and time together.
const WORTH: f64 = 0.003;
/// So much worse than the base's may memory or time become, as a share.
const WORSE: f64 = 0.001;
/// Nanoseconds that recording adds to an event, and those of an event where no clock was recorded.
const RECORDING: f64 = 60.0;
const EVENT: f64 = 100.0;
/// Events that are run through models at most, in all.
const MOST: usize = 500_000_000;

/// How classes are fitted: what objects count, and times the price of a class.
type Way = (Weight, f64);

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
    fn more(self, than: Self) -> Self {
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

/// The result.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Found {
    /// What was found, group by group, in the order in which it was looked for.
    pub findings: Vec<Finding>,
    /// The classes, band by band, if others than the base's are taken.
    pub classes: Option<Vec<Vec<u32>>>,
    /// Which bands differ from the base's.
    pub bands: Vec<bool>,
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

/// What is searched in.
pub struct Search<'a> {
    traces: &'a [Trace],
    demands: &'a [Demand],
    parent: &'a str,
    base: &'a Plan,
    strides: &'a Strides,
    known: HashMap<String, Option<Arc<Known>>>,
    models: usize,
    nanoseconds: Vec<f64>,
}

/// A plan and its courses, one a trace.
struct Known {
    code: hz3_config::plan::ConfigHash,
    courses: Vec<Course>,
}

/// A config: its keys, and its classes if they are not the base's.
#[derive(Debug, Clone, Default, PartialEq)]
struct Config {
    keys: Keys,
    classes: Option<Vec<Vec<u32>>>,
}

impl Config {
    /// The tables of a config file.
    fn text(&self) -> String {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        if let Some(bands) = &self.classes {
            let sizes: Vec<String> = bands.iter().flatten().skip(1).map(u32::to_string).collect();
            lines
                .entry("classes")
                .or_default()
                .push(format!("steps = [{{ sizes = [{}] }}]", sizes.join(", ")));
        }
        for (key, value) in &self.keys {
            let (table, name) = key.split_once('.').unwrap_or(("", key));
            lines.entry(table).or_default().push(format!("{name} = {value}"));
        }
        lines
            .into_iter()
            .map(|(table, lines)| format!("\n[{table}]\n{}\n", lines.join("\n")))
            .collect()
    }

    fn with(&self, lines: &[Line]) -> Self {
        let mut other = self.clone();
        other.keys.extend(lines.iter().cloned());
        other
    }
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
        let took = |trace: &Trace| {
            let events = trace.events.len() as f64;
            match trace.cpu {
                0 => events * EVENT,
                cpu => (cpu as f64 * 1e3 - events * RECORDING).max(events * EVENT / 10.0),
            }
        };
        Self {
            traces,
            demands,
            parent,
            base,
            strides,
            known: HashMap::new(),
            models: 0,
            nanoseconds: traces.iter().map(took).collect(),
        }
    }

    /// Runs the models of configs that are not known yet, on as many threads as there are processors.
    fn learn(&mut self, configs: &[Config]) {
        let mut wanted: Vec<(String, Plan)> = Vec::new();
        for config in configs {
            let text = config.text();
            if self.known.contains_key(&text) || wanted.iter().any(|(other, _)| *other == text) {
                continue;
            }
            match load_str(Path::new("probe.toml"), &self.whole(&text)) {
                Ok(plan) => wanted.push((text, plan)),
                // The other keys do not allow it.
                Err(_) => drop(self.known.insert(text, None)),
            }
        }
        self.models += wanted.len();
        let traces = self.traces;
        let next = std::sync::atomic::AtomicUsize::new(0);
        let workers = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(wanted.len());
        let done: Vec<(usize, Known)> = std::thread::scope(|scope| {
            let work = || {
                let mut mine = Vec::new();
                loop {
                    let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some((_, plan)) = wanted.get(index) else { break mine };
                    let courses = traces.iter().map(|trace| course(trace, plan, BLOCKS)).collect();
                    let code = plan.code_hash;
                    mine.push((index, Known { code, courses }));
                }
            };
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_default())
                .collect()
        });
        for (index, known) in done {
            self.known.insert(wanted[index].0.clone(), Some(Arc::new(known)));
        }
    }

    fn known(&self, config: &Config) -> Option<Arc<Known>> {
        self.known.get(&config.text()).cloned().flatten()
    }

    /// What some stretches take under a config that is known.
    fn figures(&self, config: &Config, units: &[Unit]) -> Option<Figures> {
        let known = self.known(config)?;
        let mut sum = Figures::default();
        let mut traces: Vec<usize> = units.iter().map(|unit| unit.0).collect();
        traces.dedup();
        for &trace in &traces {
            let mine = || {
                units
                    .iter()
                    .filter(|u| u.0 == trace)
                    .map(|u| &known.courses[trace].stretches[u.1])
            };
            let n = mine().count() as f64;
            sum.peak += mine().map(|s| s.peak).fold(0.0, f64::max);
            sum.mean += mine().map(|s| s.mean).sum::<f64>() / n;
            sum.nanoseconds += mine().map(|s| s.nanoseconds).sum::<f64>();
            sum.faults += mine().map(|s| s.faults).sum::<f64>();
        }
        let n = traces.len().max(1) as f64;
        Some(Figures {
            peak: sum.peak / n,
            mean: sum.mean / n,
            ..sum
        })
    }

    /// How much worse a config is than the base, as a share of memory and time; none if it may not be.
    fn score(&self, config: &Config, units: &[Unit]) -> Option<f64> {
        let base = self.figures(&Config::default(), units)?;
        let mine = self.figures(config, units)?;
        let took: f64 = units.iter().map(|u| self.nanoseconds[u.0] / BLOCKS as f64).sum();
        let peak = (mine.peak - base.peak) / (base.peak + BESIDE);
        let mean = (mine.mean - base.mean) / (base.mean + BESIDE);
        let time = (mine.nanoseconds - base.nanoseconds) / took.max(1.0);
        (peak <= WORSE && mean <= WORSE && time <= WORSE).then_some((peak + mean) / 2.0 + time)
    }

    /// The best of some configs on some stretches, if it is better than what there is by what makes a line worth it.
    fn best<'c>(&self, configs: &'c [Config], now: &Config, units: &[Unit]) -> Option<&'c Config> {
        let least = self.score(now, units).unwrap_or(0.0) - WORTH;
        let scored = configs
            .iter()
            .filter_map(|config| Some((self.score(config, units)?, config)));
        scored
            .filter(|(score, _)| *score < least)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, config)| config)
    }

    /// The parts of each trial: what is fitted to, and what judges.
    fn trials(&self) -> Vec<(Vec<Unit>, Vec<Unit>)> {
        let n = self.traces.len();
        (0..folds(n))
            .map(|k| units(n).into_iter().partition(|&unit| fold(n, unit) != k))
            .collect()
    }

    /// Whether a config is better than another on some stretches.
    fn better(&self, config: &Config, than: &Config, units: &[Unit]) -> bool {
        match (self.score(config, units), self.score(than, units)) {
            (Some(mine), Some(other)) => mine < other,
            (mine, _) => mine.is_some_and(|mine| mine < 0.0),
        }
    }

    /// Leaves out the lines that say what the base says anyhow.
    fn without_idle(&mut self, config: Config, now: &Config) -> Config {
        let Some(code) = self.known(&config).map(|known| known.code) else {
            return config;
        };
        let mut kept = config.clone();
        for key in config.keys.keys().filter(|key| !now.keys.contains_key(*key)) {
            let mut less = kept.clone();
            less.keys.remove(key);
            if load_str(Path::new("probe.toml"), &self.whole(&less.text())).is_ok_and(|plan| plan.code_hash == code) {
                kept = less;
            }
        }
        self.known.insert(kept.text(), self.known(&config));
        kept
    }

    /// A config file.
    fn whole(&self, text: &str) -> String {
        let parent = self.parent;
        format!("name = \"probe\"\ndescription = \"a config that is considered\"\nextends = {parent:?}\n{text}")
    }

    /// Tries a group of keys on top of what was taken.
    fn group(&mut self, group: &Group, now: &Config) -> Option<(Config, Finding)> {
        let mut configs: Vec<Config> = group.choices.iter().map(|lines| now.with(lines)).collect();
        self.learn(&configs);
        let same = self.known(now)?.code;
        configs.retain(|config| self.known(config).is_some_and(|known| known.code != same));
        let all = units(self.traces.len());
        let best = self.best(&configs, now, &all)?.clone();
        let mut elsewhere = Vec::new();
        let mut everywhere = true;
        for (here, there) in self.trials() {
            let chosen = self.best(&configs, now, &here).unwrap_or(now);
            let more = self.figures(chosen, &there)?.more(self.figures(now, &there)?);
            elsewhere.push(more);
            everywhere &= chosen != now && self.better(chosen, now, &there) && self.better(&best, now, &there);
        }
        let best = self.without_idle(best, now);
        let lines = best
            .keys
            .iter()
            .filter(|(key, value)| now.keys.get(*key) != Some(value))
            .map(|(key, value)| (*key, value.clone()))
            .collect();
        let finding = Finding {
            name: group.name,
            why: group.why,
            lines,
            effect: self.figures(&best, &all)?.more(self.figures(now, &all)?),
            elsewhere,
            taken: everywhere,
        };
        Some((best, finding))
    }

    /// Classes of all weights and prices that fit some stretches, and waste no more of live objects there than the base's.
    fn ladders(&self, units: &[Unit], sizes: &[u32]) -> Vec<(Way, Config)> {
        let most = slack(self.demands, sizes, units);
        let mut out: Vec<(Way, Config)> = Vec::new();
        for weight in [Weight::Live, Weight::Held] {
            for price in PRICES {
                let bands = ladder(self.demands, sizes, self.strides, units, weight, price);
                if slack(self.demands, &bands.concat(), units) <= most {
                    let classes = Some(bands);
                    let config = Config {
                        classes,
                        ..Config::default()
                    };
                    out.push(((weight, price), config));
                }
            }
        }
        out
    }

    /// Classes, band by band. Returns the config, what was found, and which bands differ.
    fn classes(&mut self) -> Option<(Config, Finding, Vec<bool>, Vec<Waste>)> {
        let sizes: Vec<u32> = self.base.classes.iter().map(|class| class.size).collect();
        let old = rungs(&sizes);
        let (all, base) = (units(self.traces.len()), Config::default());
        let whole = self.ladders(&all, &sizes);
        let trials = self.trials();
        let parts: Vec<Vec<(Way, Config)>> = trials.iter().map(|(here, _)| self.ladders(here, &sizes)).collect();
        let configs: Vec<Config> = whole
            .iter()
            .chain(parts.iter().flatten())
            .map(|(_, config)| config.clone())
            .collect();
        self.learn(&configs);
        // The way that does best where it was not fitted, all trials together; of those that do about as well the one that
        // wastes the least.
        let elsewhere = |way: Way| -> Option<(f64, f64)> {
            let mut sum = (0.0, 0.0);
            for ((_, there), configs) in trials.iter().zip(&parts) {
                let (_, config) = configs.iter().find(|(other, _)| *other == way)?;
                let classes = config.classes.as_ref()?.concat();
                sum.0 += self.score(config, there).unwrap_or(WORTH);
                sum.1 += slack(self.demands, &classes, there);
            }
            Some(sum)
        };
        let ways: Vec<(f64, f64, Way, &Config)> = whole
            .iter()
            .filter_map(|(way, config)| elsewhere(*way).map(|(score, waste)| (score, waste, *way, config)))
            .collect();
        let least = ways.iter().map(|way| way.0).fold(0.0, f64::min);
        let near = ways.iter().filter(|way| way.0 <= least * (1.0 - SURER));
        let (_, _, way, best) = near.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let mut best = (*best).clone();
        let mut fitted: Vec<Config> = parts
            .iter()
            .filter_map(|configs| configs.iter().find(|(other, _)| other == way))
            .map(|(_, config)| config.clone())
            .collect();
        // A band stays only where it does good in every trial.
        let mut taken: Vec<bool> = (0..old.len())
            .map(|band| best.classes.as_ref().is_some_and(|c| c[band] != old[band]))
            .collect();
        for band in 0..old.len() {
            let without = |config: &Config| -> Config {
                let mut other = config.clone();
                if let Some(classes) = &mut other.classes {
                    classes[band].clone_from(&old[band]);
                }
                other
            };
            let others: Vec<Config> = fitted.iter().map(without).collect();
            self.learn(&others);
            let good = trials
                .iter()
                .zip(&fitted)
                .zip(&others)
                .all(|(((_, there), with), other)| with == other || self.better(with, other, there));
            if taken[band] && !good {
                taken[band] = false;
                best = without(&best);
                fitted = others;
            }
        }
        self.learn(std::slice::from_ref(&best));
        let mut more = Vec::new();
        let mut waste = Vec::new();
        let mut everywhere = taken.contains(&true);
        for ((_, there), config) in trials.iter().zip(&fitted) {
            more.push(self.figures(config, there)?.more(self.figures(&base, there)?));
            let own = config
                .classes
                .as_ref()
                .map_or_else(|| sizes.clone(), |bands| bands.concat());
            let one = Waste {
                base: slack(self.demands, &sizes, there),
                fitted: slack(self.demands, &own, there),
            };
            everywhere &= self.better(config, &base, there) && one.fitted <= one.base;
            waste.push(one);
        }
        let finding = Finding {
            name: "size classes",
            why: "The classes that waste the fewest bytes on what is live, each with its price.",
            lines: Vec::new(),
            effect: self.figures(&best, &all)?.more(self.figures(&base, &all)?),
            elsewhere: more,
            taken: everywhere && self.best(std::slice::from_ref(&best), &base, &all).is_some(),
        };
        Some((best, finding, taken, waste))
    }

    /// Looks for the best config.
    pub fn run(mut self) -> Option<Found> {
        let (all, base) = (units(self.traces.len()), Config::default());
        self.learn(std::slice::from_ref(&base));
        let mut now = base.clone();
        let mut findings = Vec::new();
        let (mut bands, mut waste) = (Vec::new(), Vec::new());
        if let Some((config, finding, taken, wasted)) = self.classes() {
            if finding.taken {
                (now, bands, waste) = (config, taken, wasted);
            }
            findings.push(finding);
        }
        let events: usize = self.traces.iter().map(|trace| trace.events.len()).sum();
        let milliseconds = self
            .traces
            .iter()
            .filter_map(|t| t.ticks.last())
            .map(|tick| u64::from(tick.1))
            .max();
        let threads = self.traces.iter().map(Trace::threads).max().unwrap_or(1);
        for group in groups(self.base, threads, milliseconds.unwrap_or(0)) {
            if (self.models + group.choices.len()) * events > MOST {
                break;
            }
            if let Some((config, finding)) = self.group(&group, &now) {
                if finding.taken {
                    now = config;
                }
                findings.push(finding);
            }
        }
        let more = |units: &[Unit]| Some(self.figures(&now, units)?.more(self.figures(&base, units)?));
        let elsewhere = self
            .trials()
            .iter()
            .map(|(_, there)| more(there))
            .collect::<Option<_>>()?;
        Some(Found {
            findings,
            classes: now.classes.clone(),
            bands,
            before: self.figures(&base, &all)?,
            effect: more(&all)?,
            elsewhere,
            waste,
            nanoseconds: self.nanoseconds.iter().sum(),
            models: self.models,
            keys: now.keys,
        })
    }
}
