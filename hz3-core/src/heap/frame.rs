//! How a range of pages lies: where what is used of it begins, and which pages at its ends are guards.

/// How a range of pages lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What is used begins at a multiple of so many pages, a power of two below a segment.
    pub align: usize,
    /// Pages before that are guards.
    pub front: usize,
    /// Pages at its end that are guards.
    pub back: usize,
}

impl Frame {
    /// Anywhere, without guards.
    pub const PLAIN: Frame = Frame::aligned(1);

    /// From a multiple of so many pages on, without guards.
    #[inline]
    pub const fn aligned(align: usize) -> Frame {
        Frame {
            align,
            front: 0,
            back: 0,
        }
    }

    /// Pages that are guards.
    #[inline]
    pub const fn guards(self) -> usize {
        self.front + self.back
    }

    /// Whether any page will do to begin at.
    #[inline]
    pub(super) const fn is_anywhere(self) -> bool {
        self.align == 1
    }

    /// The first page from `page` on that a range can begin at.
    #[inline]
    pub(super) const fn begin(self, page: usize) -> usize {
        ((page + self.front + self.align - 1) & !(self.align - 1)) - self.front
    }
}
