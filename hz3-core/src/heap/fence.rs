//! What a guard belongs to: what a report of a fault says of it.

use super::Heap;
use super::arena::{Arena, Kind};
use super::outside::Outside;
use super::page::{PAGES, Page, SEGMENT};
use super::run::{LARGE, Run};
use super::segment::{HEADER_PAGES, Segment};
use crate::os::PAGE;

/// What lies beside a guard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fence {
    /// Where it begins.
    pub start: usize,
    /// Its bytes.
    pub bytes: usize,
    /// The pool of the run that it is; a large object has none.
    pub pool: Option<u16>,
}

/// The number of a page in its segment.
fn number(p: *const u8) -> usize {
    Page::of(p).number()
}

impl Heap {
    /// What lies beside the guard at `p`, where that is known; None if no guard is there. Waits for nobody, so what it says may be of a
    /// moment before or after.
    pub(crate) fn fence(&self, p: *const u8) -> Option<Option<Fence>> {
        // SAFETY: the page heap exists as long as the process; `peek` reads nothing of it that changes.
        let peek = |p: *const u8| unsafe { Arena::peek(&raw const (*self.unlocked()).arena, p) };
        let Some((_, entry)) = peek(p) else {
            return self.fence_outside(p);
        };
        // The huge object that begins behind the page of `p`.
        let before_huge = || {
            let next = p.wrapping_add(PAGE);
            let (_, after) = peek(next).filter(|_| number(p) == PAGES - 1)?;
            (after.kind == Kind::Huge).then(|| Fence {
                start: next as usize & !(PAGE - 1),
                bytes: after.pages as usize * PAGE,
                pool: None,
            })
        };
        match entry.kind {
            // SAFETY: segments of the arena stay mapped as long as they are ones of pages.
            Kind::Pages => return unsafe { Self::fence_in(Segment::of(p), p) }.map(|found| found.or_else(before_huge)),
            Kind::Huge | Kind::Tail => {
                let mut first = (p as usize & !(SEGMENT - 1)) as *const u8;
                let mut found = entry;
                while found.kind == Kind::Tail {
                    first = first.wrapping_sub(SEGMENT);
                    found = peek(first)?.1;
                }
                let bytes = found.pages as usize * PAGE;
                if found.kind == Kind::Huge && p as usize - first as usize >= bytes {
                    return Some(Some(Fence {
                        start: first as usize,
                        bytes,
                        pool: None,
                    }));
                }
            }
            Kind::Free | Kind::Purging | Kind::Lost => {}
        }
        before_huge().map(Some)
    }

    fn fence_outside(&self, p: *const u8) -> Option<Option<Fence>> {
        self.try_locked(|h| {
            if h.outside.get(p) == Some(Outside::Pages) {
                // SAFETY: the segment is there, as the heap is locked.
                return unsafe { Self::fence_in(Segment::of(p), p) };
            }
            let beside = [p.wrapping_sub(PAGE), p.wrapping_add(PAGE)];
            let found = beside.into_iter().find_map(|beside| h.outside.around(beside));
            let (start, bytes) = found.filter(|(_, bytes)| *bytes > 0)?;
            Some(Some(Fence {
                start,
                bytes,
                pool: None,
            }))
        })
        .ok()
        .flatten()
    }

    /// # Safety
    /// The segment is one of pages that is there.
    unsafe fn fence_in(segment: *mut Segment, p: *const u8) -> Option<Option<Fence>> {
        // SAFETY: the header of the segment can be read; numbers may be old, and are only told.
        unsafe {
            let page = Page::of(p);
            if !Segment::has_walls(segment) || !(*segment).walls.guards.has(page) {
                return None;
            }
            let told = |run: *mut Run, guards: usize| Fence {
                start: Run::base(run) as usize,
                bytes: (Run::span(run).len - guards) * PAGE,
                pool: ((*run).pool != LARGE).then_some((*run).pool),
            };
            // The guard of a run is its last page.
            if let Some(run) = Segment::run_at(segment, page) {
                return Some(Some(told(run, 1)));
            }
            let guard = |number: usize| (*segment).walls.guards.has(Page::new(number));
            let before = |first: usize| {
                let run = Segment::run_at(segment, Page::new(first))?;
                (Run::span(run).end() == page).then(|| told(run, 0))
            };
            let after = || {
                let next = page.plus(1);
                let run = Segment::run_at(segment, next).filter(|_| next < Page::END)?;
                (Run::span(run).first == next).then(|| told(run, 0))
            };
            // Of a large object only the first page knows it.
            let last = page.number() - 1;
            let behind = match guard(last) {
                true => None,
                false => (HEADER_PAGES..=last).rev().find_map(before),
            };
            Some(behind.or_else(after))
        }
    }
}
