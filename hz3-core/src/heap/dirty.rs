//! Free pages that are still backed by memory: segments that have some, the one that was longest left alone first, and
//! the purge that gives them back to the kernel.
//!
//! As all of the page heap: for the holder of the heap's lock, but for [`Purge::run`].

use super::PageHeap;
use super::arena::{Arena, Kind, Left};
use super::bitmap::PageSet;
use super::dense::state;
use super::hold::Hold;
use super::page::{PAGES, Span};
use super::segment::{HEADER_PAGES, SEGMENT, Segment};
use crate::os::{self, PAGE};
use crate::policy::Policy;
use core::ptr;

/// Pages that are given back at once, at least, where there are too many: a system call takes as long as some faults.
const BATCH: usize = 128;

/// Backed free pages of one segment, taken out so that the kernel can get them while the heap is not locked.
#[derive(Clone, Copy)]
pub struct Purge {
    segment: *mut Segment,
    pages: PageSet,
    /// Pages that the kernel would not take.
    refused: PageSet,
}

impl Purge {
    /// Gives the pages to the kernel. Returns how many it took.
    pub fn run(&mut self) -> usize {
        let mut purged = 0;
        for span in self.pages.spans() {
            // SAFETY: the pages were taken out of the free set, so they are this purge's alone.
            if unsafe { os::purge(Segment::page_address(self.segment, span.first), span.len * PAGE) } {
                purged += span.len;
            } else {
                self.refused.insert(span);
            }
        }
        purged
    }
}

impl PageHeap {
    /// # Safety
    /// The caller holds the heap's lock; `segment` is one of this heap's, in the list of those with dirty free pages.
    pub(super) unsafe fn dirty_unlink(&mut self, segment: *mut Segment) {
        // SAFETY: the segment is live and in the dirty list; the lock is held.
        unsafe {
            let (prev, next) = ((*segment).dirty_prev, (*segment).dirty_next);
            if next.is_null() {
                self.dirty_last = prev;
            } else {
                (*next).dirty_prev = prev;
            }
            if prev.is_null() {
                self.dirty_first = next;
            } else {
                (*prev).dirty_next = next;
            }
        }
    }

    /// # Safety
    /// The caller holds the heap's lock; `segment` is one of this heap's, and not in the list of those with dirty free
    /// pages.
    pub(super) unsafe fn dirty_append(&mut self, segment: *mut Segment) {
        // SAFETY: the segment is live and not in the dirty list; the lock is held.
        unsafe {
            (*segment).dirty_next = ptr::null_mut();
            (*segment).dirty_prev = self.dirty_last;
            if self.dirty_last.is_null() {
                self.dirty_first = segment;
            } else {
                (*self.dirty_last).dirty_next = segment;
            }
            self.dirty_last = segment;
        }
    }

    /// # Safety
    /// The caller holds the heap's lock; `segment` is one of this heap's, with at least so many dirty free pages.
    #[inline(never)] // From many places.
    pub(super) unsafe fn less_dirty(&mut self, segment: *mut Segment, pages: usize) {
        if pages == 0 {
            return;
        }
        // SAFETY: a segment with dirty free pages is in the list; the lock is held.
        unsafe {
            (*segment).dirty_free -= pages as u32;
            self.dirty_pages -= pages;
            if Segment::state(segment) & state::SPARED != 0 {
                self.spares_less(segment, pages);
            } else if (*segment).dirty_free == 0 {
                self.dirty_unlink(segment);
            }
        }
    }

    /// # Safety
    /// The caller holds the heap's lock; `segment` is one of this heap's, and so many of its free pages have come to be
    /// dirty.
    #[inline(never)] // From many places.
    pub(super) unsafe fn more_dirty(&mut self, segment: *mut Segment, pages: usize, now: u64) {
        // SAFETY: as in `less_dirty`.
        unsafe {
            if Segment::state(segment) != state::SMALL && self.spares(segment, pages) || pages == 0 {
                return;
            }
            let listed = (*segment).dirty_free > 0;
            (*segment).dirty_free += pages as u32;
            self.dirty_pages += pages;
            // Segments of one tick of the clock are equally old; to move one would touch the headers of its neighbours.
            if listed && now > 0 && (*segment).since == now {
                return;
            }
            if listed {
                self.dirty_unlink(segment);
            }
            (*segment).since = now;
            self.dirty_append(segment);
        }
    }

    /// So many pages that just came back were an object's of many, which had better be kept if the policy is for that.
    #[inline]
    pub(super) fn hope(&mut self, policy: &Policy, pages: usize, now: u64) {
        if policy.purge.spare {
            self.worth.hope(pages, now, policy.window());
        }
    }

    /// Pages that are free and backed beyond what is worth keeping at the time `now`, if they are enough for a system call.
    #[inline(never)] // From many places.
    pub fn excess(&mut self, policy: &Policy, now: u64) -> usize {
        if self.is_near_limit() {
            self.spare_nothing(policy);
        }
        if let Some(all) = self.excess_near_limit() {
            return all;
        }
        let most = policy.purge.dirty / PAGE;
        let keep = self.worth.reckon(most, now, policy.window());
        let dirty = self.dirty_pages - self.dense.spared;
        if dirty > (keep + (keep / 8).max(BATCH)).min(most) {
            dirty - keep
        } else {
            0
        }
    }

