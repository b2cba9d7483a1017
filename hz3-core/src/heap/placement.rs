//! Where pages come from, when the config has a wish: lowest address, tightest hole, or sparing a segment that drains.
//!
//! A hole is a maximal range of free pages. A search looks at segments from the bucket of the tightest longest hole
//! upwards, and takes the best of those that it looked at:
//!
//! | `placement` | looks at | the best is |
//! |---|---|---|
//! | `order = "fullest"` | 8 segments of the first bucket that has one with room | the fullest |
//! | `order = "lowest"` | 64 segments of all buckets | the one at the lowest address |
//! | `order = "densest"` | 64 segments of all buckets | the fullest; whole huge pages come first |
//! | `pack_tries = n` | `n` segments of all buckets | the one with the tightest hole that fits, then by `order` |
//!
//! So a search touches a bounded number of headers, but for requests with an alignment that none of these can give:
//! it goes on until it has found one. A larger bound for `lowest` and `densest` would cost a cache miss a segment; up to it the choice
//! is exact, beyond it the segments with the least room are preferred.
//!
//! **The drained segment** is the one with the fewest pages in use when a request last found no memory. Relief may empty
//! it first (`pressure.relief = "segment"`), and quarantine spares it: no pages are taken from it while there is room
//! elsewhere in the segments that there are. That ends when it is wholly free, or after so many requests for pages as
//! the config says, whether they were served or not: the clock is [`PageHeap::take`] itself, without which nothing could be
//! placed in the segment anyway. It is never prolonged. A segment that had lost no page when it was drained is not chosen
//! twice in a row.
//!
//! As all of the page heap: for the holder of the heap's lock.

use super::PageHeap;
use super::bitmap::Fit;
use super::buckets::COMPARED;
use super::drain::Drain;
use super::frame::Frame;
use super::group::Group;
use super::page::PAGES;
use super::page_heap::{Reach, Request, Taken};
use super::segment::Segment;
use crate::policy::Policy;
use crate::policy::knobs::PlacementOrder;
use core::ptr;

/// How many segments of all buckets are compared.
const MANY: usize = 64;

/// Of two segments that which has less comes first.
///
/// # Safety
/// The segment is live, and the caller holds the heap's lock.
unsafe fn rank(order: PlacementOrder, segment: *mut Segment) -> usize {
    // SAFETY: as the caller says.
    let free = unsafe { (*segment).free_pages as usize };
    match order {
        PlacementOrder::Fullest => free,
        PlacementOrder::Lowest => segment as usize,
        // SAFETY: as above.
        PlacementOrder::Densest if unsafe { (*segment).is_huge() } => free,
        PlacementOrder::Densest => PAGES + free,
    }
}

impl PageHeap {
    /// [`take`](Self::take), where the policy has a wish. Sparing a segment never costs a request its memory: before it
    /// goes further than the segments that there are, it is served from that one, too.
    pub(super) fn take_placed(&mut self, policy: &Policy, request: Request) -> Option<Taken> {
        let Request {
            group,
            most: want,
            frame,
            ..
        } = request;
        let spared = self.spared();
        if let Some(taken) = self.take_best(policy, group, want, frame, spared) {
            return Some(taken);
        }
        if !spared.is_null()
            && let Some(taken) = self.take_best(policy, group, want, frame, ptr::null_mut())
        {
            return Some(taken);
        }
        if self.add_segment(policy, request.reach, group)
            && let Some(taken) = self.take_best(policy, group, want, frame, ptr::null_mut())
        {
            return Some(taken);
        }
        let mut found = None;
        if request.reach != Reach::Segments
            && let Some(longest) = self.longest_range(request)
        {
            found = self.take_best(policy, group, longest, frame, ptr::null_mut());
        }
        found.or_else(|| self.take_open(policy, request))
    }

