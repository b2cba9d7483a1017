//! A model of a variant: what a plan does with a recording, without building it.
//!
//! Lists, depots, runs and pages move as the allocator moves them, by the plan's own numbers. Objects have no memory; what is
//! followed is which pages are backed, how many events there are, and what the kernel is asked for. Of the owner modes nothing
//! is modelled: there a plan does what it would do under `adopt`.

mod events;
mod lists;
mod pages;
mod runs;

use crate::trace::{Call, Trace};
pub use events::Events;
use hz3_config::Plan;
use hz3_config::plan::PAGE;
use lists::Lists;
pub use pages::Kernel;
use pages::{Range, page};
use runs::Object;

/// Objects above so many pages are huge.
const HUGE_PAGES: usize = 256;
/// Nanoseconds of a page fault, its zeroes included, as of the machine where this was calibrated.
const FAULT: f64 = 1500.0;
/// Nanoseconds of a call that gives pages back, and of each page.
const PURGE: (f64, f64) = (1200.0, 300.0);

/// A stretch of a recording under a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Stretch {
    /// Backed bytes of the heap, on average over the events.
    pub mean: f64,
    /// Most backed bytes.
    pub peak: f64,
    /// Nanoseconds that events, page faults and purging take.
    pub nanoseconds: f64,
    /// Page faults.
    pub faults: f64,
}

/// A recording under a plan, in equally long stretches.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// The stretches.
    pub stretches: Vec<Stretch>,
    /// Of each stretch what each class has in it: backed bytes of its runs, the time of its events, and page faults that its
    /// objects were the first to need.
    pub classes: Vec<Vec<Stretch>>,
}

impl Course {
    /// Most backed bytes of all.
    pub fn peak(&self) -> f64 {
        self.stretches.iter().map(|s| s.peak).fold(0.0, f64::max)
    }

    /// Nanoseconds of all.
    pub fn nanoseconds(&self) -> f64 {
        self.stretches.iter().map(|s| s.nanoseconds).sum()
    }

    /// Backed bytes on average.
    pub fn mean(&self) -> f64 {
        self.stretches.iter().map(|s| s.mean).sum::<f64>() / self.stretches.len().max(1) as f64
    }

    /// Page faults of all.
    pub fn faults(&self) -> f64 {
        self.stretches.iter().map(|s| s.faults).sum()
    }
}

/// Where an object is, in 64 bits: a class's object as it is, an object of pages with the highest bit, a huge one with the next.
#[derive(Clone, Copy)]
struct Home(u64);

const PAGES_BIT: u64 = 1 << 63;
const HUGE_BIT: u64 = 1 << 62;

enum What {
    Class(Object),
    Pages(Range),
    Huge { first: usize, pages: usize },
}

impl Home {
    const NONE: Home = Home(u64::MAX);

    fn of(what: What) -> Self {
        Self(match what {
            What::Class(object) => object.bits(),
            What::Pages(Range { place, span }) => {
                PAGES_BIT | (place as u64) << 20 | (span.first.number() as u64) << 10 | span.len as u64
            }
            What::Huge { first, pages } => HUGE_BIT | (first as u64) << 36 | pages as u64,
        })
    }

    fn what(self) -> What {
        let bits = self.0;
        if bits & PAGES_BIT != 0 {
            let first = page(bits as usize >> 10 & 0x3ff);
            What::Pages(Range {
                place: (bits & !PAGES_BIT) as usize >> 20,
                span: hz3_core::heap::page::Span {
                    first,
                    len: bits as usize & 0x3ff,
                },
            })
        } else if bits & HUGE_BIT != 0 {
            What::Huge {
                first: (bits & !HUGE_BIT) as usize >> 36,
                pages: bits as usize & 0xf_ffff_ffff,
            }
        } else {
            What::Class(Object::of_bits(bits))
        }
    }
}

/// The heap of a model.
struct Heap<'a> {
    plan: &'a Plan,
    lists: Lists<'a>,
    /// Class by size, a granule an entry.
    classes: Vec<u16>,
    granule: u64,
    largest: u64,
}

