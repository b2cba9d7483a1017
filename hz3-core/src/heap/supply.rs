//! Segments of pages come and go: from the arena, or from outside of it, and back.

use super::PageHeap;
use super::arena::{Arena, Entry, Kind, Left};
use super::bitmap::PageSet;
use super::draw;
use super::frame::Frame;
use super::group::Group;
use super::hold::Hold;
use super::outside::Outside;
use super::page::{PAGES, Span};
use super::page_heap::Reach;
use super::segment::{HEADER_PAGES, SEGMENT, Segment};
use crate::os::{self, Access, PAGE};
use crate::policy::Policy;
use crate::policy::knobs::Thp;
use crate::sync::Ordering;

impl PageHeap {
    /// Gets one more segment for a group, within a reach. False if there is none.
    pub(super) fn add_segment(&mut self, policy: &Policy, reach: Reach, group: Group) -> bool {
        if self.was_refused() || !self.allows(HEADER_PAGES * PAGE) {
            return false;
        }
        match reach {
            Reach::Held | Reach::Segments => return false,
            Reach::Budget if policy.pressure.budget > 0 && self.taken() + SEGMENT > policy.pressure.budget => {
                return false;
            }
            Reach::Budget | Reach::Arena | Reach::System => {}
        }
        let first = policy.usable().first.number();
        let mut huge = self.begins_huge(policy);
        let mut taken = None;
        if huge {
            taken = self.arena.take(policy, group, policy.usable().end().number(), SEGMENT);
            huge = taken.is_some();
        }
        if let Some((index, dirty)) = taken.or_else(|| self.arena.take(policy, group, first, SEGMENT)) {
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
            let segment: *mut Segment = self.arena.address(index).cast();
            let opened = self.arena.opened(index);
            // SAFETY: the segment was just taken, and opened as a whole.
            huge = huge && dirty == 0 && policy.arena.thp == Thp::Dense && unsafe { self.begin_huge(segment.cast()) };
            self.open_segment(policy, segment, (false, group), opened, dirty == 0);
            if huge {
                // SAFETY: the segment was just made.
                unsafe { (*segment).tell_huge() };
            }
            if policy.has_walls() {
                // SAFETY: the segment was just made.
                unsafe { self.open_to_the_end(policy, segment, index) };
            }
            return true;
        }
        if !policy.grows_outside() || reach != Reach::System {
            return false;
        }
        let p = draw::map(policy, SEGMENT, SEGMENT, Access::ReadWrite);
        if p.is_null() {
            return false;
        }
        if !self.arena.tags.open_outside(p) || !self.outside.insert(policy, p, Outside::Pages) {
            // SAFETY: the mapping was just made and nobody knows it.
            unsafe { os::unmap(p, SEGMENT) };
            return false;
        }
        self.open_segment(policy, p.cast(), (true, group), PAGES, true);
        true
    }

    pub(super) fn open_segment(
        &mut self,
        policy: &Policy,
        segment: *mut Segment,
        (outside, group): (bool, Group),
        opened: usize,
        clean: bool,
    ) {
        let mut dirty = PageSet::EMPTY;
        let usable = policy.usable();
        let (first, end) = (usable.first.number(), usable.end().number());
        let backed = if clean { 0 } else { opened.min(end) - first };
        dirty.insert(Span::between(first, first + backed));
        // SAFETY: the memory is committed and was just taken.
        unsafe {
            Segment::init(segment, (outside, group), opened, dirty, usable);
            self.buckets.link(segment);
            self.segments += 1;
            self.free_pages += usable.len;
            self.unopened += PAGES - opened;
            if policy.purges_wholes() {
                Segment::tell_whole(segment);
            }
            self.more_dirty(segment, backed, 0);
        }
    }

