//! The runs of one pool: which of them have something left to hand out, and how objects leave them and come back.

use super::page::Span;
use super::segment::{GONE, Run, Segment};
use super::{Heap, Reach};
use crate::list::{self, Batch};
use crate::os::PAGE;
use crate::policy::agreed::{COLOR_STEP, GRANULE};
use crate::policy::{Class, Naming, Pool, Shape, Space, Tag};
use core::ptr;

pub(super) struct Runs {
    pub(super) first: *mut Run,
    pub(super) last: *mut Run,
    /// Runs in the list that have no object out.
    pub(super) empty: u32,
    /// Runs of the class.
    pub(super) runs: u32,
    /// Colour of the next run.
    pub(super) color: u32,
}

/// Moves objects from the run's free list to the batch: the list as a whole where it fits, without walking it.
///
/// # Safety
/// `run` is open, and the caller holds the lock of its central; the batch is of the run's pool.
pub(super) unsafe fn take_free<S: Shape>(run: *mut Run, want: u32, batch: &mut Batch) {
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

/// Objects from this size on may be handed out one at a time. Smaller ones lie on a cache line with their neighbours, which
/// had better go to the same thread.
const ALONE: usize = 256;

/// Carves objects that were never handed out: the next one, and those behind it that begin in the same page.
///
/// To touch a page for the first time is a fault, the dearest thing that can happen to a request. Who asked for the object
/// will touch it, so the first object of a page is handed out alone, and nothing is written into it. When the next one is
/// wanted, the page is there, as a rule. Of small objects all that begin in a page go at once. Thus no request pays for
/// more than one page, and hardly any for that.
///
/// # Safety
/// `run` is open, of objects of `size` bytes, not all of which were carved; the caller holds the lock of its central.
pub(super) unsafe fn carve<S: Shape>(run: *mut Run, size: usize, want: u32) -> Batch {
    // SAFETY: the run is open and its class's lock held; places from `carved` on belong to nobody.
    unsafe {
        let carved = (*run).carved;
        let start = Run::object(run, carved as usize, size);
        let offset = start as usize % PAGE;
        let n = if size >= ALONE && (carved == 0 || offset < size) {
            1
        } else {
            let here = (PAGE - offset).div_ceil(size.max(1)); // A division by zero would be a panic in the library.
            here.min(want as usize).min(((*run).capacity - carved) as usize)
        };
        (*run).carved += n as u16;
        if n > 1 {
            let mut p = start;
            for _ in 1..n {
                let following = p.add(size);
                list::set_next::<S>(p, following);
                p = following;
            }
            list::set_next::<S>(p, ptr::null_mut());
        }
        Batch {
            head: start,
            count: n as u32,
        }
    }
}

/// Carves small objects and puts them before those that a thread takes out of a run's free list. They are what it gets first: what
/// came back may lie on a cache line with another thread's objects. Larger objects have their lines for themselves.
///
/// # Safety
/// As for [`carve`], but all may be carved already; `batch` is a list that is the caller's.
pub(super) unsafe fn carve_before<S: Shape>(run: *mut Run, size: usize, want: u32, batch: &mut Batch) {
    // SAFETY: the run is open and its class's lock held; what is carved is a list of `count` places side by side.
    unsafe {
        if size >= ALONE || batch.count >= want || (*run).carved == (*run).capacity {
            return;
        }
        let front = carve::<S>(run, size, want - batch.count);
        let last = front.head.add((front.count as usize - 1) * size);
        list::set_next::<S>(last, batch.head);
        *batch = Batch {
            head: front.head,
            count: front.count + batch.count,
        };
    }
}

impl Runs {
    /// Opens a run: pages from the page heap, tags, and a place at the front of the list. Null without memory.
    ///
    /// # Safety
    /// The caller holds the lock of the central whose runs these are, those of `pool`; `class` is the entry of its class.
    pub(super) unsafe fn open<S: Shape>(
        &mut self,
        heap: &Heap,
        reach: Reach,
        pool: Pool<S>,
        class: &Class,
    ) -> *mut Run {
        let least = (class.size as usize).div_ceil(PAGE);
        let taken = heap.take(&S::POLICY, reach, least, class.run_pages as usize, 1);
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
                (color as usize * COLOR_STEP, class.objects as usize)
            } else {
                (0, bytes.checked_div(class.size as usize).unwrap_or(0))
            };
            (*run).shift = (shift / GRANULE) as u16;
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
    /// `class` is the entry of its class.
    pub(super) unsafe fn take_back<S: Shape>(
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
    pub(super) unsafe fn close<S: Shape>(&mut self, class: &Class, run: *mut Run) -> (*mut Segment, Span, usize) {
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
    pub(super) unsafe fn unlink(&mut self, run: *mut Run) {
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
