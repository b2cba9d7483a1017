//! What a variant's stores would hold beside the live objects of a profile.
//!
//! Nothing is run. It is arithmetic over the plan, for the classes and threads that the profile has: what is likely, and the
//! most that there can be.

use super::waste::taken;
use super::{Profile, Row};
use hz3_config::cost::Cost;
use hz3_config::plan::{PAGE, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes beside objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Bytes {
    /// What is to be expected.
    pub likely: f64,
    /// The most that there can be.
    pub most: f64,
}

/// What would be held beside live objects, for the classes and threads of a profile.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Held {
    /// Classes that serve something.
    pub classes: usize,
    /// Threads that allocate.
    pub threads: u64,
    /// Free objects in magazines.
    pub magazines: Bytes,
    /// Free objects in depots.
    pub depots: Bytes,
    /// Places in runs that are carved and not out, the runs' ends not counted.
    pub runs: Bytes,
    /// Headers of segments, and their page tags.
    pub headers: f64,
    /// Thread blocks, and what is mapped with them.
    pub blocks: f64,
}

/// Objects that came in one interval of time and lived for one more: pieces of a row.
#[derive(Clone, Copy)]
struct Piece {
    from: f64,
    until: f64,
    objects: f64,
    /// The interval of time in which they were born, by its number.
    part: usize,
}

/// When the objects of rows were born. Rows sum up what was born in one interval; they say when it began, and the next one says
/// when it ended.
struct Births(Vec<u64>);

impl Births {
    /// Pieces of an interval, so that not all objects of it come at once.
    const PIECES: u32 = 8;

    fn of(profile: &Profile) -> Self {
        let mut starts: Vec<u64> = profile
            .rows
            .iter()
            .filter(|row| !row.live())
            .map(|row| row.born)
            .collect();
        starts.push(
            profile
                .duration
                .max(profile.rows.iter().map(|row| row.born).max().unwrap_or(0)),
        );
        starts.sort_unstable();
        starts.dedup();
        Self(starts)
    }

    /// The objects of a row, spread over the interval.
    fn pieces(&self, row: &Row) -> impl Iterator<Item = Piece> {
        let part = self.0.partition_point(|start| *start <= row.born);
        let end = self.0.get(part).copied().unwrap_or(row.born);
        let objects = row.objects as f64;
        let life = match row.live() {
            true => f64::INFINITY,
            false => row.lived / objects.max(1.0),
        };
        let each = (end - row.born) as f64 / f64::from(Self::PIECES);
        // Of objects that live shorter than a piece takes, only so many are there together.
        let (together, life) = match life < each {
            true => (life / each, each),
            false => (1.0, life),
        };
        let born = row.born as f64;
        (0..Self::PIECES).map(move |n| {
            let from = born + each * f64::from(n);
            Piece {
                from,
                until: from + life,
                objects: objects * together / f64::from(Self::PIECES),
                part,
            }
        })
    }
}

/// When the most objects were live together, and how many.
fn peak(pieces: &[Piece]) -> (f64, f64) {
    let comes = pieces.iter().map(|piece| (piece.from, piece.objects));
    let goes = pieces.iter().map(|piece| (piece.until, -piece.objects));
    let mut steps: Vec<(f64, f64)> = comes.chain(goes.filter(|(time, _)| time.is_finite())).collect();
    // What goes at a time goes before what comes then.
    steps.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (mut live, mut peak) = (0.0f64, (0.0, 0.0f64));
    for (time, more) in steps {
        live += more;
        if live > peak.1 {
            peak = (time, live);
        }
    }
    peak
}

/// What a profile has of one class.
#[derive(Default)]
struct Used {
    threads: BTreeSet<u64>,
    /// Live objects.
    live: f64,
    pieces: Vec<Piece>,
}

impl Used {
    fn add(&mut self, row: &Row, births: &Births) {
        self.threads.insert(row.thread);
        self.pieces.extend(births.pieces(row));
        if row.live() {
            self.live += row.objects as f64;
        }
    }

    /// Places in runs of so many objects that are free at the end, as something else of their runs is in use. Objects that were born
    /// together lie together, and of these each stays or goes by chance.
    fn holes(&self, peak: f64, run: f64) -> f64 {
        let mut parts: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        let mut later = 0.0;
        for piece in &self.pieces {
            let stays = if piece.until.is_infinite() { piece.objects } else { 0.0 };
            if piece.from <= peak && piece.until > peak {
                let (were, are) = parts.entry(piece.part).or_default();
                *were += piece.objects;
                *are += stays;
            } else {
                // What came after the peak filled holes.
                later += stays;
            }
        }
        let holes = parts.values().map(|(were, are)| {
            let emptied = (1.0 - are / were.max(f64::MIN_POSITIVE)).powf(run.min(*were));
            were * (1.0 - emptied) - are
        });
        (holes.sum::<f64>() - later).max(0.0)
    }
}

