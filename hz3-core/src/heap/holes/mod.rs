//! Pages inside of runs that hold no object in use, and were given back to the kernel.
//!
//! An object that lies in such a page, or reaches into one, is *away*: it is free, but in no list, as if it had never been handed
//! out. Its run counts it among the free ones. When objects of the run are wanted and its list is empty, a page is opened again,
//! and what is away no more goes to whoever asks.
//!
//! Which pages these are stands in the header of the segment, and so does how many objects are away. Both mean something only
//! where the descriptor says that the run has holes: one object is away at least. All of it belongs to the holder of the lock of
//! the run's central.

mod view;

use crate::heap::Heap;
use crate::heap::bitmap::PageSet;
use crate::heap::order::{self, Order};
use crate::heap::page::{PAGES, Page, Span};
use crate::heap::run::{GONE, Note, Run};
use crate::heap::segment::{Segment, USABLE};
use crate::list::{self, Batch};
use crate::os::{self, PAGE};
use crate::policy::agreed::GRANULE;
use crate::policy::{Class, Shape};
use crate::sync::Ordering;
use core::ptr;
use view::View;

/// What a segment's header knows of holes.
#[repr(C)]
pub struct Holes {
    /// For every page of a run with holes: [`view::TAKEN`] or [`view::KEPT`] if it was given back, else 0.
    pub(crate) given: [u8; PAGES],
    counts: [Count; USABLE],
}

/// What it knows of a run, in the place of the run's first page.
#[repr(C)]
struct Count {
    /// Objects that are away.
    away: u16,
    /// Free objects when the free list was last walked.
    walked: u16,
}

/// Pages of the longest run: no config's has more than fit a segment of 2 MiB.
const LONGEST: usize = if USABLE < 507 { USABLE } else { 507 };

/// Most objects that begin in one page.
const IN_A_PAGE: usize = PAGE / GRANULE;

/// Whether a variant gives such pages back.
pub(super) const fn on<S: Shape>() -> bool {
    S::POLICY.purge.holes
}

/// Whether pages of a run were given back.
///
/// # Safety
/// `run` is an open run of a class, and the caller holds the lock of its central.
#[inline]
pub(super) unsafe fn has<S: Shape>(run: *const Run) -> bool {
    // SAFETY: the lock is held.
    on::<S>() && unsafe { Run::is(run, Note::Holed) }
}

/// Objects of a run that are away.
///
/// # Safety
/// As for [`has`].
#[inline]
pub(super) unsafe fn away<S: Shape>(run: *mut Run) -> u16 {
    // SAFETY: the lock is held, and the run has holes.
    unsafe { if has::<S>(run) { (*count(run)).away } else { 0 } }
}

/// Objects in the free list of a run.
///
/// # Safety
/// As for [`has`].
#[inline]
pub(super) unsafe fn listed<S: Shape>(run: *mut Run) -> u16 {
    // SAFETY: the lock is held. Those that are away are among the free ones.
    unsafe { (*run).free - away::<S>(run) }
}

/// Whether an object is away.
///
/// # Safety
/// As for [`has`]; `class` is that of the run's objects, one of which begins at `p`.
#[inline]
pub(super) unsafe fn is_away<S: Shape>(run: *mut Run, class: &Class, p: *const u8) -> bool {
    // SAFETY: the lock is held, and the run has holes.
    unsafe { has::<S>(run) && is_in_hole(run, class, p) }
}

/// # Safety
/// As for [`is_away`]; the run has holes.
#[cold]
#[inline(never)]
unsafe fn is_in_hole(run: *mut Run, class: &Class, p: *const u8) -> bool {
    // SAFETY: the lock is held.
    unsafe {
        let view = View::of(run, class);
        view.index(p).is_some_and(|object| view.is_away(object))
    }
}

/// How many free objects a run had when its list was last walked.
///
/// # Safety
/// As for [`has`].
pub(super) unsafe fn walked(run: *mut Run) -> u16 {
    // SAFETY: the lock is held.
    unsafe {
        if Run::is(run, Note::Walked) {
            (*count(run)).walked
        } else {
            0
        }
    }
}

/// # Safety
/// As for [`has`].
unsafe fn count(run: *mut Run) -> *mut Count {
    let segment = Segment::of(run.cast());
    // SAFETY: an open run is described in its segment's header, and has a place among the counts.
    unsafe {
        let number = run.offset_from((&raw const (*segment).runs).cast::<Run>()) as usize;
        (&raw mut (*segment).holes.counts).cast::<Count>().add(number)
    }
}

