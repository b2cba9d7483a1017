//! What models say of configs: figures, and which config is better than which. Each config is run through a model once.

use super::config::Config;
use super::found::Figures;
use crate::fit::model::{Course, Stretch, course};
use crate::fit::trials::{BLOCKS, Unit};
use crate::trace::Trace;
use hz3_config::plan::{ClassPlan, ConfigHash};
use hz3_config::{Diagnostics, Plan, load_str};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// What a process has beside the heap that the model follows, in bytes: a share of memory is one of this, too.
const BESIDE: f64 = (4 << 20) as f64;
/// A line has to win this share of memory and time together.
pub const WORTH: f64 = 0.003;
/// So much worse than the base's may memory or time become, as a share.
const WORSE: f64 = 0.001;
/// Nanoseconds that recording adds to an event, and those of an event where no clock was recorded.
const RECORDING: f64 = 60.0;
const EVENT: f64 = 100.0;
/// Events that are run through models at most, in all.
const MOST: usize = 500_000_000;

/// A plan, as far as anybody asks for it later, and its courses, one a trace.
struct Known {
    code: ConfigHash,
    classes: Vec<ClassPlan>,
    courses: Vec<Course>,
}

/// What is one whole, of memory and time.
struct Scale {
    peak: f64,
    mean: f64,
    took: f64,
}

/// What some stretches take together: of each recording the most, the mean and the sums, and then the mean of all recordings'
/// memory.
fn together<'s>(units: &[Unit], of: impl Fn(Unit) -> &'s Stretch) -> Figures {
    let mut sum = Figures::default();
    let mut traces: Vec<usize> = units.iter().map(|unit| unit.0).collect();
    traces.dedup();
    for &trace in &traces {
        let mine = || units.iter().filter(|u| u.0 == trace).map(|&u| of(u));
        let n = mine().count() as f64;
        sum.peak += mine().map(|s| s.peak).fold(0.0, f64::max);
        sum.mean += mine().map(|s| s.mean).sum::<f64>() / n;
        sum.nanoseconds += mine().map(|s| s.nanoseconds).sum::<f64>();
        sum.faults += mine().map(|s| s.faults).sum::<f64>();
    }
    let n = traces.len().max(1) as f64;
    Figures {
        peak: sum.peak / n,
        mean: sum.mean / n,
        ..sum
    }
}

/// The models of all configs that were considered so far, of some recordings.
pub struct Models<'a> {
    traces: &'a [Trace],
    parent: &'a str,
    known: HashMap<String, Option<Arc<Known>>>,
    /// How many there are.
    pub count: usize,
    /// Nanoseconds that each recorded program took, as far as that is known.
    pub nanoseconds: Vec<f64>,
}

impl<'a> Models<'a> {
    /// None yet, of configs that extend `parent`.
    pub fn new(traces: &'a [Trace], parent: &'a str) -> Self {
        let took = |trace: &Trace| {
            let events = trace.events.len() as f64;
            match trace.cpu {
                0 => events * EVENT,
                cpu => (cpu as f64 * 1e3 - events * RECORDING).max(events * EVENT / 10.0),
            }
        };
        Self {
            traces,
            parent,
            known: HashMap::new(),
            count: 0,
            nanoseconds: traces.iter().map(took).collect(),
        }
    }

    /// Whether so many more may be run.
    pub fn may_run(&self, more: usize) -> bool {
        let events: usize = self.traces.iter().map(|trace| trace.events.len()).sum();
        (self.count + more).saturating_mul(events) <= MOST
    }

