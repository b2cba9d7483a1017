//! The best classes of one band of sizes, by dynamic programming over all that there could be.

use super::demand::GRANULE;
use super::strides::Price;

/// A size that could be a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Bytes of an object.
    pub size: u32,
    /// Bytes of its run for each object, the run's end included.
    pub stride: f64,
    /// What such a class costs beside its objects.
    pub price: Price,
    /// Whether it has to be there.
    pub forced: bool,
    /// Objects that are live, of those for whom no smaller candidate is large enough: in each of several stretches of time that
    /// follow each other, or on average if there is but one.
    pub live: Vec<f64>,
}

/// Objects that a class has memory for, on average: all that were ever live together, as the objects of a run are hardly ever all
/// free at once. After each `chunk` of stretches something else begins.
fn held(live: &[f64], chunk: usize) -> f64 {
    let mut sum = 0.0;
    for stretches in live.chunks(chunk.max(1)) {
        let mut most = 0.0f64;
        for &objects in stretches {
            most = most.max(objects);
            sum += most;
        }
    }
    sum / live.len().max(1) as f64
}

/// Whether two classes may follow each other: sizes that were never seen must be served without much waste, too. A quarter
/// is what most allocators have.
fn may_follow(low: u32, high: u32) -> bool {
    high <= low + GRANULE || u64::from(high) * 4 <= u64::from(low) * 5
}

/// The classes above `low`, of rising candidates of which the last is always one, that cost the fewest bytes: those that
/// objects take in their runs, and the prices of the classes. Of stretches of time, `chunk` belong together. Returns indices of
/// candidates, rising.
pub fn choose(candidates: &[Candidate], low: u32, chunk: usize) -> Vec<usize> {
    // `best[j]`: the least cost of all up to candidate j, which is a class, and the class before it.
    let mut best: Vec<(f64, Option<usize>)> = Vec::with_capacity(candidates.len());
    let stretches = candidates.first().map_or(0, |c| c.live.len());
    let mut live = vec![0.0; stretches];
    let used: Vec<bool> = candidates.iter().map(|c| c.live.iter().any(|n| *n > 0.0)).collect();
    for (j, last) in candidates.iter().enumerate() {
        let mut found = (f64::INFINITY, None);
        live.fill(0.0);
        let mut objects = 0.0;
        let mut i = j;
        // Candidates from i + 1 to j would be served by j.
        loop {
            if used[i] {
                live.iter_mut().zip(&candidates[i].live).for_each(|(sum, n)| *sum += n);
                objects = held(&live, chunk);
            }
            let before = i.checked_sub(1);
            let below = before.map_or(low, |b| candidates[b].size);
            if !may_follow(below, last.size) {
                break;
            }
            let price = last.price.idle + if objects > 0.0 { last.price.used } else { 0.0 };
            let cost = before.map_or(0.0, |b| best[b].0) + objects * last.stride + price;
            if cost < found.0 {
                found = (cost, before);
            }
            match before {
                Some(b) if !candidates[b].forced => i = b,
                _ => break,
            }
        }
        best.push(found);
    }
    let mut chosen = Vec::new();
    let mut at = candidates.len().checked_sub(1);
    while let Some(j) = at {
        chosen.push(j);
        at = best[j].1;
    }
    chosen.reverse();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;

    fn candidate(size: u32, objects: f64, price: f64) -> Candidate {
        Candidate {
            size,
            stride: f64::from(size),
            price: Price {
                idle: price / 4.0,
                used: price,
            },
            forced: false,
            live: vec![objects],
        }
    }

    fn cost(candidates: &[Candidate], chosen: &[usize]) -> f64 {
        let mut from = 0;
        chosen
            .iter()
            .map(|&j| {
                let objects: f64 = candidates[from..=j].iter().map(|c| c.live[0]).sum();
                from = j + 1;
                let price = candidates[j].price;
                objects * candidates[j].stride + price.idle + if objects > 0.0 { price.used } else { 0.0 }
            })
            .sum()
    }

    /// Whether a choice keeps the rules.
    fn is_sound(candidates: &[Candidate], low: u32, chosen: &[usize]) -> bool {
        let sizes = || chosen.iter().map(|&j| candidates[j].size);
        let follow = std::iter::once(low)
            .chain(sizes())
            .zip(sizes())
            .all(|(a, b)| may_follow(a, b));
        let forced = (0..candidates.len()).all(|j| !candidates[j].forced || chosen.contains(&j));
        follow && forced && chosen.last() == Some(&(candidates.len() - 1))
    }

    #[test]
    fn no_choice_is_better() {
        let mut rng = Rng(7);
        for round in 0..60 {
            let low = 128;
            let candidates: Vec<Candidate> = (1..=10)
                .map(|k| {
                    let objects = if rng.below(3) == 0 { 0.0 } else { rng.below(100) as f64 };
                    let mut one = candidate(low + k * 16, objects, 300.0 * f64::from(round % 5));
                    // As the ends of runs have it, a larger class may take less.
                    one.stride += rng.below(40) as f64;
                    one.forced = rng.below(8) == 0;
                    one
                })
                .collect();
            let chosen = choose(&candidates, low, 1);
            assert!(is_sound(&candidates, low, &chosen), "{round}: {chosen:?}");
            let best = (0u32..1 << 10)
                .map(|bits| (0..10usize).filter(|j| bits & 1 << j != 0).collect::<Vec<_>>())
                .filter(|all| is_sound(&candidates, low, all))
                .map(|all| cost(&candidates, &all))
                .fold(f64::INFINITY, f64::min);
            assert!((cost(&candidates, &chosen) - best).abs() < 1e-6, "{round}: {chosen:?}");
        }
    }

    #[test]
    fn a_price_makes_them_fewer() {
        let of = |price: f64| {
            let all: Vec<_> = (1..=64u32).map(|k| candidate(1024 + 16 * k, 10.0, price)).collect();
            choose(&all, 1024, 1).len()
        };
        assert_eq!(of(0.0), 64);
        assert!(of(1000.0) < 20);
        // The bound on neighbours remains: 1280, 1600, 2000, 2048.
        assert_eq!(of(1e9), 4);
    }
}
