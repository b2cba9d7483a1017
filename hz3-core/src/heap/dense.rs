//! Huge pages for a heap that is dense (`arena.thp = "dense"`).
//!
//! A new segment becomes one huge page by the first touch, if all of it is open and the kernel is asked before anything is written in it.
//! That clears 2 MiB for a few objects, so a young heap does not ask, nor one that has room: it asks when what there is is full, as then
//! the new segment fills up, too, and no more than one segment is backed ahead.
//!
//! A kernel that has no huge page at hand may look for one, for milliseconds. How long the first touch takes tells: where that was long,
//! or in vain, the next segments do not ask, and each time that it happens again twice as many do not.
//!
//! To give pages of a huge page back breaks it up. So as long as a segment that is one has few free pages, these are *spared*: they stay
//! backed, whatever their age, out of the list of those that can be purged. When memory is short, near a limit, or where somebody asks,
//! they go all the same. A segment that was broken up is one like any other.

use super::limit::Bounds;
use super::page::PAGES;
use super::segment::{SEGMENT, Segment, USABLE};
use super::{Heap, PageHeap};
use crate::os;
use crate::policy::Policy;
use crate::policy::knobs::Thp;
use crate::sync::Ordering;

/// Segments that a heap has which is not young: 32 MiB.
const OLD: usize = (32 << 20) / SEGMENT;
/// What part of the pages of a dense heap is free at the most.
const FREE: usize = 8;
/// Free pages of a segment that are spared, at the most: an eighth of it.
const SPARED: u32 = PAGES as u32 / 8;
/// Nanoseconds of a first touch that are long: to clear a huge page takes a tenth to a quarter of that.
const LONG: u64 = 1_000_000;
/// Segments that do not ask after that, at first.
const FEW: u32 = 16;
/// How often that is doubled at the most.
const DOUBLED: u32 = 4;

/// What a segment says of itself, in its header.
pub(super) mod state {
    /// Small pages, as far as is known.
    pub const SMALL: u32 = 0;
    /// It is one huge page.
    pub const HUGE: u32 = 1;
    /// The same, and it has backed free pages that are spared: it is not among those with dirty free pages.
    pub const SPARED: u32 = 2;
}

/// What is known of huge pages. All of it belongs to the holder of the heap's lock.
pub struct Dense {
    /// Segments that will not ask.
    skip: u32,
    /// How many times in a row that was so.
    times: u32,
    /// Pages that are spared.
    pub spared: usize,
}

impl Dense {
    /// Nothing: all zero, as it is a part of a static.
    pub const UNKNOWN: Dense = Dense {
        skip: 0,
        times: 0,
        spared: 0,
    };

    /// Whether a segment asks.
    fn asks(&mut self) -> bool {
        let asks = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        asks
    }

    /// A segment that asked became a huge page or not, in so many nanoseconds.
    fn took(&mut self, huge: bool, ns: u64) {
        if huge && ns < LONG {
            self.times = 0;
            return;
        }
        self.skip = FEW << self.times;
        self.times = (self.times + 1).min(DOUBLED);
    }
}

impl Segment {
    /// What it is, as of a moment ago for whoever does not hold the heap's lock: see [`state`].
    ///
    /// # Safety
    /// `this` is a live segment.
    #[inline]
    pub(super) unsafe fn state(this: *const Segment) -> u32 {
        // SAFETY: the header of a live segment can be read.
        unsafe { (*this).huge.load(Ordering::Relaxed) }
    }

    /// Whether it is one huge page, as far as is known.
    pub fn is_huge(&self) -> bool {
        self.huge.load(Ordering::Relaxed) != state::SMALL
    }

    /// It is one huge page. For the holder of the heap's lock, while no page of it is free that is backed.
    pub fn tell_huge(&self) {
        self.huge.store(state::HUGE, Ordering::Relaxed);
    }

    /// # Safety
    /// `this` is a live segment, and the caller holds the heap's lock.
    unsafe fn set_state(this: *mut Segment, state: u32) {
        // SAFETY: as the caller says.
        unsafe { (*this).huge.store(state, Ordering::Relaxed) };
    }
}

impl PageHeap {
    /// Whether the next segment begins as a huge page: then all of it is to be opened at once.
    pub(super) fn begins_huge(&mut self, policy: &Policy) -> bool {
        match policy.arena.thp {
            Thp::Always => true,
            Thp::Dense => {
                self.segments >= OLD
                    && self.free_pages * FREE <= self.segments * USABLE
                    && self.limits.now == Bounds::NONE
                    && self.dense.asks()
            }
            Thp::System | Thp::Never | Thp::Large => false,
        }
    }

