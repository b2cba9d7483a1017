//! Ranges of pages go to lots and come back: see [`super::lot`].

use super::bitmap::Fit;
use super::frame::Frame;
use super::group::Group;
use super::lot::{LOTS, Lot, Seat, Stock, with_owner};
use super::page::Span;
use super::page_heap::Taken;
use super::run::Run;
use super::segment::Segment;
use super::{Heap, PageHeap, Reach, Way};
use crate::os;
use crate::policy::Policy;
use crate::sync::{Guard, Lock, Ordering};

/// Whoever a segment belongs to, whose lock is held.
pub(super) enum Holder<'a> {
    /// The page heap.
    Heap(&'a mut PageHeap),
    /// A lot, with its number.
    Lot(u32, &'a mut Stock),
}

impl Heap {
    /// The lock of the lot with that number; for 0 the page heap's.
    fn lock_of(&self, number: u32) -> &Lock {
        self.lots.get(number).map_or(&self.lock, |lot| &lot.lock)
    }

    /// Runs `f` with whoever the segment belongs to, alone. `f` must not allocate or call back; with a lot it may take the page
    /// heap's lock.
    ///
    /// # Safety
    /// The segment is live, and stays so: the caller owns pages of it.
    pub(super) unsafe fn held<R>(&self, segment: *mut Segment, f: impl FnOnce(Holder<'_>) -> R) -> R {
        // SAFETY: it asks for no more than this function.
        unsafe { self.held_by(segment, |lock| lock.lock(), f) }
    }

    /// As [`held`](Self::held), by a way of the caller's to take a lock.
    ///
    /// # Safety
    /// As for [`held`](Self::held). `take` takes the lock that it is passed.
    #[inline]
    unsafe fn held_by<'a, R>(
        &'a self,
        segment: *mut Segment,
        take: impl Fn(&'a Lock) -> Guard<'a>,
        f: impl FnOnce(Holder<'_>) -> R,
    ) -> R {
        // SAFETY: the segment is live.
        let owner = unsafe { &(*segment).lot };
        with_owner(
            owner,
            |number| take(self.lock_of(number)),
            |number, guard| match self.lots.get(number) {
                // SAFETY: the lot's lock is held, and `f` does not come back.
                Some(lot) => unsafe { lot.with(&guard, |stock| f(Holder::Lot(number, stock))) },
                // SAFETY: the page heap's lock is held, and `f` does not come back.
                None => f(Holder::Heap(unsafe { &mut *self.inner.get() })),
            },
        )
    }

    /// Takes a range from the thread's lot, if it has one. None if that and the page heap, within a reach, have no room.
    pub(super) fn take_lent(
        &self,
        policy: &Policy,
        reach: Reach,
        seat: &Seat,
        len: usize,
        frame: Frame,
    ) -> Option<Taken> {
        let number = seat.number();
        let lot = self.lots.get(number)?;
        let (taken, excess) = lot.locked(|stock| {
            let mut excess = false;
            if stock.looks(lot, len) {
                if !stock.is_over(policy)
                    && let Some(taken) = stock.reuse(policy, number, len, frame)
                {
                    return (Some(taken), false);
                }
                excess = self.collect(policy, number, lot, stock);
            }
            loop {
                if let Some((segment, fit)) = stock.buckets.find(Group::of_large(policy), len, frame, false) {
                    return (self.take_out(policy, stock, segment, fit, frame), excess);
                }
                if lot.returned.pages() > 0 {
                    excess |= self.collect(policy, number, lot, stock);
                    continue;
                }
                let missed = core::mem::take(&mut stock.missed);
                let lent = self.locked(|h| {
                    let lent = h.lend(policy, reach, (len, frame), (number, missed))?;
                    self.lots.lent.fetch_add(1, Ordering::Relaxed);
                    Some(lent)
                });
                let Some(segment) = lent else { return (None, excess) };
                // SAFETY: it was lent to this lot, whose lock is held.
                unsafe { stock.add(segment) };
            }
        });
        if excess {
            self.purge_excess(policy);
        }
        taken
    }

    /// Gives the range of a large object back, which may hold `something`.
    ///
    /// # Safety
    /// `run` is the descriptor of a large object that nobody uses any more; it says that the object is gone.
    pub(super) unsafe fn give_run(&self, policy: &Policy, run: *mut Run, something: bool, seat: &Seat) {
        let segment = Segment::of(run.cast());
        // SAFETY: the caller owns the object, so the segment is live and the descriptor ours.
        let (span, owner) = unsafe { (Run::span(run), (*segment).lot.load(Ordering::Acquire)) };
        let touched = if something { span.len } else { 0 };
        if owner != 0 && owner != seat.number() {
            // SAFETY: the range is the caller's to give.
            return unsafe { self.hand_back(policy, owner, run, touched) };
        }
        let now = if owner == 0 { os::now_ms() } else { 0 };
        // SAFETY: as above.
        let excess = unsafe {
            self.held_by(
                segment,
                |lock| self.take_seen(policy, lock, seat),
                |holder| match holder {
                    Holder::Heap(h) => {
                        let now = if now > 0 { now } else { os::now_ms() };
                        h.give(segment, span, touched, now);
                        h.hope(policy, touched, now);
                        h.excess(policy, now) > 0
                    }
                    Holder::Lot(number, stock) => {
                        stock.give(segment, span, touched);
                        self.shed(policy, number, stock)
                    }
                },
            )
        };
        if excess {
            self.purge_excess(policy);
        }
    }

    /// Takes a lock, and remembers whether others were in the way if it is the page heap's.
    #[inline]
    pub(super) fn take_seen<'a>(&'a self, policy: &Policy, lock: &'a Lock, seat: &Seat) -> Guard<'a> {
        if !core::ptr::eq(lock, &self.lock) {
            return lock.lock();
        }
        match lock.try_lock() {
            Some(guard) => {
                seat.was_free();
                guard
            }
            None => {
                seat.was_taken(policy, &self.lots);
                lock.lock()
            }
        }
    }

    /// Leaves a range to the lot that its segment belongs to. What waits there is bounded: whoever finds too much gives it
    /// back on the lot's behalf, unless somebody is there.
    ///
    /// # Safety
    /// `run` is the descriptor of a range that is the caller's to give, of which `touched` pages may hold something.
    #[inline(never)]
    unsafe fn hand_back(&self, policy: &Policy, owner: u32, run: *mut Run, touched: usize) {
        let Some(lot) = self.lots.get(owner) else { return };
        // SAFETY: the descriptor is the caller's until it is on the stack.
        let waiting = unsafe {
            (*run).carved = touched as u16;
            lot.returned.push(run)
        };
        if waiting > policy.lot_pages() / 2
            && let Some(guard) = lot.lock.try_lock()
        {
            // SAFETY: the lock is the lot's.
            let excess = unsafe { lot.with(&guard, |stock| self.collect(policy, owner, lot, stock)) };
            drop(guard);
            if excess {
                self.purge_excess(policy);
            }
        }
    }

    /// As [`PageHeap::give`], for who holds the page heap's lock and must not wait for a lot.
    ///
    /// # Safety
    /// As for [`Heap::give`]; the range has a descriptor of its own, which nobody else uses.
    pub(super) unsafe fn give_within(
        &self,
        h: &mut PageHeap,
        segment: *mut Segment,
        span: Span,
        touched: usize,
        now: u64,
    ) {
        // SAFETY: the caller owns the range, so the segment is live, and the descriptor is nobody else's.
        unsafe {
            match self.lots.get((*segment).lot.load(Ordering::Relaxed)) {
                None => h.give(segment, span, touched, now),
                Some(lot) => {
                    let run = Segment::descriptor(segment, span.first);
                    (*run).carved = touched as u16;
                    lot.returned.push(run);
                }
            }
        }
    }

    /// Takes in what others gave back. Returns whether the page heap has more than is worth keeping.
    ///
    /// For the holder of the lot's lock.
    #[inline(never)]
    fn collect(&self, policy: &Policy, number: u32, lot: &Lot, stock: &mut Stock) -> bool {
        // SAFETY: the ranges are on the stack, so they are the lot's to give.
        unsafe { self.sort_to_heap(number, lot, stock, os::now_ms()) };
        self.shed(policy, number, stock)
    }

    /// As [`sort`](Self::sort), for who does not hold the page heap's lock.
    ///
    /// # Safety
    /// The caller holds the lot's lock.
    unsafe fn sort_to_heap(&self, number: u32, lot: &Lot, stock: &mut Stock, now: u64) {
        // SAFETY: the ranges are on the stack or the chain, so they are the lot's to give.
        unsafe {
            self.sort(number, lot, stock, &mut |segment, span, touched| {
                self.locked(|h| self.give_within(h, segment, span, touched, now));
            });
        }
    }

    /// Gives each range that others gave back to whom its segment belongs to, as that may have changed meanwhile.
    ///
    /// # Safety
    /// The caller holds the lot's lock. `to_heap` gives a range to the page heap.
    #[inline(never)]
    unsafe fn sort(
        &self,
        number: u32,
        lot: &Lot,
        stock: &mut Stock,
        to_heap: &mut dyn FnMut(*mut Segment, Span, usize),
    ) {
        let chain = core::mem::replace(&mut stock.chain, core::ptr::null_mut());
        stock.chained = 0;
        for mut run in [chain, lot.returned.take().0] {
            while !run.is_null() {
                let segment = Segment::of(run.cast());
                // SAFETY: a range that waits here is nobody else's, and keeps its segment live.
                unsafe {
                    let (next, span, touched) = ((*run).next, Run::span(run), usize::from((*run).carved));
                    match (*segment).lot.load(Ordering::Relaxed) {
                        owner if owner == number => stock.give(segment, span, touched),
                        owner => match self.lots.get(owner) {
                            Some(other) => drop(other.returned.push(run)),
                            None => to_heap(segment, span, touched),
                        },
                    }
                    run = next;
                }
            }
        }
    }

    /// The page heap gets the emptiest segments, until the lot has no more free pages than it may keep. Returns whether the
    /// page heap has more than is worth keeping.
    ///
    /// For the holder of the lot's lock.
    fn shed(&self, policy: &Policy, number: u32, stock: &mut Stock) -> bool {
        let mut excess = false;
        while stock.is_over(policy) {
            let now = os::now_ms();
            if !stock.chain.is_null()
                && let Some(lot) = self.lots.get(number)
            {
                // SAFETY: the lot's lock is held, and what others gave back is the lot's to give.
                unsafe { self.sort_to_heap(number, lot, stock, now) };
                continue;
            }
            excess = self.locked(|h| {
                let before = h.dirty_pages;
                self.move_one(stock, h, now);
                h.hope(policy, h.dirty_pages.saturating_sub(before), now);
                h.excess(policy, now) > 0
            });
        }
        excess
    }

    /// The page heap gets the emptiest segment of a lot that has any. For the holder of both locks.
    fn move_one(&self, stock: &mut Stock, h: &mut PageHeap, now: u64) -> bool {
        let segment = stock.buckets.emptiest();
        if segment.is_null() {
            return false;
        }
        // SAFETY: both locks are held; the segment is the lot's, and in no bucket in between.
        unsafe {
            stock.remove(segment);
            h.get_back(segment, now);
        }
        self.lots.lent.fetch_sub(1, Ordering::Relaxed);
        true
    }

    /// The page heap gets all segments that are lent: of all lots, or of those that rest. A lot rests when nothing was taken or
    /// given there since this was last called.
    pub fn recall(&self, way: &impl Way, resting: bool) {
        if !self.lots.any() {
            return;
        }
        for (number, lot) in self.lots.opened() {
            let now = os::now_ms();
            way.both(self, lot, |stock, h| {
                if resting && core::mem::take(&mut stock.used) {
                    // More may come back to the page heap: whoever purges it has to look again.
                    h.returns = h.returns.wrapping_add(1);
                    return;
                }
                // SAFETY: both locks are held, and the ranges are on the stack.
                unsafe {
                    self.sort(number, lot, stock, &mut |segment, span, touched| {
                        h.give(segment, span, touched, now);
                    });
                }
                while self.move_one(stock, h, now) {}
            });
        }
    }

    /// As [`recall`](Self::recall), of all lots. Returns whether there was anything.
    pub fn recall_all(&self) -> bool {
        let any = self.lots.any();
        self.recall(&super::Waiting, false);
        any
    }

    /// Free pages.
    pub fn free_pages(&self, policy: &Policy) -> usize {
        self.lent(policy, &mut |_| {}) + self.locked(|h| h.free_pages)
    }

    /// Calls `f` with every segment of a lot. Returns how many free pages these have.
    #[cold]
    #[inline(never)]
    pub fn lent(&self, policy: &Policy, f: &mut dyn FnMut(*mut Segment)) -> usize {
        let mut free = 0;
        if !self.lots.any() {
            return free;
        }
        for (number, lot) in self.lots.opened() {
            lot.locked(|stock| {
                // What the page heap has too much of then goes at the next event that looks.
                self.collect(policy, number, lot, stock);
                free += stock.free_pages;
                stock.buckets.for_each(&mut *f);
            });
        }
        free
    }

    /// Makes a range longer by the pages right behind it, if these are free: see [`PageHeap::extend`].
    ///
    /// # Safety
    /// The caller owns the range, so its segment is live.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn extend(&self, policy: &Policy, segment: *mut Segment, span: Span, more: usize) -> bool {
        // SAFETY: the segment is live, and the lock of whoever has it is held.
        unsafe {
            self.held(segment, |holder| match holder {
                Holder::Heap(h) => h.extend(policy, segment, span, more),
                Holder::Lot(_, stock) => Segment::extend(policy, segment, span, more, |fit, frame| {
                    self.take_out(policy, stock, segment, fit, frame).is_some()
                }),
            })
        }
    }

    /// Takes a place out of a lot's segment. None if the kernel has no memory for it.
    fn take_out(
        &self,
        policy: &Policy,
        stock: &mut Stock,
        segment: *mut Segment,
        fit: Fit,
        frame: Frame,
    ) -> Option<Taken> {
        let end = fit.span.end().number();
        // SAFETY: segments of a lot are live, and the lot's lock is held.
        let open = end <= unsafe { (*segment).opened } as usize || self.locked(|h| h.open_pages(policy, segment, end));
        if open {
            stock.cut(policy, segment, fit, frame)
        } else {
            None
        }
    }
}

const _: () = assert!(LOTS < u16::MAX as usize, "a thread's seat has the number of its lot");
