//! Huge pages for a heap that is dense (`arena.thp = "dense"`), and segments that are given back as a whole (`purge.unit = "huge"`).
//!
//! A new segment becomes one huge page by the first touch, if all of it is open and the kernel is asked before anything is written in it.
//! That clears 2 MiB for a few objects, so a young heap does not ask, nor one that has room: it asks when what there is is full, as then
//! the new segment fills up, too, and no more than one segment is backed ahead.
//!
//! A kernel that has no huge page at hand may look for one, for milliseconds, and in a virtual machine the host may have to bring the
//! memory first, in small pages. How long the first touch takes tells: where that was long, or in vain, the next segments do not ask, and
//! each time that it happens again twice as many do not. What counts is the thread's own time: others may have had the processor.
//!
//! What is there already, segments of the young heap and huge objects, becomes huge pages when it is old: see `heap/collapse.rs`.
//!
//! To give pages of a huge page back breaks it up. So as long as a segment that is one has few free pages, these are *spared*: they stay
//! backed, whatever their age, out of the list of those that can be purged. When memory is short, near a limit, or where somebody asks,
//! they go all the same. A segment that was broken up is one like any other.
//!
//! With `purge.unit = "huge"` every segment spares what it has, as long as any of its pages is in use, whether it is a huge page or
//! may become one when the kernel comes by.

use super::collapse::Walk;
use super::limit::Bounds;
use super::page::PAGES;
use super::segment::{SEGMENT, Segment, USABLE};
use super::{Heap, PageHeap};
use crate::os;
use crate::policy::Policy;
use crate::policy::knobs::Thp;
use crate::sync::Ordering;

/// Segments that a heap has which is not young: 32 MiB.
pub(super) const OLD: usize = (32 << 20) / SEGMENT;
/// What part of the pages of a dense heap is free at the most.
const FREE: usize = 8;
/// Free pages of a segment that are spared, at the most: an eighth of it.
const SPARED: u32 = PAGES as u32 / 8;
/// Nanoseconds on a processor for a first touch that are long: to clear a huge page takes a tenth to a quarter of that.
const LONG: u64 = 1_000_000;
/// Nanoseconds after which it was long even if the thread did nothing: the kernel waited for something.
const WAITED: u64 = 20_000_000;
/// Segments that do not ask after that, at first.
const FEW: u32 = 16;
/// How often that is doubled at the most.
const DOUBLED: u32 = 4;

/// What a segment says of itself, in its header: bits.
pub(super) mod state {
    /// Small pages, as far as is known, like any other.
    pub const SMALL: u32 = 0;
    /// It is one huge page.
    pub const HUGE: u32 = 1;
    /// It has backed free pages that are spared: it is not among those with dirty free pages.
    pub const SPARED: u32 = 2;
    /// It is given back as a whole.
    pub const WHOLE: u32 = 4;
}

/// What became of huge pages. It wraps.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Segments for which the kernel was asked for one.
    pub asked: u32,
    /// Those that got one.
    pub granted: u32,
    /// Parts of huge objects, and segments, that became one later.
    pub collapsed: u32,
    /// Segments that were broken up, or no longer spared, as memory was wanted back.
    pub broken: u32,
}

/// What is known of huge pages. All of it belongs to the holder of the heap's lock.
pub struct Dense {
    /// Whether new segments ask.
    fresh: Luck,
    /// Where those are that look for what is to be collapsed.
    pub(super) walk: Walk,
    /// Pages that are spared.
    pub spared: usize,
    /// What became of them so far.
    pub counts: Counts,
}

/// Whether it is worth asking the kernel for a huge page, as far as the last times tell.
pub(super) struct Luck {
    /// Those that will not ask.
    skip: u32,
    /// How many times in a row that was so.
    times: u32,
}

impl Luck {
    pub(super) const UNKNOWN: Luck = Luck { skip: 0, times: 0 };

    /// Whether the next one asks.
    pub(super) fn asks(&mut self) -> bool {
        let asks = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        asks
    }

    /// One that asked got a huge page or not, in `spent` nanoseconds on a processor, of which `long` are long, and so many in all.
    pub(super) fn took(&mut self, huge: bool, (spent, long): (u64, u64), passed: u64) {
        if huge && spent < long && passed < WAITED {
            self.times = 0;
            return;
        }
        self.skip = FEW << self.times;
        self.times = (self.times + 1).min(DOUBLED);
    }
}

