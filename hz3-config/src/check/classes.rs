//! Size classes from their steps, and the band below 4 KiB.

use super::runs;
use crate::cost::{THREAD_BLOCK_MAX, thread_block_bytes};
use crate::diagnostic::Sink;
use crate::knob::{Settings, StepForm, Sub4k, bytes};
use crate::plan::{DoubleFree, GRANULE, PAGE, Partition};
use crate::source::{At, Located, Source};

/// How many rows of classes there are: one for each allocation token that is told from others.
pub(super) fn rows(settings: &Settings) -> usize {
    match settings.hardening.partition.value {
        Partition::Token => settings.hardening.groups.value as usize,
        Partition::Off | Partition::Size => 1,
    }
}

/// The smallest and the greatest size that the largest class may have, in bytes.
const LARGEST: (u64, u64) = (2048, 1 << 20);

const FIRST: u64 = GRANULE as u64;

/// Groups of classes have a class each, at least.
pub(super) fn groups(settings: &Settings, sizes: &[u32], sink: &mut Sink) {
    let groups = &settings.hardening.groups;
    if groups.ok && settings.hardening.partition.value == Partition::Size && groups.value > sizes.len() as u64 {
        let message = format!(
            "`hardening.groups` is {}, but there are {} classes",
            groups.value,
            sizes.len()
        );
        sink.error(groups.at, message, "", format!("take at most {}", sizes.len()));
    }
}

/// The table of objects in use has a bit for each multiple of 16.
pub(super) fn exact(settings: &Settings, sink: &mut Sink) {
    let (granule, exact) = (&settings.classes.granule, &settings.hardening.double_free);
    if granule.ok && granule.value < FIRST && exact.value == DoubleFree::Exact {
        let message =
            "`hardening.double_free = \"exact\"` knows of objects at multiples of 16 only, and `classes.granule` is 8";
        sink.error(
            granule.at.or(exact.at),
            message,
            "",
            "leave the granule at 16, or choose \"list\"",
        );
    }
}

/// Why no library can stand in for C's `malloc`; `None` if one can.
pub(super) fn no_library(settings: &Settings, sources: &[Source]) -> Option<String> {
    let granule = &settings.classes.granule;
    if granule.value == FIRST {
        return None;
    }
    let mut sink = Sink::default();
    let message =
        "no library can be made of a config with classes of 8 bytes: C's `malloc` must align to 16 what holds 16 bytes";
    let help = "link it into a Rust program by `hz3::variant!`, or set `classes.granule` to 16";
    sink.error(granule.at, message, "", help);
    sink.finish(sources).map(|faults| faults.render(false))
}

