//! Memory: arena, segments, runs, page heap, central, depots, large objects. Nothing here knows a thread.

#[cfg(all(test, not(loom)))]
mod address_tests;
pub mod arena;
pub mod bitmap;
mod buckets;
mod carve;
pub mod central;
pub mod chance;
pub mod check;
mod collapse;
pub mod demand;
pub mod dense;
pub mod depot;
#[cfg(all(test, loom))]
mod depot_loom_tests;
pub mod dirty;
pub mod drain;
pub mod draw;
#[cfg(all(test, not(loom)))]
mod every_case_tests;
pub mod fence;
pub mod frame;
pub mod group;
pub mod hold;
pub(crate) mod holes;
mod huge;
pub mod in_use;
pub mod large;
pub mod limit;
pub mod lot;
#[cfg(all(test, loom))]
mod lot_loom_tests;
#[cfg(all(test, not(loom)))]
mod lot_tests;
mod lots;
mod opening;
pub mod order;
pub mod outside;
pub mod page;
pub mod page_heap;
#[cfg(all(test, loom))]
mod page_heap_loom_tests;
pub mod pen;
mod place;
pub mod placement;
pub mod pressure;
#[cfg(all(test, loom))]
mod pressure_loom_tests;
mod prospect;
#[cfg(all(test, not(loom)))]
mod refusal_tests;
pub mod reservation;
mod resize;
mod returned;
pub mod rounds;
pub mod run;
mod runs;
pub mod sample;
mod seal;
pub mod segment;
pub mod sparse;
mod supply;
pub mod tag_table;
mod unmap;
pub mod wall;
pub mod ward;
pub mod worth;

use crate::os::PAGE;
use crate::policy::Policy;
use crate::sync::{Lock, Ordering, const_but_in_models};
use core::cell::UnsafeCell;
use lot::{Lot, Lots, Stock};
use lots::Holder;
use order::Order;
pub use page_heap::{PageHeap, Reach};
use page_heap::{Request, Taken};
pub use place::Place;
pub use pressure::{Ask, Pressure, Reliefs};

/// The page heap behind its lock.
pub struct Heap {
    /// Guards the page heap. Taken last of all locks.
    pub lock: Lock,
    pub(crate) inner: UnsafeCell<PageHeap>,
    /// Segments that threads have for themselves.
    pub lots: Lots,
    /// Shortage of memory.
    pub pressure: Pressure,
    /// Chance, where the policy wants objects in random order.
    pub order: Order,
}

// SAFETY: `inner` is only reached through `locked`.
unsafe impl Sync for Heap {}

/// How a thread comes to the page heap.
pub trait Way {
    /// Runs `f` with the page heap, alone: see [`Heap::locked`].
    fn locked<R>(&self, heap: &Heap, f: impl FnOnce(&mut PageHeap) -> R) -> R;

    /// The same with a lot, too.
    fn both<R>(&self, heap: &Heap, lot: &Lot, f: impl FnOnce(&mut Stock, &mut PageHeap) -> R) -> R;
}

/// It waits for the lock.
pub struct Waiting;

impl Way for Waiting {
    #[inline]
    fn locked<R>(&self, heap: &Heap, f: impl FnOnce(&mut PageHeap) -> R) -> R {
        heap.locked(f)
    }

    fn both<R>(&self, heap: &Heap, lot: &Lot, f: impl FnOnce(&mut Stock, &mut PageHeap) -> R) -> R {
        lot.locked(|stock| heap.locked(|h| f(stock, h)))
    }
}

impl Heap {
    const_but_in_models! {
        /// No memory at all.
        pub fn new() -> Self {
            Heap {
                lock: Lock::new(),
                inner: UnsafeCell::new(PageHeap::EMPTY),
                lots: Lots::new(),
                pressure: Pressure::new(),
                order: Order::new(),
            }
        }
    }

    /// Runs `f` with the page heap, alone. `f` must not allocate, lock or call back.
    #[inline]
    pub fn locked<R>(&self, f: impl FnOnce(&mut PageHeap) -> R) -> R {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held, and `f` does not come back here.
        f(unsafe { &mut *self.inner.get() })
    }

    /// As [`locked`](Self::locked), if that needs no waiting; else `f` comes back.
    pub fn try_locked<R, F: FnOnce(&mut PageHeap) -> R>(&self, f: F) -> Result<R, F> {
        match self.lock.try_lock() {
            // SAFETY: as in `locked`.
            Some(_guard) => Ok(f(unsafe { &mut *self.inner.get() })),
            None => Err(f),
        }
    }

    /// Runs `f` with a lot and the page heap, alone, if that needs no waiting; else `f` comes back.
    pub fn try_both<R, F: FnOnce(&mut Stock, &mut PageHeap) -> R>(&self, lot: &Lot, f: F) -> Result<R, F> {
        let (Some(first), Some(_second)) = (lot.lock.try_lock(), self.lock.try_lock()) else {
            return Err(f);
        };
        // SAFETY: both locks are held, and `f` does not come back here.
        unsafe { lot.with(&first, |stock| Ok(f(stock, &mut *self.inner.get()))) }
    }

