//! How many pages a class's runs have.

use std::collections::BTreeMap;

use super::{narrow, overrides};
use crate::diagnostic::Sink;
use crate::knob::{Settings, Sub4k, bytes};
use crate::plan::{COLOR_STEP, Guards, PAGE, RUN_OBJECTS_MAX, SEGMENT_USABLE_PAGES, SegmentPlan};

/// Most colours: more than L1 has ways for one page offset gains nothing.
const COLORS_MAX: u32 = 16;

/// A class's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub pages: u32,
    pub objects: u32,
    pub tail_waste: u32,
    pub colors: u32,
    pub align: u32,
}

/// The runs of all classes; `None` if something was reported or not understood.
pub(super) fn plan(settings: &Settings, sizes: &[u32], sink: &mut Sink) -> Option<Vec<Run>> {
    let before = sink.len();
    let group = &settings.runs;
    let rows = overrides::rows("runs.overrides", &group.overrides, sizes, sink);
    let band_pages = match settings.sub4k.layout.value {
        Sub4k::List => settings.sub4k.run_pages.value,
        _ => None,
    };
    let understood = group.max_waste_percent.ok && group.min_objects.ok && group.max_pages.ok;
    let mut too_short = BTreeMap::new();
    let mut runs = Vec::with_capacity(sizes.len());
    for (&size, row) in sizes.iter().zip(rows) {
        let band = band_pages.filter(|_| (2049..4096).contains(&size));
        if let (Some(_), Some(row)) = (band, row) {
            let message = format!("`sub4k.run_pages` sets the pages of the {size}-byte class already");
            sink.error(row.at, message, "", "set them in one place");
            continue;
        }
        let longest = longest(settings);
        let by_hand = row
            .map(|row| (row.value.value, row.value.at))
            .or(band.map(|pages| (pages, settings.sub4k.run_pages.at)));
        if let Some((pages, at)) = by_hand.filter(|(pages, _)| *pages > u64::from(longest)) {
            let why = match settings.hardening.guards.value {
                Guards::Off => format!("in segments of {}", bytes(settings.arena.segment.value)),
                _ => "with `hardening.guards`".to_owned(),
            };
            let message = format!("{why} no run has {pages} pages: {longest} is the most");
            sink.error(at, message, "", format!("let it have {longest} pages at most"));
            continue;
        }
        let pages = match (row, band) {
            (Some(row), _) if row.value.value * u64::from(PAGE) < u64::from(size) => {
                // An entry is told once, for its largest class.
                too_short.insert(row.value.at, (size, row.value.value));
                continue;
            }
            (Some(row), _) if row.value.value * u64::from(PAGE) / u64::from(size) > RUN_OBJECTS_MAX => {
                let (pages, most) = (row.value.value, RUN_OBJECTS_MAX * u64::from(size) / u64::from(PAGE));
                let objects = pages * u64::from(PAGE) / u64::from(size);
                let message = format!(
                    "a run of {pages} pages holds {objects} objects of {size} bytes: {RUN_OBJECTS_MAX} is the most"
                );
                sink.error(row.value.at, message, "", format!("let it have {most} pages at most"));
                continue;
            }
            (Some(row), _) => Some(narrow(row.value.value)),
            // One page holds an object of the band already.
            (None, Some(pages)) => Some(narrow(pages)),
            (None, None) if understood => Some(automatic(settings, size)),
            (None, None) => None,
        };
        runs.extend(pages.map(|pages| run(size, pages, group.coloring.value)));
    }
    for (at, (size, pages)) in too_short {
        let bytes = pages * u64::from(PAGE);
        let message = format!("a run of {pages} pages ({bytes} bytes) holds no object of {size} bytes");
        let help = format!("it needs {} pages at least", size.div_ceil(PAGE));
        sink.error(at, message, "", help);
    }
    (sink.len() == before && runs.len() == sizes.len()).then_some(runs)
}

/// Pages of the longest run: guards take some of those of a segment. None is longer than one in a segment of 2 MiB may be.
pub(super) fn longest(settings: &Settings) -> u32 {
    SegmentPlan::of(settings.arena.segment.value)
        .usable_pages
        .min(SEGMENT_USABLE_PAGES)
        - match settings.hardening.guards.value {
            Guards::Off => 0,
            Guards::Tables | Guards::Large => 2,
            Guards::Runs => 3,
        }
}

/// The shortest run within both limits; else the one with the most objects that keeps within the waste; else, with as many
/// objects as can be asked for, the one with the least share of waste. Of equals the shortest.
fn automatic(settings: &Settings, size: u32) -> u32 {
    let group = &settings.runs;
    let fewest = size.div_ceil(PAGE);
    let most = narrow(group.max_pages.value).clamp(fewest, longest(settings));
    let objects = u64::from(most * PAGE / size).min(group.min_objects.value);
    let waste = |pages: u32| f64::from(pages * PAGE % size) / f64::from(pages * PAGE);
    let candidates = || (fewest..=most).filter(|pages| u64::from(pages * PAGE / size) >= objects);
    let tight = |pages: &u32| waste(*pages) * 100.0 <= group.max_waste_percent.value;
    let few = || {
        (fewest..=most)
            .rev()
            .filter(tight)
            .max_by_key(|pages| pages * PAGE / size)
    };
    candidates()
        .find(tight)
        .or_else(few)
        .or_else(|| candidates().min_by(|a, b| waste(*a).total_cmp(&waste(*b))))
        .unwrap_or(most)
}

fn run(size: u32, pages: u32, coloring: bool) -> Run {
    let objects = pages * PAGE / size;
    let tail_waste = pages * PAGE % size;
    let colors = if coloring {
        (1 + tail_waste / COLOR_STEP).min(COLORS_MAX)
    } else {
        1
    };
    let natural = 1 << size.trailing_zeros();
    let align = if colors > 1 {
        natural.min(COLOR_STEP)
    } else {
        natural.min(PAGE)
    };
    Run {
        pages,
        objects,
        tail_waste,
        colors,
        align,
    }
}
