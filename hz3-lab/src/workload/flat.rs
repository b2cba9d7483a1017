//! The form that the client runs, and what a workload will amount to.

use super::{Call, Judged, KINDS, Kind, Life, MOST, Phase, Spread, Touch, Workload};

/// One kind with one size and one lifetime: nothing is left of lists.
struct Flat<'a> {
    kind: &'a Kind,
    weight: f64,
    size: Spread,
    life: Life,
}

fn apart(spread: &Spread) -> Vec<(Spread, f64)> {
    match spread {
        Spread::Among(list) => {
            let sum: f64 = list.iter().map(|(_, w)| *w as f64).sum();
            list.iter().map(|(n, w)| (Spread::Fixed(*n), *w as f64 / sum)).collect()
        }
        other => vec![(other.clone(), 1.0)],
    }
}

fn flatten(phase: &Phase) -> Vec<Flat<'_>> {
    let mut out = Vec::new();
    for kind in &phase.objects {
        let lives: Vec<(Life, f64)> = match &kind.lifetime {
            Life::Steps(spread) => apart(spread).into_iter().map(|(s, w)| (Life::Steps(s), w)).collect(),
            other => vec![(other.clone(), 1.0)],
        };
        for (size, share) in apart(&kind.size) {
            for (life, of_it) in &lives {
                out.push(Flat {
                    kind,
                    weight: kind.weight as f64 * share * of_it,
                    size: size.clone(),
                    life: life.clone(),
                });
            }
        }
    }
    out
}

/// Kinds of all phases, once lists are taken apart; the error says that they are too many.
pub(super) fn kinds(workload: &Workload) -> Result<usize, String> {
    let length = |spread: &Spread| match spread {
        Spread::Among(list) => list.len(),
        _ => 1,
    };
    let of = |kind: &Kind| {
        let lives = match &kind.lifetime {
            Life::Steps(spread) => length(spread),
            _ => 1,
        };
        length(&kind.size).saturating_mul(lives)
    };
    let all = workload.phases.iter().flat_map(|p| &p.objects).map(of);
    let sum = all.fold(0usize, usize::saturating_add);
    match sum <= KINDS {
        true => Ok(sum),
        false => Err(format!(
            "{sum} pairs of a size and a lifetime, and {KINDS} are the most"
        )),
    }
}

/// A spread for the client: its form, two numbers, and log2 of their ratio in 2^-32.
fn spread(spread: &Spread) -> [u64; 4] {
    match spread {
        Spread::Fixed(n) => [0, *n, *n, 0],
        Spread::Uniform(a, b) => [1, *a, *b, 0],
        Spread::Log(a, b) => [2, *a, *b, ((*b as f64 / *a as f64).log2() * 4_294_967_296.0) as u64],
        Spread::Mean(n) => [3, *n, MOST, 0],
        // Lists were taken apart before.
        Spread::Among(list) => [0, list[0].0, list[0].0, 0],
    }
}

/// The workload for the client: see `workload.c`.
pub fn flat(workload: &Workload) -> Vec<u8> {
    let phases: Vec<Vec<Flat<'_>>> = workload.phases.iter().map(flatten).collect();
    let kinds: usize = phases.iter().map(Vec::len).sum();
    let mut words: Vec<u64> = vec![
        workload.threads,
        workload.renew,
        phases.len() as u64,
        kinds as u64,
        u64::from(workload.judged == Judged::Resident),
    ];
    let mut first = 0u64;
    for (phase, kinds) in workload.phases.iter().zip(&phases) {
        words.extend([phase.steps, phase.pause_ms, first, kinds.len() as u64]);
        first += kinds.len() as u64;
    }
    for kinds in &phases {
        let most = kinds.iter().map(|k| k.weight).fold(f64::MIN_POSITIVE, f64::max);
        for flat in kinds {
            // Of 2^30, so that the rarest of a million still has a weight that says how rare.
            let weight = (flat.weight / most * f64::from(1 << 30)).round() as u64;
            words.push(weight.clamp(1, 1 << 30));
            words.extend(spread(&flat.size));
            words.extend(match &flat.life {
                Life::Steps(s) => spread(s),
                Life::Phase => [4, 0, 0, 0],
                Life::Run => [5, 0, 0, 0],
            });
            let kind = flat.kind;
            words.extend(match kind.call {
                Call::Malloc => [0, 0],
                Call::Calloc => [1, 0],
                Call::Aligned(n) => [2, n],
            });
            words.push((kind.handed << 32) / 100);
            words.extend(kind.resize.map_or([0, 100], |r| [r.times, r.percent]));
            words.push(match kind.touch {
                Touch::Ends => 0,
                Touch::Pages => 1,
                Touch::All => 2,
            });
        }
    }
    let mut out = b"hz3work\0".to_vec();
    words.iter().for_each(|w| out.extend_from_slice(&w.to_le_bytes()));
    out
}

