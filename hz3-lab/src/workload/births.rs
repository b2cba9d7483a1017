//! A workload from what a program was seen to do: its objects, each with its birth, size and lifetime.

use super::tree::{self, Seen};
use super::{
    ALIGN_LEAST, ALIGN_MOST, Call, Judged, Kind, Life, MOST, Phase, Resize, STEPS, Spread, THREADS, Touch, Workload,
};
use crate::trace::{self, Trace};
use std::collections::BTreeMap;

/// Objects that a program made.
#[derive(Debug, Clone, Default)]
pub struct Births {
    /// What it was, for people.
    pub about: String,
    /// Threads that share the work; those that hardly do anything count little.
    pub threads: u64,
    /// The objects.
    pub all: Vec<Birth>,
}

/// One object, or several that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Birth {
    /// How many they are.
    pub count: f64,
    /// When it was made: any clock that does not go back.
    pub at: u64,
    /// Bytes at first.
    pub size: u64,
    /// Bytes at last.
    pub last: u64,
    /// How often it was resized.
    pub resizes: u64,
    /// How it was made.
    pub call: Call,
    /// Steps of its thread until it went; none if it stayed.
    pub life: Option<f64>,
    /// Share that another thread freed, 0 to 1.
    pub handed: f64,
}

/// How finely to look.
#[derive(Debug, Clone, Copy)]
pub struct Grain {
    /// Phases, each with as many births.
    pub phases: usize,
    /// Kinds of objects in each phase.
    pub kinds: usize,
}

impl Grain {
    /// As fine as it takes to come within a few percent of the live bytes of the recordings that ship.
    pub const DEFAULT: Self = Self { phases: 16, kinds: 40 };
}

impl Births {
    /// Those of a recorded trace. Resizes belong to the object that they continue. Lifetimes are counted in births, divided by
    /// the threads that share them.
    pub fn of_trace(trace: &Trace) -> Self {
        let mut births = Self {
            about: trace.command.clone(),
            ..Self::default()
        };
        // By number of object: which birth it belongs to, and its thread. By thread: births.
        let mut of: Vec<(usize, u16)> = Vec::new();
        let mut shares: Vec<f64> = vec![0.0; trace.threads()];
        let mut remote = 0.0;
        for event in &trace.events {
            let now = births.all.len();
            let mut made = |size: u64, call: Call, births: &mut Self| {
                births.all.push(Birth {
                    count: 1.0,
                    at: now as u64,
                    size: size.max(1),
                    last: size.max(1),
                    resizes: 0,
                    call,
                    life: None,
                    handed: 0.0,
                });
                of.push((now, event.thread));
                shares[usize::from(event.thread)] += 1.0;
            };
            match event.call.of_c() {
                trace::Call::Malloc(n) => made(n, Call::Malloc, &mut births),
                trace::Call::Calloc(n) => made(n, Call::Calloc, &mut births),
                trace::Call::Memalign(log, n) => made(n, Call::Aligned(1 << log.min(30)), &mut births),
                trace::Call::Realloc(old, n) => {
                    let (birth, thread) = of[old as usize];
                    births.all[birth].last = n.max(1);
                    births.all[birth].resizes += 1;
                    of.push((birth, thread));
                }
                trace::Call::Free(o) => {
                    let (birth, thread) = of[o as usize];
                    let birth = &mut births.all[birth];
                    birth.life = Some((now as u64 - birth.at) as f64);
                    if thread != event.thread {
                        birth.handed = 1.0;
                        remote += 1.0;
                    }
                }
            }
        }
        births.share(&shares, remote);
        births
    }

    /// Settles how many threads share the work, and turns lifetimes from births of all into steps of one.
    pub(super) fn share(&mut self, births: &[f64], remote: f64) {
        let sum: f64 = births.iter().sum();
        let squares: f64 = births.iter().map(|b| b * b).sum();
        let equal = if squares > 0.0 {
            (sum * sum / squares).round()
        } else {
            1.0
        };
        // Objects that others free need another thread, even if it makes none itself.
        let least = if remote > sum * 0.01 { 2.0 } else { 1.0 };
        self.threads = (equal.max(least) as u64).clamp(1, super::THREADS);
        for birth in &mut self.all {
            if let Some(life) = &mut birth.life {
                // A birth is a step: what goes before the next birth lives for one.
                *life = (*life / self.threads as f64).max(1.0);
            }
            if self.threads == 1 {
                birth.handed = 0.0;
            }
        }
    }

