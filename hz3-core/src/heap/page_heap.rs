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
use super::drain::Drain;
use super::outside::OutsideTable;
use super::page::{PAGES, Span};
use super::segment::{SEGMENT, Segment, USABLE};
use super::worth::Worth;
use crate::os;
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
    /// Bytes of huge objects.
    pub huge_bytes: usize,
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
        huge_worth: Worth::UNKNOWN,
        purging: 0,
        returns: 0,
        worth: Worth::UNKNOWN,
        drain: Drain::NONE,
    };

    /// Takes `want` pages that start at a multiple of `align` pages (a power of two, below a segment), or, where no
    /// more can be had, as many as there are, but at least `min`.
    #[inline(always)] // The policy is a constant of the caller's: one of the two remains.
    pub fn take(&mut self, policy: &Policy, reach: Reach, min: usize, want: usize, align: usize) -> Option<Taken> {
        if policy.places_plainly() {
            self.take_plainly(policy, reach, min, want, align)
        } else {
            self.take_placed(policy, reach, min, want, align)
        }
    }

    fn take_plainly(&mut self, policy: &Policy, reach: Reach, min: usize, want: usize, align: usize) -> Option<Taken> {
        let mut found = self.take_free(policy, want, align);
        if found.is_none() && self.add_segment(policy, reach) {
            found = self.take_free(policy, want, align);
        }
        if found.is_some() {
            return found;
        }
        if reach != Reach::Segments
            && let Some(longest) = (min..want).rev().find(|&n| self.buckets.first_from(n).is_some())
        {
            found = self.take_free(policy, longest, align);
        }
        let least = if reach == Reach::Segments { want } else { min };
        found.or_else(|| self.take_open(policy, least, want, align))
    }

    /// Takes pages that are open already: what is left where the kernel refuses to open more. The longest range is taken, of
    /// at least `min` and at most `want` pages.
    pub(super) fn take_open(&mut self, policy: &Policy, min: usize, want: usize, align: usize) -> Option<Taken> {
        // Where no free range is long enough, none of its parts is.
        if self.unopened == 0 || self.buckets.first_from(min).is_none() {
            return None;
        }
        let mut best: Option<(*mut Segment, usize)> = None;
        self.for_each(|segment| {
            // SAFETY: `for_each` passes live segments, and the lock is held.
            let open = unsafe { Segment::open_and_free(segment) };
            let most = best.map_or(min.max(1) - 1, |(_, len)| len);
            let fits = |len: usize| open.best_fit(len, align).is_some();
            if most < want && fits(most + 1) {
                let len = (most + 1..=want).rev().find(|&len| fits(len)).unwrap_or(most + 1);
                best = Some((segment, len));
            }
        });
        let (segment, len) = best?;
        // SAFETY: as above.
        let (open, mut free) = unsafe { (Segment::open_and_free(segment), (*segment).free) };
        let span = open.best_fit(len, align)?.span;
        free.remove(span);
        let longest = free.longest();
        self.take_span(policy, segment, Fit { span, longest })
    }

    /// Takes free pages out of a segment. None if the kernel has no memory for them; then nothing has changed.
    pub(super) fn take_span(
        &mut self,
        policy: &Policy,
        segment: *mut Segment,
        Fit { span, longest }: Fit,
    ) -> Option<Taken> {
        if !self.open_pages(policy, segment, span.end().number()) {
            return None;
        }
        // SAFETY: a live segment, and the lock is held.
        unsafe {
            // All or none of the free pages are backed, as a rule, and counting is slow.
            let dirty = match (*segment).dirty_free {
                0 => 0,
                n if n == (*segment).free_pages => span.len,
                _ => (*segment).dirty.count_in(span),
            };
            Segment::cut(segment, span);
            self.free_pages -= span.len;
            self.buckets.rebucket(segment, longest);
            self.less_dirty(segment, dirty);
            self.worth.taken(dirty);
            if self.worth.regrets() && dirty < span.len {
                let missing = span.len - dirty;
                self.worth
                    .missed(missing, policy.spare(self.dirty_pages), os::now_ms(), policy.window());
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
            Thp::System | Thp::Never | Thp::Large => (opened / AHEAD).saturating_sub(ahead),
        };
        let generous = (end + more).next_multiple_of(OPEN_STEP).min(PAGES);
        let Some(to) = [generous, end]
            .into_iter()
            .find(|&to| self.arena.open(policy, index, to).is_ok())
        else {
            return false;
        };
        // SAFETY: as in `open_pages`.
        unsafe {
            self.unopened -= to - (*segment).opened as usize;
            (*segment).opened = to as u32;
        }
        true
    }

    /// Takes the pages right behind a range in use, if they are free: for growing in place.
    ///
    /// # Safety
    /// The range was taken from this heap, and is the caller's.
    pub unsafe fn extend(&mut self, policy: &Policy, segment: *mut Segment, span: Span, more: usize) -> bool {
        // SAFETY: the caller owns the range, so its segment is live; the lock is held.
        let fit = unsafe { Segment::behind(segment, span, more) };
        fit.is_some_and(|fit| self.take_span(policy, segment, fit).is_some())
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
            let dirty = if touched >= span.len {
                span.len
            } else {
                (*segment).dirty.count_in(span)
            };
            self.more_dirty(segment, dirty, now);
            self.worth.freed(dirty);
            self.returns = self.returns.wrapping_add(1);
            if (*segment).free_pages as usize == USABLE && (*segment).dirty_free == 0 {
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

const _: () = assert!(USABLE < PAGES && PAGES == 512, "bucket bit sets have 512 bits");

#[cfg(all(test, not(loom)))]
#[path = "page_heap_tests.rs"]
mod tests;