    /// Opens the last page of a segment of the arena when all others are open, although nobody will use it: the kernel notes that it is not
    /// to be touched, and the segment is one mapping with the next. Where the kernel takes no notes, it stays closed.
    ///
    /// # Safety
    /// The segment is live and has guards; the lock is held.
    pub(super) unsafe fn open_to_the_end(&mut self, policy: &Policy, segment: *mut Segment, index: usize) {
        // SAFETY: the segment is live; the lock is held.
        unsafe {
            let opened = (*segment).opened as usize;
            if opened < PAGES - 1 || opened == PAGES - 1 && self.arena.open(policy, index, PAGES).is_err() {
                return;
            }
            if !Segment::shut_last(segment) {
                self.arena.close(index, PAGES - 1);
            }
            let now = self.arena.opened(index);
            self.unopened = self.unopened + opened - now;
            (*segment).opened = now as u32;
        }
    }

    /// Lends a lot a segment that has a place for `len` pages, which lie as the frame says: one of those that there are, or,
    /// within a reach, a new one of the arena. What lies outside is never lent, so none is got for it: the page heap serves
    /// such a request itself. `missed` pages that were not backed were taken there.
    pub(super) fn lend(
        &mut self,
        policy: &Policy,
        reach: Reach,
        (len, frame): (usize, Frame),
        (number, missed): (u32, usize),
    ) -> Option<*mut Segment> {
        self.request(reach);
        // Lots serve large objects only.
        let group = Group::of_large(policy);
        let mut found = self.buckets.find(group, len, frame, true);
        if found.is_none() {
            let within = if reach == Reach::System { Reach::Arena } else { reach };
            if self.add_segment(policy, within, group) {
                found = self.buckets.find(group, len, frame, true);
            }
        }
        let (segment, _) = found?;
        // All that it has counts, as long as the lot has it.
        // SAFETY: segments in a bucket are live; the lock is held.
        let unbacked = unsafe { (*segment).free_pages - (*segment).dirty_free } as usize;
        if !self.allows(unbacked * PAGE) {
            return None;
        }
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
            if Segment::is_free(segment) && dirty == 0 {
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
            self.free_pages -= usize::from((*segment).usable);
            self.unopened -= PAGES - (*segment).opened as usize;
            let p: *mut u8 = segment.cast();
            if (*segment).outside {
                self.outside.remove(p);
                Segment::forget_walls(segment);
                os::unmap(p, SEGMENT);
                return;
            }
            let refused = (*segment).dirty.count() > 0;
            let walls = Segment::has_walls(segment);
            if let Some(index) = self.arena.index(p) {
                let (moved, hold) = (self.arena.entry(index).moved, self.arena.hold());
                let anew = moved || hold == Hold::Claimed;
                if anew {
                    Segment::forget_walls(segment);
                }
                let left = if !anew && !Segment::pull_down(segment) {
                    Left::Nothing
                } else if anew {
                    Arena::forget(hold, p, (*segment).opened as usize * PAGE, moved)
                } else if os::purge(p, os::up(HEADER_PAGES * PAGE)) && !refused {
                    Left::Zero
                } else {
                    Left::Something
                };
                self.huge_dirty += self.arena.give_back(index, 1, left, false, 0);
                if walls {
                    // A huge object may lie behind.
                    self.arena.close(index, PAGES - 1);
                }
            }
        }
    }

    /// Gives wholly free segments back to the arena, so that huge objects find room. True if there were any.
    pub fn retire_free(&mut self, policy: &Policy) -> bool {
        let (mut any, all) = (false, policy.usable().len);
        while !self.buckets.head(all).is_null() {
            let segment = self.buckets.head(all);
            // SAFETY: segments in a bucket are live; this one is wholly free.
            unsafe {
                let mut backed = (*segment).free.and(&(*segment).dirty);
                if os::pages() > 1 && backed.count() > 0 {
                    // In one piece, as all is free; what lies with the header in a page of the kernel's goes with it.
                    backed = PageSet::EMPTY;
                    let head = HEADER_PAGES.next_multiple_of(os::pages());
                    backed.insert(Span::between(head, (*segment).opened as usize));
                    (*segment).dirty.remove(Span::between(HEADER_PAGES, head));
                }
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
