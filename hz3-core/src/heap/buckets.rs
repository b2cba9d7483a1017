//! Segments by the length of their longest free range.
//!
//! Whose they are, the page heap's or a lot's, says who may touch them: the holder of that lock.

use super::PageHeap;
use super::bitmap::Fit;
use super::frame::Frame;
use super::group::Group;
use super::page::PAGES;
use super::page_heap::Taken;
use super::segment::{Segment, USABLE};
use crate::policy::Policy;
use core::ptr;

/// How many segments of a bucket are compared for fullness; more only where none of them has the alignment.
pub(super) const COMPARED: usize = 8;

/// Words of a set of buckets.
const WORDS: usize = PAGES / 64;
const _: () = assert!(USABLE < PAGES, "there is a bucket for each length");

/// Segments, each in the bucket of its longest free range.
pub(super) struct Buckets {
    heads: [*mut Segment; USABLE + 1],
    /// A bit for every bucket that is not empty.
    occupied: [u64; WORDS],
}

impl Buckets {
    /// No segments.
    pub(super) const EMPTY: Buckets = Buckets {
        heads: [ptr::null_mut(); USABLE + 1],
        occupied: [0; WORDS],
    };

    /// The first bucket that is not empty, from `len` on.
    #[inline(never)] // From many places.
    pub(super) fn first_from(&self, len: usize) -> Option<usize> {
        let mut at = len;
        while at <= USABLE {
            let word = self.occupied[(at / 64) & (WORDS - 1)] >> (at & 63);
            if word != 0 {
                return Some(at + word.trailing_zeros() as usize);
            }
            at = (at | 63) + 1;
        }
        None
    }

    /// A segment of the last bucket that is not empty: one with the longest free range. Null if there is none.
    pub(super) fn emptiest(&self) -> *mut Segment {
        let last = self.occupied.iter().rposition(|word| *word != 0);
        last.map_or(ptr::null_mut(), |i| {
            self.head(i * 64 + 63 - self.occupied[i & (WORDS - 1)].leading_zeros() as usize)
        })
    }

    /// A place for `len` pages of a group, which lie as the frame says, in the fullest of a few segments with the tightest range;
    /// among those that can be lent, if it `lends`.
    #[inline(never)] // From many places.
    pub(super) fn find(&self, group: Group, len: usize, frame: Frame, lends: bool) -> Option<(*mut Segment, Fit)> {
        let mut bucket = self.first_from(len)?;
        loop {
            if let Some(found) = self.fullest(group, bucket, len, frame, lends) {
                return Some(found);
            }
            // Only alignment, or segments of other groups or that cannot be lent, can make a bucket of long enough ranges fail.
            bucket = self.first_from(bucket + 1)?;
        }
    }

    fn fullest(
        &self,
        group: Group,
        bucket: usize,
        len: usize,
        frame: Frame,
        lends: bool,
    ) -> Option<(*mut Segment, Fit)> {
        // SAFETY: segments in a bucket are live, and the lock is held.
        let may =
            |segment: *mut Segment| unsafe { (*segment).group == group && (!lends || Segment::can_be_lent(segment)) };
        let mut best: Option<(*mut Segment, Fit)> = None;
        let mut fullest: *mut Segment = ptr::null_mut();
        let mut at = self.head(bucket);
        let mut looked = 0;
        // SAFETY: segments in a bucket are live, and the lock is held.
        unsafe {
            // All of them have room, but for alignment: only the one that is chosen needs a closer look, as a rule.
            while !at.is_null() && looked < COMPARED {
                looked += 1;
                Segment::see_any_seals(at);
                if (fullest.is_null() || (*at).free_pages < (*fullest).free_pages) && may(at) {
                    fullest = at;
                }
                at = (*at).next;
            }
            if fullest.is_null() && frame.is_anywhere() {
                return None;
            }
            if !fullest.is_null()
                && let Some(fit) = (*fullest).free.best_fit(len, frame)
            {
                return Some((fullest, fit));
            }
            (at, looked) = (self.head(bucket), 0);
            while !at.is_null() && (looked < COMPARED || best.is_none()) {
                looked += 1;
                Segment::see_any_seals(at);
                if best.is_none_or(|(b, _)| (*at).free_pages < (*b).free_pages)
                    && may(at)
                    && let Some(fit) = (*at).free.best_fit(len, frame)
                {
                    best = Some((at, fit));
                }
                at = (*at).next;
            }
        }
        best
    }

    /// The first segment of a bucket, or null.
    pub(super) fn head(&self, bucket: usize) -> *mut Segment {
        self.heads.get(bucket).copied().unwrap_or(ptr::null_mut())
    }

    fn set_head(&mut self, bucket: usize, to: *mut Segment) {
        if let Some(head) = self.heads.get_mut(bucket) {
            *head = to;
            let bit = 1 << (bucket & 63);
            let word = &mut self.occupied[(bucket / 64) & (WORDS - 1)];
            *word = if to.is_null() { *word & !bit } else { *word | bit };
        }
    }

    /// Calls `f` for every segment.
    pub(super) fn for_each(&self, mut f: impl FnMut(*mut Segment)) {
        let mut bucket = 0;
        while let Some(found) = self.first_from(bucket) {
            let mut at = self.head(found);
            while !at.is_null() {
                f(at);
                // SAFETY: segments in a bucket are live; the lock is held.
                at = unsafe { (*at).next };
            }
            bucket = found + 1;
        }
    }

    /// # Safety
    /// The caller holds the lock that guards these; `segment` is live, its, and in no bucket.
    #[inline(never)] // From many places.
    pub(super) unsafe fn link(&mut self, segment: *mut Segment) {
        // SAFETY: the segment is live and in no bucket; the lock is held.
        unsafe {
            let bucket = (*segment).longest as usize;
            let head = self.head(bucket);
            (*segment).prev = ptr::null_mut();
            (*segment).next = head;
            if !head.is_null() {
                (*head).prev = segment;
            }
            self.set_head(bucket, segment);
        }
    }

    /// # Safety
    /// The caller holds the lock that guards these; `segment` is in the bucket that its `longest` names.
    #[inline(never)] // From many places.
    pub(super) unsafe fn unlink(&mut self, segment: *mut Segment) {
        // SAFETY: the segment is live and in the bucket of its `longest`; the lock is held.
        unsafe {
            let (prev, next) = ((*segment).prev, (*segment).next);
            if !next.is_null() {
                (*next).prev = prev;
            }
            if prev.is_null() {
                self.set_head((*segment).longest as usize, next);
            } else {
                (*prev).next = next;
            }
        }
    }

    /// # Safety
    /// The caller holds the lock that guards these; `segment` is in the bucket that its `longest` names, and `longest` is
    /// the length of its longest range of free pages.
    #[inline(never)] // From many places.
    pub(super) unsafe fn rebucket(&mut self, segment: *mut Segment, longest: usize) {
        // SAFETY: as in `unlink`.
        unsafe {
            if (*segment).longest as usize != longest {
                self.unlink(segment);
                (*segment).longest = longest as u32;
                self.link(segment);
            }
        }
    }
}

impl PageHeap {
    pub(super) fn take_free(&mut self, policy: &Policy, group: Group, len: usize, frame: Frame) -> Option<Taken> {
        let (segment, fit) = self.buckets.find(group, len, frame, false)?;
        self.take_span(policy, segment, fit, frame)
    }
}
