//! Pages of a segment.

use crate::os::PAGE;

/// Pages of a segment.
pub const PAGES: usize = 512;
/// Bytes of a segment.
pub const SEGMENT: usize = PAGES * PAGE;

/// A page of a segment, by its number in it; or the end of the segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct Page(usize);

impl Page {
    /// Behind the last one.
    pub const END: Page = Page(PAGES);

    /// The one with this number, from 0 on.
    #[inline(always)]
    pub const fn new(number: usize) -> Self {
        Page(number)
    }

    /// The one that an address lies in, in its segment.
    #[inline(always)]
    pub fn of(p: *const u8) -> Self {
        Page(offset(p) / PAGE)
    }

    /// Its number.
    #[inline(always)]
    pub const fn number(self) -> usize {
        self.0
    }

    /// The page so many pages behind.
    #[inline(always)]
    pub const fn plus(self, pages: usize) -> Self {
        Page(self.0 + pages)
    }

    /// Its address in the segment that begins at `base`.
    #[inline(always)]
    pub fn address(self, base: *mut u8) -> *mut u8 {
        (base as usize + self.0 * PAGE) as *mut u8
    }
}

/// Bytes from the beginning of its segment to an address.
#[inline(always)]
pub fn offset(p: *const u8) -> usize {
    p as usize & (SEGMENT - 1)
}

/// A range of pages inside one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// First page.
    pub first: Page,
    /// Pages.
    pub len: usize,
}

impl Span {
    /// The pages from number `first` on, up to number `end`, which is not one of them.
    #[inline(always)]
    pub const fn between(first: usize, end: usize) -> Self {
        Span {
            first: Page(first),
            len: end - first,
        }
    }

    /// The page behind it.
    #[inline(always)]
    pub const fn end(self) -> Page {
        self.first.plus(self.len)
    }

    /// Whether a page is one of them.
    #[inline(always)]
    pub fn holds(self, page: Page) -> bool {
        self.first <= page && page < self.end()
    }
}