/// What a phase will amount to, for all threads together.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Expected {
    /// The phase.
    pub name: String,
    /// Objects that it makes.
    pub objects: f64,
    /// Their bytes, as they are made.
    pub bytes: f64,
    /// Objects that are live when it ends.
    pub live_objects: f64,
    /// Their bytes.
    pub live_bytes: f64,
}

/// Share of the objects made in a stretch of `steps` that are still live `after` its end, by their lifetime.
fn left(life: &Life, steps: f64, after: f64) -> f64 {
    // Of objects that live for `l` steps, those made within the last `l` are live at the stretch's end.
    let fixed = |l: f64| (l - 1.0 - after).clamp(0.0, steps) / steps;
    match life {
        Life::Run => 1.0,
        Life::Phase => 0.0,
        Life::Steps(Spread::Fixed(n)) => fixed(*n as f64),
        Life::Steps(Spread::Among(list)) => {
            let sum: f64 = list.iter().map(|(_, w)| *w as f64).sum();
            list.iter().map(|(n, w)| fixed(*n as f64) * *w as f64 / sum).sum()
        }
        Life::Steps(spread) => {
            // The mean over quantiles; a hundred of them are enough for a table.
            const N: u32 = 100;
            let quantile = |u: f64| match spread {
                Spread::Uniform(a, b) => *a as f64 + u * (*b as f64 - *a as f64),
                Spread::Log(a, b) => *a as f64 * (*b as f64 / *a as f64).powf(u),
                Spread::Mean(n) => -(*n as f64) * (1.0 - u).ln(),
                Spread::Fixed(_) | Spread::Among(_) => 0.0,
            };
            (0..N)
                .map(|k| fixed(quantile((f64::from(k) + 0.5) / f64::from(N))))
                .sum::<f64>()
                / f64::from(N)
        }
    }
}

impl Workload {
    /// What each phase will amount to.
    pub fn expected(&self) -> Vec<Expected> {
        let threads = self.threads as f64;
        let mut out = Vec::new();
        for (at, phase) in self.phases.iter().enumerate() {
            let steps = phase.steps as f64;
            let weights: f64 = phase.objects.iter().map(|k| k.weight as f64).sum();
            let bytes: f64 = phase
                .objects
                .iter()
                .map(|k| k.weight as f64 / weights * k.size.mean())
                .sum();
            let (mut live_objects, mut live_bytes) = (0.0, 0.0);
            let mut after = 0.0;
            for before in self.phases[..=at].iter().rev() {
                let weights: f64 = before.objects.iter().map(|k| k.weight as f64).sum();
                for kind in &before.objects {
                    let made = before.steps as f64 * kind.weight as f64 / weights;
                    let live = made * left(&kind.lifetime, before.steps as f64, after);
                    let grown = kind
                        .resize
                        .map_or(1.0, |r| (r.percent as f64 / 100.0).powf(r.times as f64).min(1e6));
                    live_objects += live;
                    live_bytes += live * kind.size.mean() * (1.0 + grown) / 2.0;
                }
                after += before.steps as f64;
            }
            out.push(Expected {
                name: phase.name.clone(),
                objects: steps * threads,
                bytes: steps * bytes * threads,
                live_objects: live_objects * threads,
                live_bytes: live_bytes * threads,
            });
        }
        out
    }
}
