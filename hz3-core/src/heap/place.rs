//! Where an address lies that is no object of ours: what keeps it from the C library, and what a message says of it.

use super::Heap;
use super::arena::{Arena, Kind};
use super::hold::Hold;
use super::outside::Outside;
use super::page::Page;
use super::page_heap::PageHeap;
use super::run::{LARGE, Run};
use super::segment::{HEADER_PAGES, Segment};
use crate::os::{self, PAGE};

/// Where an address lies that is no object of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Not in the heap's memory.
    Elsewhere,
    /// Among the heap's own records.
    Records,
    /// In memory of the heap that holds no object.
    Free,
    /// In a part of the arena's range that is not memory: [`Heap::place`] finds out what else it is.
    Unopened,
    /// In a page that nobody may touch.
    Guard,
    /// In the middle of an object above the largest class: where that begins, and its bytes.
    Large(usize, usize),
    /// In a run of small objects.
    Small,
}

impl Heap {
    /// The run, or the large object, that `p` lies in, wherever in it; None if it is in none, or if nobody can tell without
    /// waiting. What is read of it without its lock may be old.
    pub(crate) fn run_around(&self, p: *const u8) -> Option<*mut Run> {
        // SAFETY: the page heap exists as long as the process; `peek` reads nothing of it that changes.
        let inside = unsafe { Arena::peek(&raw const (*self.unlocked()).arena, p) };
        let pages = match inside {
            Some((_, entry)) => entry.kind == Kind::Pages,
            None => self
                .try_locked(|h| h.outside.get(p) == Some(Outside::Pages))
                .unwrap_or(false),
        };
        if !pages || Segment::is_header(Page::of(p)) {
            return None;
        }
        // SAFETY: segments of the arena stay mapped, and one outside was there a moment ago: it goes only when no object is in it.
        unsafe { Segment::run_at(Segment::of(p), Page::of(p)) }
    }

    /// The page whose tag would lie at `p`, if that is in the arena's table of tags.
    pub(crate) fn page_of_tag(&self, p: *const u8) -> Option<usize> {
        // SAFETY: the page heap exists as long as the process; of the arena these are written once, when it is reserved.
        let (base, below, tag, flat) = unsafe {
            let arena = &raw const (*self.unlocked()).arena;
            let tags = &raw const (*arena).tags;
            ((*arena).base, (*tags).bytes_below, (*tags).tag_bytes, (*tags).flat)
        };
        let table = base.wrapping_sub(below);
        if base == 0 || flat != 0 || !(table..base).contains(&p.addr()) {
            return None;
        }
        Some(base + (p.addr() - table).checked_div(tag)? * PAGE)
    }

    /// Where `p` lies, which [`find_large`](Self::find_large) does not know.
    pub fn place(&self, p: *const u8) -> Place {
        match self.locked(|h| h.place(p)) {
            // What is not open of the arena is not even mapped, as a rule; if it is, it may be somebody else's.
            Place::Unopened => match os::mapped_at(p as usize) {
                os::Mapped::Nothing => Place::Free,
                _ => Place::Elsewhere,
            },
            place => place,
        }
    }
}

impl PageHeap {
    fn place(&self, p: *const u8) -> Place {
        if let Some(index) = self.arena.index(p) {
            let open = self.arena.opened(index);
            if self.arena.hold() == Hold::Claimed && Page::of(p).number() >= open {
                return Place::Unopened;
            }
            return match self.arena.entry(index).kind {
                Kind::Free | Kind::Purging => Place::Free,
                Kind::Pages => Self::place_in(Segment::of(p), p),
                Kind::Huge | Kind::Tail => self.place_in_huge(index, p),
                Kind::Lost => Place::Elsewhere,
            };
        }
        let records = (self.arena.entries as usize)..self.arena.base();
        if records.contains(&(p as usize)) {
            return Place::Records;
        }
        match self.outside.around(p) {
            None => Place::Elsewhere,
            Some((_, 0)) => Self::place_in(Segment::of(p), p),
            Some((start, bytes)) => Place::Large(start, bytes),
        }
    }

    fn place_in_huge(&self, index: usize, p: *const u8) -> Place {
        let begins = |i: &usize| self.arena.entry(*i).kind == Kind::Huge;
        let Some(first) = (0..=index).rev().find(begins) else {
            return Place::Free;
        };
        let bytes = self.arena.entry(first).pages as usize * PAGE;
        let start = self.arena.address(first) as usize;
        if p as usize - start < bytes {
            Place::Large(start, bytes)
        } else {
            Place::Guard
        }
    }

    /// In a live segment of pages.
    fn place_in(segment: *mut Segment, p: *const u8) -> Place {
        let page = Page::of(p);
        // SAFETY: the segment is live, as the caller looked up under the heap's lock. Descriptors of large objects may
        // change meanwhile: then the answer is old, and no more.
        unsafe {
            if Segment::is_header(page) {
                return Place::Records;
            }
            if (*segment).free.has(page) || (*segment).out.has(page) {
                return Place::Free;
            }
            if Segment::has_walls(segment) && (*segment).walls.guards.has(page) {
                return Place::Guard;
            }
            // Of a large object only the first page knows it; before that one there is none that reaches so far.
            for first in (HEADER_PAGES..=page.number()).rev().map(Page::new) {
                let Some(run) = Segment::run_at(segment, first) else {
                    continue;
                };
                let span = Run::span(run);
                if span.first == first && span.holds(page) && (*run).pool == LARGE {
                    return Place::Large(Segment::page_address(segment, first) as usize, span.len * PAGE);
                }
            }
            Place::Small
        }
    }
}