    /// A workload has bounds that a program need not have: one that reserves terabytes is held to what a workload may ask for.
    fn bound(&mut self) {
        self.threads = self.threads.clamp(1, THREADS);
        for birth in &mut self.all {
            birth.size = birth.size.clamp(1, MOST);
            birth.last = birth.last.clamp(1, MOST);
            if let Call::Aligned(align) = &mut birth.call {
                *align = (*align).clamp(ALIGN_LEAST, ALIGN_MOST);
            }
            if let Some(life) = &mut birth.life {
                *life = life.clamp(1.0, MOST as f64);
            }
        }
    }

    /// A workload that makes such objects.
    pub fn workload(mut self, grain: Grain) -> Workload {
        self.bound();
        self.all.sort_by_key(|birth| birth.at);
        let all: f64 = self.all.iter().map(|b| b.count).sum();
        // A profile may know few times of birth: no phase is shorter than what lies between two of them.
        let times = self.all.chunk_by(|a, b| a.at == b.at).count();
        let phases = grain
            .phases
            .clamp(1, super::PHASES)
            .min((all / 500.0) as usize + 1)
            .min(times);
        let mut cut: Vec<Vec<Seen>> = vec![Vec::new(); phases];
        let mut made = 0.0;
        for birth in &self.all {
            let middle = made + birth.count / 2.0;
            let at = ((middle / all * phases as f64) as usize).min(phases - 1);
            cut[at].push(Seen::of(birth, ((all - middle) / self.threads as f64).max(1.0)));
            made += birth.count;
        }
        let phases = cut.into_iter().filter(|seen| !seen.is_empty()).map(|seen| {
            let count: f64 = seen.iter().map(|s| s.count).sum();
            Phase {
                name: String::new(),
                steps: ((count / self.threads as f64).round() as u64).clamp(1, STEPS),
                pause_ms: 0,
                objects: tree::grow(seen, grain.kinds)
                    .iter()
                    .map(|leaf| kind(leaf, count))
                    .collect(),
            }
        });
        Workload {
            description: format!("as {}", self.about).replace(char::is_control, "?"),
            threads: self.threads,
            renew: 0,
            judged: Judged::Time,
            phases: phases.collect(),
        }
    }
}

/// The even spread of some numbers that keeps their mean and stays within their bounds.
fn even(least: f64, most: f64, mean: f64) -> Spread {
    let (low, high) = match mean * 2.0 <= least + most {
        true => (least, 2.0 * mean - least),
        false => (2.0 * mean - most, most),
    };
    let (low, high) = (low.round().max(1.0) as u64, high.round().max(1.0) as u64);
    match low >= high {
        true => Spread::Fixed(low),
        false => Spread::Uniform(low, high),
    }
}

/// A few sizes with their weights, if all objects have one of them, or nearly all: then what is left has its mean size.
fn few(leaf: &[Seen], count: f64) -> Option<Spread> {
    const FEW: usize = 8;
    let mut sizes: BTreeMap<u64, f64> = BTreeMap::new();
    for seen in leaf {
        *sizes.entry(seen.size as u64).or_default() += seen.count;
    }
    let mut all: Vec<(u64, f64)> = sizes.into_iter().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if all.len() > FEW {
        let rest = all.split_off(FEW - 1);
        let left: f64 = rest.iter().map(|(_, n)| n).sum();
        if left > count * 0.25 {
            return None;
        }
        let bytes: f64 = rest.iter().map(|(size, n)| *size as f64 * n).sum();
        let mean = (bytes / left).round() as u64;
        match all.iter_mut().find(|(size, _)| *size == mean) {
            Some((_, n)) => *n += left,
            None => all.push((mean, left)),
        }
    }
    all.sort_by_key(|(size, _)| *size);
    if let [(only, _)] = all[..] {
        return Some(Spread::Fixed(only));
    }
    let weight = |n: f64| (n / count * 1000.0).round().max(1.0) as u64;
    Some(Spread::Among(
        all.into_iter().map(|(size, n)| (size, weight(n))).collect(),
    ))
}

