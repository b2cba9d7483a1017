//! A segment: 2 MiB unless the config says otherwise, aligned, self-describing.
//!
//! ```text
//! page 0           5                                       512
//! |  header        | pages of runs and large objects, free pages |
//! ```
//!
//! Who may touch what: the links and page sets belong to the holder of the heap's lock, or of the lock of the lot that the
//! segment is lent to. A [`Run`] belongs to the holder of its class's central lock while it holds small objects, and to the
//! owner of the object while it is large. The `first` array changes only while its pages belong to nobody else.

use super::bitmap::{Fit, PageSet};
use super::group::Group;
use super::holes::Holes;
use super::page::{PAGES, Page, Span};
use super::run::{GONE, LARGE, Run, UNIT};
use super::wall::Walls;
use crate::os::PAGE;
use crate::policy::Class;
use crate::sync::AtomicU32;

pub use super::page::SEGMENT;

/// Pages of the header, which takes up to 40 bytes for each page.
pub const HEADER_PAGES: usize = (PAGES * 40).div_ceil(PAGE);
/// Pages that can hold objects.
pub const USABLE: usize = PAGES - HEADER_PAGES;

/// A segment's header, at its base.
#[repr(C)]
pub struct Segment {
    /// Next segment of the same bucket (page heap).
    pub next: *mut Segment,
    /// The one before.
    pub prev: *mut Segment,
    /// Next segment with dirty free pages.
    pub dirty_next: *mut Segment,
    /// The one before.
    pub dirty_prev: *mut Segment,
    /// Free pages that are backed by memory; the segment is in the dirty list if there are any.
    pub dirty_free: u32,
    /// Free pages, whether they are open or not.
    pub free_pages: u32,
    /// Pages from the first on that are memory; the others must not be touched. See [`super::reservation`].
    pub opened: u32,
    /// Length of the longest range of free pages; the bucket that the segment is in.
    pub longest: u32,
    /// Whether it lies outside of the arena.
    pub outside: bool,
    /// Whose pages it has.
    pub group: Group,
    /// How many of its pages can be free: fewer than [`USABLE`] where the first and the last are guards.
    pub usable: u16,
    /// Where it has guards: see [`super::seal`].
    pub(super) front: u32,
    /// When it last got pages that are backed, in milliseconds of the coarse clock; 0 where purging has no delay.
    pub since: u64,
    /// Free pages.
    pub free: PageSet,
    /// Pages that may hold something else than zeroes. Kept for pages in use too: cleared by purge only.
    pub dirty: PageSet,
    /// Free pages that are being purged: in neither set until the kernel has them.
    pub out: PageSet,
    /// Its pages that nobody may touch, if it [has](Self::has_walls) any.
    pub(crate) walls: Walls,
    /// Whose it is: the number of a lot, or 0, the page heap's. Changes under both their locks. See [`super::lot`].
    pub lot: AtomicU32,
    /// As `front`.
    pub(super) middle: u32,
    /// Whether it is one huge page: see [`super::dense`].
    pub(super) huge: AtomicU32,
    /// For every page of a run, and for a large object's first page: the first page. What it says of other pages is old.
    pub(crate) first: [u16; PAGES],
    /// One descriptor a usable page; a run's is its first page's.
    pub(crate) runs: [Run; USABLE],
    /// Which pages of runs were given back.
    pub(crate) holes: Holes,
    /// As `front`.
    pub(super) end: u32,
}

const _: () = assert!(core::mem::size_of::<Run>() == 32, "descriptors are two to a cache line");
const _: () = assert!(
    core::mem::size_of::<Segment>() <= HEADER_PAGES * PAGE,
    "the header fits its pages"
);

/// All pages that can hold objects.
pub const WHOLE: Span = Span::between(HEADER_PAGES, PAGES);

impl Segment {
    /// The segment that holds `p`, if `p` lies in a segment at all.
    #[inline]
    pub fn of(p: *const u8) -> *mut Segment {
        (p as usize & !(SEGMENT - 1)) as *mut Segment
    }

