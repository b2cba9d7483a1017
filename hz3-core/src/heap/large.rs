//! Objects above the largest class.
//!
//! Up to half a segment they are a range of pages like any run; above that they are *huge*: whole segments of the arena
//! with no header, so that an object of exactly a segment (2 MiB) takes exactly that and is aligned to it. Page tags of both are
//! 0: `free` falls into the trap slot and finds them from there.

use super::arena::{Arena, Kind, Left};
use super::draw;
use super::frame::Frame;
use super::group::Group;
use super::lot::Seat;
use super::outside::Outside;
use super::page::{PAGES, Page, Span};
use super::page_heap::{PageHeap, Request, Taken};
use super::run::{GONE, LARGE, Run};
use super::segment::{SEGMENT, Segment};
use super::{Heap, Reach, Waiting, Way};
use crate::os::{self, Access, PAGE};
use crate::policy::Policy;
use crate::policy::knobs::Thp;
use core::ptr;

/// Pages above which an object is huge: half a segment.
pub const HUGE_PAGES: usize = PAGES / 2;

/// Segments that one system call purges at most, 32 MiB of them: others must not miss them for long.
const PURGED_AT_ONCE: usize = (32 << 20) / SEGMENT;

/// A large object just allocated.
#[derive(Clone, Copy)]
pub struct Fresh {
    /// Its address; null when there is no memory.
    pub p: *mut u8,
    /// All its bytes are zero.
    pub clean: bool,
}

impl Fresh {
    /// No memory.
    pub const NONE: Fresh = Fresh {
        p: ptr::null_mut(),
        clean: false,
    };
}

/// What a large object is.
#[derive(Clone, Copy)]
pub enum Large {
    /// A range of pages.
    Pages(*mut Run),
    /// Whole segments of the arena: index of the first, and pages.
    Huge(usize, usize),
    /// A mapping outside of the arena, so many bytes.
    Outside(usize),
}

impl Heap {
    /// Allocates `bytes` (more than 0) at a multiple of `align` (a power of two).
    pub fn large(&self, policy: &Policy, reach: Reach, bytes: usize, align: usize, seat: &Seat) -> Fresh {
        let pages = bytes.div_ceil(PAGE);
        if pages > (isize::MAX as usize).saturating_sub(align) / PAGE {
            return Fresh::NONE;
        }
        if pages <= HUGE_PAGES && align <= SEGMENT / 2 && policy.has_place(pages, align.div_ceil(PAGE)) {
            self.page_range(policy, reach, pages, align.div_ceil(PAGE), seat)
        } else {
            self.huge(policy, reach, pages, align)
        }
    }

    fn page_range(&self, policy: &Policy, reach: Reach, pages: usize, align: usize, seat: &Seat) -> Fresh {
        let frame = policy.frame(align);
        let all = pages + frame.guards();
        let taken = self
            .take_lent(policy, reach, seat, all, frame)
            .or_else(|| self.take_shared(policy, reach, all, frame, seat));
        let Some(t) = taken else { return Fresh::NONE };
        let span = Span {
            first: t.span.first.plus(frame.front),
            len: pages,
        };
        // SAFETY: the span was just taken, so it is ours.
        unsafe { Segment::open_run(t.segment, span, LARGE) };
        Fresh {
            p: Segment::page_address(t.segment, span.first),
            clean: t.clean,
        }
    }

    /// The descriptor of all pages that were taken for a large object, its guards among them.
    ///
    /// # Safety
    /// `run` is the descriptor of a large object that nobody uses any more; it says that the object is gone.
    unsafe fn with_guards(policy: &Policy, run: *mut Run) -> *mut Run {
        if !policy.encloses() {
            return run;
        }
        // SAFETY: the caller owns the object, and so its guards, whose descriptors are nobody else's.
        unsafe {
            let (segment, span) = (Segment::of(run.cast()), Run::span(run));
            let all = Segment::descriptor(segment, Page::new(span.first.number() - 1));
            (*all).pool = GONE;
            (*all).pages = span.len as u16 + 2;
            all
        }
    }

