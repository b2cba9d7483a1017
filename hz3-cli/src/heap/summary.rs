//! A heap in numbers.

use super::snapshot::{FreeState, Segment, Snapshot, Use};
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A heap, added up.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Summary {
    /// Classes that have runs or objects, by size.
    pub classes: Vec<Row>,
    /// Sums over everything.
    pub totals: Totals,
    /// Runs by the tenths of their objects that are out; the last counts those that are full to 90 % or more, and runs
    /// with nothing out stand in none.
    pub runs_by_occupancy: [u64; 10],
    /// Runs with nothing out.
    pub empty_runs: u64,
    /// Segments by the tenths of their pages that are in use; the last counts those that are full to 90 % or more.
    pub segments_by_use: [u64; 10],
}

/// One class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Row {
    /// Bytes of an object.
    pub size: u32,
    /// Runs.
    pub runs: u64,
    /// Pages of them.
    pub pages: u64,
    /// Pages of them that were given back as no object in use lies in them.
    pub given: u64,
    /// Pages of them that the kernel has in memory, where that is known.
    pub resident: Option<u64>,
    /// Objects that fit.
    pub capacity: u64,
    /// Objects out of the runs.
    pub out: u64,
    /// Objects of those that wait in magazines and depots.
    pub cached: u64,
    /// Objects of those that are the program's.
    pub live: u64,
    /// Objects that are free in runs, carved or not.
    pub free: u64,
    /// Bytes of live objects, by the size of the class.
    pub live_bytes: u64,
}

/// Sums; bytes unless the name says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Totals {
    /// Segments of pages and huge objects.
    pub taken_bytes: u64,
    /// Of that: in memory, where that is known.
    pub resident_bytes: Option<u64>,
    /// Objects that the program has: small ones by the size of their class, others in whole pages.
    pub live_bytes: u64,
    /// `taken_bytes` for each byte of `live_bytes`; 0 if nothing is live.
    pub taken_per_live: f64,
    /// Small objects in magazines and depots.
    pub cached_bytes: u64,
    /// Places for small objects that are free in runs.
    pub run_free_bytes: u64,
    /// Pages of runs.
    pub run_pages: u64,
    /// Pages of runs that were given back as no object in use lies in them.
    pub given_pages: u64,
    /// Large objects.
    pub large_objects: u64,
    /// Pages of them.
    pub large_pages: u64,
    /// Huge objects.
    pub huge_objects: u64,
    /// Bytes of them.
    pub huge_bytes: u64,
    /// Pages of segments' headers.
    pub header_pages: u64,
    /// Free pages that are backed.
    pub dirty_pages: u64,
    /// Free pages that are not.
    pub clean_pages: u64,
    /// Free pages that are being given to the kernel.
    pub purging_pages: u64,
    /// Guards: pages that nobody may touch.
    pub guard_pages: u64,
    /// Pages that changed hands while they were read.
    pub unknown_pages: u64,
    /// Free segments that are backed.
    pub free_segments_dirty: u64,
    /// Free segments that are not.
    pub free_segments_clean: u64,
    /// Segments of pages.
    pub segments: u64,
    /// Of those and of huge objects: outside of the arena.
    pub outside: u64,
}

/// The tenth that `part` of `whole` falls into.
fn tenth(part: u64, whole: u64) -> usize {
    (part.saturating_mul(10).checked_div(whole).unwrap_or(0) as usize).min(9)
}

