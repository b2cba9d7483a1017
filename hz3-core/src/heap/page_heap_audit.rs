//! What is true of the page heap after every step of a test.

use super::*;
use crate::heap::arena::{Entry, Kind};
use crate::heap::bitmap::PageSet;
use crate::heap::page::Page;
use crate::heap::segment::{HEADER_PAGES, USABLE, WHOLE};
use std::collections::BTreeMap;

impl World {
    /// Nothing overlaps, and every count is what counting gives.
    pub(super) fn audit(&self) {
        let mut ranges: Vec<(usize, usize)> = self.held.iter().map(|h| (h.p as usize, h.pages)).collect();
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            assert!(
                pair[0].0 + pair[0].1 * PAGE <= pair[1].0,
                "two have the same page: {pair:x?}"
            );
        }
        // Pages in use, by segment, as the model knows them.
        let mut used: BTreeMap<usize, PageSet> = BTreeMap::new();
        let (mut huge_segments, mut huge_bytes, mut outside_huge, mut outside_bytes) = (0, 0, 0, 0);
        for held in &self.held {
            let large = held.run.is_none().then(|| self.large(held.p));
            match large {
                Some(Large::Huge(_, pages)) => {
                    huge_segments += self.policy.segments(pages);
                    huge_bytes += pages * PAGE;
                }
                Some(Large::Outside(bytes)) => {
                    outside_huge += 1;
                    outside_bytes += bytes;
                }
                _ => used
                    .entry(Segment::of(held.p) as usize)
                    .or_insert(PageSet::EMPTY)
                    .insert(Span {
                        first: Page::of(held.p),
                        len: held.pages,
                    }),
            }
        }
        let mut lent = Vec::new();
        let lent_free = self.heap.lent(&self.policy, &mut |segment| lent.push(segment));
        self.heap.locked(|h| {
            assert_eq!(h.outside_huge, outside_bytes, "bytes of huge objects outside");
            let (mut free, mut dirty, mut segments, mut outside, mut unopened) = (0, 0, 0, 0, 0);
            let mut all_segments = lent.clone();
            h.for_each(|segment| all_segments.push(segment));
            for (i, &segment) in all_segments.iter().enumerate() {
                // SAFETY: segments in a bucket are live, and nobody else is here.
                let s = unsafe { &*segment };
                let is_lent = i < lent.len();
                assert_eq!(s.lot.load(Ordering::Relaxed) != 0, is_lent, "whose it is");
                let mut all = PageSet::EMPTY;
                all.insert(Span {
                    first: WHOLE.first,
                    len: USABLE,
                });
                let mut open = PageSet::EMPTY;
                open.insert(Span {
                    first: WHOLE.first,
                    len: s.opened as usize - HEADER_PAGES,
                });
                let out = used.remove(&(segment as usize)).unwrap_or(PageSet::EMPTY);
                assert_eq!(s.free.and(&out).count(), 0, "free and in use");
                let guards = self.guards_of(segment, &out);
                assert_eq!(
                    s.free.count() + out.count() + guards,
                    usize::from(s.usable),
                    "neither free nor in use"
                );
                assert_eq!(out.and(&open), out, "pages are in use that are not open");
                assert_eq!(s.dirty.and(&open), s.dirty, "pages hold something that are not open");
                let known = h.arena.index(segment.cast()).map_or(PAGES, |i| h.arena.opened(i));
                assert_eq!(s.opened as usize, known, "header and entry disagree about open pages");
                unopened += PAGES - s.opened as usize;
                assert_eq!(s.free.and(&all), s.free, "a header page is free");
                assert_eq!(s.free_pages as usize, s.free.count());
                assert_eq!(s.longest as usize, s.free.longest());
                let backed = if is_lent { 0 } else { s.free.and(&s.dirty).count() };
                assert_eq!(s.dirty_free as usize, backed);
                let spared = s.is_spared();
                assert!(!spared || backed > 0, "nothing is spared");
                free += s.free.count();
                dirty += s.dirty_free as usize;
                segments += 1;
                outside += usize::from(s.outside);
                assert!(
                    !(is_lent && s.outside),
                    "segments from outside of the arena are not lent"
                );
            }
            assert_eq!(self.heap.lots.lent.load(Ordering::Relaxed) as usize, lent.len());
            assert_eq!(h.unopened, unopened);
            assert!(used.is_empty(), "segments in use that the heap does not know");
            let known = h.drain.segment.is_null() || all_segments.contains(&h.drain.segment);
            assert!(known, "the drained segment is gone");
            assert!(h.drain.left <= self.quarantine, "a quarantine outlasts its time");
            assert_eq!(
                (h.free_pages + lent_free, h.dirty_pages, h.segments),
                (free, dirty, segments)
            );
            let (mut listed, mut at, mut last) = (0, h.dirty_first, ptr::null_mut());
            while !at.is_null() {
                // SAFETY: as above.
                let s = unsafe { &*at };
                assert!(s.dirty_free > 0 && s.dirty_prev == last, "a broken dirty list");
                listed += s.dirty_free as usize;
                (last, at) = (at, s.dirty_next);
            }
            assert_eq!((listed + h.dense.spared, last), (dirty, h.dirty_last));
            // The arena.
            let entries: Vec<Entry> = (0..h.arena.segments()).map(|i| h.arena.entry(i)).collect();
            let kept = entries.iter().filter(|e| e.kind == Kind::Free && e.dirty).count();
            let taken = entries.iter().filter(|e| e.kind != Kind::Free).count();
            assert_eq!((h.huge_dirty, h.huge_bytes), (kept * SEGMENT, huge_bytes));
            assert_eq!(
                (h.arena.used(), taken),
                (segments - outside + huge_segments, segments - outside + huge_segments)
            );
            assert_eq!(h.outside.len(), outside + outside_huge);
        });
    }
}