/// The sizes of all classes, rising; `None` if something was reported.
pub(super) fn sizes(settings: &Settings, sink: &mut Sink) -> Option<Vec<u32>> {
    let before = sink.len();
    if !settings.classes.steps.ok || !settings.classes.granule.ok {
        return None;
    }
    let granule = settings.classes.granule.value;
    let mut sizes = vec![FIRST];
    for step in &settings.classes.steps.value {
        match &step.form {
            StepForm::Linear { to, step } => linear(&mut sizes, *to, *step, granule, sink),
            StepForm::Geometric { to, per_doubling } => geometric(&mut sizes, *to, per_doubling.value, granule, sink),
            StepForm::List(list) => explicit(&mut sizes, list, step.at, granule, sink),
        }
    }
    let at = settings.classes.steps.at;
    let largest = *sizes.last()?;
    if sink.len() == before && !(LARGEST.0..=LARGEST.1).contains(&largest) {
        let message = format!(
            "the largest class has {largest} bytes: it must have {} to {}",
            LARGEST.0, LARGEST.1
        );
        sink.error(at, message, "", "end the last step there");
    }
    let most = u64::from(runs::longest(settings)) * u64::from(PAGE);
    if sink.len() == before && largest > most {
        let message = format!(
            "the largest class has {largest} bytes, but a run has {most} at most in segments of {}",
            bytes(settings.arena.segment.value)
        );
        sink.error(
            at.or(settings.arena.segment.at),
            message,
            "",
            "end the last step below that, or take larger segments",
        );
    }
    if sink.len() == before {
        sub4k(settings, &mut sizes, sink);
    }
    let rows = rows(settings);
    let block = thread_block_bytes(sizes.len() * rows);
    if sink.len() == before && block > THREAD_BLOCK_MAX && rows > 1 {
        let message = format!(
            "{} classes of each of {rows} tokens make a thread's block {block} bytes: {THREAD_BLOCK_MAX} is the most",
            sizes.len()
        );
        let help = "the block is taken out of every thread's stack: take fewer `hardening.groups`, or fewer classes";
        sink.error(
            settings.hardening.groups.at.or(settings.hardening.partition.at),
            message,
            "",
            help,
        );
    } else if sink.len() == before && block > THREAD_BLOCK_MAX {
        let message = format!(
            "{} classes make a thread's block {block} bytes: {THREAD_BLOCK_MAX} is the most",
            sizes.len()
        );
        let help = "the block is taken out of every thread's stack: use wider steps, or `per_doubling`";
        sink.error(at, message, "", help);
    }
    if sink.len() != before || !settings.sub4k.layout.ok || !settings.sub4k.sizes.ok {
        return None;
    }
    sizes.into_iter().map(|size| u32::try_from(size).ok()).collect()
}

/// Whether a size is a multiple of the granule; reports it if not. Zero is none.
fn granular(size: Located<u64>, granule: u64, sink: &mut Sink) -> bool {
    let value = size.value;
    if value == 0 {
        sink.error(size.at, "0 is no size", "", "the smallest size is 16");
        return false;
    }
    if !value.is_multiple_of(granule) {
        let near = value.checked_next_multiple_of(granule).unwrap_or(LARGEST.1);
        let message = format!("{value} is not a multiple of {granule}: did you mean {near}?");
        let help = match granule {
            FIRST => "every address that malloc returns is a multiple of 16",
            _ => "every object is to be aligned to `classes.granule`",
        };
        sink.error(size.at, message, "", help);
        return false;
    }
    if value > LARGEST.1 {
        let message = format!("{value} is above the greatest class size, {}", LARGEST.1);
        sink.error(
            size.at,
            message,
            "",
            "larger objects are served in whole pages, without a class",
        );
        return false;
    }
    true
}

/// Whether a step's end lies above the classes so far; reports it if not.
fn above(sizes: &[u64], to: Located<u64>, sink: &mut Sink) -> bool {
    let last = sizes.last().copied().unwrap_or(FIRST);
    if to.value <= last {
        let message = format!(
            "this step ends at {}, but the classes before it reach {last} already",
            to.value
        );
        sink.error(
            to.at,
            message,
            "",
            "steps continue each other: let each end above the one before",
        );
    }
    to.value > last
}

/// How many of the classes above `size` may serve for it before the heap grows. They follow it in `sizes`.
pub(super) fn lenders(settings: &Settings, sizes: &[u32], size: u32) -> u32 {
    let placement = &settings.placement;
    if u64::from(size) < placement.borrow_from.value {
        return 0;
    }
    let most = f64::from(size) * (1.0 + placement.borrow_percent.value / 100.0);
    sizes.iter().filter(|&&s| s > size && f64::from(s) <= most).count() as u32
}

fn linear(sizes: &mut Vec<u64>, to: Located<u64>, step: Located<u64>, granule: u64, sink: &mut Sink) {
    // Both are looked at before either stops the step.
    let sound = granular(step, granule, sink) & granular(to, granule, sink);
    if !sound || !above(sizes, to, sink) {
        return;
    }
    if !to.value.is_multiple_of(step.value) {
        let (near, step) = (to.value.next_multiple_of(step.value), step.value);
        let message = format!(
            "{} is not a multiple of the step {step}: did you mean {near}?",
            to.value
        );
        let help = "the classes of a linear step are the multiples of `step`";
        return sink.error(to.at, message, "", help);
    }
    let last = sizes.last().copied().unwrap_or(FIRST);
    let first = (last / step.value + 1) * step.value;
    sizes.extend((first..=to.value).step_by(usize::try_from(step.value).unwrap_or(usize::MAX)));
}

