//! A run as pages and objects by their numbers, and which of them were given back.

use crate::heap::run::Run;
use crate::heap::segment::Segment;
use crate::os::PAGE;
use crate::policy::Class;
use core::ops::RangeInclusive;

/// What the header says of a page that the kernel took: it is zero.
pub(super) const TAKEN: u8 = 1;
/// Of one that the kernel would not take: what was in it is in it.
pub(super) const KEPT: u8 = 2;

/// A run as pages and objects by their numbers.
pub(super) struct View {
    pub(super) run: *mut Run,
    /// The run's pages in the header.
    pub(super) given: *mut u8,
    shift: usize,
    pub(super) size: usize,
    class: Class,
}

impl View {
    /// # Safety
    /// As for [`has`](super::has); `class` is that of the run's objects.
    pub(super) unsafe fn of(run: *mut Run, class: &Class) -> View {
        // SAFETY: the run is open.
        unsafe {
            let segment = Segment::of(run.cast());
            View {
                run,
                given: (&raw mut (*segment).holes.given)
                    .cast::<u8>()
                    .add(Run::span(run).first.number()),
                shift: Run::bytes_to(run, 0, 0),
                size: class.size as usize,
                class: *class,
            }
        }
    }

    /// The number of the object that begins at `p`, if it was ever handed out.
    ///
    /// # Safety
    /// The lock is held.
    pub(super) unsafe fn index(&self, p: *const u8) -> Option<usize> {
        // SAFETY: the run is open.
        let (first, carved) = unsafe { (Run::base(self.run) as usize + self.shift, (*self.run).carved) };
        let from = u32::try_from((p as usize).wrapping_sub(first)).ok()?;
        self.class
            .index_at(from)
            .filter(|index| *index < u32::from(carved))
            .map(|index| index as usize)
    }

    /// The pages of an object.
    pub(super) fn pages(&self, object: usize) -> RangeInclusive<usize> {
        let begin = self.shift + object * self.size;
        begin / PAGE..=(begin + self.size - 1) / PAGE
    }

    /// The objects of which something lies in a page, if all of them were ever handed out.
    ///
    /// # Safety
    /// The lock is held.
    #[inline(never)]
    pub(super) unsafe fn objects(&self, page: usize) -> Option<RangeInclusive<usize>> {
        // SAFETY: the run is open.
        let (capacity, carved) = unsafe { (usize::from((*self.run).capacity), usize::from((*self.run).carved)) };
        let end = ((page + 1) * PAGE).checked_sub(self.shift + 1)?;
        let first = (page * PAGE).saturating_sub(self.shift).checked_div(self.size)?;
        let last = end.checked_div(self.size)?.min(capacity.checked_sub(1)?);
        (first <= last && last < carved).then_some(first..=last)
    }

    /// Whether a page was given back.
    ///
    /// # Safety
    /// The lock is held; the run has holes, and the page is one of its.
    pub(super) unsafe fn is_given(&self, page: usize) -> bool {
        // SAFETY: a page of the run.
        unsafe { *self.given.add(page) != 0 }
    }

    /// Whether an object is away.
    ///
    /// # Safety
    /// As for [`is_given`](Self::is_given); the object is one of the run's.
    #[inline(never)]
    pub(super) unsafe fn is_away(&self, object: usize) -> bool {
        // SAFETY: an object lies in pages of its run.
        self.pages(object).any(|page| unsafe { self.is_given(page) })
    }
}
