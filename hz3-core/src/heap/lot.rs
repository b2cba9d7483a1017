//! A lot: segments of pages that a few threads have for themselves.
//!
//! Threads that take and free ranges at the same time would wait for the page heap's lock, and send its records from one
//! processor's cache to the other with each range. So a thread that finds that lock taken again and again gets a lot. A lot
//! *borrows* whole segments of the page heap: ranges are taken from them, and given back to them, under the lot's own lock.
//! What threads of other lots free waits in `Returned` for the lot's next request.
//!
//! A lot has as many segments as its objects need, and keeps few free pages: see `Policy::lot_pages`. The page heap gets
//! the emptiest segment back when there are more, and all of them when the lot rests, when memory is short, and when somebody
//! wants everything given back.
//!
//! A segment says whose it is. That changes under both locks, the lot's and the page heap's; so it holds for whoever has the
//! lock of the one that it names.

use super::bitmap::Fit;
use super::buckets::Buckets;
use super::frame::Frame;
use super::page::{PAGES, Span};
use super::page_heap::Taken;
use super::returned::Returned;
use super::run::Run;
use super::segment::{Segment, USABLE};
use crate::os::{self, PAGE};
use crate::policy::Policy;
use crate::policy::agreed::LOT_SHARE;
use crate::sync::{AtomicU32, Guard, Lock, Ordering, const_but_in_models};
use core::cell::{Cell, UnsafeCell};

/// Lots of a process. Where more threads need one, some share.
#[cfg(not(loom))]
pub const LOTS: usize = 16;
/// As few as a model needs.
#[cfg(loom)]
pub const LOTS: usize = 1;

/// What it counts for a thread that it found the page heap's lock taken; each time that it did not counts one in return.
const MET: u16 = 16;
/// From so much on it gets a lot.
const OFTEN: u16 = 128;
/// How many ranges are to gather before a lot takes them in.
pub(super) const GATHERED: usize = 8;
/// How many of the ranges that came back are looked at for one that will do.
const TRIES: usize = 8;
/// What part of a lot's pages may be free beside [`Policy::lot_pages`].
const SHARE: usize = 16;

impl Policy {
    /// How many free pages a lot may keep: twice as many as the page heap keeps at least (see [`super::worth`]). Some more
    /// where it has many segments.
    pub(super) const fn lot_pages(&self) -> usize {
        self.purge.dirty / PAGE / LOT_SHARE
    }

    /// Whether threads that are in each other's way get lots. Not where somebody chooses a segment out of all that there are,
    /// or where a lot could not even keep one.
    const fn has_lots(&self) -> bool {
        self.places_plainly() && !self.relieves_by_segment() && self.lot_pages() >= PAGES
    }
}

/// Where a thread stands: in which lot, or how often it was in the way of others.
#[derive(Default)]
#[repr(C)]
pub struct Seat {
    /// Number of its lot, from 1 on; 0 without one.
    lot: Cell<u16>,
    met: Cell<u16>,
}

impl Seat {
    /// That of a thread without a lot.
    pub const fn new() -> Self {
        Seat {
            lot: Cell::new(0),
            met: Cell::new(0),
        }
    }

    /// That of a thread that got one.
    #[cfg(all(test, not(loom)))]
    pub(super) fn in_lot(lots: &Lots) -> Self {
        let seat = Seat::new();
        seat.lot.set(lots.assign());
        seat
    }

    /// The number of the thread's lot; 0 if it has none.
    #[inline]
    pub(super) fn number(&self) -> u32 {
        u32::from(self.lot.get())
    }

    /// It came to the page heap without waiting.
    #[inline]
    pub(super) fn was_free(&self) {
        self.met.set(self.met.get().saturating_sub(1));
    }

    /// It found the page heap's lock taken.
    #[cold]
    pub(super) fn was_taken(&self, policy: &Policy, lots: &Lots) {
        let met = (self.met.get() + MET).min(OFTEN);
        self.met.set(met);
        if met == OFTEN && self.lot.get() == 0 && policy.has_lots() {
            self.lot.set(lots.assign());
        }
    }
}

/// The segments of a lot.
pub struct Stock {
    pub(super) buckets: Buckets,
    /// Their free pages.
    pub(super) free_pages: usize,
    /// How many there are.
    pub(super) segments: usize,
    /// Ranges that others gave back, as they came: whoever wants one of that length gets it as it is. Linked as in
    /// [`Returned`], and the lot's or not, as there.
    pub(super) chain: *mut Run,
    /// Pages of these.
    pub(super) chained: usize,
    /// Requests until it looks for such ranges again.
    patience: u32,
    /// Pages taken that were not backed, as far as the page heap does not know of them.
    pub(super) missed: usize,
    /// Whether anything was taken or given since the last look.
    pub(super) used: bool,
}

