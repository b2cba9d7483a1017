//! What a variant's stores would hold beside the live objects of a profile.
//!
//! Nothing is run. It is arithmetic over the plan, for the classes and threads that the profile has: what is likely, and the
//! most that there can be.

use super::waste::{Weight, taken};
use super::{Profile, Row};
use hz3_config::cost::Cost;
use hz3_config::plan::{PAGE, Plan, SEGMENT_USABLE_PAGES};
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

/// What a profile has of one class.
#[derive(Default)]
struct Used {
    threads: BTreeSet<u64>,
    /// Live objects.
    live: f64,
    /// When objects came and went: time, and how many more there were.
    steps: Vec<(f64, f64)>,
}

impl Used {
    fn add(&mut self, row: &Row) {
        let objects = row.objects as f64;
        self.threads.insert(row.thread);
        self.steps.push((row.born as f64, objects));
        if row.live() {
            self.live += objects;
        } else {
            let each = row.lived / objects.max(1.0);
            self.steps.push((row.born as f64 + each, -objects));
        }
    }

    /// The most objects that were ever live together.
    fn peak(&mut self) -> f64 {
        // What goes at a time goes before what comes then.
        self.steps.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut live = 0.0f64;
        let peaks = self.steps.iter().map(|(_, more)| {
            live += more;
            live
        });
        peaks.fold(0.0, f64::max)
    }
}

impl Held {
    /// What a variant would hold.
    ///
    /// Objects of a class that were live at once, and are not any more, fill magazines first and then depots; what is beyond
    /// their bounds has gone back to the runs. Of the batch that a thread took last half is left, as of the run that is being
    /// carved; batches grow with what is live.
    pub fn of(plan: &Plan, profile: &Profile) -> Self {
        let cost = Cost::of(plan);
        let mut used: BTreeMap<u16, Used> = BTreeMap::new();
        let mut threads = BTreeSet::new();
        let mut large_pages = 0.0;
        for row in &profile.rows {
            threads.insert(row.thread);
            let taken = taken(plan, row.size, row.align);
            match taken.class {
                Some(class) => used.entry(class.id.0).or_default().add(row),
                None => large_pages += Weight::InUse.objects(profile, row) * taken.bytes / f64::from(PAGE),
            }
        }
        let count = threads.len().max(1) as u64;
        let (mut magazines, mut depots, mut runs) = (Bytes::default(), Bytes::default(), Bytes::default());
        let mut run_pages = 0.0;
        for (id, used) in &mut used {
            let (class, cost) = (&plan.classes[usize::from(*id)], &cost.classes[usize::from(*id)]);
            let (size, threads, peak) = (f64::from(class.size), used.threads.len() as f64, used.peak());
            let returned = (peak - used.live).max(0.0) * size;
            let most = threads * cost.thread_bytes as f64;
            let kept = returned.min(most);
            let batch = f64::from(class.batch).min((peak / threads).max(f64::from(class.batch_first)));
            magazines.likely += (kept + threads * batch / 2.0 * size).min(most);
            magazines.most += most;
            depots.likely += (returned - kept).min(cost.depot_bytes as f64);
            depots.most += cost.depot_bytes as f64;
            let run = f64::from(class.objects) * size;
            runs.likely += (f64::from(class.batch_carve) * size).min(run) / 2.0;
            runs.most += run;
            run_pages += (used.live / f64::from(class.objects)).ceil() * f64::from(class.run_pages);
        }
        magazines.most = magazines.most.min(plan.cache.bytes_bound(count) as f64);
        magazines.likely = magazines.likely.min(magazines.most);
        let segments = ((run_pages + large_pages) / f64::from(SEGMENT_USABLE_PAGES))
            .ceil()
            .max(1.0);
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
    use crate::trace::{Call, Event, Trace};
    use std::path::Path;

    fn plan() -> Plan {
        hz3_config::load(Path::new("hz3:default")).expect("a preset")
    }

    fn trace(calls: &[Call]) -> Trace {
        Trace {
            events: calls.iter().map(|&call| Event { thread: 0, call }).collect(),
            ..Trace::default()
        }
    }

    #[test]
    fn stores_hold_no_more_than_there_was() {
        let plan = plan();
        let few = Held::of(
            &plan,
            &Profile::of_trace(&trace(&[Call::Malloc(64), Call::Free(0)]), Moment::End),
        );
        assert_eq!((few.classes, few.threads), (1, 1));
        let class = plan.class_for(64).expect("a class");
        // The object that came back, and half of the first batch.
        assert_eq!(few.magazines.likely, 64.0 + f64::from(class.batch_first) / 2.0 * 64.0);
        assert_eq!(few.depots.likely, 0.0);
        let mut calls: Vec<Call> = (0..100_000).map(|_| Call::Malloc(64)).collect();
        calls.extend((0..100_000).map(Call::Free));
        let many = Held::of(&plan, &Profile::of_trace(&trace(&calls), Moment::End));
        assert!(many.depots.likely > 0.0 && many.depots.likely <= many.depots.most);
        assert!(many.magazines.most <= plan.cache.bytes_bound(1) as f64);
        assert!(many.headers > 0.0 && many.blocks > 0.0);
    }
}