    /// Takes a range from the page heap itself, and remembers whether others were in the way.
    fn take_shared(&self, policy: &Policy, reach: Reach, pages: usize, frame: Frame, seat: &Seat) -> Option<Taken> {
        let guard = self.take_seen(policy, &self.lock, seat);
        let request = Request {
            reach,
            group: Group::of_large(policy),
            least: pages,
            most: pages,
            frame,
        };
        // SAFETY: the lock is held.
        let taken = unsafe { (*self.inner.get()).take(policy, request) };
        drop(guard);
        if taken.is_none() && (self.lots.any() || self.is_limited()) {
            return self.take(policy, request);
        }
        taken
    }

    #[inline(never)]
    fn huge(&self, policy: &Policy, reach: Reach, pages: usize, align: usize) -> Fresh {
        let segments = policy.segments(pages);
        let take = |h: &mut PageHeap| {
            let body = pages.div_ceil(PAGES) * SEGMENT;
            let budget = policy.pressure.budget;
            if reach == Reach::Budget && budget > 0 && h.taken() + body > budget {
                return None;
            }
            h.request(reach);
            if !h.allows(pages * PAGE) {
                return None;
            }
            let mut found = h.arena.take(policy, Group::of_large(policy), pages, align);
            if found.is_none() && h.arena.segments() >= segments && h.retire_free(policy) {
                found = h.arena.take(policy, Group::of_large(policy), pages, align);
            }
            let (first, dirty) = found?;
            h.own_huge(policy, first, segments, pages, dirty);
            Some((h.arena.address(first), dirty == 0))
        };
        let mut taken = self.locked(take);
        if taken.is_none() && (self.makes_room(policy, reach, pages * PAGE) || self.recall_all()) {
            taken = self.locked(take);
        }
        if let Some((p, clean)) = taken {
            if policy.arena.thp == Thp::Large {
                // SAFETY: the object is ours.
                unsafe { os::advise(p, pages * PAGE, os::HugePages::Wanted) };
            }
            return Fresh { p, clean };
        }
        if !policy.grows_outside() || reach != Reach::System {
            return Fresh::NONE;
        }
        let bytes = pages.div_ceil(PAGES) * SEGMENT;
        let within = |h: &mut PageHeap| {
            h.request(reach);
            h.allows(bytes)
        };
        if !self.locked(within) {
            return Fresh::NONE;
        }
        let p = Self::map_outside(policy, bytes, align.max(SEGMENT));
        if p.is_null() {
            return Fresh::NONE;
        }
        let known = self.locked(|h| {
            let known = h.outside.insert(policy, p, Outside::Huge(bytes));
            h.outside_huge += if known { bytes } else { 0 };
            known
        });
        if !known {
            // SAFETY: the mapping was just made and nobody knows it.
            unsafe { Self::unmap_outside(policy, p, bytes) };
            return Fresh::NONE;
        }
        Fresh { p, clean: true }
    }

    /// Maps a huge object outside of the arena, at a multiple of `align`, at least a segment. With guards a page without access lies on
    /// either side.
    fn map_outside(policy: &Policy, bytes: usize, align: usize) -> *mut u8 {
        if !policy.has_walls() {
            return draw::map(policy, bytes, align, Access::ReadWrite);
        }
        let Some(all) = bytes.checked_add(align + PAGE) else {
            return ptr::null_mut();
        };
        let start = draw::map(policy, all, align, Access::None);
        if start.is_null() {
            return start;
        }
        // SAFETY: all lies in the mapping just made, which nobody knows.
        unsafe {
            let p = start.add(align);
            if !os::protect(p, bytes, Access::ReadWrite) {
                os::unmap(start, all);
                return ptr::null_mut();
            }
            os::unmap(start, align - PAGE);
            p
        }
    }

