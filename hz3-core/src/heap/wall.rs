//! Guards: pages that nobody may touch, between what must not be reached from each other.
//!
//! Where the policy says so (`hardening.guards`), the page behind a segment's header and the last page of a segment are guards,
//! and so are the pages around each large object, and one behind some runs. A guard is a page that was taken like any other, and
//! is in use as long as what it guards. When that is given back, so is the page, which stays *shut*: whoever takes it for a guard
//! again finds it so, and whoever takes it for anything else lets it be touched again. So an object that comes and goes in one
//! place costs no calls. Nothing is in a page that is shut: it is clean.
//!
//! Where the kernel refuses to shut a page it is a guard all the same: nobody has it.
//!
//! The sets belong to whoever holds the lock of the segment's owner, as those of free pages do.

use super::bitmap::{Fit, PageSet};
use super::frame::Frame;
use super::page::{PAGES, Page, Span};
use super::segment::{HEADER_PAGES, Segment, USABLE, WHOLE};
use crate::os::guard::{self, Guard};
use crate::os::{self, PAGE};
use crate::policy::knobs::{Guards, Policy};

/// The guard behind the header.
pub(super) const FIRST: Page = Page::new(HEADER_PAGES);
/// The guard before the next segment.
pub(super) const LAST: Page = Page::new(PAGES - 1);

/// The pages of a segment that nobody may touch.
#[repr(C)]
pub(crate) struct Walls {
    /// Guards.
    pub(crate) guards: PageSet,
    /// Pages that cannot be touched: guards, and free pages that were guards.
    pub(super) shut: PageSet,
    /// Of those, the ones that are mappings of their own.
    split: PageSet,
}

impl Policy {
    /// Whether there are guards.
    #[inline]
    pub(super) const fn has_walls(&self) -> bool {
        !matches!(self.hardening.guards, Guards::Off)
    }

    /// Whether large objects have guards around them.
    #[inline]
    pub(super) const fn encloses(&self) -> bool {
        matches!(self.hardening.guards, Guards::Large | Guards::Runs)
    }

    /// Whether some runs have guards behind them.
    #[inline]
    pub(super) const fn ends_runs(&self) -> bool {
        matches!(self.hardening.guards, Guards::Runs)
    }

    /// The pages of a segment that can be free.
    #[inline]
    pub(super) const fn usable(&self) -> Span {
        if self.has_walls() {
            Span::between(HEADER_PAGES + 1, PAGES - 1)
        } else {
            WHOLE
        }
    }

    /// How a large object lies that begins at a multiple of so many pages.
    #[inline]
    pub(super) const fn frame(&self, align: usize) -> Frame {
        let guards = self.encloses() as usize;
        Frame {
            front: guards,
            back: guards,
            ..Frame::aligned(align)
        }
    }

    /// Whether a segment has a place for a large object of so many pages, at a multiple of so many.
    #[inline]
    pub(super) const fn has_place(&self, pages: usize, align: usize) -> bool {
        let (usable, frame) = (self.usable(), self.frame(align));
        frame.begin(usable.first.number()) + frame.guards() + pages <= usable.end().number()
    }

    /// Segments of a huge object of so many pages: nobody has the page behind it.
    #[inline]
    pub(super) const fn segments(&self, pages: usize) -> usize {
        (pages + self.has_walls() as usize).div_ceil(PAGES)
    }
}

const fn one(page: Page) -> Span {
    Span { first: page, len: 1 }
}

impl Segment {
    /// Whether it has guards.
    ///
    /// # Safety
    /// `this` is a live segment.
    #[inline(always)]
    pub(super) unsafe fn has_walls(this: *const Segment) -> bool {
        // SAFETY: it is written when the segment is made. (If somebody else has written it, the seals say so.)
        usize::from(unsafe { (*this).usable }) != USABLE
    }