    /// Takes backed free pages of the segment that was longest left alone out, if that was before `before`, and at most
    /// `most` of them. They come back with [`purge_end`](Self::purge_end).
    pub fn purge_begin(&mut self, before: u64, most: usize) -> Option<Purge> {
        let mut segment = self.dirty_first;
        // SAFETY: segments in the dirty list are live, the lock is held, and free pages belong to the heap.
        unsafe {
            if segment.is_null() || (*segment).since > before {
                return None;
            }
            let mut pages = (*segment).free.and(&(*segment).dirty);
            let mut count = pages.count();
            // What goes back as a whole does so, but when a part of it is wanted: then others of its pages are in use.
            let whole = Segment::state(segment) & state::WHOLE != 0 && Segment::is_free(segment);
            if count > most && !whole {
                // Requests are served from the lower end.
                pages = pages.upper(most);
                count = most;
            }
            let mut dirty = count;
            if os::pages() > 1 {
                (segment, pages, dirty) = Self::whole(segment, before, most)?;
                count = pages.count();
            }
            if Segment::state(segment) != state::SMALL {
                self.break_up(segment);
            }
            (*segment).free.subtract(&pages);
            (*segment).out.unite(&pages);
            (*segment).free_pages -= count as u32;
            self.free_pages -= count;
            self.purging += count;
            self.buckets.rebucket(segment, (*segment).free.longest());
            self.less_dirty(segment, dirty);
            Some(Purge {
                segment,
                pages,
                refused: PageSet::EMPTY,
            })
        }
    }

    /// Where the kernel's pages are larger than the heap's: what can be given of the first segment from this one on of which
    /// anything can, the pages of the kernel's that are free as a whole and hold some that are backed, down to where those are
    /// `most`; and how many those are.
    ///
    /// # Safety
    /// The caller holds the heap's lock; `segment` is in the list of those with dirty free pages.
    #[cold]
    #[inline(never)]
    unsafe fn whole(mut segment: *mut Segment, before: u64, most: usize) -> Option<(*mut Segment, PageSet, usize)> {
        let len = os::pages();
        // SAFETY: segments in the list are live, and the lock is held.
        unsafe {
            while !segment.is_null() && (*segment).since <= before {
                let (mut pages, mut dirty) = (PageSet::EMPTY, 0);
                // What lies in one page with the header is cleared by hand, and goes with the segment.
                let least = if Segment::is_free(segment) { HEADER_PAGES } else { 0 };
                for first in (0..PAGES).step_by(len).rev() {
                    let span = Span::between(first.max(least), (first + len).max(least));
                    let backed = (*segment).dirty.count_in(span);
                    if backed > 0 && (*segment).free.count_in(span) == span.len {
                        pages.insert(span);
                        dirty += backed;
                        if dirty >= most {
                            break;
                        }
                    }
                }
                if dirty > 0 {
                    return Some((segment, pages, dirty));
                }
                segment = (*segment).dirty_next;
            }
        }
        None
    }

    /// Makes purged pages free again. Those that the kernel refused (they are locked) wait for the next time.
    pub fn purge_end(&mut self, purge: &Purge, now: u64) {
        let segment = purge.segment;
        // SAFETY: a segment with pages out is live; the lock is held.
        unsafe {
            let count = purge.pages.count();
            (*segment).out.subtract(&purge.pages);
            (*segment).dirty.subtract(&purge.pages);
            (*segment).dirty.unite(&purge.refused);
            (*segment).free.unite(&purge.pages);
            (*segment).free_pages += count as u32;
            self.free_pages += count;
            self.purging -= count;
            self.buckets.rebucket(segment, (*segment).free.longest());
            self.more_dirty(segment, purge.refused.count(), now);
            if Segment::is_free(segment) && (*segment).dirty_free == 0 {
                self.retire(segment);
            }
        }
    }

    /// In the child of a fork: pages that vanished threads were purging are free, and perhaps still backed.
    pub fn recover(&mut self) {
        for i in 0..self.arena.high() {
            let entry = self.arena.entry(i);
            if entry.kind == Kind::Purging {
                // In a claimed range they may be gone already.
                let left = match self.arena.hold() {
                    // SAFETY: the segment was the vanished thread's, which did nothing but give it back.
                    Hold::Claimed => unsafe { Arena::forget(Hold::Claimed, self.arena.address(i), SEGMENT, false) },
                    _ => Left::Something,
                };
                self.huge_dirty += self.arena.give_back(i, 1, left, entry.moved, 0);
            }
        }
        while self.purging > 0 {
            let mut found = ptr::null_mut();
            self.for_each(|s| {
                // SAFETY: `for_each` passes live segments.
                if unsafe { (*s).out.count() } > 0 {
                    found = s;
                }
            });
            if found.is_null() {
                return;
            }
            // SAFETY: a live segment; nobody else purges, as the child has one thread.
            let pages = unsafe { (*found).out };
            self.purge_end(
                &Purge {
                    segment: found,
                    pages,
                    refused: pages,
                },
                0,
            );
        }
    }
}