    /// Unmaps it, with its guards.
    ///
    /// # Safety
    /// It is the caller's, and nothing refers to it any more.
    unsafe fn unmap_outside(policy: &Policy, p: *mut u8, bytes: usize) {
        let guard = if policy.has_walls() { PAGE } else { 0 };
        // SAFETY: the mapping is the caller's, and so are the pages around it.
        unsafe { os::unmap(p.sub(guard), bytes + 2 * guard) };
    }

    /// What the object at `p` is; None if it is not one of ours. `p` need not be valid, but an object that is being
    /// freed by another thread at the same time gives an arbitrary answer.
    pub fn find_large(&self, p: *mut u8) -> Option<Large> {
        self.find_inside(p).or_else(|| self.find_anywhere(p))
    }

    /// A large object of the arena, found without the lock: what is read of it does not change while it exists.
    fn find_inside(&self, p: *mut u8) -> Option<Large> {
        // SAFETY: the page heap exists as long as the process; `peek` reads nothing of it that changes.
        let (index, entry) = unsafe { Arena::peek(&raw const (*self.unlocked()).arena, p)? };
        match entry.kind {
            Kind::Huge if (p as usize).is_multiple_of(SEGMENT) => Some(Large::Huge(index, entry.pages as usize)),
            Kind::Pages => {
                let page = Page::of(p);
                if Segment::is_header(page) {
                    return None;
                }
                // SAFETY: segments of the arena stay mapped, so that the header can be read whatever `p` is. If an object
                // begins at `p` its entry and descriptor are the caller's; if one began here once, they say so.
                unsafe {
                    let run = Segment::run_at(Segment::of(p), page)?;
                    ((*run).pool == LARGE && Run::base(run) == p).then_some(Large::Pages(run))
                }
            }
            _ => None,
        }
    }

    /// Any object of ours, also small ones of pages without a tag.
    fn find_anywhere(&self, p: *mut u8) -> Option<Large> {
        self.locked(|h| {
            if let Some(index) = h.arena.index(p) {
                let entry = h.arena.entry(index);
                return match entry.kind {
                    Kind::Pages => Self::pages_at(p),
                    Kind::Huge if p == h.arena.address(index) => Some(Large::Huge(index, entry.pages as usize)),
                    _ => None,
                };
            }
            match h.outside.get(p)? {
                Outside::Pages => Self::pages_at(p),
                Outside::Huge(bytes) => Some(Large::Outside(bytes)),
            }
        })
    }

    /// The run at `p` in a live segment of pages, small or large; None if no object can begin there.
    fn pages_at(p: *mut u8) -> Option<Large> {
        let segment = Segment::of(p);
        let page = Page::of(p);
        // SAFETY: the segment is live, as the caller looked up under the heap's lock.
        unsafe {
            if Segment::is_header(page) || (*segment).free.has(page) {
                return None;
            }
            let run = Segment::run_at(segment, page)?;
            let starts = Run::base(run) == p;
            ((*run).pool != LARGE || starts).then_some(Large::Pages(run))
        }
    }

    /// Frees a large object (not a run of a class).
    ///
    /// # Safety
    /// `what` is what `find_large` said of `p`, an object that nobody uses any more.
    pub unsafe fn give_large(&self, policy: &Policy, p: *mut u8, what: Large, seat: &Seat) {
        // SAFETY: as the caller says.
        unsafe { self.give_holding(policy, p, what, true, seat) }
    }