impl Held {
    /// What a variant would hold.
    ///
    /// A thread that only takes has what is left of its last trip to the runs: half of it on average. Where objects have come back,
    /// it has half of a batch, or all that came back if that is less, and as much is in a depot; the rest went home to the runs.
    /// There the places are free whose runs have other objects that stayed. Headers are those of the segments that were ever taken.
    pub fn of(plan: &Plan, profile: &Profile) -> Self {
        let (cost, births) = (Cost::of(plan), Births::of(profile));
        let mut used: BTreeMap<u16, Used> = BTreeMap::new();
        let mut threads = BTreeSet::new();
        // Pages of segments that objects took, for as long as they lived. What is larger than a segment has none of them.
        let mut pages: Vec<Piece> = Vec::new();
        for row in &profile.rows {
            threads.insert(row.thread);
            let taken = taken(plan, row.size, row.align);
            let each = match taken.class {
                Some(class) => {
                    used.entry(class.id.0).or_default().add(row, &births);
                    f64::from(class.run_pages) / f64::from(class.objects)
                }
                None => taken.bytes / f64::from(PAGE),
            };
            if each <= f64::from(plan.segment.usable_pages) {
                pages.extend(births.pieces(row).map(|piece| Piece {
                    objects: piece.objects * each,
                    ..piece
                }));
            }
        }
        let count = threads.len().max(1) as u64;
        let (mut magazines, mut depots, mut runs) = (Bytes::default(), Bytes::default(), Bytes::default());
        for (id, used) in &used {
            let (class, cost) = (&plan.classes[usize::from(*id)], &cost.classes[usize::from(*id)]);
            let (size, threads, objects) = (
                f64::from(class.size),
                used.threads.len() as f64,
                f64::from(class.objects),
            );
            let (when, peak) = peak(&used.pieces);
            let returned = (peak - used.live).max(0.0);
            // Batches grow with what is taken.
            let grown = (peak / threads).max(f64::from(class.batch_first));
            let batch = f64::from(class.batch).min(grown);
            let trip = batch.min(f64::from(class.batch_carve)).min(objects);
            let most = threads * cost.thread_bytes as f64;
            let half = threads * batch / 2.0;
            let kept = returned.min(half).max(threads * trip / 2.0);
            let waiting = (returned - kept).clamp(0.0, half);
            magazines.likely += (kept * size).min(most);
            magazines.most += most;
            depots.likely += (waiting * size).min(cost.depot_bytes as f64);
            depots.most += cost.depot_bytes as f64;
            let holes = (used.holes(when, objects) - kept - waiting).max(0.0);
            runs.likely += (holes + trip / 2.0) * size;
            runs.most += (returned + objects) * size;
        }
        magazines.most = magazines.most.min(plan.cache.bytes_bound(count) as f64);
        magazines.likely = magazines.likely.min(magazines.most);
        // Segments stay when their pages are free.
        let segments = (peak(&pages).1 / f64::from(plan.segment.usable_pages)).ceil().max(1.0);
        let segment = cost.metadata.segment_header_bytes + cost.metadata.tag_bytes_per_segment;
        Self {
            classes: used.len(),
            threads: count,
            magazines,
            depots,
            runs,
            headers: segments * segment as f64,
            blocks: (count * (cost.tls_bytes + cost.thread_body_bytes)) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Moment;
    use crate::trace::{Call, Trace};
    use std::path::Path;

    fn plan() -> Plan {
        hz3_config::load(Path::new("hz3:default")).expect("a preset")
    }

    #[test]
    fn stores_hold_no_more_than_there_was() {
        let plan = plan();
        let few = Held::of(
            &plan,
            &Profile::of_trace(&Trace::of_calls(&[Call::Malloc(64), Call::Free(0)]), Moment::End),
        );
        assert_eq!((few.classes, few.threads), (1, 1));
        let class = plan.class_for(64).expect("a class");
        // Half of the first batch.
        assert_eq!(few.magazines.likely, f64::from(class.batch_first) / 2.0 * 64.0);
        assert_eq!(few.depots.likely, 0.0);
        let mut calls: Vec<Call> = (0..100_000).map(|_| Call::Malloc(64)).collect();
        calls.extend((0..100_000).map(Call::Free));
        let many = Held::of(&plan, &Profile::of_trace(&Trace::of_calls(&calls), Moment::End));
        assert!(many.depots.likely > 0.0 && many.depots.likely <= many.depots.most);
        assert!(many.magazines.most <= plan.cache.bytes_bound(1) as f64);
        assert!(many.headers > 0.0 && many.blocks > 0.0);
    }
}