impl<'a> Heap<'a> {
    fn new(plan: &'a Plan) -> Self {
        let largest = u64::from(plan.largest());
        let granule = u64::from(plan.lookup.granule);
        let classes = (0..=largest / granule)
            .map(|n| plan.class_for(n * granule).map_or(0, |class| class.id.0))
            .collect();
        Self {
            plan,
            lists: Lists::new(plan),
            classes,
            granule,
            largest,
        }
    }

    fn class(&self, size: u64) -> usize {
        usize::from(self.classes[size.div_ceil(self.granule) as usize])
    }

    fn malloc(&mut self, thread: usize, size: u64, align: u64, now: u64) -> Home {
        if align > self.granule {
            let rounded = size.max(1).next_multiple_of(align);
            if align <= u64::from(PAGE) && rounded <= self.largest {
                let from = self.class(rounded);
                let found = self.plan.classes[from..].iter().find(|c| u64::from(c.align) >= align);
                if let Some(class) = found {
                    let id = usize::from(class.id.0);
                    return Home::of(What::Class(self.lists.malloc(thread, id, now)));
                }
            }
        } else if size <= self.largest {
            let id = self.class(size);
            return Home::of(What::Class(self.lists.malloc(thread, id, now)));
        }
        let pages = size.max(1).div_ceil(u64::from(PAGE)) as usize;
        let align = align.div_ceil(u64::from(PAGE)).max(1) as usize;
        self.lists.event(thread, now);
        let heap = &mut self.lists.pages;
        if pages <= HUGE_PAGES
            && align <= HUGE_PAGES
            && let Some(range) = heap.take(pages, align, true, now)
        {
            heap.touch(range.place, range.span);
            return Home::of(What::Pages(range));
        }
        let first = heap.take_huge(pages, now);
        Home::of(What::Huge { first, pages })
    }

    fn free(&mut self, thread: usize, home: Home, now: u64) {
        match home.what() {
            What::Class(object) => self.lists.free(thread, object, now),
            What::Pages(range) => self.lists.pages.give_large(range, now),
            What::Huge { first, pages } => self.lists.pages.give_huge(first, pages, now),
        }
    }

    /// An object of `old` bytes becomes one of `new`.
    fn resize(&mut self, thread: usize, home: Home, old: u64, new: u64, now: u64) -> Home {
        let page = u64::from(PAGE);
        let fits = |have: u64| new <= have && new > have / 2;
        match home.what() {
            What::Class(_) if old <= self.largest => {
                let have = u64::from(self.plan.classes[self.class(old)].size);
                if fits(have) {
                    return home;
                }
            }
            What::Pages(range) if new > self.largest => {
                let wanted = new.div_ceil(page) as usize;
                if wanted == range.span.len {
                    return home;
                }
                if wanted < range.span.len {
                    let (mut kept, mut rest) = (range, range);
                    kept.span.len = wanted;
                    rest.span.first = range.span.first.plus(wanted);
                    rest.span.len -= wanted;
                    self.lists.pages.give(rest, now);
                    self.lists.pages.purge_excess(now);
                    return Home::of(What::Pages(kept));
                }
                if wanted <= HUGE_PAGES
                    && let Some(longer) = self.lists.pages.extend(range, wanted, now)
                {
                    return Home::of(What::Pages(longer));
                }
            }
            What::Huge { first, pages } if new > HUGE_PAGES as u64 * page => {
                let wanted = new.div_ceil(page) as usize;
                if wanted == pages || self.lists.pages.resize_huge(first, pages, wanted) {
                    return Home::of(What::Huge { first, pages: wanted });
                }
            }
            _ => {}
        }
        let fresh = self.malloc(thread, new, 1, now);
        self.free(thread, home, now);
        fresh
    }

    fn nanoseconds(&self) -> f64 {
        let kernel = &self.lists.pages.kernel;
        self.lists.events.iter().map(Events::nanoseconds).sum::<f64>()
            + kernel.faults as f64 * FAULT
            + kernel.purges as f64 * PURGE.0
            + kernel.purged as f64 * PURGE.1
    }

