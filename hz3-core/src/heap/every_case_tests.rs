//! Every case of what is small enough for that: sets of pages, descriptors of runs, and the words of the arena's table. All memory
//! is the test's own, so that an interpreter can run it, too.

use super::arena::{Entry, Kind};
use super::bitmap::PageSet;
use super::group::Group;
use super::page::{PAGES, Page, Span};
use super::run::{GONE, LARGE, Run};
use super::segment::{HEADER_PAGES, SEGMENT, Segment, WHOLE};
use crate::os::PAGE;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::vec::Vec;

/// An interpreter takes one case of so many.
const STEP: usize = if cfg!(miri) { 1009 } else { 1 };

/// Every range of pages from `from` on.
fn ranges(from: usize) -> impl Iterator<Item = Span> {
    let all = (from..PAGES).flat_map(|first| (first + 1..=PAGES).map(move |end| Span::between(first, end)));
    all.step_by(STEP)
}

#[test]
fn every_range_of_pages_is_a_set() {
    let mut all = PageSet::EMPTY;
    all.insert(Span::between(0, PAGES));
    assert_eq!((all.count(), all.longest()), (PAGES, PAGES));
    for range in ranges(0) {
        let (first, end) = (range.first.number(), range.end().number());
        let mut set = PageSet::EMPTY;
        set.insert(range);
        assert_eq!((set.count(), set.count_in(range)), (range.len, range.len));
        let mut spans = set.spans();
        assert_eq!((spans.next(), spans.next()), (Some(range), None));
        assert_eq!(set.around(range.first), range);
        assert_eq!(set.around(Page::new(end - 1)), range);
        assert!(!set.has(range.end()) && (first == 0 || !set.has(Page::new(first - 1))));
        let mut rest = all;
        rest.remove(range);
        let (below, above) = (Span::between(0, first), Span::between(end, PAGES));
        assert!(rest.spans().eq([below, above].into_iter().filter(|span| span.len > 0)));
        assert_eq!(rest.and(&set), PageSet::EMPTY);
        rest.unite(&set);
        assert_eq!(rest, all);
        rest.subtract(&set);
        assert_eq!(rest.count(), PAGES - range.len);
    }
}

/// A segment's memory that is nobody's arena.
struct Own(*mut Segment);

impl Own {
    const LAYOUT: Layout = match Layout::from_size_align(SEGMENT, SEGMENT) {
        Ok(layout) => layout,
        Err(_) => panic!("a segment's size is its alignment"),
    };

    fn new() -> Own {
        // SAFETY: the size is not 0. The memory is this test's, zero, and aligned as a segment is.
        unsafe {
            let segment = alloc_zeroed(Self::LAYOUT).cast::<Segment>();
            assert!(!segment.is_null());
            Segment::init(segment, (true, Group::ANY), PAGES, PageSet::EMPTY, WHOLE);
            Own(segment)
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: the memory was allocated by this layout.
        unsafe { dealloc(self.0.cast(), Self::LAYOUT) };
    }
}

#[test]
fn every_run_is_found_from_every_page_that_tells_of_it() {
    let own = Own::new();
    let inside = |page: Page, offset: usize| Segment::page_address(own.0, page).wrapping_add(offset);
    for span in ranges(HEADER_PAGES) {
        // SAFETY: the segment is the test's alone, and the span one of its usable pages.
        unsafe {
            let run = Segment::open_run(own.0, span, 3);
            assert_eq!((Run::span(run), (*run).pages as usize), (span, span.len));
            assert_eq!(Run::base(run), inside(span.first, 0));
            let last = Page::new(span.end().number() - 1);
            for page in [span.first, Page::new((span.first.number() + last.number()) / 2), last] {
                assert_eq!(Segment::run_at(own.0, page), Some(run));
                assert_eq!(Segment::run_of(inside(page, PAGE - 1)), run);
            }
            // What is old says nothing of the page behind it, nor of itself when it is gone.
            if span.end() < Page::END {
                assert_ne!(Segment::run_at(own.0, span.end()), Some(run));
            }
            (*run).pool = GONE;
            assert_eq!(Segment::run_at(own.0, last), None);
            // Of a large object one page tells.
            let large = Segment::open_run(own.0, span, LARGE);
            assert_eq!(Segment::run_at(own.0, span.first), Some(large));
            (*large).pool = GONE;
        }
    }
    assert_eq!(WHOLE.len, PAGES - HEADER_PAGES);
}

#[test]
fn every_object_of_every_size_has_a_place_of_its_own_in_a_run() {
    let own = Own::new();
    for (pages, granule) in [1usize, 2, 3, 8, 16, 64]
        .map(|pages| [(pages, 16), (pages, 8)])
        .into_iter()
        .flatten()
    {
        for size in (16..=pages * PAGE).step_by(granule * STEP) {
            for shift in [0u8, 1, 7] {
                let span = Span::between(HEADER_PAGES, HEADER_PAGES + pages);
                let room = pages * PAGE - usize::from(shift) * 16;
                let objects = room / size;
                // SAFETY: the segment is the test's alone.
                unsafe {
                    let run = Segment::open_run(own.0, span, 0);
                    (*run).shift = shift;
                    for n in [0, objects / 2, objects.saturating_sub(1)] {
                        if n < objects {
                            let p = Run::object(run, n, size);
                            let offset = p as usize - Run::base(run) as usize;
                            assert_eq!(offset, Run::bytes_to(run, n, size));
                            assert!(offset + size <= pages * PAGE, "{n} of {size} bytes in {pages} pages");
                            Run::set_first_free(run, p, 1, granule);
                            assert_eq!((Run::first_free(run, granule), Segment::run_of(p)), (p, run));
                        }
                    }
                    Run::set_first_free(run, core::ptr::null(), 0, granule);
                    assert!(Run::first_free(run, granule).is_null());
                }
            }
        }
    }
}

#[test]
fn every_entry_comes_back_from_its_word() {
    let kinds = [
        Kind::Free,
        Kind::Pages,
        Kind::Huge,
        Kind::Tail,
        Kind::Purging,
        Kind::Lost,
    ];
    let pages: Vec<u32> = (0..32).map(|bit| 1 << bit).chain([0, u32::MAX]).collect();
    let mut words = Vec::new();
    for kind in kinds {
        for flags in 0..4 {
            for pages in &pages {
                let entry = Entry {
                    kind,
                    dirty: flags & 1 != 0,
                    moved: flags & 2 != 0,
                    pages: *pages,
                };
                let word = entry.pack();
                assert_eq!(Entry::unpack(word), entry);
                words.push(word);
            }
        }
    }
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), kinds.len() * 4 * pages.len(), "no two of them are alike");
    assert_eq!(
        Entry::unpack(0).kind,
        Kind::Free,
        "a table of zeroes is one of free segments"
    );
}
