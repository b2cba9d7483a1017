//! How long single calls take: what a client's twin says of one execution, and what several say together.

use crate::stats;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The shares of the calls that a curve has figures for; the longest call stands beside it. `tails.h` has the same.
pub const SHARES: [f64; 16] = [
    0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99995, 0.99999,
];

/// How long the calls of one kind took, in ticks of the clock. A figure includes what the clock itself takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Calls.
    pub count: u64,
    /// Half of the calls took at most this.
    pub p50: u64,
    /// 99 % of them.
    pub p99: u64,
    /// 99.9 %.
    #[serde(rename = "p99.9")]
    pub p999: u64,
    /// 99.99 %.
    #[serde(rename = "p99.99")]
    pub p9999: u64,
    /// The longest call.
    pub max: u64,
    /// What each of [`SHARES`] took at most.
    #[serde(default)]
    pub curve: [u64; SHARES.len()],
}

/// The single calls of one execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tails {
    /// What a tick is.
    pub unit: String,
    /// Ticks of a microsecond.
    pub ticks_per_us: f64,
    /// Whether the kernel told which calls lost their processor. Where it did not, these are among the others.
    pub told_apart: bool,
    /// Calls that lost their processor: they are in no spread.
    pub preempted: u64,
    /// The longest of them, in ticks.
    pub preempted_max: u64,
    /// Page faults of the process.
    pub faults: u64,
    /// Times that its threads went to sleep by themselves.
    pub switches: u64,
    /// Times that they lost the processor, within calls or outside of them.
    pub involuntary: u64,
    /// `clock` (nothing at all was called), `malloc` (and its siblings), `free`, `realloc`.
    pub calls: BTreeMap<String, Spread>,
}

/// One kind of event of a variant that times its events (`stats.level = "events"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Events.
    pub count: u64,
    /// Cycles of all of them; 0 for kinds that are only counted.
    pub cycles: u64,
    /// How long they took, if they are timed.
    #[serde(flatten)]
    pub spread: Option<EventSpread>,
}

/// How long the events of one kind took, in cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSpread {
    /// Half of them took at most this.
    pub p50: u64,
    /// 99 % of them.
    pub p99: u64,
    /// 99.9 %.
    #[serde(rename = "p99.9")]
    pub p999: u64,
    /// The longest one, preempted ones included.
    pub max: u64,
}

/// The events of a variant, by their names.
pub type Events = BTreeMap<String, Event>;

/// The order in which kinds of calls are shown.
pub const CALLS: [&str; 4] = ["clock", "malloc", "free", "realloc"];

/// Several executions of one row under one allocator: medians, so that one bad second of the machine does not decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Together {
    /// Calls of all executions; each other figure is the median of the executions.
    #[serde(flatten)]
    pub median: Spread,
    /// The least p99.9 of an execution, and the greatest.
    #[serde(rename = "p99.9_range")]
    pub range: (u64, u64),
}

/// One kind of call over several executions; nothing if none of them had such a call.
pub fn together(all: &[Tails], call: &str) -> Option<Together> {
    let spreads: Vec<Spread> = all.iter().filter_map(|t| t.calls.get(call).copied()).collect();
    let median = |f: fn(&Spread) -> u64| {
        let values: Vec<f64> = spreads.iter().map(|s| f(s) as f64).collect();
        stats::median(&values).round() as u64
    };
    let tails = || spreads.iter().map(|s| s.p999);
    Some(Together {
        range: (tails().min()?, tails().max()?),
        median: Spread {
            count: spreads.iter().map(|s| s.count).sum(),
            p50: median(|s| s.p50),
            p99: median(|s| s.p99),
            p999: median(|s| s.p999),
            p9999: median(|s| s.p9999),
            max: median(|s| s.max),
            curve: std::array::from_fn(|i| {
                let values: Vec<f64> = spreads.iter().map(|s| s.curve[i] as f64).collect();
                stats::median(&values).round() as u64
            }),
        },
    })
}

/// The single calls of one contender on one row, all executions together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// What a tick is.
    pub unit: String,
    /// Ticks of a microsecond.
    pub ticks_per_us: f64,
    /// Executions.
    pub executions: usize,
    /// Calls that lost their processor, of all executions; none if the kernel did not tell.
    pub preempted: Option<u64>,
    /// The kinds of calls, by name.
    pub calls: BTreeMap<String, Together>,
}

