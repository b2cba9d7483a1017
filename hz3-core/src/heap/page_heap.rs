//! Free pages of all segments: gives and takes ranges of pages, whatever they are for.
//!
//! Segments are kept in buckets by the length of their longest free range, so that a request finds the tightest one by
//! looking at a bit set, and among a few of that bucket the fullest segment wins: sparse segments drain. Segments with
//! free pages that are still backed by memory wait in the dirty list, the one that was longest left alone first.
//!
//! Everything here belongs to the holder of the heap's lock (see [`super::Heap`]).

use super::arena::Arena;
use super::bitmap::Fit;
use super::buckets::Buckets;
use super::dense::Dense;
use super::drain::Drain;
use super::frame::Frame;
use super::group::Group;
use super::limit::Limits;
use super::outside::OutsideTable;
use super::page::{PAGES, Span};
use super::segment::{SEGMENT, Segment};
use super::worth::Worth;
use crate::os::{self, PAGE};
use crate::policy::Policy;
use crate::policy::knobs::Thp;
use core::ptr;

/// Pages that are opened at once, at least: 64 KiB.
const OPEN_STEP: usize = 16;
/// What share of the pages that are open may be open ahead.
const AHEAD: usize = 16;

/// How far a request may go for new segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// To the runs that there are.
    Held,
    /// To free pages of the segments that there are, for runs of full length.
    Segments,
    /// To the arena, while segments and huge objects stay within the budget.
    Budget,
    /// To the end of the arena.
    Arena,
    /// To the operating system, if the policy allows that.
    System,
}

/// What pages are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// How far it goes to get them.
    pub reach: Reach,
    /// Whose they will be.
    pub group: Group,
    /// Pages that are of use, at least.
    pub least: usize,
    /// Pages that are wanted.
    pub most: usize,
    /// How they lie. Guards are among the pages that are wanted.
    pub frame: Frame,
}

/// A range of pages just taken.
#[derive(Clone, Copy)]
pub struct Taken {
    /// Its segment.
    pub segment: *mut Segment,
    /// Its pages.
    pub span: Span,
    /// All of it is zero.
    pub clean: bool,
}

/// The page heap, with the arena below it.
pub struct PageHeap {
    /// Where segments come from.
    pub arena: Arena,
    /// Where they come from when the arena is used up.
    pub outside: OutsideTable,
    pub(super) buckets: Buckets,
    /// Longest left alone, and most recently given to.
    pub(super) dirty_first: *mut Segment,
    pub(super) dirty_last: *mut Segment,
    /// Free pages that are backed by memory.
    pub dirty_pages: usize,
    /// Free pages in segments of pages.
    pub free_pages: usize,
    /// Of these, pages that are not open.
    pub(super) unopened: usize,
    /// Segments of pages.
    pub segments: usize,
    /// Backed bytes of free segments that held huge objects.
    pub huge_dirty: usize,
    /// Bytes of huge objects in the arena.
    pub huge_bytes: usize,
    /// Bytes of huge objects outside of it.
    pub outside_huge: usize,
    /// How many bytes it may have.
    pub limits: Limits,
    /// How many bytes of freed huge objects are worth keeping.
    pub(super) huge_worth: Worth,
    /// Free pages that are being purged at the moment, and so cannot be had.
    pub purging: usize,
    /// How often memory was given back by whoever used it. It wraps.
    pub returns: u32,
    /// How many backed free pages are worth keeping.
    pub(super) worth: Worth,
    /// The segment that is to become free, where the policy drains one.
    pub drain: Drain,
    /// What is known of huge pages.
    pub dense: Dense,
}

impl PageHeap {
    /// No memory at all.
    pub const EMPTY: PageHeap = PageHeap {
        arena: Arena::NONE,
        outside: OutsideTable::EMPTY,
        buckets: Buckets::EMPTY,
        dirty_first: ptr::null_mut(),
        dirty_last: ptr::null_mut(),
        dirty_pages: 0,
        free_pages: 0,
        unopened: 0,
        segments: 0,
        huge_dirty: 0,
        huge_bytes: 0,
        outside_huge: 0,
        limits: Limits::NONE,
        huge_worth: Worth::UNKNOWN,
        purging: 0,
        returns: 0,
        worth: Worth::UNKNOWN,
        drain: Drain::NONE,
        dense: Dense::UNKNOWN,
    };