    /// Makes the memory at `at` an empty segment, of which the first `opened` pages are open. `dirty` says which of its pages
    /// may hold something, `usable` which can be free. What of its pages is not usable, but for the header, are guards.
    ///
    /// # Safety
    /// `at` is a multiple of [`SEGMENT`], its first `opened` pages are memory of the caller's, and the header is among
    /// them.
    pub unsafe fn init(at: *mut Segment, (outside, group): (bool, Group), opened: usize, dirty: PageSet, usable: Span) {
        // SAFETY: the caller owns the memory; only the fields read later are written, the rest of the header is set
        // when a run is made, so that an empty segment touches one page.
        unsafe {
            (*at).next = core::ptr::null_mut();
            (*at).prev = core::ptr::null_mut();
            (*at).dirty_free = 0;
            (*at).free_pages = usable.len as u32;
            (*at).usable = usable.len as u16;
            (*at).opened = opened as u32;
            (*at).longest = usable.len as u32;
            (*at).outside = outside;
            (*at).group = group;
            (*at).free = PageSet::EMPTY;
            (*at).free.insert(usable);
            (*at).dirty = dirty;
            (*at).out = PageSet::EMPTY;
            (&raw mut (*at).lot).write(AtomicU32::new(0));
            (&raw mut (*at).huge).write(AtomicU32::new(0));
            if Segment::has_walls(at) {
                Segment::build(at);
            }
        }
    }

    /// Whether all of its pages are free that can be.
    ///
    /// # Safety
    /// As for [`open_and_free`](Self::open_and_free), or the caller holds the lock of the lot that has it.
    #[inline]
    pub(super) unsafe fn is_free(this: *const Segment) -> bool {
        // SAFETY: the lock is held that guards the sets.
        unsafe { (*this).free_pages == u32::from((*this).usable) }
    }

    /// The free pages that are memory.
    ///
    /// # Safety
    /// `this` is a live segment, and the caller holds the heap's lock.
    pub unsafe fn open_and_free(this: *const Segment) -> PageSet {
        let mut open = PageSet::EMPTY;
        // SAFETY: the heap is locked, so that nobody changes the sets of a live segment.
        unsafe {
            open.insert(Span::between(0, (*this).opened as usize));
            open.and(&(*this).free)
        }
    }

    /// Whether a lot may have it. Pages that are being purged come back to the page heap, and what lies outside of the arena is
    /// looked up there.
    ///
    /// # Safety
    /// As for [`open_and_free`](Self::open_and_free).
    pub(super) unsafe fn can_be_lent(this: *const Segment) -> bool {
        // SAFETY: the heap is locked.
        unsafe { !(*this).outside && (*this).out == PageSet::EMPTY }
    }

    /// How many of its free pages are backed.
    ///
    /// # Safety
    /// `this` is a live segment, and the caller holds the lock of whoever it belongs to.
    pub(crate) unsafe fn backed(this: *const Segment) -> usize {
        // SAFETY: the lock is held that guards the sets.
        unsafe { (*this).free.and(&(*this).dirty).count() }
    }

    /// Address of a page.
    #[inline]
    pub fn page_address(this: *mut Segment, page: Page) -> *mut u8 {
        page.address(this.cast())
    }

    /// Whether a page is one of the header's.
    #[inline(always)]
    pub fn is_header(page: Page) -> bool {
        page < WHOLE.first
    }

    /// Makes `span` one run, and returns its descriptor.
    ///
    /// # Safety
    /// `this` is a live segment; the caller owns the span, which was just taken out of the free set.
    #[inline(never)] // From many places.
    pub unsafe fn open_run(this: *mut Segment, span: Span, pool: u16) -> *mut Run {
        // SAFETY: the span lies in `HEADER_PAGES..PAGES` (page sets never hold header pages) and is the caller's.
        unsafe {
            let first = (&raw mut (*this).first).cast::<u16>();
            // Within a large object nothing is ever looked up.
            let told = if pool == LARGE { 1 } else { span.len };
            for page in 0..told {
                let entry = first.add(span.first.plus(page).number());
                // What is right already is not written: whoever frees the object next reads it, perhaps elsewhere.
                if *entry != span.first.number() as u16 {
                    *entry = span.first.number() as u16;
                }
            }
            let run = Segment::descriptor(this, span.first);
            // What objects of an older run here say of themselves is not to be believed.
            let head = Run::next_generation(run);
            run.write(Run {
                next: core::ptr::null_mut(),
                prev: core::ptr::null_mut(),
                head,
                free: 0,
                carved: 0,
                capacity: 0,
                pool,
                pages: span.len as u16,
                shift: 0,
                within: 0,
            });
            run
        }
    }

    /// Takes a range out of the free pages.
    ///
    /// # Safety
    /// `this` is a live segment, and the caller holds the lock of whoever it belongs to. The pages are free.
    #[inline]
    pub(super) unsafe fn cut(this: *mut Segment, span: Span) {
        // SAFETY: the lock is held that guards the sets.
        unsafe {
            (*this).free.remove(span);
            (*this).free_pages -= span.len as u32;
        }
    }