    /// Runs the models of configs that are not known yet, on as many threads as there are processors.
    pub fn learn(&mut self, configs: &[Config]) {
        let mut wanted: Vec<(String, Plan)> = Vec::new();
        for config in configs {
            let text = config.text();
            if self.known.contains_key(&text) || wanted.iter().any(|(other, _)| *other == text) {
                continue;
            }
            match self.plan(&text) {
                Ok(plan) => wanted.push((text, plan)),
                // The other keys do not allow it.
                Err(_) => drop(self.known.insert(text, None)),
            }
        }
        self.count += wanted.len();
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
                    let (code, classes) = (plan.code_hash, plan.classes.clone());
                    let known = Known { code, classes, courses };
                    mine.push((index, known));
                }
            };
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
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
    pub fn figures(&self, config: &Config, units: &[Unit]) -> Option<Figures> {
        let known = self.known(config)?;
        Some(together(units, |(trace, block)| &known.courses[trace].stretches[block]))
    }

    /// The classes of a config that is known, and what each of them takes.
    pub fn classes(&self, config: &Config, units: &[Unit]) -> Option<Vec<(ClassPlan, Figures)>> {
        let known = self.known(config)?;
        let of = |id: usize| together(units, |(trace, block)| &known.courses[trace].classes[block][id]);
        Some(
            known
                .classes
                .iter()
                .cloned()
                .enumerate()
                .map(|(id, class)| (class, of(id)))
                .collect(),
        )
    }

    /// What makes memory and time comparable.
    fn scale(&self, units: &[Unit]) -> Option<Scale> {
        let base = self.figures(&Config::default(), units)?;
        let took: f64 = units.iter().map(|u| self.nanoseconds[u.0] / BLOCKS as f64).sum();
        Some(Scale {
            peak: base.peak + BESIDE,
            mean: base.mean + BESIDE,
            took: took.max(1.0),
        })
    }

    /// What so much memory and time is worth in a score, if memory is so many times as dear as there. Less is better.
    pub fn price(&self, figures: &Figures, units: &[Unit], memory: f64) -> Option<f64> {
        let scale = self.scale(units)?;
        Some(memory * (figures.peak / scale.peak + figures.mean / scale.mean) / 2.0 + figures.nanoseconds / scale.took)
    }

    /// How much worse a config is than the base, as a share of memory and time; none if it may not be.
    pub fn score(&self, config: &Config, units: &[Unit]) -> Option<f64> {
        let (base, scale) = (self.figures(&Config::default(), units)?, self.scale(units)?);
        let more = self.figures(config, units)?.more(base);
        let (peak, mean) = (more.peak / scale.peak, more.mean / scale.mean);
        let time = more.nanoseconds / scale.took;
        (peak <= WORSE && mean <= WORSE && time <= WORSE).then_some((peak + mean) / 2.0 + time)
    }

    /// The best of some configs on some stretches, if it is better than what there is by what makes a line worth it.
    pub fn best<'c>(&self, configs: &'c [Config], now: &Config, units: &[Unit]) -> Option<&'c Config> {
        let least = self.score(now, units).unwrap_or(0.0) - WORTH;
        let scored = configs
            .iter()
            .filter_map(|config| Some((self.score(config, units)?, config)));
        scored
            .filter(|(score, _)| *score < least)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, config)| config)
    }

    /// Whether a config is better than another on some stretches.
    pub fn better(&self, config: &Config, than: &Config, units: &[Unit]) -> bool {
        match (self.score(config, units), self.score(than, units)) {
            (Some(mine), Some(other)) => mine < other,
            (mine, _) => mine.is_some_and(|mine| mine < 0.0),
        }
    }

    /// Whether the code of two configs is the same; none if one of them is not allowed.
    pub fn same_code(&self, config: &Config, other: &Config) -> Option<bool> {
        Some(self.known(config)?.code == self.known(other)?.code)
    }

    /// Leaves out the lines that say what the base says anyhow.
    pub fn without_idle(&mut self, config: Config, now: &Config) -> Config {
        let Some(code) = self.known(&config).map(|known| known.code) else {
            return config;
        };
        let mut kept = config.clone();
        for key in config.keys.keys().filter(|key| !now.keys.contains_key(*key)) {
            let mut less = kept.clone();
            less.keys.remove(key);
            if self.plan(&less.text()).is_ok_and(|plan| plan.code_hash == code) {
                kept = less;
            }
        }
        self.known.insert(kept.text(), self.known(&config));
        kept
    }

    /// The plan of a config with these tables.
    fn plan(&self, tables: &str) -> Result<Plan, Diagnostics> {
        let parent = self.parent;
        let text =
            format!("name = \"probe\"\ndescription = \"a config that is considered\"\nextends = {parent:?}\n{tables}");
        load_str(Path::new("probe.toml"), &text)
    }
}