/// One kind for objects that are alike, of `all` in their phase. Bytes, and bytes over time, are kept.
fn kind(leaf: &[Seen], all: f64) -> Kind {
    let sum = |f: &dyn Fn(&Seen) -> f64| leaf.iter().map(f).sum::<f64>();
    let least = |f: &dyn Fn(&Seen) -> f64| leaf.iter().map(f).fold(f64::INFINITY, f64::min);
    let most = |f: &dyn Fn(&Seen) -> f64| leaf.iter().map(f).fold(0.0, f64::max);
    let count = sum(&|s| s.count);
    let bytes = sum(&|s| s.count * s.size);
    let lifetime = match leaf[0].stays {
        true => Life::Run,
        false => Life::Steps(even(
            least(&|s| s.life),
            most(&|s| s.life),
            sum(&|s| s.count * s.size * s.life) / bytes,
        )),
    };
    let times = sum(&|s| s.count * s.resizes) / count;
    let growth = sum(&|s| s.count * (s.last / s.size).ln()) / count;
    let resize = (leaf[0].resizes > 0.0).then(|| {
        let times = times.round().clamp(1.0, 60_000.0);
        Resize {
            times: times as u64,
            percent: ((growth / times).exp() * 100.0).round().clamp(1.0, 100_000.0) as u64,
        }
    });
    Kind {
        weight: (count / all * 1e6).round().max(1.0) as u64,
        size: few(leaf, count).unwrap_or_else(|| even(least(&|s| s.size), most(&|s| s.size), bytes / count)),
        lifetime,
        call: leaf[0].call,
        handed: (sum(&|s| s.count * s.handed) / count * 100.0).round() as u64,
        resize,
        touch: Touch::Ends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Call as Traced, Event};

    fn trace(events: &[(u16, Traced)]) -> Trace {
        Trace {
            command: "a program".into(),
            events: events.iter().map(|&(thread, call)| Event { thread, call }).collect(),
            ..Trace::default()
        }
    }

    #[test]
    fn lifetimes_are_steps_and_resizes_continue() {
        let births = Births::of_trace(&trace(&[
            (0, Traced::Malloc(10)),
            (0, Traced::Free(0)),
            (0, Traced::Calloc(0)),
            (0, Traced::Realloc(1, 40)),
            (0, Traced::Malloc(7)),
            (0, Traced::Memalign(12, 99)),
            (0, Traced::Free(2)),
        ]));
        let found: Vec<_> = births
            .all
            .iter()
            .map(|b| (b.size, b.last, b.resizes, b.call, b.life))
            .collect();
        assert_eq!(
            found,
            [
                (10, 10, 0, Call::Malloc, Some(1.0)),
                (1, 40, 1, Call::Calloc, Some(3.0)),
                (7, 7, 0, Call::Malloc, None),
                (99, 99, 0, Call::Aligned(4096), None),
            ]
        );
    }

    /// What a trace may hold and a workload may not.
    #[test]
    fn what_no_workload_may_ask_for_is_held_to_its_bounds() {
        let births = Births::of_trace(&trace(&[
            (0, Traced::Malloc(1 << 47)),
            (0, Traced::Memalign(2, 1 << 41)),
            (0, Traced::Memalign(40, 64)),
            (0, Traced::Realloc(2, 1 << 45)),
        ]));
        let workload = births.workload(Grain { phases: 1, kinds: 4 });
        let text = crate::workload::text(&workload, &[]);
        let again = crate::workload::read(std::path::Path::new("w.toml"), &text);
        assert_eq!(again.as_ref().ok(), Some(&workload), "{text}");
    }

    #[test]
    fn who_only_frees_is_a_thread_too() {
        let mut events = Vec::new();
        for o in 0..100u32 {
            events.push((0, Traced::Malloc(64)));
            events.push((1, Traced::Free(o)));
        }
        let births = Births::of_trace(&trace(&events));
        assert_eq!(births.threads, 2);
        let w = births.workload(Grain { phases: 1, kinds: 4 });
        assert_eq!((w.steps(), w.phases[0].objects.len()), (50, 1));
        assert_eq!(w.phases[0].objects[0].handed, 100);
    }

    #[test]
    fn bytes_and_bytes_over_time_are_kept() {
        let mut events = Vec::new();
        let mut rng = crate::stats::Rng(1);
        let mut live: Vec<u32> = Vec::new();
        let (mut bytes, mut sizes) = (0.0, Vec::new());
        for _ in 0..20_000 {
            if live.len() == 1000 {
                events.push((0, Traced::Free(live.swap_remove(rng.below(live.len())))));
            }
            let n = 16 << rng.below(8);
            events.push((0, Traced::Malloc(n)));
            live.push(sizes.len() as u32);
            bytes += n as f64;
            sizes.push(n);
        }
        let live: f64 = live.iter().map(|o| sizes[*o as usize] as f64).sum();
        let w = Births::of_trace(&trace(&events)).workload(Grain { phases: 6, kinds: 24 });
        let expected = w.expected();
        let all: f64 = expected.iter().map(|e| e.bytes).sum();
        assert!((all / bytes - 1.0).abs() < 0.01, "{all} {bytes}");
        // There are always as many. (In the last phase those that stay, and those that went late, are made all over the phase.)
        let middle = expected[3].live_bytes;
        assert!((middle / live - 1.0).abs() < 0.1, "{middle} {live}");
        assert!(w.phases.iter().all(|p| p.objects.len() <= 24));
    }
}
