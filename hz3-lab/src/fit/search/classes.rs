//! Which classes serve best, band by band.

use super::Search;
use super::config::Config;
use super::found::{Finding, Priced, Waste};
use super::models::WORTH;
use crate::fit::ladder::{Weight, ladder, rungs, slack};
use crate::fit::trials::{Unit, units};

/// Prices of a class, times the price that is reckoned, among which the model chooses.
const PRICES: [f64; 9] = [0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
/// Classes may win so much less than those that win most, as a share of that, if they waste fewer bytes of live objects: what is
/// saved there does not depend on the model.
const SURER: f64 = 1.0 / 3.0;

/// How classes are fitted: what objects count, and times the price of a class.
type Way = (Weight, f64);

/// Classes that were fitted in one way: to everything, and to what each trial fits to.
#[derive(Clone)]
struct Fitted {
    whole: Config,
    parts: Vec<Config>,
}

/// What came of some classes.
pub struct Classes {
    /// The config.
    pub config: Config,
    /// What it changes.
    pub finding: Finding,
    /// Which bands differ from the base's.
    pub bands: Vec<bool>,
    /// What is wasted in each trial.
    pub waste: Vec<Waste>,
    /// What is wasted of what each witness has seen.
    pub witnesses: Vec<Waste>,
}

impl Search<'_> {
    fn sizes(&self) -> Vec<u32> {
        self.base.classes.iter().map(|class| class.size).collect()
    }

    /// What is wasted of what each witness has seen.
    fn testified(&self, config: &Config) -> Vec<Waste> {
        let sizes = self.sizes();
        let waste = |demand, sizes: &[u32]| slack(std::slice::from_ref(demand), sizes, &units(1));
        let one = |demand| Waste {
            base: waste(demand, &sizes),
            fitted: waste(demand, &config.sizes(&sizes)),
        };
        self.witnesses.iter().map(one).collect()
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

    /// Classes of all ways that do about as well as the best where they were not fitted, all trials together: those first that
    /// waste the least there.
    fn ways(&mut self) -> Vec<Fitted> {
        let sizes = self.sizes();
        let whole = self.ladders(&units(self.traces.len()), &sizes);
        let trials = self.trials();
        let parts: Vec<Vec<(Way, Config)>> = trials.iter().map(|(here, _)| self.ladders(here, &sizes)).collect();
        let configs: Vec<Config> = whole
            .iter()
            .chain(parts.iter().flatten())
            .map(|(_, config)| config.clone())
            .collect();
        self.models.learn(&configs);
        let (all, base) = (units(self.traces.len()), Config::default());
        let base = self.models.figures(&base, &all);
        let priced = whole.iter().map(|((weight, price), config)| {
            let own = config.sizes(&sizes);
            let effect = self.models.figures(config, &all).zip(base);
            Priced {
                weight: *weight,
                price: *price,
                classes: own.len(),
                slack: slack(self.demands, &own, &all),
                effect: effect.map(|(mine, base)| mine.more(base)),
            }
        });
        self.prices = priced.collect();
        let mut ways: Vec<(f64, f64, Fitted)> = Vec::new();
        for (way, whole) in whole {
            let of = |configs: &Vec<(Way, Config)>| {
                let found = configs.iter().find(|(other, _)| *other == way);
                found.map(|(_, config)| config.clone())
            };
            let Some(parts) = parts.iter().map(of).collect::<Option<Vec<Config>>>() else {
                continue;
            };
            let (mut score, mut waste) = (0.0, 0.0);
            for ((_, there), config) in trials.iter().zip(&parts) {
                score += self.models.score(config, there).unwrap_or(WORTH);
                waste += slack(self.demands, &config.sizes(&sizes), there);
            }
            ways.push((score, waste, Fitted { whole, parts }));
        }
        let least = ways.iter().map(|way| way.0).fold(0.0, f64::min);
        ways.retain(|way| way.0 <= least * (1.0 - SURER));
        ways.sort_by(|a, b| a.1.total_cmp(&b.1));
        ways.into_iter().map(|(.., fitted)| fitted).collect()
    }

    /// The first classes that hold wherever they are judged; where none do, what came of the first.
    pub fn classes(&mut self) -> Option<Classes> {
        let mut first = None;
        let ways = self.ways();
        // Where bands may win by the model alone, one may spoil all: it may waste more elsewhere than the others save.
        let strict = ways.iter().map(|way| (way.clone(), true));
        for (way, strict) in ways.iter().map(|way| (way.clone(), false)).chain(strict) {
            // Each trial is run again without each band.
            let models = rungs(&self.sizes()).len() * way.parts.len() + 1;
            if first.is_some() && !self.models.may_run(models) {
                break;
            }
            let Some(classes) = self.judged(way, strict) else {
                // Not allowed by the other keys.
                continue;
            };
            if classes.finding.taken {
                return Some(classes);
            }
            first.get_or_insert(classes);
        }
        first
    }

    /// Leaves of some classes the bands that do good in every trial, and judges what is left. If it is strict, a band must not
    /// waste more of live objects in any trial, either.
    fn judged(&mut self, way: Fitted, strict: bool) -> Option<Classes> {
        let sizes = self.sizes();
        let old = rungs(&sizes);
        let (all, base) = (units(self.traces.len()), Config::default());
        let trials = self.trials();
        let Fitted {
            whole: mut best,
            parts: mut fitted,
        } = way;
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
            self.models.learn(&others);
            let good = trials
                .iter()
                .zip(&fitted)
                .zip(&others)
                .all(|(((_, there), with), other)| {
                    let waste = |config: &Config| slack(self.demands, &config.sizes(&sizes), there);
                    with == other || self.models.better(with, other, there) && (!strict || waste(with) <= waste(other))
                });
            let (with, other) = (self.testified(&best), self.testified(&without(&best)));
            let testified = with.iter().zip(&other).all(|(with, other)| with.fitted <= other.fitted);
            if taken[band] && !(good && (testified || !strict)) {
                taken[band] = false;
                best = without(&best);
                fitted = others;
            }
        }
        self.models.learn(std::slice::from_ref(&best));
        let mut more = Vec::new();
        let mut waste = Vec::new();
        let mut everywhere = taken.contains(&true);
        for ((_, there), config) in trials.iter().zip(&fitted) {
            more.push(
                self.models
                    .figures(config, there)?
                    .more(self.models.figures(&base, there)?),
            );
            let one = Waste {
                base: slack(self.demands, &sizes, there),
                fitted: slack(self.demands, &config.sizes(&sizes), there),
            };
            everywhere &= self.models.better(config, &base, there) && one.fitted <= one.base;
            waste.push(one);
        }
        let witnesses = self.testified(&best);
        everywhere &= witnesses.iter().all(|one| one.fitted <= one.base);
        let finding = Finding {
            name: "size classes",
            why: "The classes that waste the fewest bytes on what is live, each with its price.",
            lines: Vec::new(),
            effect: self
                .models
                .figures(&best, &all)?
                .more(self.models.figures(&base, &all)?),
            elsewhere: more,
            taken: everywhere && self.models.best(std::slice::from_ref(&best), &base, &all).is_some(),
        };
        Some(Classes {
            config: best,
            finding,
            bands: taken,
            waste,
            witnesses,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::trials::{BLOCKS, PARTS};
    use crate::fit::{Demand, GRANULE, strides};
    use crate::trace::{Call, Trace};
    use std::path::Path;

    /// What is taken for a program of one size, if somebody else keeps so many objects of another size.
    fn taken(own: u64, other: u64) -> (bool, Vec<Waste>) {
        let base = hz3_config::load(Path::new("hz3:default")).expect("a preset");
        let demand = |trace: &Trace| Demand::of(trace, (base.largest(), GRANULE), BLOCKS * PARTS);
        let calls = |size| -> Vec<Call> { (0..20_000).map(|_| Call::Malloc(size)).collect() };
        let traces = [Trace::of_calls(&calls(own))];
        let (demands, witnesses) = ([demand(&traces[0])], [demand(&Trace::of_calls(&calls(other)))]);
        let strides = strides(&base, "hz3:default", 1, GRANULE).expect("default allows other classes");
        let mut search = Search::new(&traces, &demands, "hz3:default", &base, &strides).witnessed(&witnesses);
        search.models.learn(&[Config::default()]);
        let found = search.classes().expect("classes");
        (found.finding.taken, found.witnesses)
    }

    #[test]
    fn witnesses_stop_classes_that_waste_more_of_what_they_saw() {
        let (took, waste) = taken(1040, 1040);
        assert!(took && waste[0].fitted < waste[0].base, "{waste:?}");
        // A class of 1536 bytes is no use to a program of 1040, and goes; here is somebody who needs it.
        let (took, waste) = taken(1040, 1536);
        assert!(!took || waste[0].fitted <= waste[0].base, "{waste:?}");
    }
}
