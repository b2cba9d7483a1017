//! Pages that a test has, and what it wrote to them.

use super::*;

/// Pages that are out.
pub(super) struct Held {
    pub(super) p: *mut u8,
    pub(super) pages: usize,
    /// Pages from the first on that were written to.
    pub(super) touched: usize,
    pub(super) stamp: u64,
    /// The range, if it is a run's; large objects are found by their address.
    pub(super) run: Option<(*mut Segment, Span)>,
}

impl Held {
    /// First and last word of a page.
    pub(super) fn words(&self, page: usize) -> [*mut u64; 2] {
        let first = (self.p as usize + page * PAGE) as *mut u64;
        [first, (first as usize + PAGE - 8) as *mut u64]
    }

    /// Writes to the pages from `from` to the last that is touched.
    pub(super) fn stamp(&self, from: usize) {
        for page in from..self.touched {
            for (i, word) in self.words(page).into_iter().enumerate() {
                // SAFETY: the page is out, and this is who has it.
                unsafe { word.write(self.stamp + (page * 2 + i) as u64) };
            }
        }
    }

    /// What was written must still be there.
    pub(super) fn check(&self, upto: usize) {
        for page in 0..self.touched.min(upto) {
            for (i, word) in self.words(page).into_iter().enumerate() {
                // SAFETY: as in `stamp`.
                let got = unsafe { word.read() };
                assert_eq!(
                    got,
                    self.stamp + (page * 2 + i) as u64,
                    "page {page} of {:p} was written to",
                    self.p
                );
            }
        }
    }

    /// What is called clean must be zero, every byte.
    pub(super) fn check_zero(&self) {
        // SAFETY: as in `stamp`.
        let bytes = unsafe { core::slice::from_raw_parts(self.p.cast::<u64>(), self.pages * PAGE / 8) };
        let dirt = bytes.iter().position(|word| *word != 0);
        assert_eq!(dirt, None, "{} pages at {:p} are said to be clean", self.pages, self.p);
    }
}
