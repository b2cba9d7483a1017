//! Pages of a segment.

use crate::os::PAGE;

/// Pages of a segment: 512, if no feature says otherwise. All that is worked out from it is a constant.
pub const PAGES: usize = if cfg!(feature = "segment-1m") {
    256
} else if cfg!(feature = "segment-4m") {
    1024
} else if cfg!(feature = "segment-8m") {
    2048
} else if cfg!(feature = "segment-16m") {
    4096
} else if cfg!(feature = "segment-32m") {
    8192
} else {
    512
};

const _: () = assert!(
    1 >= cfg!(feature = "segment-1m") as u32
        + cfg!(feature = "segment-4m") as u32
        + cfg!(feature = "segment-8m") as u32
        + cfg!(feature = "segment-16m") as u32
        + cfg!(feature = "segment-32m") as u32,
    "of the features `segment-...` one can be on: all variants of a Rust program have segments of one size"
);
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
