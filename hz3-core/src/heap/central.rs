//! Central: the runs of one class, and the only place where objects leave and enter runs.
//!
//! Runs with something left to hand out form a list. The front one is used until it is exhausted; a run that was
//! exhausted and gets an object back goes to the end, so that the runs behind the front fill up with returned objects
//! and, with luck, become empty and go back to the page heap.

use super::page::Span;
use super::segment::{GONE, Run, Segment};
use super::{Heap, Reach, depot};
use crate::list::{self, Batch};
use crate::os::PAGE;
use crate::policy::{Class, Naming, Pool, Shape, Space, Tag};
use crate::sync::{AtomicU32, AtomicU64, Lock, Ordering};
use core::cell::UnsafeCell;
use core::ptr;

/// The runs of one class.
#[repr(align(64))]
pub struct Central {
    /// Guards everything below, and the descriptors of the class's runs.
    pub lock: Lock,
    /// `Runs::empty` as it was when the lock was last released.
    empty: AtomicU32,
    inner: UnsafeCell<Runs>,
}

struct Runs {
    first: *mut Run,
    last: *mut Run,
    /// Runs in the list that have no object out.
    empty: u32,
    /// Runs of the class.
    runs: u32,
    /// Colour of the next run.
    color: u32,
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
                first: ptr::null_mut(),
                last: ptr::null_mut(),
                empty: 0,
                runs: 0,
                color: 0,
            }),
        }
    }

    /// Takes up to `want` objects; fewer rather than opening a second run. An empty batch means that there is no memory.
    ///
    /// # Safety
    /// `pool` is the pool of this central, `class` the row of its class, and `heap` the heap of its variant.
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
                take_free::<S>(run, want, &mut batch);
                carve::<S>(run, class.size as usize, want, &mut batch);
                if (*run).free == 0 && (*run).carved == (*run).capacity {
                    runs.unlink(run);
                }
            }
        }
        self.empty.store(runs.empty, Ordering::Relaxed);
        batch
    }

    /// Takes objects back into their runs, and gives runs that become empty back to the page heap, but for a few.
    ///
    /// # Safety
    /// The objects of the list from `head` on are the caller's, and of this central's pool; `class` is the row of its
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

    /// Takes one batch of a depot back into its runs, without waiting for anybody. None if that would need waiting; else
    /// whether there was one.
    ///
    /// # Safety
    /// `words` is the depot of this central's pool, `class` the row of its class, and `heap` the heap of its variant.
    pub unsafe fn try_settle<S: Shape>(&self, heap: &Heap, class: &Class, words: &[AtomicU64]) -> Option<bool> {
        let _guard = self.lock.try_lock()?;
        let now = crate::os::now_ms();
        let settled = heap.try_locked(|h| {
            let Some(batch) = depot::take(words) else { return false };
            // SAFETY: both locks are held; a depot hands each batch to one taker, who gives it back.
            unsafe {
                self.take_back::<S>(
                    class,
                    batch.head,
                    S::POLICY.depot.empty_runs,
                    |segment, span, touched| h.give(segment, span, touched, now),
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
    /// `class` is the row of its class.
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
        let _guard = self.lock.lock();
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

/// Moves objects from the run's free list to the batch: the list as a whole where it fits, without walking it.
///
/// # Safety
/// `run` is open, and the caller holds the lock of its central; the batch is of the run's pool.
unsafe fn take_free<S: Shape>(run: *mut Run, want: u32, batch: &mut Batch) {
    // SAFETY: the run is open and its class's lock held, so its free list is ours.
    unsafe {
        if batch.count == 0 && (*run).free > 0 && u32::from((*run).free) <= want {
            *batch = Batch {
                head: Run::first_free(run),
                count: u32::from((*run).free),
            };
            (*run).free = 0;
            return;
        }
        while batch.count < want && (*run).free > 0 {
            let p = Run::first_free(run);
            Run::set_first_free(run, list::next::<S>(p), (*run).free - 1);
            batch.push::<S>(p);
        }
    }
}

/// Carves objects that were never handed out; the batch starts with the lowest of them.
///
/// # Safety
/// `run` is open, of objects of `size` bytes, and the caller holds the lock of its central; the batch is of the run's pool.
unsafe fn carve<S: Shape>(run: *mut Run, size: usize, want: u32, batch: &mut Batch) {
    // SAFETY: the run is open and its class's lock held; places from `carved` on belong to nobody.
    unsafe {
        let n = (want - batch.count.min(want)).min(u32::from((*run).capacity - (*run).carved)) as usize;
        if n == 0 {
            return;
        }
        let start = Run::object(run, (*run).carved as usize, size);
        let mut p = start;
        for _ in 1..n {
            let following = p.add(size);
            list::set_next::<S>(p, following);
            p = following;
        }
        list::set_next::<S>(p, batch.head);
        batch.head = start;
        batch.count += n as u32;
        (*run).carved += n as u16;
    }
}

impl Runs {
    /// Opens a run: pages from the page heap, tags, and a place at the front of the list. Null without memory.
    ///
    /// # Safety
    /// The caller holds the lock of the central whose runs these are, those of `pool`; `class` is the row of its class.
    unsafe fn open<S: Shape>(&mut self, heap: &Heap, reach: Reach, pool: Pool<S>, class: &Class) -> *mut Run {
        let least = (class.size as usize).div_ceil(PAGE);
        let taken = heap.locked(|h| h.take(&S::POLICY, reach, least, class.run_pages as usize, 1));
        let Some(t) = taken else {
            return ptr::null_mut();
        };
        // SAFETY: the span was just taken, so its pages, tags and descriptor are ours.
        unsafe {
            let run = Segment::open_run(t.segment, t.span, pool.number() as u16);
            let bytes = t.span.len * PAGE;
            let (shift, capacity) = if t.span.len == class.run_pages as usize {
                let color = self.color % u32::from(class.colors.max(1));
                self.color = color + 1;
                (color as usize * 64, class.objects as usize)
            } else {
                (0, bytes.checked_div(class.size as usize).unwrap_or(0))
            };
            (*run).shift = (shift / 16) as u16;
            (*run).capacity = capacity as u16;
            let tag = S::Route::tag::<S>(pool.owner(), pool.class());
            set_tags::<S>(Run::base(run), t.span.len, tag);
            self.runs += 1;
            self.empty += 1;
            self.push_front(run);
            run
        }
    }

    /// Takes objects back into their runs. Those that become empty are closed, but for `keep`, and their pages passed to
    /// `give`. Returns whether there were any.
    ///
    /// # Safety
    /// The caller holds the lock. The objects of the list from `head` on are the caller's, and of this central's pool;
    /// `class` is the row of its class.
    unsafe fn take_back<S: Shape>(
        &mut self,
        class: &Class,
        head: *mut u8,
        keep: u32,
        mut give: impl FnMut(*mut Segment, Span, usize),
    ) -> bool {
        let mut closed = false;
        let mut p = head;
        while !p.is_null() {
            // SAFETY: the caller owns the list; its objects lie in open runs of this class, whose descriptors the
            // lock guards.
            unsafe {
                let following = list::next::<S>(p);
                let run = Segment::run_of(p);
                let exhausted = (*run).free == 0 && (*run).carved == (*run).capacity;
                list::set_next::<S>(p, Run::first_free(run));
                Run::set_first_free(run, p, (*run).free + 1);
                if exhausted {
                    self.append(run);
                }
                if Run::live(run) == 0 {
                    if self.empty < keep {
                        self.empty += 1;
                    } else {
                        let (segment, span, touched) = self.close::<S>(class, run);
                        give(segment, span, touched);
                        closed = true;
                    }
                }
                p = following;
            }
        }
        closed
    }

    /// Closes an empty run that is in the list and no longer counted as empty. Returns its pages, which are the caller's to
    /// give, and how many of them were touched.
    ///
    /// # Safety
    /// `run` is in the list, and no object of it is out; the caller holds the lock.
    unsafe fn close<S: Shape>(&mut self, class: &Class, run: *mut Run) -> (*mut Segment, Span, usize) {
        // SAFETY: no object of the run is out, so its pages are central's, and now the caller's.
        unsafe {
            self.unlink(run);
            self.runs -= 1;
            let span = Run::span(run);
            let used = Run::bytes_to(run, (*run).carved as usize, class.size as usize);
            set_tags::<S>(Run::base(run), span.len, 0);
            (*run).pool = GONE;
            (Segment::of(run.cast()), span, used.div_ceil(PAGE))
        }
    }

    /// # Safety
    /// `run` is open and in no list; the caller holds the lock.
    unsafe fn push_front(&mut self, run: *mut Run) {
        // SAFETY: the run is open and in no list; the lock is held.
        unsafe {
            (*run).prev = ptr::null_mut();
            (*run).next = self.first;
            if self.first.is_null() {
                self.last = run;
            } else {
                (*self.first).prev = run;
            }
        }
        self.first = run;
    }

    /// # Safety
    /// `run` is open and in no list; the caller holds the lock.
    unsafe fn append(&mut self, run: *mut Run) {
        // SAFETY: as in `push_front`.
        unsafe {
            (*run).next = ptr::null_mut();
            (*run).prev = self.last;
            if self.last.is_null() {
                self.first = run;
            } else {
                (*self.last).next = run;
            }
        }
        self.last = run;
    }

    /// # Safety
    /// `run` is in the list; the caller holds the lock.
    unsafe fn unlink(&mut self, run: *mut Run) {
        // SAFETY: the run is in the list; the lock is held.
        unsafe {
            let (prev, next) = ((*run).prev, (*run).next);
            if prev.is_null() {
                self.first = next;
            } else {
                (*prev).next = next;
            }
            if next.is_null() {
                self.last = prev;
            } else {
                (*next).prev = prev;
            }
        }
    }
}

/// Tags `pages` pages from `base` on. Pages that the table does not cover have no tag: `free` finds them on its slow
/// path.
///
/// # Safety
/// The pages follow each other in one segment, and belong to the caller: no object of them is out.
unsafe fn set_tags<S: Shape>(base: *mut u8, pages: usize, tag: usize) {
    let Some(cells) = S::Space::cell::<S>(base) else { return };
    for i in 0..pages {
        // SAFETY: pages that follow each other in a segment have cells that follow each other.
        unsafe { S::Tag::store(cells.add(i * S::Tag::BYTES), tag) };
    }
}
