//! The page heap of the model: segments, which of their pages are free and which are backed, and what goes back to the kernel.
//!
//! What is worth keeping is asked of the allocator's own code. How ranges are found is told again here, as the allocator's
//! segments lie in the memory that they manage.

use hz3_config::plan::{SEGMENT_HEADER_PAGES, SEGMENT_USABLE_PAGES, policy::Policy};
use hz3_core::heap::bitmap::PageSet;
use hz3_core::heap::frame::Frame;
use hz3_core::heap::page::{PAGES, Page, SEGMENT, Span};
use hz3_core::heap::worth::Worth;

const PAGE: usize = SEGMENT / PAGES;
const USABLE: usize = SEGMENT_USABLE_PAGES as usize;
/// Backed pages beyond what is worth keeping for which no system call is made.
const BATCH: usize = 128;
/// The window where nothing else says how long pages are kept, in milliseconds.
const WINDOW: u64 = 1000;

/// What the kernel was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Kernel {
    /// Pages that it provided.
    pub faults: u64,
    /// Calls that gave pages back.
    pub purges: u64,
    /// Pages that they gave back.
    pub purged: u64,
}

/// A place of the arena, of the size of a segment.
#[derive(Debug, Clone)]
enum Place {
    /// Nobody's; so many of its pages are backed, and since when.
    Free { backed: usize, since: u64 },
    /// A segment of pages.
    Pages(Box<Segment>),
    /// Of a huge object.
    Huge,
}

#[derive(Debug, Clone)]
struct Segment {
    free: PageSet,
    backed: PageSet,
    free_pages: usize,
    /// Free pages that are backed.
    dirty: usize,
    since: u64,
}

/// Pages of all segments.
#[derive(Debug, Clone)]
pub struct Pages {
    places: Vec<Place>,
    /// Of each place that is a segment: its longest free range; 0 of others.
    longest: Vec<u16>,
    dirty: usize,
    worth: Worth2,
    most: usize,
    window: u64,
    spare: bool,
    huge: Worth2,
    huge_most: usize,
    huge_window: u64,
    huge_dirty: usize,
    /// Backed pages, headers included.
    pub resident: usize,
    /// The most of them since somebody last set it.
    pub high: usize,
    /// What the kernel was asked for so far.
    pub kernel: Kernel,
}

/// [`Worth`] cannot be copied, and need not be: a model that is copied begins anew.
#[derive(Debug)]
struct Worth2(Worth);

impl Clone for Worth2 {
    fn clone(&self) -> Self {
        Self(Worth::UNKNOWN)
    }
}

/// A range of pages of a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The place.
    pub place: usize,
    /// Its pages.
    pub span: Span,
}

impl Pages {
    /// No segment yet.
    pub fn new(policy: &Policy) -> Self {
        let window = |ms: u64| if ms > 0 { ms } else { WINDOW };
        Self {
            places: Vec::new(),
            longest: Vec::new(),
            dirty: 0,
            worth: Worth2(Worth::UNKNOWN),
            most: policy.purge.dirty / PAGE,
            window: window(policy.purge.delay_ms),
            spare: policy.purge.spare,
            huge: Worth2(Worth::UNKNOWN),
            huge_most: policy.large.cache,
            huge_window: window(policy.large.max_age_ms),
            huge_dirty: 0,
            resident: 0,
            high: 0,
            kernel: Kernel::default(),
        }
    }

    /// The first of `n` places in a row that are nobody's.
    fn places(&mut self, n: usize) -> usize {
        let (mut first, mut length) = (0, 0);
        for (index, place) in self.places.iter().enumerate() {
            match place {
                Place::Free { .. } => length += 1,
                _ => (first, length) = (index + 1, 0),
            }
            if length == n {
                return first;
            }
        }
        self.places.resize(first + n, Place::Free { backed: 0, since: 0 });
        self.longest.resize(first + n, 0);
        first
    }

    /// Backed pages that a free place had, which its next owner gets.
    fn claim(&mut self, index: usize) -> usize {
        let Place::Free { backed, .. } = self.places[index] else {
            return 0;
        };
        self.huge_dirty -= if backed > 0 { SEGMENT } else { 0 };
        backed
    }

    fn add_segment(&mut self, now: u64) {
        let index = self.places(1);
        let header = SEGMENT_HEADER_PAGES as usize;
        let left = self.claim(index).max(header);
        self.more(if left == header { header } else { 0 });
        let mut segment = Segment {
            free: PageSet::EMPTY,
            backed: PageSet::EMPTY,
            free_pages: USABLE,
            dirty: left - header,
            since: now,
        };
        segment.free.insert(Span::between(header, PAGES));
        segment.backed.insert(Span::between(0, left));
        self.dirty += segment.dirty;
        self.longest[index] = USABLE as u16;
        self.places[index] = Place::Pages(Box::new(segment));
    }