    fn take_best(
        &mut self,
        policy: &Policy,
        group: Group,
        len: usize,
        frame: Frame,
        spared: *mut Segment,
    ) -> Option<Taken> {
        let (segment, fit) = self.best(policy, group, len, frame, spared)?;
        self.take_span(policy, segment, fit, frame)
    }

    /// The best place for `len` pages, as the table above says.
    fn best(
        &self,
        policy: &Policy,
        group: Group,
        len: usize,
        frame: Frame,
        spared: *mut Segment,
    ) -> Option<(*mut Segment, Fit)> {
        let (tries, order) = (policy.placement.pack_tries as usize, policy.placement.order);
        let (packs, near) = (tries > 0, order == PlacementOrder::Fullest);
        let looks = match (packs, near) {
            (true, _) => tries,
            (false, false) => MANY,
            (false, true) => COMPARED,
        };
        let mut best: Option<(usize, usize, *mut Segment, Fit)> = None;
        let mut looked = 0;
        let mut bucket = self.buckets.first_from(len)?;
        loop {
            let mut at = self.buckets.head(bucket);
            while !at.is_null() && (looked < looks || best.is_none()) {
                // SAFETY: segments in a bucket are live, and the lock is held.
                unsafe {
                    if at != spared && (*at).group == group {
                        looked += 1;
                        let rank = rank(order, at);
                        // Without packing, a hole has only to be there, and is looked for in better segments only.
                        if (packs || best.is_none_or(|(_, least, ..)| rank < least))
                            && let Some(fit) = (*at).free.best_fit(len, frame)
                        {
                            let hole = if packs {
                                (*at).free.around(fit.span.first).len
                            } else {
                                0
                            };
                            if best.is_none_or(|(room, least, ..)| (hole, rank) < (room, least)) {
                                best = Some((hole, rank, at, fit));
                            }
                        }
                    }
                    at = (*at).next;
                }
            }
            let enough = looked >= looks || !packs && near;
            if best.is_some() && enough {
                break;
            }
            let Some(next) = self.buckets.first_from(bucket + 1) else {
                break;
            };
            bucket = next;
        }
        best.map(|(_, _, segment, fit)| (segment, fit))
    }

    /// A request for pages: the segment that it leaves alone, or null.
    fn spared(&mut self) -> *mut Segment {
        let drain = &mut self.drain;
        if drain.left == 0 {
            return ptr::null_mut();
        }
        drain.left -= 1;
        // SAFETY: the drained segment is live, see `Drain::segment`; the lock is held.
        if unsafe { Segment::is_free(drain.segment) } {
            drain.left = 0;
            return ptr::null_mut();
        }
        drain.segment
    }

    /// Memory is short: chooses the segment to drain, unless one is being spared. Returns whether a quarantine begins.
    ///
    /// It is the one with the fewest pages in use, and of several the lowest.
    pub fn choose_drained(&mut self, policy: &Policy) -> bool {
        if self.drain.left > 0 {
            return false;
        }
        let (last, had) = (self.drain.segment, self.drain.used);
        let purging = self.purging > 0;
        let mut best: Option<(usize, *mut Segment)> = None;
        self.for_each(|segment| {
            // SAFETY: `for_each` passes live segments, and the lock is held.
            let used = unsafe {
                let out = if purging { (*segment).out.count() } else { 0 };
                usize::from((*segment).usable).saturating_sub((*segment).free_pages as usize + out)
            };
            let stuck = segment == last && used >= had;
            if used > 0 && !stuck && best.is_none_or(|best| (used, segment) < best) {
                best = Some((used, segment));
            }
        });
        self.drain = match best {
            Some((used, segment)) => Drain {
                segment,
                used,
                left: policy.placement.quarantine_events,
            },
            None => Drain::NONE,
        };
        self.drain.left > 0
    }

    /// A segment goes away.
    #[inline]
    pub(super) fn forget_drained(&mut self, segment: *mut Segment) {
        if self.drain.segment == segment {
            self.drain = Drain::NONE;
        }
    }
}
