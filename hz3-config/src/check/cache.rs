//! Batches, and how many of them a thread and a depot hold.

use super::{classes, narrow, overrides, owners};
use crate::agreed::{BATCH_MAX, CACHE_LINE};
use crate::diagnostic::Sink;
use crate::knob::{Setting, Settings};
use crate::plan::{CachePlan, ClassPlan, DepotPlan, Per};

/// Objects of a class's batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    pub full: u32,
    pub burst: u32,
    pub first: u32,
    pub carve: u32,
}

/// What to say after a value that no file of the chain sets.
fn origin<T>(setting: &Setting<T>) -> &'static str {
    if setting.at.is_none() { " by default" } else { "" }
}

/// Whether the lower of two bounds is the lower; reports it if not, where one of them is written.
fn ordered(names: [&str; 2], low: &Setting<u64>, high: &Setting<u64>, sink: &mut Sink) -> bool {
    if !(low.ok && high.ok) {
        return false;
    }
    let fits = low.value <= high.value;
    if !fits {
        let message = format!(
            "`{}` is {}{}, more than `{}`, {}{}",
            names[0],
            low.value,
            origin(low),
            names[1],
            high.value,
            origin(high)
        );
        // The nearer of the two was written with the other in view.
        let at = match (low.at, high.at) {
            (Some(low), Some(high)) => Some(if high.file < low.file { high } else { low }),
            (low, high) => low.or(high),
        };
        sink.error(at, message, "", "let the lower bound not exceed the upper one");
    }
    fits
}

/// The batches of all classes; `None` if something was reported or not understood.
pub(super) fn batches(settings: &Settings, sizes: Option<&[u32]>, sink: &mut Sink) -> Option<Vec<Batch>> {
    let before = sink.len();
    let group = &settings.cache;
    let bounds = ["cache.batch_min", "cache.batch_max"];
    let bounded = ordered(bounds, &group.batch_min, &group.batch_max, sink);
    let sizes = sizes?;
    let rows = overrides::rows("cache.overrides", &group.overrides, sizes, sink);
    if !bounded || sink.len() != before || !(group.batch_bytes.ok && group.first_bytes.ok && group.burst_bytes.ok) {
        return None;
    }
    let of_class = sizes.iter().zip(rows).map(|(&size, row)| {
        let size = u64::from(size);
        let wanted = (group.batch_bytes.value / size).clamp(group.batch_min.value, group.batch_max.value);
        let full = row.map_or(wanted, |row| row.value.value);
        let first = (group.first_bytes.value / size).clamp(1, full);
        let carve = (group.carve_bytes.value / size).clamp(1, full);
        let burst = match group.per.value {
            Per::Thread => (group.burst_bytes.value / size).clamp(full, BATCH_MAX),
            Per::Cpu => full,
        };
        Batch {
            burst: narrow(burst),
            carve: narrow(carve),
            full: narrow(full),
            first: narrow(if group.slow_start.value { first } else { full }),
        }
    });
    Some(of_class.collect())
}

/// The depots of all classes; `None` if something was reported or not understood.
pub(super) fn depot(
    settings: &Settings,
    sizes: Option<&[u32]>,
    batches: Option<&[Batch]>,
    sink: &mut Sink,
) -> Option<DepotPlan> {
    let group = &settings.depot;
    let bounds = ["depot.batches_min", "depot.batches_max"];
    let bounded = ordered(bounds, &group.batches_min, &group.batches_max, sink);
    let (sizes, batches) = (sizes?, batches?);
    if !bounded || !group.bytes.ok || !group.empty_runs.ok {
        return None;
    }
    let batch_bytes = || {
        sizes
            .iter()
            .zip(batches)
            .map(|(size, batch)| u64::from(*size) * u64::from(batch.full))
    };
    let held: Vec<u32> = batch_bytes()
        .map(|bytes| (group.bytes.value / bytes).clamp(group.batches_min.value, group.batches_max.value))
        .map(narrow)
        .collect();
    // A list that is longer than a batch leaves its thread as one.
    let bytes_bound: u64 = sizes
        .iter()
        .zip(batches)
        .zip(&held)
        .map(|((size, batch), held)| u64::from(*size) * u64::from(batch.burst) * u64::from(*held))
        .sum();
    let slots = slots(settings, held.iter().copied().max().unwrap_or(0));
    Some(DepotPlan {
        batches: held,
        slots,
        bytes_bound: bytes_bound * owners(settings) * classes::rows(settings) as u64,
    })
}

