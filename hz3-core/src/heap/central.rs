//! Central: the runs of one class, and the only place where objects leave and enter runs.
//!
//! Runs with something left to hand out form a list. The front one is used until it is exhausted; a run that was
//! exhausted and gets an object back goes to the end, so that the runs behind the front fill up with returned objects
//! and, with luck, become empty and go back to the page heap.

use super::carve::{carve, carve_before};
use super::check::{Bad, Sieve};
use super::depot;
use super::holes;
use super::page::Span;
use super::run::Run;
use super::runs::{self, Returned, Runs, take_free};
use super::segment::Segment;
use super::sparse::{Search, Searched};
use super::{Heap, Reach};
use crate::list::Batch;
use crate::policy::{Class, Pool, Shape};
use crate::sync::{AtomicU32, AtomicU64, Guard, Lock, Ordering};
use core::cell::UnsafeCell;

/// The runs of one class.
#[repr(align(64))]
pub struct Central {
    /// Guards everything below, and the descriptors of the class's runs.
    pub lock: Lock,
    /// `Runs::empty` as it was when the lock was last released.
    empty: AtomicU32,
    inner: UnsafeCell<Runs>,
}

// SAFETY: `inner` is only touched while `lock` is held.
unsafe impl Sync for Central {}

/// What central knows of a class.
#[derive(Clone, Copy, Default, Debug)]
pub struct Census {
    /// Runs.
    pub runs: u32,
    /// Runs with nothing out.
    pub empty: u32,
    /// Objects free in runs that have some out.
    pub free: u64,
    /// Pages of runs that were given back.
    pub holes: u32,
}

/// What a run knows of the place of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Neighbour {
    /// It was never handed out.
    Fresh,
    /// It is free, and in the run's list.
    Home,
    /// It is in use, or in some thread's or depot's list.
    Out,
}

impl Central {
    /// What `run` knows of the place `at`, for a message. None if no object of it begins there, or if the answer would take
    /// waiting.
    ///
    /// # Safety
    /// `run` is a descriptor in the header of a segment that is there; `class` is that of this central's objects.
    pub unsafe fn try_look<S: Shape>(&self, run: *mut Run, class: &Class, at: *mut u8) -> Option<Neighbour> {
        let _guard = self.lock.try_lock()?;
        // SAFETY: the lock is held, so that the run is as it is; nothing is followed that is not in its pages.
        unsafe { runs::look::<S>(run, class, at) }
    }

