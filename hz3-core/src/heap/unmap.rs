//! The end of a heap whose variant is being unloaded.
//!
//! As all of the page heap: for the holder of the heap's lock.

use super::PageHeap;
use super::arena::{Arena, Kind};
use super::hold::Hold;
use super::page::{PAGES, Span};
use super::segment::{SEGMENT, Segment, WHOLE};
use crate::os::{self, PAGE};

/// Unmaps what lies between ranges that stay, which come by rising address.
struct Sweep {
    /// Below this everything is decided.
    at: usize,
}

impl Sweep {
    /// The range `from..to` stays, or is not ours.
    ///
    /// # Safety
    /// All between the last such range and this one is mapped or nobody's, and nobody uses it.
    unsafe fn keep(&mut self, from: usize, to: usize) {
        // A page of the kernel's stays of which a part does.
        let (at, end) = (os::up(self.at), os::down(from));
        if end > at {
            // SAFETY: nobody uses what lies between.
            unsafe { os::unmap(at as *mut u8, end - at) };
        }
        self.at = self.at.max(to);
    }

    /// Those pages of a segment stay that are in use.
    ///
    /// # Safety
    /// The segment is live, and nobody uses what of it is not in use.
    unsafe fn keep_used(&mut self, segment: *mut Segment) {
        // SAFETY: the segment is live, and its header is unmapped only after this copy was made.
        let free = unsafe { Segment::unused(segment) };
        let mut from = WHOLE.first;
        let end = Span::between(PAGES, PAGES);
        for span in free.spans().chain([end]) {
            if span.first > from {
                let address = |page| Segment::page_address(segment, page) as usize;
                // SAFETY: the pages in between are free, so that nobody uses them.
                unsafe { self.keep(address(from), address(span.first)) };
            }
            from = span.end();
        }
    }
}

impl PageHeap {
    /// Unmaps everything but the pages of objects, tables and headers included. The heap is of no use afterwards.
    ///
    /// # Safety
    /// Nobody uses the heap any more, and all that was cached was given back to it.
    pub unsafe fn unmap_unused(&mut self) {
        // SAFETY: nobody uses the heap; the table of segments is read before it is unmapped itself.
        unsafe {
            self.outside.for_each_segment(|segment| {
                let mut sweep = Sweep { at: segment as usize };
                sweep.keep_used(segment);
                sweep.keep(segment as usize + SEGMENT, 0);
            });
            self.outside.clear();
            if self.arena.segments() > 0 {
                self.unmap_segments();
                self.arena.unmap_tables();
            }
        }
    }

    /// As above, for the segments of the arena.
    ///
    /// # Safety
    /// As for [`unmap_unused`](Self::unmap_unused); the arena was reserved.
    unsafe fn unmap_segments(&mut self) {
        let base = self.arena.base();
        let claimed = self.arena.hold() == Hold::Claimed;
        let mut sweep = Sweep { at: base };
        // SAFETY: nobody uses the heap: what is open, or all that is reserved, is the arena's, but for what was lost.
        unsafe {
            for i in 0..self.arena.touched() {
                let entry = self.arena.entry(i);
                let at = base + i * SEGMENT;
                match entry.kind {
                    Kind::Free | Kind::Purging | Kind::Tail => {}
                    Kind::Pages => sweep.keep_used(at as *mut Segment),
                    Kind::Huge => sweep.keep(at, at + entry.pages as usize * PAGE),
                    Kind::Lost => sweep.keep(at, at + SEGMENT),
                }
                let opened = self.arena.opened(i);
                if claimed && opened < PAGES {
                    sweep.keep(at + opened * PAGE, at + SEGMENT);
                }
            }
            let end = match claimed {
                true => self.arena.touched(),
                false => self.arena.segments(),
            };
            sweep.keep(base + end * SEGMENT, 0);
        }
    }
}

impl Arena {
    /// Unmaps entries and tags, and gives the claim up. A flat table stays.
    ///
    /// # Safety
    /// As for [`unmap_unused`](PageHeap::unmap_unused), whose other parts are done.
    unsafe fn unmap_tables(&mut self) {
        let (front, base) = (self.entries as usize, self.base);
        // SAFETY: nobody uses the heap. Of a claimed range just those parts are ours that were mapped; of any other, all.
        unsafe {
            if self.hold != Hold::Claimed {
                os::unmap(front as *mut u8, base - front);
                return;
            }
            let table = base - self.tags.bytes_below;
            // The table has nothing below the base if it is a flat one.
            let written = self.tags.written.max(table).min(base);
            let written = if self.tags.flat == 0 { written } else { table };
            os::unmap(front as *mut u8, written - front);
            for at in self.tags.fences(base).filter(|&at| at >= written) {
                os::unmap(at as *mut u8, PAGE);
            }
            os::unmap(self.slot as *mut u8, PAGE);
        }
    }

    /// Segments from here on were never opened, not even in part.
    fn touched(&self) -> usize {
        self.tags.entries.min(self.segments)
    }
}
