//! What a variant's tables waste on the sizes and lifetimes of a profile.
//!
//! Nothing is run. An object takes its class's bytes, and its share of what is left at the end of a run; above the largest
//! class it takes whole pages.

use super::{Estimate, Profile, Row, Sites, Which};
use hz3_config::plan::{ClassPlan, PAGE, Plan};
use std::collections::BTreeMap;

/// What objects of a size take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken<'a> {
    /// The class that serves them; none above the largest.
    pub class: Option<&'a ClassPlan>,
    /// Bytes of an object.
    pub bytes: f64,
    /// Its share of what is left at a run's end.
    pub tail: f64,
}

/// What an object of `size` bytes at a multiple of `align` takes.
pub fn taken(plan: &Plan, size: u64, align: u64) -> Taken<'_> {
    let page = u64::from(PAGE);
    let size = size.max(1);
    // The multiple of the alignment is a class's size, or the class that holds it is aligned to it.
    let rounded = if align > super::ALIGN {
        size.next_multiple_of(align)
    } else {
        size
    };
    let first = plan.classes.partition_point(|class| u64::from(class.size) < rounded);
    let class = plan.classes[first..]
        .iter()
        .find(|class| u64::from(class.align) >= align)
        .filter(|_| align <= page);
    match class {
        Some(class) => Taken {
            class: Some(class),
            bytes: f64::from(class.size),
            tail: f64::from(class.tail_waste) / f64::from(class.objects),
        },
        None => Taken {
            class: None,
            bytes: size.next_multiple_of(page) as f64,
            tail: 0.0,
        },
    }
}

/// How much a row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Objects that are live at the end.
    InUse,
    /// Objects for as long as they live: what is live on average over time.
    OverTime,
    /// Objects that were ever allocated.
    Allocated,
}

impl Weight {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::OverTime => "average over time",
            Self::Allocated => "allocated",
        }
    }

    /// Objects of a row that count.
    pub fn objects(self, profile: &Profile, row: &Row) -> f64 {
        match self {
            Self::InUse if row.live() => row.objects as f64,
            Self::InUse => 0.0,
            Self::OverTime => row.lived / profile.duration.max(1) as f64,
            Self::Allocated => row.objects as f64,
        }
    }
}

/// What is wasted.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Waste {
    /// What was counted.
    pub weight: Weight,
    /// Bytes that were asked for.
    pub asked: Estimate,
    /// Bytes of classes beyond those.
    pub inside: Estimate,
    /// Bytes at the ends of runs.
    pub tails: Estimate,
    /// Bytes of pages beyond what large objects asked for.
    pub pages: Estimate,
    /// All three as a share of what objects take.
    pub share: Estimate,
}

/// Bytes that an object wastes in all.
fn slack(plan: &Plan, row: &Row) -> f64 {
    let taken = taken(plan, row.size, row.align);
    taken.bytes + taken.tail - row.size as f64
}

impl Waste {
    /// What `plan` wastes on `profile`.
    pub fn of(plan: &Plan, profile: &Profile, weight: Weight) -> Self {
        let sum = |of: &dyn Fn(&Row, Taken<'_>) -> f64| {
            profile.estimate(profile.rows.iter(), |row| {
                weight.objects(profile, row) * of(row, taken(plan, row.size, row.align))
            })
        };
        let beyond = |row: &Row, taken: Taken<'_>| taken.bytes - row.size as f64;
        let asked = sum(&|row, _| row.size as f64);
        let only = |large: bool, taken: Taken<'_>, bytes: f64| if taken.class.is_none() == large { bytes } else { 0.0 };
        Self {
            weight,
            asked,
            inside: sum(&|row, taken| only(false, taken, beyond(row, taken))),
            tails: sum(&|_, taken| taken.tail),
            pages: sum(&|row, taken| only(true, taken, beyond(row, taken))),
            share: share(plan, profile, weight),
        }
    }
}

/// Waste as a share of all that objects take. Both are sums over the same samples, so that most of the chance cancels: what
/// stays is how far single objects are from the share.
fn share(plan: &Plan, profile: &Profile, weight: Weight) -> Estimate {
    let (mut wasted, mut all, mut samples) = (0.0, 0.0, 0);
    for row in &profile.rows {
        let objects = weight.objects(profile, row);
        wasted += objects * slack(plan, row);
        all += objects * (slack(plan, row) + row.size as f64);
        samples += if objects > 0.0 { row.samples } else { 0 };
    }
    if all <= 0.0 {
        return Estimate::default();
    }
    let value = wasted / all;
    let mut variance = 0.0;
    for row in &profile.rows {
        let slack = slack(plan, row);
        let apart = weight.objects(profile, row) * (slack - value * (slack + row.size as f64)) / all;
        variance += row.variance(apart);
    }
    let share = Estimate::around(value, variance, samples);
    Estimate {
        low: share.low.max(0.0),
        high: share.high.min(1.0),
        ..share
    }
}

