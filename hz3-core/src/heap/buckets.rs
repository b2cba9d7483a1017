//! Segments by the length of their longest free range.
//!
//! As all of the page heap: for the holder of the heap's lock.

use super::PageHeap;
use super::bitmap::Fit;
use super::page_heap::Taken;
use super::segment::{Segment, USABLE};
use crate::policy::Policy;
use core::ptr;

/// How many segments of a bucket are compared for fullness; more only where none of them has the alignment.
pub(super) const COMPARED: usize = 8;

impl PageHeap {
    /// The first bucket that is not empty, from `len` on.
    pub(super) fn bucket_from(&self, len: usize) -> Option<usize> {
        let mut at = len;
        while at <= USABLE {
            let word = self.occupied[(at / 64) & 7] >> (at & 63);
            if word != 0 {
                return Some(at + word.trailing_zeros() as usize);
            }
            at = (at | 63) + 1;
        }
        None
    }

    pub(super) fn take_free(&mut self, policy: &Policy, len: usize, align: usize) -> Option<Taken> {
        let mut bucket = self.bucket_from(len)?;
        loop {
            if let Some((segment, fit)) = self.fullest(bucket, len, align) {
                return self.take_span(policy, segment, fit);
            }
            // Only alignment can make a bucket of long enough ranges fail.
            bucket = self.bucket_from(bucket + 1)?;
        }
    }

    pub(super) fn fullest(&self, bucket: usize, len: usize, align: usize) -> Option<(*mut Segment, Fit)> {
        let mut best: Option<(*mut Segment, Fit)> = None;
        let mut fullest = self.head(bucket);
        let mut at = fullest;
        let mut looked = 0;
        // SAFETY: segments in a bucket are live, and the lock is held.
        unsafe {
            if align == 1 && !at.is_null() {
                // All of them have room: only the one that is chosen needs a closer look.
                while !at.is_null() && looked < COMPARED {
                    looked += 1;
                    if (*at).free_pages < (*fullest).free_pages {
                        fullest = at;
                    }
                    at = (*at).next;
                }
                return (*fullest).free.best_fit(len, 1).map(|fit| (fullest, fit));
            }
            while !at.is_null() && (looked < COMPARED || best.is_none()) {
                looked += 1;
                if best.is_none_or(|(b, _)| (*at).free_pages < (*b).free_pages)
                    && let Some(fit) = (*at).free.best_fit(len, align)
                {
                    best = Some((at, fit));
                }
                at = (*at).next;
            }
        }
        best
    }

    pub(super) fn head(&self, bucket: usize) -> *mut Segment {
        self.buckets.get(bucket).copied().unwrap_or(ptr::null_mut())
    }

    pub(super) fn set_head(&mut self, bucket: usize, to: *mut Segment) {
        if let Some(head) = self.buckets.get_mut(bucket) {
            *head = to;
            let bit = 1 << (bucket & 63);
            let word = &mut self.occupied[(bucket / 64) & 7];
            *word = if to.is_null() { *word & !bit } else { *word | bit };
        }
    }

    /// # Safety
    /// The caller holds the heap's lock; `segment` is one of this heap's, and in no bucket.
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
    /// The caller holds the heap's lock; `segment` is one of this heap's, in the bucket that `longest` names.
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
    /// The caller holds the heap's lock; `segment` is one of this heap's, in the bucket that its `longest` names, and
    /// `longest` is the length of its longest range of free pages.
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