    /// The segment whose longest free range is the shortest that serves, and of those the fullest.
    fn find(&self, len: usize) -> Option<usize> {
        let mut best: Option<(u16, usize, usize)> = None;
        for (index, &longest) in self.longest.iter().enumerate() {
            if usize::from(longest) >= len
                && best.is_none_or(|b| longest <= b.0)
                && let Place::Pages(segment) = &self.places[index]
                && best.is_none_or(|b| (longest, segment.free_pages) < (b.0, b.1))
            {
                best = Some((longest, segment.free_pages, index));
            }
        }
        best.map(|(.., index)| index)
    }

    /// So many pages in a row; none if no segment has them and no other is to be taken.
    pub fn take(&mut self, len: usize, align: usize, grow: bool, now: u64) -> Option<Range> {
        let mut place = self.find(len + align - 1);
        if place.is_none() && grow {
            self.add_segment(now);
            place = self.find(len + align - 1);
        }
        let place = place?;
        let Place::Pages(segment) = &self.places[place] else {
            return None;
        };
        let span = segment.free.best_fit(len, Frame::aligned(align))?.span;
        self.cut(place, span, now);
        Some(Range { place, span })
    }

    fn cut(&mut self, place: usize, span: Span, now: u64) {
        let Place::Pages(segment) = &mut self.places[place] else {
            return;
        };
        let dirty = segment.backed.count_in(span);
        segment.free.remove(span);
        segment.free_pages -= span.len;
        segment.dirty -= dirty;
        self.dirty -= dirty;
        self.longest[place] = segment.free.longest() as u16;
        let worth = &mut self.worth.0;
        worth.taken(dirty);
        if worth.regrets() && dirty < span.len {
            let others = if self.spare { self.dirty } else { 0 };
            worth.missed(span.len - dirty, others, now, self.window);
        }
    }

    /// Makes a range longer, if what lies behind it is free.
    pub fn extend(&mut self, range: Range, len: usize, now: u64) -> Option<Range> {
        let more = len - range.span.len;
        let Place::Pages(segment) = &self.places[range.place] else {
            return None;
        };
        let end = range.span.end();
        let behind = end.number() < PAGES && segment.free.has(end) && segment.free.around(end).len >= more;
        behind.then(|| {
            self.cut(range.place, Span { first: end, len: more }, now);
            let span = Span {
                first: range.span.first,
                len,
            };
            self.touch(range.place, span);
            Range { span, ..range }
        })
    }

    /// Somebody writes to pages that are in use.
    pub fn touch(&mut self, place: usize, span: Span) {
        if let Place::Pages(segment) = &mut self.places[place] {
            let new = span.len - segment.backed.count_in(span);
            if new > 0 {
                segment.backed.insert(span);
                self.more(new);
                self.kernel.faults += new as u64;
            }
        }
    }

    fn more(&mut self, pages: usize) {
        self.resident += pages;
        self.high = self.high.max(self.resident);
    }

    /// Pages are free again.
    pub fn give(&mut self, range: Range, now: u64) {
        let Place::Pages(segment) = &mut self.places[range.place] else {
            return;
        };
        let dirty = segment.backed.count_in(range.span);
        segment.free.insert(range.span);
        segment.free_pages += range.span.len;
        segment.dirty += dirty;
        segment.since = now;
        self.dirty += dirty;
        self.worth.0.freed(dirty);
        self.longest[range.place] = segment.free.longest() as u16;
        self.retire(range.place);
    }

    /// The pages of a large object are free again, and hoped to be wanted soon.
    pub fn give_large(&mut self, range: Range, now: u64) {
        self.give(range, now);
        if self.spare {
            self.worth.0.hope(range.span.len, now, self.window);
        }
        self.purge_excess(now);
    }

    /// A segment that is wholly free, and of which nothing is backed, is nobody's.
    fn retire(&mut self, place: usize) {
        if let Place::Pages(segment) = &self.places[place]
            && segment.free_pages == USABLE
            && segment.dirty == 0
        {
            self.resident -= SEGMENT_HEADER_PAGES as usize;
            self.places[place] = Place::Free { backed: 0, since: 0 };
            self.longest[place] = 0;
        }
    }

    /// Gives back what is more than it is worth to keep.
    pub fn purge_excess(&mut self, now: u64) {
        let keep = self.worth.0.reckon(self.most, now, self.window);
        if self.dirty <= (keep + (keep / 8).max(BATCH)).min(self.most) {
            return;
        }
        while self.dirty > keep {
            let gone = self.purge_oldest(u64::MAX, self.dirty - keep);
            if gone == 0 {
                break;
            }
            self.worth.0.gave(gone, now, self.window);
        }
    }