    /// The same of an object whose pages hold `something`, or nothing at all.
    ///
    /// # Safety
    /// As for [`give_large`](Self::give_large).
    pub(crate) unsafe fn give_holding(&self, policy: &Policy, p: *mut u8, what: Large, something: bool, seat: &Seat) {
        match what {
            // SAFETY: the caller owns the object, so the run is open and its descriptor ours. Whoever frees the object once
            // more finds that it is gone.
            Large::Pages(run) => unsafe {
                (*run).pool = GONE;
                self.give_run(policy, Self::with_guards(policy, run), something, seat);
            },
            Large::Huge(index, pages) => self.give_huge(policy, p, (index, pages), something),
            Large::Outside(bytes) => {
                self.locked(|h| {
                    h.outside.remove(p);
                    h.outside_huge -= bytes;
                });
                // SAFETY: the mapping is the object's alone and no longer registered.
                unsafe { Self::unmap_outside(policy, p, bytes) };
            }
        }
    }

    #[inline(never)]
    fn give_huge(&self, policy: &Policy, p: *mut u8, (index, pages): (usize, usize), something: bool) {
        let segments = policy.segments(pages);
        let bytes = pages.div_ceil(PAGES) * SEGMENT;
        let stamp = Self::stamp(policy);
        let goes = self.locked(|h| {
            let moved = h.arena.entry(index).moved;
            if h.keeps(policy, bytes) {
                // Behind the object may still lie what a longer one left in its last segment.
                let whole = h.arena.opened_bytes(index, segments) <= pages * PAGE;
                let left = if something || !whole {
                    Left::Something
                } else {
                    Left::Zero
                };
                h.disown_huge(index, segments, pages, left, moved, stamp);
                return None;
            }
            Some((h.arena.hold(), moved, h.arena.opened_bytes(index, segments)))
        });
        let Some((hold, moved, open)) = goes else { return };
        // The object is still ours, so the system call needs no lock. To the end of its last segment: behind the object
        // may still lie what a longer one left there.
        // SAFETY: the caller owns the object.
        let left = unsafe { Arena::forget(hold, p, open, moved) };
        self.locked(|h| h.disown_huge(index, segments, pages, left, false, stamp));
    }

    /// The time at which huge objects are freed, where that matters.
    pub(super) fn stamp(policy: &Policy) -> u32 {
        if policy.large.max_age_ms > 0 {
            os::now_ms() as u32
        } else {
            0
        }
    }

    /// Gives the pages of freed huge objects back to the kernel: all, or those left alone since `before`. Returns the
    /// bytes given back. The kernel is called while the heap is not locked.
    pub fn purge_huge(&self, before: Option<u32>) -> usize {
        self.purge_huge_by(&Waiting, before)
    }

    /// As [`purge_huge`](Self::purge_huge), by a way of the caller's.
    pub fn purge_huge_by(&self, way: &impl Way, before: Option<u32>) -> usize {
        let (mut purged, mut from) = (0, 0);
        while let Some((first, n, p, open, moved, hold)) = way.locked(self, |h| {
            self.take_in(h);
            if h.huge_dirty == 0 {
                return None;
            }
            let (first, n) = h.arena.take_backed(from, PURGED_AT_ONCE, before)?;
            h.huge_dirty -= n * SEGMENT;
            let open = h.arena.opened_bytes(first, n);
            Some((
                first,
                n,
                h.arena.address(first),
                open,
                h.arena.moved(first, n),
                h.arena.hold(),
            ))
        }) {
            // SAFETY: the segments were just taken, so they are ours.
            let left = unsafe { Arena::forget(hold, p, open, moved) };
            let kept = way.locked(self, |h| {
                let kept = h.arena.give_back(first, n, left, false, before.unwrap_or(0));
                h.huge_dirty += kept;
                kept
            });
            purged += n * SEGMENT - kept;
            from = first + n;
        }
        purged
    }

    /// Bytes that the object can hold.
    ///
    /// # Safety
    /// `what` is what `find_large` said of an object that nobody frees meanwhile.
    pub unsafe fn large_bytes(what: Large) -> usize {
        match what {
            // SAFETY: the caller owns the object, so the run is open.
            Large::Pages(run) => unsafe { (*run).pages as usize * PAGE },
            Large::Huge(_, pages) => pages * PAGE,
            Large::Outside(bytes) => bytes,
        }
    }
}