/// What `b` wastes more than `a`: bytes, negative if less.
pub fn difference(a: &Plan, b: &Plan, profile: &Profile, weight: Weight) -> Estimate {
    let (mut value, mut variance, mut samples) = (0.0, 0.0, 0);
    for row in &profile.rows {
        let objects = weight.objects(profile, row);
        let more = objects * (slack(b, row) - slack(a, row));
        value += more;
        variance += row.variance(more);
        samples += if objects > 0.0 { row.samples } else { 0 };
    }
    Estimate::around(value, variance, samples)
}

/// What a class wastes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ClassWaste {
    /// Bytes of an object; none for those above the largest class.
    pub size: Option<u32>,
    /// Objects.
    pub objects: Estimate,
    /// Bytes that were asked for.
    pub asked: f64,
    /// Bytes beyond those: of objects, of the ends of runs, of pages.
    pub wasted: Estimate,
}

/// What each class wastes that serves anything, by size, large objects last.
pub fn by_class(plan: &Plan, profile: &Profile, weight: Weight) -> Vec<ClassWaste> {
    let mut groups: BTreeMap<(bool, u32), Vec<&Row>> = BTreeMap::new();
    for row in profile.rows.iter().filter(|row| weight.objects(profile, row) > 0.0) {
        let class = taken(plan, row.size, row.align).class;
        let key = (class.is_none(), class.map_or(0, |class| class.size));
        groups.entry(key).or_default().push(row);
    }
    let classes = groups.into_iter().map(|((large, size), rows)| {
        let sum = |of: &dyn Fn(&Row) -> f64| {
            profile.estimate(rows.iter().copied(), |row| weight.objects(profile, row) * of(row))
        };
        ClassWaste {
            size: (!large).then_some(size),
            objects: sum(&|_| 1.0),
            asked: sum(&|row| row.size as f64).value,
            wasted: sum(&|row| slack(plan, row)),
        }
    });
    classes.collect()
}

/// A site's waste.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SiteWaste {
    /// Index of the site.
    pub site: usize,
    /// Bytes.
    pub wasted: Estimate,
    /// Bytes that were asked for.
    pub asked: f64,
    /// The size with the most waste, and what an object of it takes.
    pub size: (u64, f64),
}

/// The sites that waste the most.
pub fn wasteful(plan: &Plan, profile: &Profile, sites: &Sites, weight: Weight, most: usize) -> Vec<SiteWaste> {
    let wasted = |row: &Row| weight.objects(profile, row) * slack(plan, row);
    let sums = profile.by_site(sites, profile.rows.iter(), wasted);
    let first: Vec<(usize, Estimate)> = sums.into_iter().take(most).collect();
    let mut sizes: Vec<BTreeMap<(u64, u64), f64>> = vec![BTreeMap::new(); first.len()];
    let mut asked = vec![0.0; first.len()];
    let places: BTreeMap<usize, usize> = first.iter().enumerate().map(|(at, (site, _))| (*site, at)).collect();
    for row in &profile.rows {
        if let Some(&at) = sites.of(row).and_then(|site| places.get(&site)) {
            *sizes[at].entry((row.size, row.align)).or_insert(0.0) += wasted(row);
            asked[at] += weight.objects(profile, row) * row.size as f64;
        }
    }
    let worst = |sizes: &BTreeMap<(u64, u64), f64>| {
        let worst = sizes.iter().max_by(|a, b| a.1.total_cmp(b.1));
        worst.map_or((0, 0.0), |((size, align), _)| (*size, taken(plan, *size, *align).bytes))
    };
    first
        .into_iter()
        .enumerate()
        .map(|(at, (site, wasted))| SiteWaste {
            site,
            wasted,
            asked: asked[at],
            size: worst(&sizes[at]),
        })
        .collect()
}