/// Gives those pages of a run back that hold free objects only. Returns how many these are, and how many bytes the kernel took.
///
/// The free list is walked: once to see what lies in which page, and once more to take out what will be away. What is wrong with
/// it is left to be found by whoever takes from it.
///
/// # Safety
/// `run` is an open run of a class, which `class` is, and the caller holds the lock of its central.
#[inline(never)]
pub(super) unsafe fn give_back<S: Shape>(heap: &Heap, run: *mut Run, class: &Class) -> (usize, usize) {
    // SAFETY: the lock is held, so that the list and the counts are the caller's. What is away or in the list is in nobody's use.
    unsafe {
        let view = View::of(run, class);
        (*count(run)).walked = (*run).free;
        Run::note(run, Note::Walked, true);
        let listed = listed::<S>(run);
        let mut free_in = [0u16; LONGEST];
        let mut p = Run::first_free(run, S::GRANULE);
        for _ in 0..listed {
            let Some(object) = view.index(p) else { return (0, 0) };
            for page in view.pages(object) {
                if let Some(n) = free_in.get_mut(page) {
                    *n += 1;
                }
            }
            p = list::next::<S>(p);
        }
        let span = Run::span(run);
        let holed = has::<S>(run);
        let mut found = PageSet::EMPTY;
        for (page, &free) in free_in.iter().enumerate().take(span.len) {
            if holed && view.is_given(page) {
                continue;
            }
            let Some(objects) = view.objects(page) else { continue };
            let away = match (objects.start(), objects.end()) {
                _ if !holed => 0,
                // In a page that was not given back, only objects at its ends can be away.
                (a, b) if a == b => usize::from(view.is_away(*a)),
                (a, b) => usize::from(view.is_away(*a)) + usize::from(view.is_away(*b)),
            };
            if usize::from(free) + away == objects.end() + 1 - objects.start() {
                found.insert(Span {
                    first: span.first.plus(page),
                    len: 1,
                });
            }
        }
        if os::pages() > 1 {
            // Of a page of the kernel's that holds anything else nothing can go.
            found = found.wholes(os::pages());
        }
        if found == PageSet::EMPTY {
            return (0, 0);
        }
        if !holed {
            ptr::write_bytes(view.given, 0, span.len);
            (*count(run)).away = 0;
        }
        (*count(run)).away += take_out::<S>(&view, listed, &found);
        Run::note(run, Note::Holed, true);
        let mut taken = PageSet::EMPTY;
        for part in found.spans() {
            let at = Segment::page_address(Segment::of(run.cast()), part.first);
            let is_taken = os::purge(at, part.len * PAGE);
            if is_taken {
                taken.insert(part);
            }
            let entry = view.given.add(part.first.number() - span.first.number());
            ptr::write_bytes(entry, if is_taken { view::TAKEN } else { view::KEPT }, part.len);
        }
        heap.are_zero(Segment::of(run.cast()), &taken);
        (found.count(), taken.count() * PAGE)
    }
}

/// Takes the objects out of the run's list that have something in these pages. Returns how many there were.
///
/// # Safety
/// As for [`give_back`]; all `listed` objects of the list are ones of the run.
#[inline(never)]
unsafe fn take_out<S: Shape>(view: &View, listed: u16, pages: &PageSet) -> u16 {
    // SAFETY: the lock is held; the list is whole.
    unsafe {
        let run = view.run;
        let first_page = Run::span(run).first;
        let mut p = Run::first_free(run, S::GRANULE);
        let (mut first, mut last): (*mut u8, *mut u8) = (ptr::null_mut(), ptr::null_mut());
        let (mut gap, mut out) = (false, 0);
        for _ in 0..listed {
            let following = list::next::<S>(p);
            let is_in = |object| view.pages(object).any(|page| pages.has(first_page.plus(page)));
            if view.index(p).is_some_and(is_in) {
                out += 1;
                gap = true;
            } else {
                if first.is_null() {
                    first = p;
                } else if gap {
                    list::set_next::<S>(last, p);
                }
                gap = false;
                last = p;
            }
            p = following;
        }
        if gap && !last.is_null() {
            list::set_next::<S>(last, ptr::null_mut());
        }
        Run::set_first_free(run, first, (*run).free, S::GRANULE);
        out
    }
}