    /// Makes the first guards of a new segment. In the arena the last page is shut when it is opened.
    ///
    /// # Safety
    /// `this` is being made, and its page behind the header is open.
    #[cold]
    pub(super) unsafe fn build(this: *mut Segment) {
        // SAFETY: the segment is the caller's.
        unsafe {
            (&raw mut (*this).walls).write(Walls {
                guards: PageSet::EMPTY,
                shut: PageSet::EMPTY,
                split: PageSet::EMPTY,
            });
            Segment::put(this, FIRST);
            if (*this).outside {
                Segment::put(this, LAST);
            }
            (*this).walls.guards.insert(one(LAST));
            Segment::seal(this);
        }
    }

    /// Shuts the last page, which is open, if that takes no mapping. Whether it is shut.
    ///
    /// # Safety
    /// `this` is a live segment with guards, and the caller holds the lock of whoever it belongs to.
    pub(super) unsafe fn shut_last(this: *mut Segment) -> bool {
        // SAFETY: nobody has the last page of a segment with guards.
        unsafe {
            let walls = &raw mut (*this).walls;
            if !(*walls).shut.has(LAST) && guard::note(Segment::page_address(this, LAST), PAGE) {
                (*walls).shut.insert(one(LAST));
            }
            (*walls).shut.has(LAST)
        }
    }

    /// Makes a page a guard.
    ///
    /// # Safety
    /// As for [`shut_last`](Self::shut_last); the page is open and taken, and nobody wants what is in it.
    unsafe fn put(this: *mut Segment, page: Page) {
        // SAFETY: the page is the caller's, and the lock is held that guards the sets.
        unsafe {
            let walls = &raw mut (*this).walls;
            (*walls).guards.insert(one(page));
            if (*walls).shut.has(page) {
                return;
            }
            if let Some(way) = guard::shut(Segment::page_address(this, page), PAGE) {
                (*walls).shut.insert(one(page));
                (*this).dirty.remove(one(page));
                if way == Guard::Split {
                    (*walls).split.insert(one(page));
                }
            }
        }
    }

    /// A page of an object that is shortened becomes its guard.
    ///
    /// # Safety
    /// As for [`put`](Self::put).
    pub(super) unsafe fn fence_off(this: *mut Segment, page: Page) {
        // SAFETY: as the caller says.
        unsafe { Segment::put(this, page) };
    }

    /// Lets pages be touched. False where the kernel refuses.
    ///
    /// # Safety
    /// As for [`shut_last`](Self::shut_last); the pages are open, and free or the caller's.
    unsafe fn release(this: *mut Segment, span: Span) -> bool {
        // SAFETY: the lock is held that guards the sets.
        unsafe {
            let walls = &raw mut (*this).walls;
            let mut noted = PageSet::EMPTY;
            noted.insert(span);
            noted = noted.and(&(*walls).shut);
            let split = noted.and(&(*walls).split);
            noted.subtract(&split);
            let (p, bytes) = (Segment::page_address(this, span.first), span.len * PAGE);
            if noted != PageSet::EMPTY {
                if !guard::release_noted(p, bytes) {
                    return Segment::renew(this, &noted) && Segment::renew(this, &split);
                }
                (*walls).shut.subtract(&noted);
            }
            if split != PageSet::EMPTY {
                if !guard::release_split(p, bytes, split.count()) {
                    return Segment::renew(this, &split);
                }
                (*walls).shut.subtract(&split);
                (*walls).split.subtract(&split);
            }
        }
        true
    }

    /// The same by mapping new pages in their place: where a program has forbidden itself all calls but the mapping of memory.
    ///
    /// # Safety
    /// As for [`release`](Self::release); the pages are shut.
    #[cold]
    unsafe fn renew(this: *mut Segment, pages: &PageSet) -> bool {
        for span in pages.spans() {
            // SAFETY: nobody has anything in a page that is shut. Of what the kernel refuses, nothing may be left, which is as shut as
            // it was.
            unsafe {
                let walls = &raw mut (*this).walls;
                if !os::map_over(Segment::page_address(this, span.first), span.len * PAGE) {
                    return false;
                }
                guard::forget_split((*walls).split.count_in(span));
                (*walls).shut.remove(span);
                (*walls).split.remove(span);
            }
        }
        true
    }

