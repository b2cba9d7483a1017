//! One bit a page of a segment.

use super::frame::Frame;
use super::page::{PAGES, Page, Span};

const WORDS: usize = PAGES / 64;

/// A set of a segment's pages: one cache line for up to 512 of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(64))]
pub struct PageSet([u64; WORDS]);

/// Calls `f` with every word of a set that a range touches, and the bits of it there.
#[inline]
fn for_each_word(s: Span, mut f: impl FnMut(usize, u64)) {
    if s.len == 0 {
        return;
    }
    let first = s.first.number();
    let end = first + s.len - 1;
    let (low, high) = (u64::MAX << (first & 63), u64::MAX >> (63 - (end & 63)));
    let (from, to) = (first / 64, end / 64);
    if from == to {
        return f(from & (WORDS - 1), low & high);
    }
    f(from & (WORDS - 1), low);
    for w in from + 1..to {
        f(w & (WORDS - 1), u64::MAX);
    }
    f(to & (WORDS - 1), high);
}

impl PageSet {
    /// No page.
    pub const EMPTY: PageSet = PageSet([0; WORDS]);

    /// Adds a range.
    #[inline(never)] // From many places.
    pub fn insert(&mut self, s: Span) {
        for_each_word(s, |w, bits| self.0[w] |= bits);
    }

    /// Removes a range.
    #[inline(never)] // From many places.
    pub fn remove(&mut self, s: Span) {
        for_each_word(s, |w, bits| self.0[w] &= !bits);
    }

    /// How many pages of a range are in the set.
    pub fn count_in(&self, s: Span) -> usize {
        let mut inside = PageSet::EMPTY;
        inside.insert(s);
        self.and(&inside).count()
    }

    /// How many pages are in the set.
    #[inline(never)] // From many places.
    pub fn count(&self) -> usize {
        self.0.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether a page is in the set; pages outside of the segment are not.
    #[inline]
    pub fn has(&self, page: Page) -> bool {
        let page = page.number();
        page < PAGES && self.0[(page / 64) & (WORDS - 1)] >> (page & 63) & 1 != 0
    }

    /// The pages that are in both sets.
    pub fn and(&self, other: &PageSet) -> PageSet {
        let mut out = *self;
        for (a, b) in out.0.iter_mut().zip(other.0.iter()) {
            *a &= b;
        }
        out
    }

    /// Adds the pages of another set.
    pub fn unite(&mut self, other: &PageSet) {
        for (a, b) in self.0.iter_mut().zip(other.0.iter()) {
            *a |= b;
        }
    }

    /// Removes the pages of another set.
    pub fn subtract(&mut self, other: &PageSet) {
        for (a, b) in self.0.iter_mut().zip(other.0.iter()) {
            *a &= !b;
        }
    }

    /// The `n` pages of the set at its upper end; all of them if there are no more.
    pub fn upper(&self, n: usize) -> PageSet {
        let mut out = *self;
        let mut surplus = self.count().saturating_sub(n);
        for span in self.spans() {
            let len = span.len.min(surplus);
            out.remove(Span { first: span.first, len });
            surplus -= len;
        }
        out
    }

    /// First page at or after `from` that is (or is not) in the set; `PAGES` if there is none.
    fn seek(&self, from: usize, member: bool) -> usize {
        let mut at = from;
        while at < PAGES {
            let word = self.0[(at / 64) & (WORDS - 1)];
            let word = (if member { word } else { !word }) >> (at & 63);
            if word != 0 {
                return (at + word.trailing_zeros() as usize).min(PAGES);
            }
            at = (at | 63) + 1;
        }
        PAGES
    }

    /// Those groups of `len` pages, which begin at multiples of `len`, that are in it as a whole.
    #[cold]
    pub fn wholes(&self, len: usize) -> PageSet {
        let mut wholes = PageSet::EMPTY;
        for first in (0..PAGES).step_by(len.max(1)) {
            let group = Span::between(first, (first + len).min(PAGES));
            if self.count_in(group) == group.len {
                wholes.insert(group);
            }
        }
        wholes
    }

    /// The maximal ranges of the set, in order of address.
    pub fn spans(&self) -> Spans<'_> {
        Spans { set: self, at: 0 }
    }

    /// The length of the longest range.
    #[inline(never)] // From many places.
    pub fn longest(&self) -> usize {
        self.spans().map(|s| s.len).max().unwrap_or(0)
    }