/// Opens the first page of a run that was given back, and with it all that its first object lies in. Returns what is away no more,
/// as far as it is wanted; the rest is the run's free list then. Of one object nothing is written but a mark, where there are any.
/// The second answer is how many pages were opened.
///
/// # Safety
/// `run` is an open run of a class, which `class` is, with holes and an empty free list; the caller holds the lock of its central.
#[cold]
#[inline(never)]
pub(super) unsafe fn open<S: Shape>(run: *mut Run, class: &Class, want: u32, order: &Order) -> (Batch, usize) {
    // SAFETY: the lock is held. Objects that were away are nobody's.
    unsafe {
        let view = View::of(run, class);
        let pages = Run::span(run).len;
        let given = (0..pages).find(|&page| view.is_given(page));
        let Some((page, objects)) = given.and_then(|page| Some((page, view.objects(page)?))) else {
            return (Batch::EMPTY, 0);
        };
        let (mut opened, mut upto) = (0, page);
        for also in view.pages(*objects.start()).filter(|&also| also >= page) {
            if view.is_given(also) {
                *view.given.add(also) = 0;
                opened += 1;
                upto = also;
            }
        }
        let (from, mut to) = (
            *objects.start(),
            view.objects(upto).map_or(*objects.end(), |o| *o.end()),
        );
        if view.is_away(to) {
            to -= 1;
        }
        let n = (to + 1 - from).min(IN_A_PAGE);
        let mut places = [0u8; IN_A_PAGE];
        let places = places.get_mut(..n).unwrap_or_default();
        if S::POLICY.hardening.random {
            order::mix(places, &mut order.draw());
        } else {
            for (i, place) in places.iter_mut().rev().enumerate() {
                *place = i as u8;
            }
        }
        let mine = n.min(want as usize);
        let (mut batch, mut rest) = (Batch::EMPTY, Batch::EMPTY);
        for (i, &place) in places.iter().enumerate() {
            let p = Run::object(run, from + usize::from(place), view.size);
            if i < n - mine {
                rest.push::<S>(p);
            } else if n == 1 {
                batch = Batch { head: p, count: 1 };
            } else {
                batch.push::<S>(p);
            }
            list::mark::fresh::<S>(p);
        }
        let left = (*count(run)).away - n as u16;
        (*count(run)).away = left;
        Run::note(run, Note::Holed, left > 0);
        Run::set_first_free(run, rest.head, left + rest.count as u16, S::GRANULE);
        (batch, opened)
    }
}

/// How many pages of a run were given back.
///
/// # Safety
/// As for [`has`].
pub(super) unsafe fn pages<S: Shape>(run: *mut Run) -> u32 {
    // SAFETY: the lock is held; a run with holes has an entry for each of its pages.
    unsafe {
        let span = Run::span(run);
        let given = (&raw const (*Segment::of(run.cast())).holes.given).cast::<u8>();
        match has::<S>(run) {
            true => (0..span.len)
                .map(|n| u32::from(*given.add(span.first.plus(n).number()) != 0))
                .sum(),
            false => 0,
        }
    }
}

/// Calls `give` with the parts of a run that is closed, each of pages that the kernel took or of ones that it has not, and with how
/// many of its pages may hold something. `touched` of the run's may, but for those that the kernel took.
///
/// # Safety
/// `run` has holes, no object of it is out, and its pages are the caller's; so they are no run any more.
#[cold]
#[inline(never)]
pub(super) unsafe fn parts(run: *mut Run, touched: usize, give: &mut dyn FnMut(*mut Segment, Span, usize)) {
    // SAFETY: the pages are the caller's, and each part is described anew before it leaves.
    unsafe {
        let segment = Segment::of(run.cast());
        let span = Run::span(run);
        let taken = |page: Page| *(&raw const (*segment).holes.given).cast::<u8>().add(page.number()) == view::TAKEN;
        let mut first = span.first;
        while first < span.end() {
            let mut part = Span { first, len: 1 };
            while part.end() < span.end() && taken(part.end()) == taken(first) {
                part.len += 1;
            }
            first = part.end();
            let before = part.first.number() - span.first.number();
            let dirty = match taken(part.first) {
                true => 0,
                false => touched.saturating_sub(before).min(part.len),
            };
            Segment::open_run(segment, part, GONE);
            give(segment, part, dirty);
        }
    }
}

impl Heap {
    /// Pages in use hold zeroes: whoever gets them later need not clear them. Where that would take waiting they are not known to.
    ///
    /// # Safety
    /// The pages are the caller's, in a live segment, and zero.
    unsafe fn are_zero(&self, segment: *mut Segment, pages: &PageSet) {
        // SAFETY: the segment is live. Whose it is does not change while that one's lock is held.
        unsafe {
            let owner = (*segment).lot.load(Ordering::Acquire);
            let lock = self.lots.get(owner).map_or(&self.lock, |lot| &lot.lock);
            let Some(_guard) = lock.try_lock() else { return };
            if (*segment).lot.load(Ordering::Acquire) == owner {
                (*segment).dirty.subtract(pages);
            }
        }
    }
}