impl Stock {
    const EMPTY: Stock = Stock {
        buckets: Buckets::EMPTY,
        free_pages: 0,
        segments: 0,
        chain: core::ptr::null_mut(),
        chained: 0,
        patience: 0,
        missed: 0,
        used: false,
    };

    /// Adds a segment that the page heap has lent.
    ///
    /// # Safety
    /// The caller holds the lot's lock; the segment says that it is this lot's, and is in no bucket.
    pub(super) unsafe fn add(&mut self, segment: *mut Segment) {
        // SAFETY: the segment is live and ours.
        unsafe {
            self.free_pages += (*segment).free_pages as usize;
            self.segments += 1;
            self.buckets.link(segment);
        }
    }

    /// Takes a segment out.
    ///
    /// # Safety
    /// The caller holds the lot's lock; the segment is one of its.
    pub(super) unsafe fn remove(&mut self, segment: *mut Segment) {
        // SAFETY: the segment is live, ours and in its bucket.
        unsafe {
            self.buckets.unlink(segment);
            self.free_pages -= (*segment).free_pages as usize;
            self.segments -= 1;
        }
    }

    /// Whether there are ranges that others gave back and that nobody has put among the free pages yet, for a request of `len`
    /// pages.
    ///
    /// Whoever looks takes the word from the cache of who gives. So when there were few, the lot lets some gather. They last for
    /// as many requests, and meanwhile as many gather.
    #[inline]
    pub(super) fn looks(&mut self, lot: &Lot, len: usize) -> bool {
        if self.chain.is_null() {
            if self.patience > 0 {
                self.patience -= 1;
                return false;
            }
            (self.chain, self.chained) = lot.returned.take();
            if self.chained < len * GATHERED {
                self.patience = GATHERED as u32;
            }
        }
        !self.chain.is_null()
    }

    /// Takes a range that others gave back and that nobody has put among the free pages yet, if one of the first few is just as
    /// long as wanted and lies as the frame says. `number` is the lot's.
    ///
    /// It is what was used last: its pages and its records are at hand, and nothing else has to be touched.
    #[inline]
    pub(super) fn reuse(&mut self, policy: &Policy, number: u32, len: usize, frame: Frame) -> Option<Taken> {
        let mut link: *mut *mut Run = &raw mut self.chain;
        for _ in 0..TRIES {
            // SAFETY: `link` is the chain's beginning, or in the descriptor of a range of it; these are the lot's holder's alone.
            let run = unsafe { *link };
            if run.is_null() {
                break;
            }
            let segment = Segment::of(run.cast());
            // SAFETY: as above; a range keeps its segment live.
            unsafe {
                let span = Run::span(run);
                if span.len == len
                    && frame.begin(span.first.number()) == span.first.number()
                    && (*segment).lot.load(Ordering::Relaxed) == number
                    && (!policy.has_walls() || Segment::make_room(segment, span, frame))
                {
                    if policy.has_walls() {
                        Segment::enclose(segment, span, frame);
                    }
                    *link = (*run).next;
                    os::fetch((*run).next.cast());
                    self.chained = self.chained.saturating_sub(len);
                    self.used = true;
                    return Some(Taken {
                        segment,
                        span,
                        clean: false,
                    });
                }
                link = &raw mut (*run).next;
            }
        }
        None
    }

    /// Whether it has more free pages than it may keep.
    pub(super) fn is_over(&self, policy: &Policy) -> bool {
        self.free_pages + self.chained > policy.lot_pages() + self.segments * USABLE / SHARE
    }

    /// Takes a place that was found, whose pages are open. None if the kernel refuses what it takes to use it.
    pub(super) fn cut(
        &mut self,
        policy: &Policy,
        segment: *mut Segment,
        Fit { span, longest }: Fit,
        frame: Frame,
    ) -> Option<Taken> {
        // SAFETY: segments in a bucket are live, and the lot's lock is held.
        unsafe {
            if policy.has_walls() && !Segment::make_room(segment, span, frame) {
                return None;
            }
            let dirty = (*segment).dirty.count_in(span);
            Segment::cut(segment, span);
            self.free_pages -= span.len;
            self.buckets.rebucket(segment, longest);
            self.missed += (span.len - frame.guards()).saturating_sub(dirty);
            self.used = true;
            if policy.has_walls() {
                Segment::enclose(segment, span, frame);
            }
            Some(Taken {
                segment,
                span,
                clean: dirty == 0,
            })
        }
    }

