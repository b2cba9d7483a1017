//! Segments of pages come and go: from the arena, or from outside of it, and back.

use super::PageHeap;
use super::arena::{Arena, Entry, Kind, Left};
use super::bitmap::PageSet;
use super::hold::Hold;
use super::outside::Outside;
use super::page::{PAGES, Span};
use super::page_heap::Reach;
use super::segment::{HEADER_PAGES, SEGMENT, Segment, USABLE};
use crate::os::{self, Access, PAGE};
use crate::policy::Policy;
use crate::sync::Ordering;

impl PageHeap {
    /// Gets one more segment, within a reach. False if there is none.
    pub(super) fn add_segment(&mut self, policy: &Policy, reach: Reach) -> bool {
        match reach {
            Reach::Held | Reach::Segments => return false,
            Reach::Budget if self.taken() + SEGMENT > policy.pressure.budget => return false,
            Reach::Budget | Reach::Arena | Reach::System => {}
        }
        if let Some((index, dirty)) = self.arena.take(policy, HEADER_PAGES, SEGMENT) {
            self.huge_dirty -= dirty * SEGMENT;
            let moved = self.arena.entry(index).moved;
            self.arena.set(
                index,
                Entry {
                    kind: Kind::Pages,
                    dirty: false,
                    moved,
                    pages: 0,
                },
            );
            let segment = self.arena.address(index).cast();
            let opened = self.arena.opened(index);
            self.open_segment(segment, false, opened, dirty == 0);
            return true;
        }
        if !policy.grows_outside() || reach != Reach::System {
            return false;
        }
        let p = os::map_aligned(SEGMENT, SEGMENT, Access::ReadWrite);
        if p.is_null() {
            return false;
        }
        if !self.arena.tags.open_outside(p) || !self.outside.insert(p, Outside::Pages) {
            // SAFETY: the mapping was just made and nobody knows it.
            unsafe { os::unmap(p, SEGMENT) };
            return false;
        }
        self.open_segment(p.cast(), true, PAGES, true);
        true
    }

    pub(super) fn open_segment(&mut self, segment: *mut Segment, outside: bool, opened: usize, clean: bool) {
        let mut dirty = PageSet::EMPTY;
        let backed = if clean { 0 } else { opened - HEADER_PAGES };
        dirty.insert(Span::between(HEADER_PAGES, HEADER_PAGES + backed));
        // SAFETY: the memory is committed and was just taken.
        unsafe {
            Segment::init(segment, outside, opened, dirty);
            self.buckets.link(segment);
            self.segments += 1;
            self.free_pages += USABLE;
            self.unopened += PAGES - opened;
            self.more_dirty(segment, backed, 0);
        }
    }

    /// Lends a lot a segment that has a place for `len` pages, at a multiple of `align` pages: one of those that there are, or,
    /// within a reach, a new one of the arena. What lies outside is never lent, so none is got for it: the page heap serves
    /// such a request itself. `missed` pages that were not backed were taken there.
    pub(super) fn lend(
        &mut self,
        policy: &Policy,
        reach: Reach,
        (len, align): (usize, usize),
        (number, missed): (u32, usize),
    ) -> Option<*mut Segment> {
        let mut found = self.buckets.find(len, align, true);
        if found.is_none() {
            let within = if reach == Reach::System { Reach::Arena } else { reach };
            if self.add_segment(policy, within) {
                found = self.buckets.find(len, align, true);
            }
        }
        let (segment, _) = found?;
        if missed > 0 && self.worth.regrets() {
            self.worth
                .missed(missed, self.dirty_pages, os::now_ms(), policy.window());
        }
        // SAFETY: segments in a bucket are live; the lock is held, and the lot's, too.
        unsafe {
            self.buckets.unlink(segment);
            self.free_pages -= (*segment).free_pages as usize;
            let dirty = (*segment).dirty_free as usize;
            self.less_dirty(segment, dirty);
            self.worth.taken(dirty);
            (*segment).lot.store(number, Ordering::Release);
        }
        Some(segment)
    }

    /// A lot gives a segment back at the time `now`.
    ///
    /// # Safety
    /// The segment was lent, and is in no bucket; the caller holds the lot's lock, too.
    pub(super) unsafe fn get_back(&mut self, segment: *mut Segment, now: u64) {
        // SAFETY: the segment is live, as its lot says, and ours from here on.
        unsafe {
            (*segment).lot.store(0, Ordering::Release);
            self.free_pages += (*segment).free_pages as usize;
            self.buckets.link(segment);
            let dirty = Segment::backed(segment);
            self.more_dirty(segment, dirty, now);
            self.worth.freed(dirty);
            self.returns = self.returns.wrapping_add(1);
            if (*segment).free_pages as usize == USABLE && dirty == 0 {
                self.retire(segment);
            }
        }
    }

    /// Takes a wholly free segment out, and gives it back to the arena or to the kernel. Its free pages are clean but
    /// for what the kernel refused to take.
    ///
    /// # Safety
    /// `segment` is one of this heap's, in a bucket, and all of its pages are free; nobody has a pointer to it.
    pub(super) unsafe fn retire(&mut self, segment: *mut Segment) {
        // SAFETY: the segment is live, wholly free and not in the dirty list; the lock is held.
        unsafe {
            self.buckets.unlink(segment);
            self.forget_drained(segment);
            self.segments -= 1;
            self.free_pages -= USABLE;
            self.unopened -= PAGES - (*segment).opened as usize;
            let p: *mut u8 = segment.cast();
            if (*segment).outside {
                self.outside.remove(p);
                os::unmap(p, SEGMENT);
                return;
            }
            let refused = (*segment).dirty.count() > 0;
            if let Some(index) = self.arena.index(p) {
                let (moved, hold) = (self.arena.entry(index).moved, self.arena.hold());
                let left = if moved || hold == Hold::Claimed {
                    Arena::forget(hold, p, (*segment).opened as usize * PAGE, moved)
                } else if os::purge(p, HEADER_PAGES * PAGE) && !refused {
                    Left::Zero
                } else {
                    Left::Something
                };
                self.huge_dirty += self.arena.give_back(index, 1, left, false, 0);
            }
        }
    }

    /// Gives wholly free segments back to the arena, so that huge objects find room. True if there were any.
    pub fn retire_free(&mut self) -> bool {
        let mut any = false;
        while !self.buckets.head(USABLE).is_null() {
            let segment = self.buckets.head(USABLE);
            // SAFETY: segments in a bucket are live; this one is wholly free.
            unsafe {
                let backed = (*segment).free.and(&(*segment).dirty);
                for span in backed.spans() {
                    if os::purge(Segment::page_address(segment, span.first), span.len * PAGE) {
                        (*segment).dirty.remove(span);
                    }
                }
                self.less_dirty(segment, (*segment).dirty_free as usize);
                self.retire(segment);
            }
            any = true;
        }
        any
    }
}