    /// What each class had since somebody last asked; before that it had taken `spent` in all. So many events passed, up to `end`.
    fn classes(&mut self, spent: &mut [(f64, u64)], events: usize, end: usize) -> Vec<Stretch> {
        let (n, page) = (events.max(1) as f64, f64::from(PAGE));
        let held = self.lists.runs.held.iter_mut();
        held.zip(&self.lists.events)
            .zip(spent)
            .map(|((held, events), (spent, faults))| {
                let (area, high) = held.stretch(end as u64);
                let (before, known) = (*spent, *faults);
                (*spent, *faults) = (events.nanoseconds() + held.faults as f64 * FAULT, held.faults);
                Stretch {
                    mean: area as f64 / n * page,
                    peak: high as f64 * page,
                    nanoseconds: *spent - before,
                    faults: (*faults - known) as f64,
                }
            })
            .collect()
    }
}

/// Runs a recording through the model of a plan.
pub fn course(trace: &Trace, plan: &Plan, stretches: usize) -> Course {
    let mut heap = Heap::new(plan);
    let mut homes: Vec<(Home, u64)> = Vec::with_capacity(trace.events.len() / 2);
    let (mut out, mut classes) = (Vec::with_capacity(stretches), Vec::with_capacity(stretches));
    let mut of_classes = vec![(0.0, 0); plan.classes.len()];
    let total = trace.events.len();
    let mut ticks = trace.ticks.iter().peekable();
    let mut now = 1u64;
    let mut at = 0;
    let (mut spent, mut faults) = (0.0, 0);
    for stretch in 0..stretches {
        let end = total * (stretch + 1) / stretches;
        let mut sum = 0u64;
        heap.lists.pages.high = heap.lists.pages.resident;
        for event in &trace.events[at..end] {
            while let Some((_, ms)) = ticks.next_if(|(index, _)| *index as usize <= at) {
                now = u64::from(*ms).max(1);
            }
            at += 1;
            heap.lists.runs.clock = at as u64;
            let thread = usize::from(event.thread);
            match event.call {
                Call::Malloc(n) | Call::Calloc(n) => homes.push((heap.malloc(thread, n, 1, now), n)),
                Call::Memalign(log, n) => homes.push((heap.malloc(thread, n, 1 << log, now), n)),
                Call::Free(object) => {
                    let (home, _) = std::mem::replace(&mut homes[object as usize], (Home::NONE, 0));
                    heap.free(thread, home, now);
                }
                Call::Realloc(object, n) => {
                    let (home, old) = std::mem::replace(&mut homes[object as usize], (Home::NONE, 0));
                    homes.push((heap.resize(thread, home, old, n, now), n));
                }
            }
            sum += heap.lists.pages.resident as u64;
        }
        let (nanoseconds, all) = (heap.nanoseconds(), heap.lists.pages.kernel.faults);
        // The slots of each thread, and what of its block is written besides.
        let block = (heap.lists.threads() * (plan.classes.len() * 16 + 512)) as f64;
        let page = f64::from(PAGE);
        let n = (end - total * stretch / stretches).max(1) as f64;
        out.push(Stretch {
            mean: sum as f64 / n * page + block,
            peak: heap.lists.pages.high as f64 * page + block,
            nanoseconds: nanoseconds - spent,
            faults: (all - faults) as f64,
        });
        classes.push(heap.classes(&mut of_classes, end - total * stretch / stretches, end));
        (spent, faults) = (nanoseconds, all);
    }
    Course {
        stretches: out,
        classes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;
    use crate::trace::Event;
    use std::path::Path;

    /// A plan: `default`, but for these lines.
    fn plan(lines: &str) -> Plan {
        let text = format!("name = \"probe\"\ndescription = \"a probe\"\nextends = \"hz3:default\"\n{lines}");
        hz3_config::load_str(Path::new("probe.toml"), &text).expect("a config")
    }

    /// Objects of up to `most` bytes that come and go at random, so many of them live; then all go.
    fn churn(objects: usize, most: usize, events: usize) -> Trace {
        let mut rng = Rng(7);
        let mut live: Vec<u32> = Vec::new();
        let mut calls = Vec::new();
        let mut made = 0;
        for _ in 0..events {
            match (live.len() >= objects, rng.below(8)) {
                (true, 0) => calls.push(Call::Realloc(
                    live.swap_remove(rng.below(live.len())),
                    1 + rng.below(most) as u64,
                )),
                (true, _) => {
                    calls.push(Call::Free(live.swap_remove(rng.below(live.len()))));
                    continue;
                }
                (false, 1) => calls.push(Call::Memalign(6, 1 + rng.below(most) as u64)),
                _ => calls.push(Call::Malloc(1 + rng.below(most) as u64)),
            }
            live.push(made);
            made += 1;
        }
        calls.extend(live.into_iter().map(Call::Free));
        let events = calls.into_iter().enumerate().map(|(n, call)| Event {
            // Now and then another thread, which frees what the first one made.
            thread: u16::from(n % 5 == 0),
            call,
        });
        Trace {
            events: events.collect(),
            ..Trace::default()
        }
    }

    fn live_peak(trace: &Trace) -> f64 {
        crate::trace::summary(trace).live_peak as f64
    }

    #[test]
    fn the_peak_holds_what_is_live_and_not_much_more() {
        for (objects, most) in [(20_000, 300), (2000, 30_000), (60, 3_000_000)] {
            let trace = churn(objects, most, objects * 6);
            let (course, live) = (course(&trace, &plan(""), 4), live_peak(&trace));
            assert!(course.peak() >= live, "{objects} of {most}");
            assert!(
                course.peak() < 1.5 * live + 4e6,
                "{objects} of {most}: {} of {live}",
                course.peak()
            );
            assert!(course.mean() <= course.peak());
            // Each backed page was a fault, once or more.
            assert!(course.faults() * f64::from(PAGE) >= course.peak() - 1e6);
        }
    }

    #[test]
    fn classes_have_what_all_have_but_for_large_objects() {
        let trace = churn(20_000, 3000, 120_000);
        let course = course(&trace, &plan(""), 4);
        for (all, classes) in course.stretches.iter().zip(&course.classes) {
            let sum = |of: fn(&Stretch) -> f64| classes.iter().map(of).sum::<f64>();
            // Beside runs there are headers, what is free, and the threads' blocks.
            assert!(
                sum(|c| c.mean) <= all.mean && sum(|c| c.mean) > 0.8 * all.mean - 1e6,
                "{all:?}"
            );
            assert!(sum(|c| c.faults) <= all.faults, "{all:?}");
            assert!(sum(|c| c.nanoseconds) <= all.nanoseconds + 1.0, "{all:?}");
            assert!(classes.iter().all(|c| c.peak >= c.mean));
        }
    }

    #[test]
    fn what_is_kept_of_the_kernels_saves_faults_and_costs_memory() {
        let trace = churn(60, 1_000_000, 6000);
        let of = |lines: &str| course(&trace, &plan(lines), 2);
        let (little, much) = (
            of("[purge]\ndirty = \"1MiB\"\n[large]\ncache = \"1MiB\"\n"),
            of("[purge]\ndirty = \"4GiB\"\n[large]\ncache = \"4GiB\"\n"),
        );
        assert!(
            little.faults() > 1.5 * much.faults(),
            "{} {}",
            little.faults(),
            much.faults()
        );
        assert!(little.mean() < much.mean(), "{} {}", little.mean(), much.mean());
    }

    #[test]
    fn fewer_classes_waste_more() {
        let trace = churn(20_000, 2000, 100_000);
        let of = |lines: &str| course(&trace, &plan(lines), 1).peak();
        let few = of("[classes]\nsteps = [{ to = 32768, per_doubling = 2 }]\n");
        assert!(few > 1.05 * of(""), "{few} {}", of(""));
    }

    #[test]
    fn time_gives_back_what_lies_idle() {
        let mut trace = churn(60, 1_000_000, 6000);
        let n = trace.events.len() as u32;
        let quiet = course(&trace, &plan("[purge]\ndelay_ms = 100\n"), 1);
        trace.ticks = (0..n).map(|event| (event, 20 * event)).collect();
        let slow = course(&trace, &plan("[purge]\ndelay_ms = 100\n"), 1);
        assert!(slow.faults() > quiet.faults(), "{} {}", slow.faults(), quiet.faults());
    }
}