    /// Lets those pages of a range be touched that are to be used. False where the kernel refuses.
    ///
    /// # Safety
    /// `this` is a live segment with guards, and the caller holds the lock of whoever it belongs to; the pages are open, and nobody's.
    pub(super) unsafe fn make_room(this: *mut Segment, span: Span, frame: Frame) -> bool {
        let used = Span {
            first: span.first.plus(frame.front),
            len: span.len - frame.guards(),
        };
        // SAFETY: as the caller says.
        unsafe {
            Segment::see_seals(this);
            Segment::release(this, used)
        }
    }

    /// Makes the pages at the ends of a range guards.
    ///
    /// # Safety
    /// As for [`make_room`](Self::make_room); the range was just taken.
    pub(super) unsafe fn enclose(this: *mut Segment, span: Span, frame: Frame) {
        let front = (0..frame.front).map(|n| span.first.plus(n));
        let back = (span.len - frame.back..span.len).map(|n| span.first.plus(n));
        // SAFETY: as the caller says.
        front.chain(back).for_each(|page| unsafe { Segment::put(this, page) });
    }

    /// Takes the pages behind a range: `take` takes those that it is told, which lie as it is told. The guard at the end of the range
    /// moves to the new end, if there is one.
    ///
    /// # Safety
    /// `this` is a live segment, and the caller holds the lock of whoever it belongs to; the range is its caller's.
    pub(super) unsafe fn extend(
        policy: &Policy,
        this: *mut Segment,
        span: Span,
        more: usize,
        take: impl FnOnce(Fit, Frame) -> bool,
    ) -> bool {
        // SAFETY: as the caller says.
        unsafe {
            let Some(fit) = Segment::behind(this, span, more) else {
                return false;
            };
            let last = Page::new(span.end().number() - 1);
            if !policy.has_walls() || !(*this).walls.guards.has(last) {
                return take(fit, Frame::PLAIN);
            }
            Segment::see_seals(this);
            if !Segment::release(this, one(last)) {
                return false;
            }
            (*this).walls.guards.remove(one(last));
            let behind = Frame {
                back: 1,
                ..Frame::PLAIN
            };
            let taken = take(fit, behind);
            if !taken {
                Segment::put(this, last);
            }
            taken
        }
    }

    /// A range is given back: what of it was a guard is none any more. What is shut holds nothing.
    ///
    /// # Safety
    /// As for [`make_room`](Self::make_room).
    #[cold]
    pub(super) unsafe fn stop_guarding(this: *mut Segment, span: Span) {
        // SAFETY: the lock is held that guards the sets.
        unsafe {
            Segment::see_seals(this);
            let walls = &raw mut (*this).walls;
            (*walls).guards.remove(span);
            (*this).dirty.subtract(&(*walls).shut);
        }
    }

    /// Lets every page of a segment be touched that goes away while its mapping stays. False where the kernel refuses.
    ///
    /// # Safety
    /// As for [`make_room`](Self::make_room); all of its pages are free.
    pub(super) unsafe fn pull_down(this: *mut Segment) -> bool {
        // SAFETY: as the caller says.
        unsafe {
            !Segment::has_walls(this) || Segment::release(this, Span::between(HEADER_PAGES, (*this).opened as usize))
        }
    }

    /// The mapping of a segment goes, or is replaced, and all guards with it.
    ///
    /// # Safety
    /// As for [`pull_down`](Self::pull_down).
    pub(super) unsafe fn forget_walls(this: *mut Segment) {
        // SAFETY: the lock is held that guards the sets.
        unsafe {
            if Segment::has_walls(this) {
                guard::forget_split((*this).walls.split.count());
            }
        }
    }

    /// The pages of a segment that nobody has, but for its header, when the heap ends: those that are free and the guards.
    ///
    /// # Safety
    /// `this` is a live segment of a heap that nobody uses.
    pub(super) unsafe fn unused(this: *const Segment) -> PageSet {
        // SAFETY: the header of a live segment can be read.
        unsafe {
            let mut unused = (*this).free;
            if Segment::has_walls(this) {
                unused.unite(&(*this).walls.guards);
            }
            unused
        }
    }
}