    /// Puts a range back among the free pages; its first `touched` pages may hold something. Returns how long the longest free
    /// range is now.
    ///
    /// # Safety
    /// `this` is a live segment, and the caller holds the lock of whoever it belongs to. The range is the caller's, who does not
    /// use it any more.
    #[inline]
    pub(super) unsafe fn put_back(this: *mut Segment, span: Span, touched: usize) -> usize {
        // SAFETY: the lock is held that guards the sets.
        unsafe {
            (*this).dirty.insert(Span {
                first: span.first,
                len: touched.min(span.len),
            });
            if Segment::has_walls(this) {
                Segment::stop_guarding(this, span);
            }
            (*this).free.insert(span);
            (*this).free_pages += span.len as u32;
            (*this).free.around(span.first).len.max((*this).longest as usize)
        }
    }

    /// The pages right behind a range, if so many are free: a place for the range to grow into.
    ///
    /// # Safety
    /// `this` is a live segment, and the caller holds the lock of whoever it belongs to.
    pub(super) unsafe fn behind(this: *const Segment, span: Span, more: usize) -> Option<Fit> {
        let from = span.end();
        // SAFETY: the lock is held that guards the sets.
        let free = unsafe { &(*this).free };
        if !free.has(from) || free.around(from).len < more {
            return None;
        }
        let span = Span { first: from, len: more };
        let mut rest = *free;
        rest.remove(span);
        let longest = rest.longest();
        Some(Fit { span, longest })
    }

    /// The descriptor of what begins at a page.
    ///
    /// # Safety
    /// `this` is a live segment, and `page` none of the header's.
    #[inline]
    pub(super) unsafe fn descriptor(this: *mut Segment, page: Page) -> *mut Run {
        // SAFETY: the caller passes a usable page of a live segment.
        unsafe { (&raw mut (*this).runs).cast::<Run>().add(page.number() - HEADER_PAGES) }
    }

    /// What the header says of a page: the first one of its run.
    ///
    /// # Safety
    /// `this` is a live segment; the page is in it.
    #[inline(always)]
    unsafe fn first_of(this: *const Segment, page: Page) -> Page {
        // SAFETY: the header of a live segment can be read, and has an entry for each page.
        Page::new(usize::from(unsafe {
            *(&raw const (*this).first).cast::<u16>().add(page.number())
        }))
    }

    /// The run that holds a page, as far as the header tells: None if it cannot be one.
    ///
    /// # Safety
    /// `this` is a live segment, and `page` one of its pages.
    pub unsafe fn run_at(this: *mut Segment, page: Page) -> Option<*mut Run> {
        // SAFETY: the header of a live segment can be read; whatever the entry is, it is checked before it is used.
        unsafe {
            let first = Segment::first_of(this, page);
            if !(WHOLE.first..=page).contains(&first) {
                return None;
            }
            let run = Segment::descriptor(this, first);
            let covers = page < first.plus(usize::from((*run).pages)) && (*run).pool != GONE;
            covers.then_some(run)
        }
    }

    /// Whether an object of this class that was ever handed out begins at `p`, by what the header says of the page.
    ///
    /// # Safety
    /// `p` points into an open run of the class, as the page's tag says.
    #[inline(always)]
    pub unsafe fn begins(class: &Class, p: *const u8) -> bool {
        // SAFETY: the header of a live segment can be read, and says of a page of an open run where that begins.
        unsafe {
            let this = Segment::of(p);
            let first = Segment::first_of(this, Page::of(p));
            let run = Segment::descriptor(this, first);
            let begin = first.address(this.cast()) as usize + usize::from((*run).shift) * UNIT;
            // Whoever frees an object knows of it, so that it was carved before, and the count is at least as high as that.
            let carved = u32::from((&raw const (*run).carved).read_volatile());
            class
                .index_at((p as usize).wrapping_sub(begin) as u32)
                .is_some_and(|index| index < carved)
        }
    }

    /// The run that holds the object at `p`.
    ///
    /// # Safety
    /// `p` points into an open run of a live segment.
    #[inline]
    pub unsafe fn run_of(p: *const u8) -> *mut Run {
        let this = Segment::of(p);
        // SAFETY: `first` of a page of an open run is the run's first page, a usable one.
        unsafe { Segment::descriptor(this, Segment::first_of(this, Page::of(p))) }
    }
}