    /// Gives a range back, of which the first `touched` pages may hold something.
    ///
    /// # Safety
    /// The caller holds the lot's lock; the segment is one of its, and the range the caller's, who does not use it any more.
    pub(super) unsafe fn give(&mut self, segment: *mut Segment, span: Span, touched: usize) {
        // SAFETY: the caller owns the range, so its segment is live; the lock is held.
        unsafe {
            let longest = Segment::put_back(segment, span, touched);
            self.free_pages += span.len;
            self.buckets.rebucket(segment, longest);
            self.used = true;
        }
    }
}

/// A lot, on cache lines of its own.
#[repr(align(128))]
pub struct Lot {
    /// Guards the segments. Taken before the page heap's, after centrals'.
    pub lock: Lock,
    /// What other lots' threads gave back.
    pub(super) returned: Returned,
    stock: UnsafeCell<Stock>,
}

// SAFETY: `stock` is only reached through `with`, by the holder of the lock.
unsafe impl Sync for Lot {}

impl Lot {
    const_but_in_models! {
        fn new() -> Self {
            Lot {
                lock: Lock::new(),
                returned: Returned::new(),
                stock: UnsafeCell::new(Stock::EMPTY),
            }
        }
    }

    /// Runs `f` with the segments, alone. `f` may take the page heap's lock.
    #[inline]
    pub(super) fn locked<R>(&self, f: impl FnOnce(&mut Stock) -> R) -> R {
        let guard = self.lock.lock();
        // SAFETY: the guard is this lock's.
        unsafe { self.with(&guard, f) }
    }

    /// As [`locked`](Self::locked), for who has the lock.
    ///
    /// # Safety
    /// The guard is of this lot's lock. `f` does not come back here.
    #[inline]
    pub(super) unsafe fn with<R>(&self, _guard: &Guard<'_>, f: impl FnOnce(&mut Stock) -> R) -> R {
        // SAFETY: the lock is held, and `f` does not come back here.
        f(unsafe { &mut *self.stock.get() })
    }
}

/// All lots.
pub struct Lots {
    all: [Lot; LOTS],
    /// How many threads were given a lot.
    given: AtomicU32,
    /// Segments that are lent at the moment. Changes under the page heap's lock.
    pub(super) lent: AtomicU32,
}

impl Lots {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Lots {
            all: [const { Lot::new() }; LOTS],
            given: AtomicU32::new(0),
            lent: AtomicU32::new(0),
        }
    }

    /// As above, for loom.
    #[cfg(loom)]
    #[allow(dead_code)] // Only models need it.
    pub(super) fn new() -> Self {
        Lots {
            all: core::array::from_fn(|_| Lot::new()),
            given: AtomicU32::new(0),
            lent: AtomicU32::new(0),
        }
    }

    /// A lot for one more thread.
    #[cfg_attr(loom, allow(clippy::modulo_one))]
    fn assign(&self) -> u16 {
        (self.given.fetch_add(1, Ordering::Relaxed) as usize % LOTS) as u16 + 1
    }

    /// The one with a number, from 1 on.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Lot> {
        self.all.get((number as usize).wrapping_sub(1))
    }

    /// Those that any thread was ever given, with their numbers.
    #[inline]
    pub(super) fn opened(&self) -> impl Iterator<Item = (u32, &Lot)> {
        let most = self.given.load(Ordering::Relaxed) as usize;
        (1..).zip(&self.all).take(most)
    }

    /// Every one.
    pub fn each(&self) -> impl Iterator<Item = &Lot> {
        self.all.iter()
    }

    /// Whether any lot has anything.
    #[cold]
    #[inline(never)]
    pub fn any(&self) -> bool {
        if self.lent.load(Ordering::Relaxed) > 0 {
            return true;
        }
        for (_, lot) in self.opened() {
            if lot.returned.pages() > 0 {
                return true;
            }
        }
        false
    }
}

/// Runs `f` as the holder of the lock of whoever the segment belongs to, whose number it is told. `lock` takes that lock.
#[inline]
pub(super) fn with_owner<G, R>(owner: &AtomicU32, lock: impl Fn(u32) -> G, f: impl FnOnce(u32, G) -> R) -> R {
    loop {
        let number = owner.load(Ordering::Acquire);
        let guard = lock(number);
        // Once the lock is held that it names, it does not change.
        if owner.load(Ordering::Relaxed) == number {
            return f(number, guard);
        }
    }
}

const _: () = assert!(USABLE < u16::MAX as usize, "pages of a range fit a descriptor");