impl Dense {
    /// Nothing: all zero, as it is a part of a static.
    pub const UNKNOWN: Dense = Dense {
        fresh: Luck::UNKNOWN,
        walk: Walk::NONE,
        spared: 0,
        counts: Counts {
            asked: 0,
            granted: 0,
            collapsed: 0,
            broken: 0,
        },
    };
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
        self.huge.load(Ordering::Relaxed) & state::HUGE != 0
    }

    /// Whether it spares what it has of backed free pages.
    #[cfg(all(test, not(loom)))]
    pub(super) fn is_spared(&self) -> bool {
        self.huge.load(Ordering::Relaxed) & state::SPARED != 0
    }

    /// It is one huge page. For the holder of the heap's lock, while no page of it is free that is backed.
    pub fn tell_huge(&self) {
        let now = self.huge.load(Ordering::Relaxed);
        self.huge.store(now | state::HUGE, Ordering::Relaxed);
    }

    /// It is given back as a whole.
    ///
    /// # Safety
    /// `this` is a segment that was just made, and the caller's.
    pub(super) unsafe fn tell_whole(this: *mut Segment) {
        // SAFETY: as the caller says.
        unsafe { Segment::set_state(this, state::WHOLE) }
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
                    && self.dense.fresh.asks()
            }
            Thp::System | Thp::Never | Thp::Large => false,
        }
    }

    /// Asks for a huge page where a segment will be, and touches it. Returns whether it got one.
    ///
    /// # Safety
    /// The segment is the caller's, all of it is open, and nobody has written to it.
    pub(super) unsafe fn begin_huge(&mut self, segment: *mut u8) -> bool {
        let (began, had) = (os::now_ns(), os::spent_ns());
        // SAFETY: advice changes no contents, and the first byte of a segment that is being made is nobody's.
        let huge = unsafe {
            os::advise(segment, SEGMENT, os::HugePages::Wanted);
            segment.write_volatile(0);
            // Whatever else backs the first page does not reach as far as this.
            os::is_backed(segment.add(SEGMENT / 2))
        };
        let (passed, spent) = (os::now_ns(), os::spent_ns());
        let dense = &mut self.dense;
        dense.counts.asked = dense.counts.asked.wrapping_add(1);
        dense.counts.granted = dense.counts.granted.wrapping_add(u32::from(huge));
        let (spent, passed) = (spent.saturating_sub(had), passed.saturating_sub(began));
        dense.fresh.took(huge, (spent, LONG), passed);
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
            let now = Segment::state(segment);
            let keeps = match now & state::WHOLE {
                0 => (*segment).free_pages <= SPARED,
                _ => !Segment::is_free(segment),
            };
            if now & state::SPARED != 0 {
                if !keeps {
                    self.spare_no_more(segment, now);
                    return false;
                }
            } else if now == state::SMALL || !keeps || (*segment).dirty_free > 0 || pages == 0 {
                return false;
            }
            if pages > 0 {
                Segment::set_state(segment, now | state::SPARED);
            }
            (*segment).dirty_free += pages as u32;
            self.dirty_pages += pages;
            self.dense.spared += pages;
            true
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
                Segment::set_state(segment, Segment::state(segment) & !state::SPARED);
            }
        }
    }

    /// A page of a segment is in use, so the rest of a whole one is spared from now on.
    ///
    /// # Safety
    /// As for [`less_dirty`](Self::less_dirty).
    pub(super) unsafe fn keep_whole(&mut self, segment: *mut Segment) {
        // SAFETY: a live segment, and the lock is held. One that has backed free pages and spares none is in the list.
        unsafe {
            let now = Segment::state(segment);
            if (*segment).dirty_free > 0 && now & (state::WHOLE | state::SPARED) == state::WHOLE {
                self.dirty_unlink(segment);
                self.dense.spared += (*segment).dirty_free as usize;
                Segment::set_state(segment, now | state::SPARED);
            }
        }
    }

    /// The pages that a segment spares are like any others.
    ///
    /// # Safety
    /// The segment is live, and spares some, as `now` says, its state; the lock is held.
    #[inline(never)]
    unsafe fn spare_no_more(&mut self, segment: *mut Segment, now: u32) {
        // SAFETY: as the caller says. Whoever spares is not in the list.
        unsafe {
            self.dense.spared -= (*segment).dirty_free as usize;
            Segment::set_state(segment, now & !state::SPARED);
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
            let mut now = Segment::state(segment);
            if now & (state::HUGE | state::SPARED) == 0 {
                return;
            }
            self.dense.counts.broken = self.dense.counts.broken.wrapping_add(1);
            now &= !state::HUGE;
            match now & state::SPARED {
                0 => Segment::set_state(segment, now),
                _ => self.spare_no_more(segment, now),
            }
        }
    }

    /// Nothing is spared any more.
    #[inline]
    pub(super) fn spare_nothing(&mut self, policy: &Policy) {
        if policy.spares() {
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
                if unsafe { Segment::state(segment) } & state::SPARED != 0
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
