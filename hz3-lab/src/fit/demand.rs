//! What a program keeps alive: objects of each size on average over time, for each of several stretches of it.

use crate::profile::Profile;
use crate::trace::{Call, Trace};
use hz3_config::Plan;
use hz3_config::plan::DoubleFree;
use std::collections::{BTreeMap, BTreeSet};

/// The smallest class, and what sizes of classes are multiples of where C's `malloc` serves (bytes).
pub const GRANULE: u32 = hz3_config::plan::GRANULE;
/// The same where all that allocate name their alignment.
pub const FINEST: u32 = 8;

/// What sizes of classes may be multiples of for these recordings in configs that extend `base`.
pub fn granule(traces: &[Trace], base: &Plan) -> u32 {
    let named = !traces.is_empty() && traces.iter().all(Trace::names_alignments);
    // The table of objects in use is of the usual granule.
    if named && base.policy.hardening.double_free != DoubleFree::Exact {
        FINEST
    } else {
        base.lookup.granule
    }
}

/// What is live of one size, on average over a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Live {
    /// Objects.
    pub objects: f64,
    /// Bytes that were asked for.
    pub bytes: f64,
}

/// Live objects by size, for each of several equally long stretches of time.
#[derive(Debug, Clone, Default)]
pub struct Demand {
    /// Stretches.
    pub blocks: usize,
    /// What sizes of classes may be multiples of.
    pub granule: u32,
    /// By size, rounded up to the granule: what is live in each stretch.
    pub sizes: BTreeMap<u32, Vec<Live>>,
    /// Sizes that must stay classes, as aligned requests are served by them.
    pub aligned: BTreeSet<u32>,
}

impl Demand {
    /// What a trace keeps alive of objects of up to `largest` bytes, for classes of so many bytes' granule, in so many stretches.
    pub fn of(trace: &Trace, (largest, granule): (u32, u32), blocks: usize) -> Self {
        let mut demand = Self {
            blocks,
            granule,
            ..Self::default()
        };
        let end = trace.events.len() as u64;
        // Size and time of birth by object; `None` once it is dead, or if no class serves it.
        let mut born: Vec<Option<(u64, u32, u64)>> = Vec::new();
        for (now, event) in trace.events.iter().enumerate() {
            let now = now as u64;
            if let Call::Free(o) | Call::Realloc(o, _) = event.call
                && let Some((size, class, since)) = born[o as usize].take()
            {
                demand.add(size, class, (since, now), end, 1.0);
            }
            if let Some(size) = event.call.made() {
                let align = match event.call {
                    Call::Memalign(log, _) => 1u64 << log,
                    _ => 1,
                };
                let class = demand.class(size, align, largest);
                born.push(class.map(|class| (size, class, now)));
            }
        }
        for (size, class, since) in born.into_iter().flatten() {
            demand.add(size, class, (since, end), end, 1.0);
        }
        demand
    }

    /// What a profile says was alive of objects of up to `largest` bytes, for classes of so many bytes' granule, in so many
    /// stretches of its time. Where births and ends are known as ranges, objects are spread over them evenly; what is live at the
    /// end was so since its birth.
    pub fn of_profile(profile: &Profile, (largest, granule): (u32, u32), blocks: usize) -> Self {
        let mut demand = Self {
            blocks,
            granule,
            ..Self::default()
        };
        let end = profile.duration.max(1);
        for row in &profile.rows {
            let Some(class) = demand.class(row.size, row.align, largest) else {
                continue;
            };
            let objects = row.objects as f64;
            let born = row.born.min(end - 1);
            // What each lived on average says more than the bound of its range.
            let lived = (row.lived / objects.max(1.0)).round() as u64;
            let until = if row.live() {
                end
            } else {
                (born + lived).clamp(born + 1, end)
            };
            demand.add(row.size, class, (born, until), end, objects);
        }
        demand
    }

    /// The size that an object needs of a class; none if no class serves it. What alignment needs stays a class.
    fn class(&mut self, size: u64, align: u64, largest: u32) -> Option<u32> {
        let granule = u64::from(self.granule);
        // The smallest class is of 16 bytes whatever the granule is.
        let class = size.next_multiple_of(granule.max(align)).max(u64::from(GRANULE));
        let fits = class <= u64::from(largest);
        if fits && align > granule {
            self.aligned.insert(class as u32);
        }
        fits.then_some(class as u32)
    }