    /// The maximal range around a page of the set.
    #[inline(never)] // From many places.
    pub fn around(&self, page: Page) -> Span {
        let page = page.number();
        let end = self.seek(page, false);
        let mut first = page;
        while first > 0 {
            let word = !self.0[((first - 1) / 64) & (WORDS - 1)] << (63 - ((first - 1) & 63));
            if word != 0 {
                first -= (word.leading_zeros() as usize).min(first);
                break;
            }
            first = (first - 1) & !63;
        }
        Span::between(first, end)
    }

    /// A place for `len` pages that begins where the frame says: in the smallest range that has one, the lowest of several.
    #[inline(never)] // From many places.
    pub fn best_fit(&self, len: usize, frame: Frame) -> Option<Fit> {
        let mut best: Option<(usize, Span)> = None;
        let mut others = 0;
        for s in self.spans() {
            let first = frame.begin(s.first.number());
            let fits = first + len <= s.end().number();
            match best {
                Some((_, than)) if fits && s.len < than.len => {
                    others = others.max(than.len);
                    best = Some((first, s));
                }
                None if fits => best = Some((first, s)),
                _ => others = others.max(s.len),
            }
        }
        best.map(|(first, s)| Fit {
            span: Span::between(first, first + len),
            longest: others.max(first - s.first.number()).max(s.end().number() - first - len),
        })
    }
}

/// A place that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fit {
    /// Its pages.
    pub span: Span,
    /// The length of the longest range of the set without them.
    pub longest: usize,
}

/// Iterator over the maximal ranges of a [`PageSet`].
pub struct Spans<'a> {
    set: &'a PageSet,
    at: usize,
}

impl Iterator for Spans<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let first = self.set.seek(self.at, true);
        if first >= PAGES {
            return None;
        }
        let end = self.set.seek(first, false);
        self.at = end;
        Some(Span::between(first, end))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn range(s: &Span) -> core::ops::Range<usize> {
        s.first.number()..s.end().number()
    }

    fn naive_spans(bits: &[bool]) -> Vec<Span> {
        let mut out = Vec::new();
        let mut i = 0;
        while i < bits.len() {
            let mut j = i;
            while j < bits.len() && bits[j] {
                j += 1;
            }
            if j > i {
                out.push(Span::between(i, j));
            }
            i = j.max(i + 1);
        }
        out
    }

    proptest! {
        #[test]
        fn agrees_with_an_array_of_bools(ops in prop::collection::vec((any::<bool>(), 0usize..PAGES, 1usize..PAGES), 1..40),
                                         len in 1usize..64, align_log in 0u32..8, front in 0usize..3) {
            let mut set = PageSet::EMPTY;
            let mut bits = std::vec![false; PAGES];
            for (add, first, len) in ops {
                let s = Span::between(first, (first + len).min(PAGES));
                if add { set.insert(s) } else { set.remove(s) }
                bits[range(&s)].fill(add);
                prop_assert_eq!(set.count_in(s), if add { s.len } else { 0 });
            }
            let spans = naive_spans(&bits);
            prop_assert_eq!(set.spans().collect::<Vec<_>>(), spans.clone());
            prop_assert_eq!(set.count(), bits.iter().filter(|b| **b).count());
            prop_assert_eq!(set.longest(), spans.iter().map(|s| s.len).max().unwrap_or(0));
            let (upper, surplus) = (set.upper(len), set.count().saturating_sub(len));
            let members = (0..PAGES).filter(|&i| bits[i]).skip(surplus);
            prop_assert!((0..PAGES).filter(|&i| upper.has(Page::new(i))).eq(members));
            for (i, b) in bits.iter().enumerate() {
                prop_assert_eq!(set.has(Page::new(i)), *b);
                if *b {
                    prop_assert_eq!(set.around(Page::new(i)), *spans.iter().find(|s| range(s).contains(&i)).unwrap());
                }
            }
            let align = 1usize << align_log;
            let aligned = |s: &Span| (range(s).start + front).next_multiple_of(align) - front;
            let fits = |s: &Span| aligned(s) + len <= range(s).end;
            let want = spans.iter().filter(|s| fits(s)).min_by_key(|s| s.len)
                .map(|s| Span::between(aligned(s), aligned(s) + len));
            let found = set.best_fit(len, Frame { front, ..Frame::aligned(align) });
            prop_assert_eq!(found.map(|fit| fit.span), want);
            if let Some(fit) = found {
                set.remove(fit.span);
                prop_assert_eq!(fit.longest, set.longest());
            }
        }
    }
}
