//! What two snapshots of a heap differ in.

use super::snapshot::{Segment, Snapshot, Use};
use super::summary::{Row, Summary, Totals};
use crate::style::{print_fields, print_table, roughly, table};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The difference of two heaps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The first heap's sums.
    pub before: Totals,
    /// The second one's.
    pub after: Totals,
    /// Classes that differ, by size.
    pub classes: Vec<ClassChange>,
    /// Segments of pages that are in the second heap only.
    pub segments_added: u64,
    /// Segments of pages that are in the first heap only.
    pub segments_gone: u64,
    /// Segments of pages in both whose pages have other uses now.
    pub segments_changed: u64,
}

/// A class in both heaps; all zero where it has nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClassChange {
    /// Bytes of an object.
    pub size: u32,
    /// In the first heap.
    pub before: Row,
    /// In the second.
    pub after: Row,
}

/// Compares two heaps with their sums.
pub fn between(a: (&Snapshot, &Summary), b: (&Snapshot, &Summary)) -> Change {
    let rows = |sum: &Summary| -> BTreeMap<u32, Row> { sum.classes.iter().map(|row| (row.size, *row)).collect() };
    let (before, after) = (rows(a.1), rows(b.1));
    let sizes: BTreeSet<u32> = before.keys().chain(after.keys()).copied().collect();
    let classes = sizes.into_iter().map(|size| {
        let none = Row { size, ..Row::default() };
        ClassChange {
            size,
            before: before.get(&size).copied().unwrap_or(none),
            after: after.get(&size).copied().unwrap_or(none),
        }
    });
    // What pages are for, without what the kernel does about them.
    let places = |s: &Snapshot| -> BTreeMap<u64, Vec<(u16, Use)>> {
        let uses = |segment: &Segment| segment.spans.iter().map(|span| (span.first, span.what)).collect();
        s.segments
            .iter()
            .map(|segment| (segment.address, uses(segment)))
            .collect()
    };
    let (old, new) = (places(a.0), places(b.0));
    Change {
        before: a.1.totals,
        after: b.1.totals,
        classes: classes.filter(|c| c.before != c.after).collect(),
        segments_added: new.keys().filter(|address| !old.contains_key(address)).count() as u64,
        segments_gone: old.keys().filter(|address| !new.contains_key(address)).count() as u64,
        segments_changed: new
            .iter()
            .filter(|(at, uses)| old.get(at).is_some_and(|o| o != *uses))
            .count() as u64,
    }
}

/// `+3`, `-4`, or nothing, as `show` words a number.
fn signed(before: u64, after: u64, show: impl Fn(u64) -> String) -> String {
    match after.checked_sub(before) {
        Some(0) => String::new(),
        Some(more) => format!("+{}", show(more)),
        None => format!("-{}", show(before - after)),
    }
}

/// Prints what differs.
pub fn print(a: &Snapshot, b: &Snapshot, change: &Change) {
    let said = |s: &Snapshot| format!("{} in process {} at {}: {}", s.variant, s.pid, s.time, s.command);
    print_fields(&[("before", said(a)), ("after", said(b))]);
    println!();
    let (x, y) = (&change.before, &change.after);
    let pages = |s: &Snapshot, n: u64| n.saturating_mul(s.page_bytes);
    let mut sums = table(&["sum", "before", "after", "change"], 1);
    for (name, before, after) in [
        ("taken", Some(x.taken_bytes), Some(y.taken_bytes)),
        ("in memory", x.resident_bytes, y.resident_bytes),
        ("live", Some(x.live_bytes), Some(y.live_bytes)),
        ("cached", Some(x.cached_bytes), Some(y.cached_bytes)),
        ("free in runs", Some(x.run_free_bytes), Some(y.run_free_bytes)),
        ("runs", Some(pages(a, x.run_pages)), Some(pages(b, y.run_pages))),
        (
            "large objects",
            Some(pages(a, x.large_pages)),
            Some(pages(b, y.large_pages)),
        ),
        ("huge objects", Some(x.huge_bytes), Some(y.huge_bytes)),
        (
            "free, backed",
            Some(pages(a, x.dirty_pages)),
            Some(pages(b, y.dirty_pages)),
        ),
        (
            "free, not backed",
            Some(pages(a, x.clean_pages)),
            Some(pages(b, y.clean_pages)),
        ),
    ] {
        let (Some(before), Some(after)) = (before, after) else {
            continue;
        };
        let change = signed(before, after, roughly);
        sums.add_row([name.to_owned(), roughly(before), roughly(after), change]);
    }
    let per_live = |t: &Totals| format!("{:.3}", t.taken_per_live);
    let difference = format!("{:+.3}", y.taken_per_live - x.taken_per_live);
    sums.add_row(["taken / live".to_owned(), per_live(x), per_live(y), difference]);
    print_table(&sums);
    println!(
        "\nsegments of pages: {} new, {} gone, {} with other uses of their pages",
        change.segments_added, change.segments_gone, change.segments_changed
    );
    if change.classes.is_empty() {
        return;
    }
    println!();
    let columns = [
        "size", "live", "change", "cached", "change", "runs", "change", "pages", "change",
    ];
    let mut classes = table(&columns, 0);
    for c in &change.classes {
        let (x, y) = (&c.before, &c.after);
        let mut row = vec![c.size.to_string()];
        for (before, after) in [
            (x.live, y.live),
            (x.cached, y.cached),
            (x.runs, y.runs),
            (x.pages, y.pages),
        ] {
            row.push(after.to_string());
            row.push(signed(before, after, |n| n.to_string()));
        }
        classes.add_row(row);
    }
    print_table(&classes);
}