/// Adds a heap up.
pub fn of(s: &Snapshot) -> Summary {
    let mut sum = Summary::default();
    let mut rows: Vec<Row> = s
        .classes
        .iter()
        .map(|c| Row {
            size: c.size,
            resident: Some(0),
            cached: c.magazines.saturating_add(c.depots),
            ..Row::default()
        })
        .collect();
    let t = &mut sum.totals;
    let mut resident = Some(0u64);
    for segment in &s.segments {
        t.segments += 1;
        t.outside += u64::from(segment.outside);
        for span in &segment.spans {
            let pages = u64::from(span.pages);
            let here = span.resident.map(u64::from);
            resident = resident.zip(here).map(|(a, b)| a + b);
            match span.what {
                Use::Header => t.header_pages += pages,
                Use::Large => {
                    t.large_objects += 1;
                    t.large_pages += pages;
                }
                Use::Dirty => t.dirty_pages += pages,
                Use::Clean => t.clean_pages += pages,
                Use::Purging => t.purging_pages += pages,
                Use::Guard => t.guard_pages += pages,
                Use::Unknown => t.unknown_pages += pages,
                Use::Run(run) => {
                    t.run_pages += pages;
                    t.given_pages += u64::from(run.given);
                    let tenths = tenth(run.out.into(), run.capacity.into());
                    match sum.runs_by_occupancy.get_mut(tenths) {
                        Some(n) if run.out > 0 => *n += 1,
                        _ => sum.empty_runs += 1,
                    }
                    if let Some(row) = rows.get_mut(usize::from(run.class)) {
                        row.runs += 1;
                        row.pages += pages;
                        row.given += u64::from(run.given);
                        row.resident = row.resident.zip(here).map(|(a, b)| a + b);
                        row.capacity += u64::from(run.capacity);
                        row.out += u64::from(run.out);
                    }
                }
            }
        }
        let used = used_pages(segment);
        if let Some(n) = sum.segments_by_use.get_mut(tenth(used.0, used.1)) {
            *n += 1;
        }
    }
    let mut resident = resident.map(|pages| pages.saturating_mul(s.page_bytes));
    for huge in &s.huge {
        t.huge_objects += 1;
        t.huge_bytes = t.huge_bytes.saturating_add(huge.bytes);
        t.outside += u64::from(huge.outside);
        let here = huge.resident.map(|pages| pages.saturating_mul(s.page_bytes));
        resident = resident.zip(here).map(|(a, b)| a.saturating_add(b));
    }
    for free in &s.free {
        match free.state {
            FreeState::Clean => t.free_segments_clean = t.free_segments_clean.saturating_add(free.segments),
            FreeState::Dirty | FreeState::Purging => {
                t.free_segments_dirty = t.free_segments_dirty.saturating_add(free.segments);
            }
        }
    }
    for row in &mut rows {
        row.live = row.out.saturating_sub(row.cached);
        row.free = row.capacity.saturating_sub(row.out);
        let size = u64::from(row.size);
        row.live_bytes = row.live.saturating_mul(size);
        t.live_bytes = t.live_bytes.saturating_add(row.live_bytes);
        t.cached_bytes = t.cached_bytes.saturating_add(row.cached.saturating_mul(size));
        t.run_free_bytes = t.run_free_bytes.saturating_add(row.free.saturating_mul(size));
    }
    let pages = |n: u64| n.saturating_mul(s.page_bytes);
    t.live_bytes = t
        .live_bytes
        .saturating_add(pages(t.large_pages))
        .saturating_add(t.huge_bytes)
        .saturating_sub(s.quarantine)
        .saturating_sub(s.quarantine_large);
    t.taken_bytes = t
        .segments
        .saturating_mul(s.segment_bytes())
        .saturating_add(t.huge_bytes);
    t.resident_bytes = resident;
    if t.live_bytes > 0 {
        t.taken_per_live = t.taken_bytes as f64 / t.live_bytes as f64;
    }
    rows.retain(|row| row.runs > 0 || row.cached > 0);
    let rows = by_size(rows);
    sum.classes = rows;
    sum
}

/// The rows by size: where allocation tokens have classes of their own, those of one size are one row.
fn by_size(rows: Vec<Row>) -> Vec<Row> {
    let mut sums: BTreeMap<u32, Row> = BTreeMap::new();
    for row in rows {
        match sums.entry(row.size) {
            Entry::Vacant(place) => {
                place.insert(row);
            }
            Entry::Occupied(mut place) => {
                let sum = place.get_mut();
                sum.resident = sum.resident.zip(row.resident).map(|(a, b)| a.saturating_add(b));
                for (sum, n) in [
                    (&mut sum.runs, row.runs),
                    (&mut sum.pages, row.pages),
                    (&mut sum.capacity, row.capacity),
                    (&mut sum.out, row.out),
                    (&mut sum.cached, row.cached),
                    (&mut sum.live, row.live),
                    (&mut sum.free, row.free),
                    (&mut sum.live_bytes, row.live_bytes),
                ] {
                    *sum = sum.saturating_add(n);
                }
            }
        }
    }
    sums.into_values().collect()
}

/// Pages of a segment that are in use, and those that can be.
pub fn used_pages(segment: &Segment) -> (u64, u64) {
    let mut used = 0;
    let mut all = 0;
    for span in &segment.spans {
        let pages = u64::from(span.pages);
        match span.what {
            Use::Header | Use::Guard => {}
            Use::Dirty | Use::Clean | Use::Purging => all += pages,
            Use::Run(_) | Use::Large | Use::Unknown => {
                used += pages;
                all += pages;
            }
        }
    }
    (used, all)
}