/// What can be weighed in a profile: figures of all allocations only where the level sees them.
pub fn weights(profile: &Profile) -> Vec<Weight> {
    let mut all = Vec::new();
    if profile.rows(Which::InUse).next().is_some() {
        all.push(Weight::InUse);
    }
    if profile.duration > 0 {
        all.push(Weight::OverTime);
    }
    if profile.level.sees_all() {
        all.push(Weight::Allocated);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Level, Moment};
    use crate::stats::Rng;
    use crate::trace::{Call, Trace};
    use std::path::Path;

    fn plan() -> Plan {
        hz3_config::load(Path::new("hz3:default")).expect("a preset")
    }

    #[test]
    fn an_object_takes_its_class_or_pages() {
        let plan = plan();
        for class in &plan.classes {
            let taken = taken(&plan, u64::from(class.size), 16);
            assert_eq!(taken.class.map(|one| one.id), Some(class.id));
            assert_eq!(taken.tail * f64::from(class.objects), f64::from(class.tail_waste));
        }
        let of = |size, align| {
            (
                taken(&plan, size, align).bytes,
                taken(&plan, size, align).class.is_some(),
            )
        };
        assert_eq!(of(0, 16), (16.0, true));
        assert_eq!(
            of(u64::from(plan.largest()) + 1, 16),
            (f64::from(plan.largest() + PAGE), false)
        );
        assert_eq!(of(10, 4096), (4096.0, true));
        assert_eq!(of(10, 8192), (4096.0, false));
        let (bytes, class) = of(100, 64);
        assert!(class && bytes >= 128.0 && bytes % 64.0 == 0.0);
    }

    #[test]
    fn waste_is_weighed_by_what_is_asked_about() {
        let plan = plan();
        // 17 bytes for the whole time, 1000 for one event, and a large object at the end.
        let calls = [
            Call::Malloc(17),
            Call::Malloc(1000),
            Call::Free(1),
            Call::Malloc(100_000),
        ];
        let profile = Profile::of_trace(&Trace::of_calls(&calls), Moment::End);
        let waste = |weight| Waste::of(&plan, &profile, weight);
        assert_eq!(weights(&profile), [Weight::InUse, Weight::OverTime, Weight::Allocated]);
        let (live, mean, all) = (waste(Weight::InUse), waste(Weight::OverTime), waste(Weight::Allocated));
        assert_eq!((live.asked.value, all.asked.value), (100_017.0, 101_017.0));
        assert_eq!(mean.asked.value, (4.0 * 17.0 + 1000.0 + 100_000.0) / 4.0);
        assert_eq!((live.inside.value, live.pages.value), (15.0, 102_400.0 - 100_000.0));
        assert!(all.inside.value > live.inside.value && mean.inside.value > live.inside.value);
        let taken = 17.0 + 100_000.0 + live.inside.value + live.tails.value + live.pages.value;
        assert!((live.share.value - (1.0 - 100_017.0 / taken)).abs() < 1e-12);
        assert_eq!((live.share.low, live.share.high), (live.share.value, live.share.value));
    }

    #[test]
    fn the_interval_of_a_share_holds_the_true_one() {
        let plan = plan();
        let mut rng = Rng(11);
        let calls: Vec<Call> = (0..5_000).map(|_| Call::Malloc(1 + rng.below(2000) as u64)).collect();
        let exact = Profile::of_trace(&Trace::of_calls(&calls), Moment::End);
        let truth = Waste::of(&plan, &exact, Weight::InUse).share.value;
        let (mut held, runs) = (0, 60);
        for _ in 0..runs {
            let mut sampled = Profile {
                level: Level::All,
                period: 25_000,
                rows: Vec::new(),
                ..exact.clone()
            };
            for row in &exact.rows {
                let chance = 1.0 - (-(row.size as f64) / 2.5e4).exp();
                let seen = (0..row.samples).filter(|_| (rng.below(1 << 24) as f64) < chance * f64::from(1 << 24));
                let seen = seen.count() as u64;
                if seen > 0 {
                    let objects = (seen as f64 / chance).round() as u64;
                    sampled.rows.push(Row {
                        objects,
                        bytes: objects * row.size,
                        samples: seen,
                        ..*row
                    });
                }
            }
            let share = Waste::of(&plan, &sampled, Weight::InUse).share;
            held += u32::from(share.low <= truth && truth <= share.high);
        }
        assert!(held * 100 >= runs * 90, "{held} of {runs}");
    }

    #[test]
    fn the_sites_that_waste_most_come_first() {
        let plan = plan();
        let profile = Profile::of_trace(&Trace::of_calls(&[Call::Malloc(17), Call::Malloc(2049)]), Moment::End);
        let sites = profile.sites();
        let worst = wasteful(&plan, &profile, &sites, Weight::InUse, 10);
        assert_eq!(worst.len(), 1);
        assert_eq!((worst[0].asked, worst[0].size.0), (2066.0, 2049));
        let all = Waste::of(&plan, &profile, Weight::InUse);
        assert_eq!(
            worst[0].wasted.value,
            all.inside.value + all.tails.value + all.pages.value
        );
    }

    #[test]
    fn classes_waste_what_all_waste() {
        let plan = plan();
        let calls: Vec<Call> = (0..3000).map(|n| Call::Malloc(n * 37)).collect();
        let profile = Profile::of_trace(&Trace::of_calls(&calls), Moment::End);
        let classes = by_class(&plan, &profile, Weight::InUse);
        let all = Waste::of(&plan, &profile, Weight::InUse);
        let wasted: f64 = classes.iter().map(|class| class.wasted.value).sum();
        assert!((wasted / (all.inside.value + all.tails.value + all.pages.value) - 1.0).abs() < 1e-9);
        assert_eq!(classes.last().and_then(|class| class.size), None);
        assert_eq!(classes.iter().map(|class| class.objects.value).sum::<f64>(), 3000.0);
        assert_eq!(difference(&plan, &plan, &profile, Weight::InUse).value, 0.0);
    }
}