    /// Takes pages: see [`PageHeap::take`]. What lots have is given back before there is no memory.
    #[inline(never)] // For runs and for large objects.
    pub fn take(&self, policy: &Policy, request: Request) -> Option<Taken> {
        let take = |h: &mut PageHeap| h.take(policy, request);
        let mut taken = self.locked(take);
        if taken.is_none() && self.makes_room(policy, request.reach, request.most * PAGE) {
            taken = self.locked(take);
        }
        // (Where more segments were not asked for, others are asked before.)
        if taken.is_some() || matches!(request.reach, Reach::Held | Reach::Segments) || !self.recall_all() {
            return taken;
        }
        self.locked(take)
    }

    /// Takes pages for a run with a guard behind it, which is among them. None if this run shall have none, or if there is no place for
    /// one.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_ended(&self, policy: &Policy, request: Request) -> Option<Taken> {
        let one_of = policy.hardening.guard_runs;
        if one_of > 1 && self.order.draw().below(one_of) != 0 {
            return None;
        }
        let request = Request {
            least: request.least + 1,
            most: request.most + 1,
            frame: frame::Frame {
                back: 1,
                ..request.frame
            },
            ..request
        };
        self.take(policy, request)
    }

    /// The page heap, for those of its fields that never change once there are objects.
    fn unlocked(&self) -> *const PageHeap {
        self.inner.get()
    }

    /// Gives a range of pages back: see [`PageHeap::give`].
    ///
    /// # Safety
    /// The range was taken from this heap, is the caller's, who does not use it any more, and at most its first `touched`
    /// pages were written to.
    pub unsafe fn give(&self, segment: *mut segment::Segment, span: page::Span, touched: usize) {
        let now = crate::os::now_ms();
        // SAFETY: the range is the caller's, so its segment is live; the lock is held of whoever has that.
        unsafe {
            self.held(segment, |holder| match holder {
                Holder::Heap(h) => h.give(segment, span, touched, now),
                Holder::Lot(_, stock) => stock.give(segment, span, touched),
            });
        }
    }

    /// Gives free pages back to the kernel, the longest left alone first, until those that are backed are worth it.
    pub fn purge_excess(&self, policy: &Policy) {
        let now = crate::os::now_ms();
        let mut keep = None;
        self.purge_while(&Waiting, policy, u64::MAX, true, &mut |h| {
            let keep = *keep.get_or_insert_with(|| h.dirty_pages - h.excess(policy, now));
            h.dirty_pages.saturating_sub(keep)
        });
    }

    /// Gives free pages back until at most `bytes` of them are backed. Returns the bytes given back.
    pub fn purge_to(&self, policy: &Policy, bytes: usize) -> usize {
        self.recall_all();
        self.locked(|h| h.spare_nothing(policy));
        self.purge_while(&Waiting, policy, u64::MAX, false, &mut |h| {
            if h.dirty_pages * PAGE > bytes { usize::MAX } else { 0 }
        })
    }

    /// Gives back the free pages of segments that got none since `before`. Returns the bytes given back.
    pub fn purge_old(&self, policy: &Policy, before: u64) -> usize {
        self.purge_old_by(&Waiting, policy, before)
    }

    /// As [`purge_old`](Self::purge_old), by a way of the caller's.
    pub fn purge_old_by(&self, way: &impl Way, policy: &Policy, before: u64) -> usize {
        self.recall(way, true);
        self.purge_while(way, policy, before, false, &mut |_| usize::MAX)
    }

    /// Takes in what the parent's helper was giving back to the kernel, if this is a child that nobody has seen to yet. Comes
    /// before anything else is given back.
    pub(super) fn take_in(&self, heap: &mut PageHeap) {
        if self.pressure.orphans.load(Ordering::Relaxed) != 0 {
            self.pressure.orphans.store(0, Ordering::Relaxed);
            heap.recover();
        }
    }

    /// One segment a turn, and the kernel is called while the heap is not locked: others find their pages meanwhile. `more`
    /// says how many pages may go in this turn, 0 that it is enough; `judged` says whether it is held to be a mistake if these
    /// pages are soon wanted again.
    #[inline(never)]
    fn purge_while(
        &self,
        way: &impl Way,
        policy: &Policy,
        before: u64,
        judged: bool,
        more: &mut dyn FnMut(&mut PageHeap) -> usize,
    ) -> usize {
        let mut all = 0;
        while let Some(mut purge) = way.locked(self, |h| {
            self.take_in(h);
            match more(h) {
                0 => None,
                most => h.purge_begin(before, most),
            }
        }) {
            let purged = purge.run();
            let now = crate::os::now_ms();
            way.locked(self, |h| {
                h.purge_end(&purge, now);
                if judged {
                    h.worth.gave(purged, now, policy.window());
                }
            });
            all += purged * PAGE;
            if purged == 0 {
                break;
            }
        }
        if all > 0 {
            self.pressure.count(Reliefs {
                purges: 1,
                purged_bytes: all as u64,
                ..Reliefs::default()
            });
        }
        all
    }
}