    /// No runs.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Central {
            lock: Lock::new(),
            empty: AtomicU32::new(0),
            inner: UnsafeCell::new(Runs {
                first: core::ptr::null_mut(),
                last: core::ptr::null_mut(),
                sparse: core::ptr::null_mut(),
                cursor: core::ptr::null_mut(),
                holes: 0,
                empty: 0,
                runs: 0,
                color: 0,
            }),
        }
    }

    /// Takes up to `want` objects; fewer rather than opening a second run, and of what was never handed out those of one page
    /// at most. An empty batch means that there is no memory. In a batch of one object nothing was written into that object:
    /// take it out before you hand the batch on. The second answer is what was found wrong.
    ///
    /// # Safety
    /// `pool` is the pool of this central, and `heap` the heap of its variant.
    #[inline(never)]
    pub unsafe fn take<S: Shape>(&self, heap: &Heap, reach: Reach, pool: Pool<S>, want: u32) -> (Batch, Option<Bad>) {
        let class = pool.row();
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        let runs = unsafe { &mut *self.inner.get() };
        let (mut batch, mut bad) = (Batch::EMPTY, None);
        while batch.count < want && bad.is_none() {
            if runs.first.is_null() {
                if batch.count > 0 {
                    break;
                }
                // SAFETY: the lock is held.
                let found = holes::on::<S>() && unsafe { runs.fall_back() };
                if !found && reach == Reach::Held {
                    break;
                }
                // SAFETY: the lock is held, and the caller names the class.
                if !found && unsafe { runs.open::<S>(heap, reach, pool, class) }.is_null() {
                    break;
                }
            }
            let run = runs.first;
            // SAFETY: runs in the list are open and of this class; the lock is held.
            unsafe {
                if Run::live(run) == 0 {
                    runs.empty -= 1;
                }
                // A run in the list has free objects or some to carve. What is carved stays alone: it may be no list yet.
                bad = take_free::<S>(run, class, want, &mut batch);
                let carved = batch.count == 0;
                if carved && holes::has::<S>(run) {
                    let (opened, pages) = holes::open::<S>(run, class, want, &heap.order);
                    batch = opened;
                    runs.holes -= pages as u32;
                } else if carved {
                    batch = carve::<S>(run, class.size as usize, want, &heap.order).batch;
                } else {
                    carve_before::<S>(run, class.size as usize, want, &heap.order, &mut batch);
                }
                if holes::on::<S>() {
                    Run::was_taken_from(run);
                }
                let exhausted = (*run).free == 0 && (*run).carved == (*run).capacity;
                if exhausted {
                    runs.unlink(run);
                }
                if carved || !exhausted {
                    break;
                }
            }
        }
        self.empty.store(runs.empty, Ordering::Relaxed);
        (batch, bad)
    }

    /// Takes objects back into their runs, and gives runs that become empty back to the page heap, but for a few. Returns what was
    /// found wrong.
    ///
    /// # Safety
    /// The objects of the batch are the caller's, and of this central's pool, `pool`; `heap` is the heap of its variant.
    pub unsafe fn give<S: Shape>(&self, heap: &Heap, pool: Pool<S>, batch: Batch) -> Option<Bad> {
        // SAFETY: it asks for no more than this function.
        unsafe { self.give_keeping::<S>(heap, pool, batch, &|| S::POLICY.depot.empty_runs) }
    }

    /// As [`give`](Self::give); `keep` says how many empty runs may stay. It is called while the lock is held.
    ///
    /// # Safety
    /// As for [`give`](Self::give). `keep` takes no lock.
    #[inline(never)]
    pub unsafe fn give_keeping<S: Shape>(
        &self,
        heap: &Heap,
        pool: Pool<S>,
        batch: Batch,
        keep: &dyn Fn() -> u32,
    ) -> Option<Bad> {
        let guard = self.lock.lock();
        let outside = |p: *const u8| heap.has_outside(p);
        // SAFETY: the lock is held, and the objects are ours to give. The pages of a run that is closed are this function's
        // to give.
        let returned = unsafe {
            self.take_back::<S>(
                &mut Sieve::new(heap, &outside),
                pool,
                batch,
                keep(),
                |segment, span, touched| {
                    heap.give(segment, span, touched);
                },
            )
        };
        drop(guard);
        if returned.closed {
            heap.purge_excess(&S::POLICY);
        }
        returned.bad
    }

    /// Takes the batch of one word of a depot back into its runs if it is an old one, without waiting for anybody. None if that
    /// would need waiting; else whether it was, and what was found wrong.
    ///
    /// # Safety
    /// `word` is one of the depot of this central's pool, `pool`, and `heap` the heap of its variant.
    pub unsafe fn try_settle<S: Shape>(
        &self,
        heap: &Heap,
        pool: Pool<S>,
        word: &AtomicU64,
    ) -> Option<(bool, Option<Bad>)> {
        let _guard = self.lock.try_lock()?;
        let now = crate::os::now_ms();
        let settled = heap.try_locked(|h| {
            let Some(batch) = depot::take_old(word) else {
                return (false, None);
            };
            let h: *mut super::PageHeap = h;
            // SAFETY: the lock is held; nobody else has a reference to the page heap while this is called.
            let outside = |p: *const u8| unsafe { (*h).has_outside(p) };
            // SAFETY: both locks are held; a depot hands each batch to one taker, who gives it back.
            let returned = unsafe {
                self.take_back::<S>(
                    &mut Sieve::new(heap, &outside),
                    pool,
                    batch,
                    S::POLICY.depot.empty_runs,
                    |segment, span, touched| heap.give_within(&mut *h, segment, span, touched, now),
                )
            };
            (true, returned.bad)
        });
        settled.ok()
    }

    /// See [`Runs::take_back`].
    ///
    /// # Safety
    /// The caller holds the lock. The objects of the batch are the caller's, and of this central's pool, `pool`.
    unsafe fn take_back<S: Shape>(
        &self,
        sieve: &mut Sieve<'_>,
        pool: Pool<S>,
        batch: Batch,
        keep: u32,
        give: impl FnMut(*mut Segment, Span, usize),
    ) -> Returned {
        // SAFETY: the lock is held.
        let runs = unsafe { &mut *self.inner.get() };
        // SAFETY: the lock is held.
        let returned = unsafe { runs.take_back::<S>(sieve, pool, batch, keep, give) };
        self.empty.store(runs.empty, Ordering::Relaxed);
        returned
    }

    /// Goes on with a search for pages that no object in use lies in, and gives these back: see [`Search`].
    ///
    /// # Safety
    /// `pool` is the pool of this central, and `heap` the heap of its variant.
    pub unsafe fn search<S: Shape>(&self, heap: &Heap, pool: Pool<S>, search: Search) -> Searched {
        let guard = self.lock.lock();
        // SAFETY: it asks for no more than this function.
        let searched = unsafe { self.searched::<S>(&guard, heap, pool, search) };
        drop(guard);
        if searched.closed {
            heap.purge_excess(&S::POLICY);
        }
        searched
    }

    /// As [`search`](Self::search), without waiting for anybody. None if that would need waiting.
    ///
    /// # Safety
    /// As for [`search`](Self::search); no empty runs are asked for.
    pub unsafe fn try_search<S: Shape>(&self, heap: &Heap, pool: Pool<S>, search: Search) -> Option<Searched> {
        let guard = self.lock.try_lock()?;
        // SAFETY: it asks for no more than this function.
        Some(unsafe { self.searched::<S>(&guard, heap, pool, search) })
    }

    /// # Safety
    /// As for [`search`](Self::search).
    #[inline(never)]
    unsafe fn searched<S: Shape>(&self, _: &Guard<'_>, heap: &Heap, pool: Pool<S>, search: Search) -> Searched {
        // SAFETY: the lock is held, and guards the runs; the pool is theirs.
        unsafe {
            let runs = &mut *self.inner.get();
            let searched = runs.search::<S>(heap, pool.row(), search);
            self.empty.store(runs.empty, Ordering::Relaxed);
            searched
        }
    }

    /// Gives all empty runs back to the page heap.
    pub fn release_empty<S: Shape>(&self, heap: &Heap, class: &Class) {
        // In a shortage all centrals are asked, again and again, and hardly any has one.
        if self.empty.load(Ordering::Relaxed) == 0 {
            return;
        }
        let _guard = self.lock.lock();
        // SAFETY: the lock is held; runs in the list are open and of this class.
        unsafe {
            let runs = &mut *self.inner.get();
            for mut run in [runs.first, runs.sparse] {
                while !run.is_null() && runs.empty > 0 {
                    let following = (*run).next;
                    if Run::live(run) == 0 {
                        runs.empty -= 1;
                        runs.close::<S>(class, run, &mut |segment, span, touched| {
                            heap.give(segment, span, touched);
                        });
                    }
                    run = following;
                }
            }
            self.empty.store(runs.empty, Ordering::Relaxed);
        }
    }

    /// Counts.
    pub fn census(&self) -> Census {
        let guard = self.lock.lock();
        self.counted(&guard)
    }

    /// As [`census`](Self::census), if that needs no waiting.
    pub fn try_census(&self) -> Option<Census> {
        self.lock.try_lock().map(|guard| self.counted(&guard))
    }

    fn counted(&self, _: &Guard<'_>) -> Census {
        // SAFETY: the lock is held; runs in the list are open.
        unsafe {
            let runs = &*self.inner.get();
            let mut out = Census {
                runs: runs.runs,
                empty: runs.empty,
                free: 0,
                holes: runs.holes,
            };
            for mut run in [runs.first, runs.sparse] {
                while !run.is_null() {
                    out.free += u64::from((*run).capacity) - u64::from(Run::live(run));
                    run = (*run).next;
                }
            }
            out
        }
    }
}