/// Words of each depot: each shelf begins a cache line, where there are several.
fn slots(settings: &Settings, batches: u32) -> u32 {
    const LINE: u32 = (CACHE_LINE / 8) as u32;
    match narrow(settings.depot.shelves.value) {
        shelves if owners(settings) == 1 && shelves > 1 && batches > 0 => {
            shelves * batches.div_ceil(shelves).next_multiple_of(LINE)
        }
        _ => batches.max(1),
    }
}

/// A thread holds at most this many bytes of other owners' objects before it hands them over.
fn remote_bytes(settings: &Settings, sizes: &[ClassPlan]) -> u64 {
    let (group, batch) = (&settings.ownership, settings.remote.batch.value);
    let rows = std::iter::repeat_n(sizes, classes::rows(settings));
    let sizes = rows
        .flatten()
        .map(|class| (u64::from(class.size), u64::from(class.batch)));
    group
        .mode
        .value
        .remote_bytes(owners(settings), batch, group.ring.value, sizes)
}

/// The most that a thread keeps; `None` if something was reported.
pub(super) fn plan(settings: &Settings, sizes: &[ClassPlan], sink: &mut Sink) -> Option<CachePlan> {
    let group = &settings.cache;
    let magazines = group.magazines.value * classes::rows(settings) as u64;
    let all = |objects: fn(&ClassPlan) -> u32| -> u64 {
        let bytes = |class: &ClassPlan| u64::from(objects(class)) * u64::from(class.size);
        magazines * sizes.iter().map(bytes).sum::<u64>()
    };
    let (first, full) = (all(|class| class.batch_first), all(|class| class.burst));
    let thread_bytes = group.thread_bytes.value;
    // Where a bound is written nowhere, something else asks for more than the default.
    let asked = group
        .first_bytes
        .at
        .or(settings.classes.steps.at)
        .or(group.magazines.at);
    // Without slow start all magazines are a batch long from the beginning: then the lengths are the bound.
    if group.slow_start.value && group.thread_bytes.ok && thread_bytes < first {
        let origin = origin(&group.thread_bytes);
        let message = format!(
            "`cache.thread_bytes` is {thread_bytes}{origin}, but the first batches alone may hold {first} bytes"
        );
        let help = format!("set `cache.thread_bytes` to at least {first}, or make `cache.first_bytes` smaller");
        sink.error(group.thread_bytes.at.or(asked), message, "", help);
        return None;
    }
    let thread_floor = group.thread_floor.value.unwrap_or(thread_bytes);
    if group.slow_start.value && group.thread_bytes.ok && group.thread_floor.ok {
        let origin = origin(&group.thread_floor);
        if thread_floor > thread_bytes {
            let message = format!(
                "`cache.thread_floor` is {thread_floor}{origin}, but a thread may only hold {thread_bytes} bytes"
            );
            let help = format!("set it to at most {thread_bytes}, or to \"auto\", or raise `cache.thread_bytes`");
            sink.error(group.thread_floor.at.or(group.thread_bytes.at), message, "", help);
            return None;
        }
        if thread_floor < first {
            let message = format!(
                "`cache.thread_floor` is {thread_floor}{origin}, but the first batches alone may hold {first} bytes"
            );
            let help = format!(
                "set `cache.thread_floor` to at least {first}, or to \"auto\", or make `cache.first_bytes` smaller"
            );
            sink.error(group.thread_floor.at.or(asked), message, "", help);
            return None;
        }
    }
    let crowd_bytes = group.crowd_bytes.value.unwrap_or(0);
    let judged = group.slow_start.value && group.thread_bytes.ok && group.thread_floor.ok && group.crowd_bytes.ok;
    if let Some(at) = group.crowd_bytes.at
        && judged
        && (1..thread_floor).contains(&crowd_bytes)
    {
        let message =
            format!("`cache.crowd_bytes` is {crowd_bytes}, but the floor of one thread alone is {thread_floor}");
        let help = format!("set it to at least {thread_floor}, or to \"auto\", or make `cache.thread_floor` smaller");
        sink.error(Some(at), message, "", help);
        return None;
    }
    // Magazines that are a batch long from the beginning grow for bursts only, each by itself.
    let (thread_bytes, thread_floor, crowd_bytes) = if group.slow_start.value {
        (thread_bytes, thread_floor, crowd_bytes)
    } else {
        (full, full, 0)
    };
    Some(CachePlan {
        thread_bytes,
        thread_floor,
        crowd_bytes,
        full_bytes: full,
        remote_bytes: remote_bytes(settings, sizes),
    })
}