    /// Gives back what was left alone since `before`, of pages and of huge objects.
    pub fn purge_old(&mut self, before: u64, huge_before: u64) {
        while self.purge_oldest(before, usize::MAX) > 0 {}
        for place in &mut self.places {
            if let Place::Free { backed, since } = place
                && *backed > 0
                && *since <= huge_before
            {
                self.huge_dirty -= SEGMENT;
                self.resident -= *backed;
                self.kernel.purges += 1;
                self.kernel.purged += *backed as u64;
                *backed = 0;
            }
        }
    }

    /// Of the segment that was longest left alone; returns how many pages went.
    fn purge_oldest(&mut self, before: u64, most: usize) -> usize {
        if self.dirty == 0 {
            return 0;
        }
        let oldest = self.places.iter().enumerate().filter_map(|(index, place)| match place {
            Place::Pages(segment) if segment.dirty > 0 => Some((segment.since, index)),
            _ => None,
        });
        let Some((since, index)) = oldest.min() else { return 0 };
        let Place::Pages(segment) = &mut self.places[index] else {
            return 0;
        };
        if since > before {
            return 0;
        }
        let mut pages = segment.free.and(&segment.backed);
        if segment.dirty > most {
            pages = pages.upper(most);
        }
        let count = pages.count();
        segment.backed.subtract(&pages);
        segment.dirty -= count;
        self.dirty -= count;
        self.resident -= count;
        self.kernel.purges += pages.spans().count() as u64;
        self.kernel.purged += count as u64;
        self.retire(index);
        count
    }

    /// Whole segments for one object, all of which is written.
    pub fn take_huge(&mut self, pages: usize, now: u64) -> usize {
        let n = pages.div_ceil(PAGES);
        let first = self.places(n);
        let mut missing = 0;
        for i in 0..n {
            let backed = self.claim(first + i);
            self.huge.0.taken(if backed > 0 { SEGMENT } else { 0 });
            let wanted = (pages - i * PAGES).min(PAGES);
            let new = wanted.saturating_sub(backed);
            self.more(new);
            self.kernel.faults += new as u64;
            missing += usize::from(backed == 0);
            self.places[first + i] = Place::Huge;
        }
        if self.huge.0.regrets() && missing > 0 {
            let others = if self.spare { self.huge_dirty } else { 0 };
            self.huge.0.missed(missing * SEGMENT, others, now, self.huge_window);
        }
        first
    }

    /// A huge object is gone; its pages stay where they are worth it.
    pub fn give_huge(&mut self, first: usize, pages: usize, now: u64) {
        let n = pages.div_ceil(PAGES);
        let keep = self.huge.0.reckon(self.huge_most, now, self.huge_window);
        let stays = self.huge_dirty + n * SEGMENT <= keep;
        if !stays {
            self.huge.0.gave(n * SEGMENT, now, self.huge_window);
            self.resident -= pages;
            self.kernel.purges += 1;
            self.kernel.purged += pages as u64;
        }
        self.huge.0.freed(n * SEGMENT);
        for i in 0..n {
            let backed = if stays { (pages - i * PAGES).min(PAGES) } else { 0 };
            self.huge_dirty += if backed > 0 { SEGMENT } else { 0 };
            self.places[first + i] = Place::Free { backed, since: now };
        }
    }

    /// A huge object becomes longer where it is, or shorter. False if there is no room.
    pub fn resize_huge(&mut self, first: usize, old: usize, new: usize) -> bool {
        let (have, want) = (old.div_ceil(PAGES), new.div_ceil(PAGES));
        let room = (have..want).all(|i| matches!(self.places.get(first + i), Some(Place::Free { .. }) | None));
        if !room {
            return false;
        }
        let end = self.places.len().max(first + want);
        self.places.resize(end, Place::Free { backed: 0, since: 0 });
        self.longest.resize(end, 0);
        let had: usize = (have..want).map(|i| self.claim(first + i)).sum();
        for i in have..want {
            self.places[first + i] = Place::Huge;
        }
        for i in want..have {
            self.places[first + i] = Place::Free { backed: 0, since: 0 };
        }
        if new > old {
            let fresh = (new - old).saturating_sub(had);
            self.more(fresh);
            self.kernel.faults += fresh as u64;
        } else {
            self.resident -= old - new;
        }
        true
    }
}

/// The pages of a run or object that so many bytes of it reach into.
pub fn reached(span: Span, bytes: usize) -> Span {
    Span {
        first: span.first,
        len: bytes.div_ceil(PAGE).min(span.len),
    }
}

/// The page at a number.
pub fn page(number: usize) -> Page {
    Page::new(number)
}