    /// The stretches that one of [`BLOCKS`](super::BLOCKS) consists of.
    pub fn parts(&self, block: usize) -> Vec<usize> {
        let parts = self.blocks / super::BLOCKS;
        (block * parts..(block + 1) * parts).collect()
    }

    /// Objects were live from one time to another, of `end`.
    fn add(&mut self, size: u64, class: u32, (since, until): (u64, u64), end: u64, objects: f64) {
        let length = end as f64 / self.blocks as f64;
        let live = self
            .sizes
            .entry(class)
            .or_insert_with(|| vec![Live::default(); self.blocks]);
        let (since, until) = (since as f64 / length, until as f64 / length);
        let first = since as usize;
        for (block, live) in live.iter_mut().enumerate().skip(first) {
            let (from, to) = (block as f64, block as f64 + 1.0);
            if until <= from {
                break;
            }
            let share = objects * (until.min(to) - since.max(from));
            live.objects += share;
            live.bytes += share * size as f64;
        }
    }

    /// What is live of the sizes above `low` and up to `high`, on average over some of the stretches.
    pub fn mean(&self, low: u32, high: u32, blocks: &[usize]) -> Vec<(u32, Live)> {
        let share = 1.0 / blocks.len().max(1) as f64;
        self.sizes
            .range(low + 1..=high)
            .map(|(size, live)| {
                let mut mean = Live::default();
                for &block in blocks {
                    mean.objects += live[block].objects * share;
                    mean.bytes += live[block].bytes * share;
                }
                (*size, mean)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn counts_objects_for_as_long_as_they_live() {
        let calls = [
            Call::Malloc(24),
            Call::Malloc(100),
            Call::Free(0),
            Call::Realloc(1, 30),
            Call::Malloc(1 << 20),
            Call::Free(2),
            Call::Calloc(0),
            Call::Free(4),
        ];
        let demand = Demand::of(&Trace::of_calls(&calls), (32768, GRANULE), 2);
        // 24 bytes from 0 to 2; 30 from 3 to 5, in either half; nothing from 6 to 7; 100 from 1 to 3; 1 MiB has no class.
        let live = |size: u32| demand.sizes[&size].iter().map(|l| l.objects).collect::<Vec<_>>();
        assert_eq!(live(32), [0.75, 0.25]);
        assert_eq!(live(112), [0.5, 0.0]);
        assert_eq!(live(16), [0.0, 0.25]);
        assert_eq!(demand.sizes.len(), 3);
        assert_eq!(demand.sizes[&32][0].bytes, 0.5 * 24.0 + 0.25 * 30.0);
        let mean = demand.mean(16, 32, &[0, 1]);
        assert_eq!((mean.len(), mean[0].0, mean[0].1.objects), (1, 32, 0.5));
    }

    #[test]
    fn what_is_never_freed_lives_to_the_end() {
        let demand = Demand::of(
            &Trace::of_calls(&[Call::Malloc(16), Call::Malloc(1)]),
            (32768, GRANULE),
            1,
        );
        assert_eq!(demand.sizes[&16][0].objects, 1.5);
    }

    #[test]
    fn aligned_requests_keep_their_classes() {
        let calls = [Call::Memalign(6, 100), Call::Memalign(4, 100), Call::Memalign(12, 10)];
        let demand = Demand::of(&Trace::of_calls(&calls), (32768, GRANULE), 1);
        assert_eq!(demand.aligned.iter().copied().collect::<Vec<_>>(), [128, 4096]);
        assert_eq!(demand.sizes.keys().copied().collect::<Vec<_>>(), [112, 128, 4096]);
    }

    #[test]
    fn layouts_have_sizes_of_their_own() {
        let calls = [
            Call::Memalign(3, 24),
            Call::Memalign(4, 24),
            Call::Memalign(0, 3),
            Call::Calloc(33),
        ];
        let trace = Trace::of_calls(&calls);
        let base = hz3_config::load(std::path::Path::new("hz3:default")).expect("a preset");
        let of = |traces: &[Trace]| granule(traces, &base);
        assert_eq!((of(std::slice::from_ref(&trace)), of(&[])), (FINEST, GRANULE));
        let demand = Demand::of(&trace, (32768, FINEST), 1);
        assert_eq!(demand.sizes.keys().copied().collect::<Vec<_>>(), [16, 24, 32, 40]);
        assert_eq!(demand.aligned.iter().copied().collect::<Vec<_>>(), [32]);
    }
}