    /// Takes pages: as many as are wanted or, where no more can be had, as many as there are, but the least at least.
    #[inline(always)] // The policy is a constant of the caller's: one of the two remains.
    pub fn take(&mut self, policy: &Policy, request: Request) -> Option<Taken> {
        self.request(request.reach);
        if policy.has_walls() {
            self.see_some_seals();
        }
        if policy.places_plainly() {
            self.take_plainly(policy, request)
        } else {
            self.take_placed(policy, request)
        }
    }

    fn take_plainly(&mut self, policy: &Policy, request: Request) -> Option<Taken> {
        let Request { group, frame, .. } = request;
        let mut found = self.take_free(policy, group, request.most, frame);
        if found.is_none() && self.add_segment(policy, request.reach, group) {
            found = self.take_free(policy, group, request.most, frame);
        }
        if found.is_some() {
            return found;
        }
        if request.reach != Reach::Segments
            && let Some(longest) = self.longest_range(request)
        {
            found = self.take_free(policy, group, longest, frame);
        }
        found.or_else(|| self.take_open(policy, request))
    }

    /// How many pages, the least at least and fewer than the most, some free range of the group has; the most there are.
    pub(super) fn longest_range(&self, request: Request) -> Option<usize> {
        let Request {
            group,
            least: min,
            most: want,
            ..
        } = request;
        if group == Group::ANY {
            return (min..want).rev().find(|&n| self.buckets.first_from(n).is_some());
        }
        let mut most = 0;
        self.for_each(|segment| {
            // SAFETY: `for_each` passes live segments, and the lock is held.
            let (whose, longest) = unsafe { ((*segment).group, (*segment).longest as usize) };
            if whose == group {
                most = most.max(longest);
            }
        });
        let found = most.min(want.saturating_sub(1));
        (found >= min.max(1)).then_some(found)
    }

    /// Takes pages that are open already: what is left where the kernel refuses to open more. The longest range is taken, or
    /// one of as many pages as are wanted; of fewer only where more than the segments that there are were looked at.
    pub(super) fn take_open(&mut self, policy: &Policy, request: Request) -> Option<Taken> {
        let Request {
            group,
            most: want,
            frame,
            ..
        } = request;
        let min = if request.reach == Reach::Segments {
            want
        } else {
            request.least
        };
        // Where no free range is long enough, none of its parts is.
        if self.unopened == 0 || self.buckets.first_from(min).is_none() {
            return None;
        }
        let mut best: Option<(*mut Segment, usize)> = None;
        self.for_each(|segment| {
            // SAFETY: `for_each` passes live segments, and the lock is held.
            let (open, whose) = unsafe { (Segment::open_and_free(segment), (*segment).group) };
            if whose != group {
                return;
            }
            let most = best.map_or(min.max(1) - 1, |(_, len)| len);
            let fits = |len: usize| open.best_fit(len, frame).is_some();
            if most < want && fits(most + 1) {
                let len = (most + 1..=want).rev().find(|&len| fits(len)).unwrap_or(most + 1);
                best = Some((segment, len));
            }
        });
        let (segment, len) = best?;
        // SAFETY: as above.
        let (open, mut free) = unsafe { (Segment::open_and_free(segment), (*segment).free) };
        let span = open.best_fit(len, frame)?.span;
        free.remove(span);
        let longest = free.longest();
        self.take_span(policy, segment, Fit { span, longest }, frame)
    }

    /// Takes free pages out of a segment. None if the kernel has no memory for them, or a limit is in the way; then nothing has changed.
    pub(super) fn take_span(
        &mut self,
        policy: &Policy,
        segment: *mut Segment,
        Fit { span, longest }: Fit,
        frame: Frame,
    ) -> Option<Taken> {
        // All or none of the free pages are backed, as a rule, and counting is slow.
        // SAFETY: a live segment, and the lock is held.
        let dirty = unsafe {
            match (*segment).dirty_free {
                0 => 0,
                n if n == (*segment).free_pages => span.len,
                _ => (*segment).dirty.count_in(span),
            }
        };
        if !self.allows((span.len - dirty) * PAGE) || !self.open_pages(policy, segment, span.end().number()) {
            return None;
        }
        // SAFETY: a live segment whose lock is held; the pages are open, and nobody's.
        if policy.has_walls() && !unsafe { Segment::make_room(segment, span, frame) } {
            return None;
        }
        // SAFETY: as above.
        unsafe {
            Segment::cut(segment, span);
            self.free_pages -= span.len;
            self.buckets.rebucket(segment, longest);
            self.less_dirty(segment, dirty);
            if policy.purges_wholes() {
                self.keep_whole(segment);
            }
            self.worth.taken(dirty);
            let body = span.len - frame.guards();
            if self.worth.regrets() && dirty < body {
                let missing = body - dirty;
                self.worth
                    .missed(missing, policy.spare(self.dirty_pages), os::now_ms(), policy.window());
            }
            if policy.has_walls() {
                Segment::enclose(segment, span, frame);
            }
            Some(Taken {
                segment,
                span,
                clean: dirty == 0,
            })
        }
    }

