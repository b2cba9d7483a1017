//! Values of each class: of runs, how many pages; of batches, how many objects.
//!
//! All classes get one value after the other, and the model says what each class takes of memory and time under it: a curve for
//! each class. Then memory gets a price, one for all classes, and each class gets the value that is cheapest at that price. (These
//! are the multipliers of Lagrange: of all ways to take so much memory, this one takes the least time.) There is a config for each
//! of a few prices, and the model judges it as a whole: lists share a budget, and classes share pages, which the curves do not know.

use super::Search;
use super::config::Config;
use super::found::{Figures, Finding};
use super::models::WORTH;
use crate::fit::candidates::ByClass;
use crate::fit::trials::{Unit, fold, folds};
use hz3_config::plan::ClassPlan;

/// Prices of memory, times that by which whole configs are judged.
const PRICES: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];
/// A class has a value of its own if it wins this share of what a line of a config has to win, and wins it in every part.
const OWN: f64 = WORTH / 16.0;

/// What each class takes under one config.
type Taken = Vec<(ClassPlan, Figures)>;

impl Search<'_> {
    /// Tries values of each class on top of what was taken.
    pub fn by_class(&mut self, key: &ByClass, now: &Config) -> Option<(Config, Finding)> {
        // The configs of each price, for everything and for each trial.
        let more = PRICES.len() * (1 + folds(self.traces.len()));
        if !self.models.may_run(key.choices.len() + 1 + more) {
            return None;
        }
        // What classes have by rules alone; a base may have values of its own.
        let bare = now.with(&[key.line(&[])]);
        self.models.learn(std::slice::from_ref(&bare));
        let sizes: Vec<(u32, u32)> = self
            .models
            .classes(&bare, &[])?
            .iter()
            .map(|(class, _)| (class.size, (key.have)(class)))
            .collect();
        let mut curves: Vec<Config> = key
            .choices
            .iter()
            .map(|&value| {
                let of = |size| {
                    let (least, most) = (key.bounds)(size);
                    value.clamp(least, most)
                };
                let values: Vec<(u32, Option<u32>)> = sizes.iter().map(|&(size, _)| (size, Some(of(size)))).collect();
                now.with(&[key.line(&values)])
            })
            .collect();
        curves.push(now.clone());
        self.models.learn(&curves);
        self.considered((key.name, key.why), now, |search, units| {
            let made = PRICES.iter().filter_map(|&price| {
                let values = search.values(key, now, &curves, &sizes, units, price)?;
                Some(now.with(&[key.line(&values)]))
            });
            Some(made.collect())
        })
    }

    /// The value of each class that is cheapest, if memory has this price; none where it is what the rules say. `sizes` are those
    /// of classes, and what the rules say.
    fn values(
        &self,
        key: &ByClass,
        now: &Config,
        curves: &[Config],
        sizes: &[(u32, u32)],
        units: &[Unit],
        price: f64,
    ) -> Option<Vec<(u32, Option<u32>)>> {
        let traces = self.traces.len();
        let mut parts: Vec<Vec<Unit>> = (0..folds(traces))
            .map(|k| units.iter().copied().filter(|&unit| fold(traces, unit) == k).collect())
            .collect();
        parts.retain(|part: &Vec<Unit>| !part.is_empty());
        parts.push(units.to_vec());
        let taken = |config: &Config| -> Option<Vec<Taken>> {
            parts.iter().map(|part| self.models.classes(config, part)).collect()
        };
        let before = taken(now)?;
        let others: Vec<Vec<Taken>> = curves.iter().filter_map(taken).collect();
        let whole = parts.len() - 1;
        let value = |id: usize| {
            let have = (key.have)(&before[whole][id].0);
            let worse = |other: &Vec<Taken>, part: usize| {
                let more = other[part][id].1.more(before[part][id].1);
                self.models.price(&more, &parts[part], price)
            };
            let best = others
                .iter()
                .filter(|other| (key.have)(&other[whole][id].0) != have)
                .filter_map(|other| Some((worse(other, whole)?, other)))
                .filter(|(more, other)| {
                    *more < -OWN && (0..whole).all(|part| worse(other, part).is_some_and(|more| more < 0.0))
                })
                .min_by(|a, b| a.0.total_cmp(&b.0));
            best.map_or(have, |(_, other)| (key.have)(&other[whole][id].0))
        };
        let values = sizes.iter().enumerate().map(|(id, &(size, rule))| {
            let value = value(id);
            (size, (value != rule).then_some(value))
        });
        Some(values.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::candidates::BY_CLASS;
    use crate::fit::trials::{BLOCKS, PARTS, units};
    use crate::fit::{Demand, GRANULE, strides};
    use crate::stats::Rng;
    use crate::trace::{Call, Trace};
    use hz3_config::Plan;

    /// What a search among configs that extend `parent` says of a program of one thread.
    fn searched<T>(parent: &str, ask: impl FnOnce(&mut Search<'_>) -> T) -> T {
        let base = extended(parent, "");
        let traces = [Trace::of_calls(&program())];
        let demands = [Demand::of(&traces[0], (base.largest(), GRANULE), BLOCKS * PARTS)];
        let strides = strides(&base, parent, 1, GRANULE).expect("it allows other classes");
        let mut search = Search::new(&traces, &demands, parent, &base, &strides);
        search.models.learn(&[Config::default()]);
        ask(&mut search)
    }

    /// The plan of a parent with these tables.
    fn extended(parent: &str, tables: &str) -> Plan {
        let text = format!("name = \"probe\"\ndescription = \"a probe\"\nextends = {parent:?}\n{tables}");
        hz3_config::load_str(std::path::Path::new("probe.toml"), &text).expect("a config")
    }

    /// Objects of up to 9000 bytes, of which now 1500 are live and now 300.
    fn program() -> Vec<Call> {
        let mut rng = Rng(3);
        let mut live: Vec<u32> = Vec::new();
        let mut calls = Vec::new();
        for made in 0..40_000 {
            let most = if made / 500 % 2 == 0 { 1500 } else { 300 };
            while live.len() > most {
                calls.push(Call::Free(live.swap_remove(rng.below(live.len()))));
            }
            calls.push(Call::Malloc(1 + rng.below(9000) as u64));
            live.push(made);
        }
        calls
    }

    #[test]
    fn what_a_base_says_badly_of_some_classes_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (key, sizes, bad) in [
            // Two objects of a run, a third of which is wasted.
            (
                &BY_CLASS[0],
                1281..=1408,
                "[runs]\noverrides = [{ from = 1281, to = 1408, pages = 1 }]\n",
            ),
            // Every object is an event.
            (
                &BY_CLASS[1],
                4097..=8192,
                "[cache]\noverrides = [{ from = 4097, to = 8192, batch = 1 }]\n",
            ),
        ] {
            let parent = folder.path().join(format!("{}.toml", key.value));
            let name = key.value;
            let text = format!("name = \"{name}\"\ndescription = \"a base\"\nextends = \"hz3:default\"\n{bad}");
            std::fs::write(&parent, text).expect("a file");
            let parent = parent.to_str().expect("UTF-8");
            let (config, finding) =
                searched(parent, |search| search.by_class(key, &Config::default())).expect("something better");
            assert!(finding.taken && finding.name == key.name, "{finding:?}");
            assert!(
                finding.effect.mean < 0.0 || finding.effect.nanoseconds < 0.0,
                "{finding:?}"
            );
            let (bad, good) = (extended(parent, ""), extended(parent, &config.text()));
            for (bad, good) in bad.classes.iter().zip(&good.classes) {
                let changed = (key.have)(bad) != (key.have)(good);
                assert!(changed || !sizes.contains(&bad.size), "{}: {config:?}", bad.size);
            }
        }
    }

    #[test]
    fn dearer_memory_buys_less_of_it() {
        let key = &BY_CLASS[1];
        searched("hz3:default", |search| {
            let now = Config::default();
            let sizes: Vec<(u32, u32)> = search.base.classes.iter().map(|c| (c.size, (key.have)(c))).collect();
            let of = |value: u32, size| {
                let (least, most) = (key.bounds)(size);
                Some(value.clamp(least, most))
            };
            let curves: Vec<Config> = [1, 4, 16, 64]
                .map(|value| {
                    let all: Vec<_> = sizes.iter().map(|&(size, _)| (size, of(value, size))).collect();
                    now.with(&[key.line(&all)])
                })
                .into();
            search.models.learn(&curves);
            // By the curves: memory and time of all classes together.
            let all = units(1);
            let bought: Vec<(f64, f64)> = [0.01, 1.0, 100.0]
                .map(|price| {
                    let values = search.values(key, &now, &curves, &sizes, &all, price).expect("values");
                    let mut sum = (0.0, 0.0);
                    for (id, (_, value)) in values.iter().enumerate() {
                        let value = value.unwrap_or(sizes[id].1);
                        let mut configs = curves
                            .iter()
                            .chain([&now])
                            .filter_map(|c| search.models.classes(c, &all));
                        let classes = configs.find(|classes| (key.have)(&classes[id].0) == value);
                        let figures = classes.expect("one of these")[id].1;
                        sum.0 += figures.peak + figures.mean;
                        sum.1 += figures.nanoseconds;
                    }
                    sum
                })
                .into();
            assert!(bought.is_sorted_by(|a, b| a.0 >= b.0 && a.1 <= b.1), "{bought:?}");
            assert!(bought[0].0 > bought[2].0 && bought[0].1 < bought[2].1, "{bought:?}");
        });
    }

    #[test]
    fn neighbours_that_are_alike_share_a_range() {
        let (four, eight) = (Some(4), Some(8));
        let line = BY_CLASS[1].line(&[(16, None), (32, four), (48, four), (64, None), (80, four), (96, eight)]);
        let text = [
            "[",
            "    { from = 32, to = 48, batch = 4 },",
            "    { from = 80, to = 80, batch = 4 },",
            "    { from = 96, to = 96, batch = 8 },",
            "]",
        ];
        assert_eq!(line, ("cache.overrides", text.join("\n")));
        assert_eq!(BY_CLASS[0].line(&[(16, None)]).1, "[]");
    }
}