/// Classes at `2^k × (1 + i / n)`.
///
/// Rounded up to 1/64 of `2^k`, and to at least the granule, so that sizes keep alignment and the coarse lookup stays
/// small whatever `n` is; for a power of two up to 64 nothing is rounded but the smallest. The step's end is a class
/// even if the sequence does not meet it.
fn geometric(sizes: &mut Vec<u64>, to: Located<u64>, n: u64, granule: u64, sink: &mut Sink) {
    if !granular(to, granule, sink) || !above(sizes, to, sink) {
        return;
    }
    let mut base = 1u64 << sizes.last().copied().unwrap_or(FIRST).ilog2();
    while base < to.value {
        let granule = granule.max(base / 64);
        for i in 1..=n {
            let size = (base + (base * i).div_ceil(n)).next_multiple_of(granule).min(to.value);
            if sizes.last().is_some_and(|last| *last < size) {
                sizes.push(size);
            }
        }
        base *= 2;
    }
}

fn explicit(sizes: &mut Vec<u64>, list: &[Located<u64>], at: Option<At>, granule: u64, sink: &mut Sink) {
    if list.is_empty() {
        return sink.error(at, "`sizes` is empty", "", "list at least one size, or remove the step");
    }
    for (i, size) in list.iter().enumerate() {
        if !granular(*size, granule, sink) {
            continue;
        }
        let last = sizes.last().copied().unwrap_or(FIRST);
        // The first class may be named, though it is always there.
        if size.value == FIRST && sizes.len() == 1 && i == 0 {
            continue;
        }
        if size.value <= last {
            let message = format!("{} does not rise above the class before it, {last}", size.value);
            sink.error(size.at, message, "", "sizes rise, and steps continue each other");
            continue;
        }
        sizes.push(size.value);
    }
}

/// Applies `[sub4k]`.
fn sub4k(settings: &Settings, sizes: &mut Vec<u64>, sink: &mut Sink) {
    let group = &settings.sub4k;
    if group.layout.value == Sub4k::Follow || !group.layout.ok {
        return;
    }
    if !sizes.contains(&4096) {
        let message = "this layout needs a class of 4096 bytes, and `classes.steps` makes none";
        let help = "let a step end at 4096, so that no size above the band changes its class";
        return sink.error(group.layout.at, message, "", help);
    }
    sizes.retain(|size| *size <= 2048 || *size >= 4096);
    if group.layout.value == Sub4k::Round {
        return;
    }
    if group.sizes.ok && group.sizes.value.is_empty() {
        let at = group.sizes.at.or(group.layout.at);
        let help = "list them, such as `sizes = [2304, 2816, 3328, 3840]`, or choose `layout = \"round\"`";
        return sink.error(at, "`sub4k.sizes` names no class", "", help);
    }
    let mut last = 2048;
    let mut band = Vec::new();
    for size in &group.sizes.value {
        if !granular(*size, settings.classes.granule.value, sink) {
            continue;
        }
        if !(2049..=4095).contains(&size.value) {
            let message = format!("{} does not lie between 2048 and 4096", size.value);
            sink.error(
                size.at,
                message,
                "",
                "classes outside of the band belong to `classes.steps`",
            );
            continue;
        }
        if size.value <= last {
            let message = format!("{} does not rise above the size before it, {last}", size.value);
            sink.error(size.at, message, "", "write the sizes rising, each once");
            continue;
        }
        last = size.value;
        band.push(size.value);
    }
    let at = sizes.partition_point(|size| *size <= 2048);
    sizes.splice(at..at, band);
}
