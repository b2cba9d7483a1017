//! Central: the runs of one class, and the only place where objects leave and enter runs.
//!
//! Runs with something left to hand out form a list. The front one is used until it is exhausted; a run that was
//! exhausted and gets an object back goes to the end, so that the runs behind the front fill up with returned objects
//! and, with luck, become empty and go back to the page heap.

use super::depot;
use super::page::Span;
use super::runs::{Runs, carve, carve_before, take_free};
use super::segment::{Run, Segment};
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
}

impl Central {
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
                empty: 0,
                runs: 0,
                color: 0,
            }),
        }
    }

    /// Takes up to `want` objects; fewer rather than opening a second run, and of what was never handed out those of one page
    /// at most. An empty batch means that there is no memory. In a batch of one object nothing was written into that object:
    /// take it out before you hand the batch on.
    ///
    /// # Safety
    /// `pool` is the pool of this central, `class` the entry of its class, and `heap` the heap of its variant.
    pub unsafe fn take<S: Shape>(&self, heap: &Heap, reach: Reach, pool: Pool<S>, class: &Class, want: u32) -> Batch {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        let runs = unsafe { &mut *self.inner.get() };
        let mut batch = Batch::EMPTY;
        while batch.count < want {
            if runs.first.is_null() {
                if batch.count > 0 || reach == Reach::Held {
                    break;
                }
                // SAFETY: the lock is held, and the caller names the class.
                let run = unsafe { runs.open::<S>(heap, reach, pool, class) };
                if run.is_null() {
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
                take_free::<S>(run, want, &mut batch);
                let carved = batch.count == 0;
                if carved {
                    batch = carve::<S>(run, class.size as usize, want);
                } else {
                    carve_before::<S>(run, class.size as usize, want, &mut batch);
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
        batch
    }

    /// Takes objects back into their runs, and gives runs that become empty back to the page heap, but for a few.
    ///
    /// # Safety
    /// The objects of the list from `head` on are the caller's, and of this central's pool; `class` is the entry of its
    /// class, and `heap` the heap of its variant.
    pub unsafe fn give<S: Shape>(&self, heap: &Heap, class: &Class, head: *mut u8) {
        // SAFETY: it asks for no more than this function.
        unsafe { self.give_keeping::<S>(heap, class, head, || S::POLICY.depot.empty_runs) }
    }

    /// As [`give`](Self::give); `keep` says how many empty runs may stay. It is called while the lock is held.
    ///
    /// # Safety
    /// As for [`give`](Self::give). `keep` takes no lock.
    pub unsafe fn give_keeping<S: Shape>(&self, heap: &Heap, class: &Class, head: *mut u8, keep: impl FnOnce() -> u32) {
        let guard = self.lock.lock();
        // SAFETY: the lock is held, and the objects are ours to give. The pages of a run that is closed are this function's
        // to give.
        let closed = unsafe {
            self.take_back::<S>(class, head, keep(), |segment, span, touched| {
                heap.give(segment, span, touched);
            })
        };
        drop(guard);
        if closed {
            heap.purge_excess(&S::POLICY);
        }
    }

    /// Takes the batch of one word of a depot back into its runs if it is an old one, without waiting for anybody. None if that
    /// would need waiting; else whether it was.
    ///
    /// # Safety
    /// `word` is one of the depot of this central's pool, `class` the entry of its class, and `heap` the heap of its variant.
    pub unsafe fn try_settle<S: Shape>(&self, heap: &Heap, class: &Class, word: &AtomicU64) -> Option<bool> {
        let _guard = self.lock.try_lock()?;
        let now = crate::os::now_ms();
        let settled = heap.try_locked(|h| {
            let Some(batch) = depot::take_old(word) else {
                return false;
            };
            // SAFETY: both locks are held; a depot hands each batch to one taker, who gives it back.
            unsafe {
                self.take_back::<S>(
                    class,
                    batch.head,
                    S::POLICY.depot.empty_runs,
                    |segment, span, touched| heap.give_within(h, segment, span, touched, now),
                )
            };
            true
        });
        settled.ok()
    }

    /// See [`Runs::take_back`].
    ///
    /// # Safety
    /// The caller holds the lock. The objects of the list from `head` on are the caller's, and of this central's pool;
    /// `class` is the entry of its class.
    unsafe fn take_back<S: Shape>(
        &self,
        class: &Class,
        head: *mut u8,
        keep: u32,
        give: impl FnMut(*mut Segment, Span, usize),
    ) -> bool {
        // SAFETY: the lock is held.
        let runs = unsafe { &mut *self.inner.get() };
        // SAFETY: the lock is held.
        let closed = unsafe { runs.take_back::<S>(class, head, keep, give) };
        self.empty.store(runs.empty, Ordering::Relaxed);
        closed
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
            let mut run = runs.first;
            while !run.is_null() && runs.empty > 0 {
                let following = (*run).next;
                if Run::live(run) == 0 {
                    runs.empty -= 1;
                    let (segment, span, touched) = runs.close::<S>(class, run);
                    heap.give(segment, span, touched);
                }
                run = following;
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
            };
            let mut run = runs.first;
            while !run.is_null() {
                out.free += u64::from((*run).capacity) - u64::from(Run::live(run));
                run = (*run).next;
            }
            out
        }
    }
}