    /// Makes a segment's pages below `end` memory, and some more: as long as free pages that are open and were never used
    /// are less than a sixteenth of all that are open. Fewer would cost more calls, more would count against limits and be
    /// locked by `mlockall`. False if the kernel refuses.
    #[inline]
    pub(super) fn open_pages(&mut self, policy: &Policy, segment: *mut Segment, end: usize) -> bool {
        // SAFETY: the segment is live; the lock is held.
        end <= unsafe { (*segment).opened } as usize || self.open_more(policy, segment, end)
    }

    #[cold]
    fn open_more(&mut self, policy: &Policy, segment: *mut Segment, end: usize) -> bool {
        let Some(index) = self.arena.index(segment.cast()) else {
            return false;
        };
        let opened = self.segments * PAGES - self.unopened;
        let ahead = self.free_pages.saturating_sub(self.unopened + self.dirty_pages);
        let more = match policy.arena.thp {
            Thp::Always => PAGES,
            Thp::System | Thp::Never | Thp::Large | Thp::Dense => (opened / AHEAD).saturating_sub(ahead),
        };
        let generous = (end + more)
            .next_multiple_of(OPEN_STEP)
            .min(policy.usable().end().number());
        let Some(to) = [generous, end.next_multiple_of(os::pages())]
            .into_iter()
            .find(|&to| self.arena.open(policy, index, to).is_ok())
        else {
            return false;
        };
        // SAFETY: as in `open_pages`.
        unsafe {
            self.unopened -= to - (*segment).opened as usize;
            (*segment).opened = to as u32;
            if policy.has_walls() {
                self.open_to_the_end(policy, segment, index);
            }
        }
        true
    }

    /// Takes the pages right behind a range in use, if they are free: for growing in place. If the range ends with a guard, the
    /// longer one does, too.
    ///
    /// # Safety
    /// The range was taken from this heap, and is the caller's.
    pub unsafe fn extend(&mut self, policy: &Policy, segment: *mut Segment, span: Span, more: usize) -> bool {
        // To move the object would take more.
        self.request(Reach::System);
        // SAFETY: the caller owns the range, so its segment is live; the lock is held.
        unsafe {
            Segment::extend(policy, segment, span, more, |fit, frame| {
                self.take_span(policy, segment, fit, frame).is_some()
            })
        }
    }

    /// Gives a range back at the time `now`. `touched` of its pages, from the first on, may hold something.
    ///
    /// # Safety
    /// As for [`Heap::give`](super::Heap::give).
    #[inline(never)] // From many places.
    pub unsafe fn give(&mut self, segment: *mut Segment, span: Span, touched: usize, now: u64) {
        // SAFETY: the caller owns the range, so its segment is live; the lock is held.
        unsafe {
            let longest = Segment::put_back(segment, span, touched);
            self.free_pages += span.len;
            self.buckets.rebucket(segment, longest);
            let dirty = if touched >= span.len && !Segment::has_walls(segment) {
                span.len
            } else {
                (*segment).dirty.count_in(span)
            };
            self.more_dirty(segment, dirty, now);
            self.worth.freed(dirty);
            self.returns = self.returns.wrapping_add(1);
            if Segment::is_free(segment) && (*segment).dirty_free == 0 {
                self.retire(segment);
            }
        }
    }

    /// Bytes of segments of pages and of huge objects.
    pub fn taken(&self) -> usize {
        self.segments * SEGMENT + self.huge_bytes
    }

    /// Calls `f` for every segment of pages.
    pub fn for_each(&self, f: impl FnMut(*mut Segment)) {
        self.buckets.for_each(f);
    }
}

#[cfg(all(test, not(loom)))]
#[path = "page_heap_tests.rs"]
mod tests;