impl Calls {
    /// Those of some executions; nothing if there are none.
    pub fn of(all: &[Tails]) -> Option<Self> {
        let first = all.first()?;
        let speeds: Vec<f64> = all.iter().map(|t| t.ticks_per_us).collect();
        Some(Self {
            unit: first.unit.clone(),
            ticks_per_us: stats::median(&speeds),
            executions: all.len(),
            preempted: all
                .iter()
                .all(|t| t.told_apart)
                .then(|| all.iter().map(|t| t.preempted).sum()),
            calls: CALLS
                .iter()
                .filter_map(|call| Some(((*call).to_owned(), together(all, call)?)))
                .collect(),
        })
    }

    /// Ticks in nanoseconds.
    pub fn ns(&self, ticks: u64) -> f64 {
        ticks as f64 * 1000.0 / self.ticks_per_us
    }
}

/// The figures of single calls by execution, in nanoseconds: `malloc.p50`, `malloc.p99`, `malloc.p99.9`, `malloc.max`, and those of
/// `free` and `realloc`. Only of calls that every execution has.
pub fn by_execution(all: &[Tails]) -> BTreeMap<String, Vec<f64>> {
    type Figure = fn(&Spread) -> u64;
    let mut figures = BTreeMap::new();
    for call in CALLS.into_iter().filter(|call| *call != "clock") {
        let of = |figure: Figure| -> Option<Vec<f64>> {
            let one = |t: &Tails| Some(figure(t.calls.get(call)?) as f64 * 1000.0 / t.ticks_per_us);
            all.iter().map(one).collect()
        };
        let named: [(&str, Figure); 4] = [
            ("p50", |s| s.p50),
            ("p99", |s| s.p99),
            ("p99.9", |s| s.p999),
            ("max", |s| s.max),
        ];
        for (name, figure) in named {
            if let Some(values) = of(figure).filter(|values| !values.is_empty()) {
                figures.insert(format!("{call}.{name}"), values);
            }
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_execution_does_not_decide() {
        let of = |p999: u64| Tails {
            unit: "cycles".into(),
            ticks_per_us: 2000.0,
            told_apart: true,
            preempted: 0,
            preempted_max: 0,
            faults: 0,
            switches: 0,
            involuntary: 0,
            calls: BTreeMap::from([(
                "free".into(),
                Spread {
                    count: 10,
                    p50: 20,
                    p99: 30,
                    p999,
                    p9999: p999,
                    max: p999,
                    curve: [20; SHARES.len()],
                },
            )]),
        };
        let all = [of(800), of(90_000), of(820)];
        let t = together(&all, "free").unwrap();
        assert_eq!((t.median.count, t.median.p999, t.range), (30, 820, (800, 90_000)));
        assert_eq!(together(&all, "malloc"), None);
        let figures = by_execution(&all);
        let names: Vec<&str> = figures.keys().map(String::as_str).collect();
        assert_eq!(names, ["free.max", "free.p50", "free.p99", "free.p99.9"]);
        assert_eq!(figures["free.p99.9"], [400.0, 45_000.0, 410.0]);
        let calls = Calls::of(&all).unwrap();
        assert_eq!(
            (calls.executions, calls.preempted, calls.ns(2000)),
            (3, Some(0), 1000.0)
        );
        assert_eq!(calls.calls["free"].median.curve[0], 20);
        let back: Calls = serde_json::from_str(&serde_json::to_string(&calls).unwrap()).unwrap();
        assert_eq!(back, calls);
        assert_eq!(together(&[], "free"), None);
    }

    #[test]
    fn events_that_are_only_counted_have_no_spread() {
        let text = r#"{"refill":{"count":2,"cycles":90,"p50":40,"p99":50,"p99.9":50,"max":50},"borrowed":{"count":1,"cycles":0}}"#;
        let events: Events = serde_json::from_str(text).unwrap();
        assert_eq!(events["refill"].spread.map(|s| s.max), Some(50));
        assert_eq!((events["borrowed"].count, events["borrowed"].spread), (1, None));
    }
}