    /// Asks for a huge page where a segment will be, and touches it. Returns whether it got one.
    ///
    /// # Safety
    /// The segment is the caller's, all of it is open, and nobody has written to it.
    pub(super) unsafe fn begin_huge(&mut self, segment: *mut u8) -> bool {
        let began = os::now_ns();
        // SAFETY: advice changes no contents, and the first byte of a segment that is being made is nobody's.
        let huge = unsafe {
            os::advise(segment, SEGMENT, os::HugePages::Wanted);
            segment.write_volatile(0);
            // Whatever else backs the first page does not reach as far as this.
            os::is_backed(segment.add(SEGMENT / 2))
        };
        self.dense.took(huge, os::now_ns().saturating_sub(began));
        huge
    }

    /// So many pages that are free come to be backed. True if they are spared: then there is nothing else to be done.
    ///
    /// # Safety
    /// As for [`more_dirty`](Self::more_dirty).
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn spares(&mut self, segment: *mut Segment, pages: usize) -> bool {
        // SAFETY: a live segment, and the lock is held.
        unsafe {
            let few = (*segment).free_pages <= SPARED;
            match Segment::state(segment) {
                state::SMALL => false,
                state::SPARED if !few => {
                    self.spare_no_more(segment, state::HUGE);
                    false
                }
                state::HUGE if !few || (*segment).dirty_free > 0 || pages == 0 => false,
                _ => {
                    Segment::set_state(
                        segment,
                        if pages > 0 {
                            state::SPARED
                        } else {
                            Segment::state(segment)
                        },
                    );
                    (*segment).dirty_free += pages as u32;
                    self.dirty_pages += pages;
                    self.dense.spared += pages;
                    true
                }
            }
        }
    }

    /// So many pages that are spared are in use again.
    ///
    /// # Safety
    /// As for [`less_dirty`](Self::less_dirty), which has counted them.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn spares_less(&mut self, segment: *mut Segment, pages: usize) {
        self.dense.spared -= pages;
        // SAFETY: a live segment, and the lock is held.
        unsafe {
            if (*segment).dirty_free == 0 {
                Segment::set_state(segment, state::HUGE);
            }
        }
    }

    /// The pages that a segment spares are like any others.
    ///
    /// # Safety
    /// The segment is live, and spares some; the lock is held.
    #[inline(never)]
    unsafe fn spare_no_more(&mut self, segment: *mut Segment, state: u32) {
        // SAFETY: as the caller says. Whoever spares is not in the list.
        unsafe {
            self.dense.spared -= (*segment).dirty_free as usize;
            Segment::set_state(segment, state);
            self.dirty_append(segment);
        }
    }

    /// Pages of a segment are about to be given back: it is no huge page any more.
    ///
    /// # Safety
    /// The segment is live, and the lock is held.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn break_up(&mut self, segment: *mut Segment) {
        // SAFETY: as the caller says.
        unsafe {
            match Segment::state(segment) {
                state::SMALL => {}
                state::SPARED => self.spare_no_more(segment, state::SMALL),
                _ => Segment::set_state(segment, state::SMALL),
            }
        }
    }

    /// Nothing is spared any more.
    #[inline]
    pub(super) fn spare_nothing(&mut self, policy: &Policy) {
        if policy.arena.thp == Thp::Dense {
            self.break_all_up();
        }
    }

    #[cold]
    #[inline(never)]
    fn break_all_up(&mut self) {
        while self.dense.spared > 0 {
            let before = self.dense.spared;
            let mut found = [core::ptr::null_mut(); 32];
            let mut free = found.iter_mut();
            self.for_each(|segment| {
                // SAFETY: `for_each` passes live segments, and the lock is held.
                if unsafe { Segment::state(segment) } == state::SPARED
                    && let Some(place) = free.next()
                {
                    *place = segment;
                }
            });
            for segment in found.into_iter().filter(|segment| !segment.is_null()) {
                // SAFETY: as above.
                unsafe { self.break_up(segment) };
            }
            if self.dense.spared == before {
                return;
            }
        }
    }
}

impl Heap {
    /// [Breaks up](PageHeap::break_up) a segment, if that needs no waiting. Whether it is broken up.
    ///
    /// # Safety
    /// Pages of the segment are the caller's, so it is live.
    #[cold]
    pub(super) unsafe fn try_break_up(&self, segment: *mut Segment) -> bool {
        // SAFETY: the segment is live, and the lock is held. One that is lent spares nothing.
        self.try_locked(|h| unsafe { h.break_up(segment) }).is_ok()
    }
}
