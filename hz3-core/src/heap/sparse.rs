//! The runs of a pool few of whose objects are out, and the search for pages that can be given back.
//!
//! A search looks at each run that has something left to hand out. A run from which nobody took between two searches is old: its
//! free list is walked, if enough came home since that was last done, and what pages it has without an object in use are given
//! back. Old runs with holes, or half of whose objects are free, are set aside: others hand out their objects
//! first, so that these drain.
//!
//! Runs of a single page have no such pages: they go back as a whole.

use super::Heap;
use super::dense::state;
use super::holes;
use super::run::{Note, Run};
use super::runs::Runs;
use super::segment::Segment;
use crate::os::PAGE;
use crate::policy::{Class, Shape};
use core::ptr;

/// Runs that are compared when one that was set aside has to serve.
const COMPARED: usize = 8;

/// One of the two lists of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum List {
    /// Runs that were set aside.
    Sparse,
    /// All others that have something left.
    Main,
}

/// A step of a search.
#[derive(Clone, Copy)]
pub struct Search {
    /// The list that it looks at.
    pub list: List,
    /// Whether it begins there. Else it goes on where the last step ended.
    pub begin: bool,
    /// Runs and objects that it looks at, about: it ends with the run that exceeds them.
    pub most: u32,
    /// Whether it finds what is old only.
    pub old: bool,
    /// Whether empty runs that are kept are given back, too, which may take waiting.
    pub empty: bool,
}

/// What came of it.
#[derive(Clone, Copy, Default)]
pub struct Searched {
    /// Runs and objects that were looked at.
    pub seen: u32,
    /// The list has no more runs.
    pub over: bool,
    /// Bytes that were given back.
    pub bytes: usize,
    /// An empty run was closed.
    pub closed: bool,
    /// There are runs that may have such pages when they are old.
    pub hope: bool,
}

impl Runs {
    /// Makes one of the runs that were set aside the front of the list, the fullest of some. False if there is none.
    ///
    /// # Safety
    /// The caller holds the lock, and the list has no runs.
    #[cold]
    pub(super) unsafe fn fall_back(&mut self) -> bool {
        // SAFETY: runs in a list are open; the lock is held.
        unsafe {
            let (mut run, mut best) = (self.sparse, self.sparse);
            for _ in 0..COMPARED {
                if run.is_null() {
                    break;
                }
                if (*run).free < (*best).free {
                    best = run;
                }
                run = (*run).next;
            }
            if best.is_null() {
                return false;
            }
            self.unlink(best);
            self.push_front(best);
            true
        }
    }

    /// Moves a run to those that are taken from last.
    ///
    /// # Safety
    /// `run` is in the list; the caller holds the lock.
    unsafe fn set_aside(&mut self, run: *mut Run) {
        // SAFETY: the run is in the list; the lock is held.
        unsafe {
            self.unlink(run);
            (*run).prev = ptr::null_mut();
            (*run).next = self.sparse;
            if !self.sparse.is_null() {
                (*self.sparse).prev = run;
            }
        }
        self.sparse = run;
    }

    /// A step of a search: see [`Search`].
    ///
    /// # Safety
    /// The caller holds the lock; `class` is that of the runs, which are `heap`'s.
    #[inline(never)]
    pub(super) unsafe fn search<S: Shape>(&mut self, heap: &Heap, class: &Class, search: Search) -> Searched {
        let mut searched = Searched::default();
        if class.run_pages == 1 {
            searched.over = true;
            return searched;
        }
        if search.begin {
            self.cursor = match search.list {
                List::Sparse => self.sparse,
                List::Main => self.first,
            };
        }
        while searched.seen < search.most {
            let run = self.cursor;
            if run.is_null() {
                searched.over = true;
                break;
            }
            searched.seen += 1;
            // SAFETY: the cursor is a run of a list, and the lock is held.
            unsafe {
                self.cursor = (*run).next;
                let old = !search.old || Run::is(run, Note::LookedAt);
                if Run::live(run) == 0 {
                    if old && search.empty {
                        self.empty -= 1;
                        self.close::<S>(class, run, &mut |segment, span, touched| {
                            heap.give(segment, span, touched)
                        });
                        searched.closed = true;
                        continue;
                    }
                } else if (*run).pages > 1 {
                    self.look::<S>(heap, class, run, (search, old), &mut searched);
                }
                Run::note(run, Note::LookedAt, true);
                Run::note(run, Note::Same, true);
            }
        }
        searched
    }

    /// Looks at one run of several pages that has objects out.
    ///
    /// # Safety
    /// `run` is in a list; otherwise as for [`search`](Self::search).
    #[inline(never)]
    unsafe fn look<S: Shape>(
        &mut self,
        heap: &Heap,
        class: &Class,
        run: *mut Run,
        (search, old): (Search, bool),
        to: &mut Searched,
    ) {
        // SAFETY: the run is open, and the lock is held.
        unsafe {
            let in_page = PAGE.checked_div(class.size as usize).unwrap_or(0).max(1);
            let (free, listed) = (usize::from((*run).free), holes::listed::<S>(run));
            // Where the list was walked before, another walk is for as many as a page has, or for the last ones that came. Where many
            // are in use it is most likely in vain, and has to be for more.
            let known = match Run::is(run, Note::Walked) {
                true => usize::from(holes::walked(run)),
                false => free - usize::from(listed),
            };
            let in_use = (Run::live(run) as usize)
                .checked_div(usize::from((*run).pages))
                .unwrap_or(0);
            let more = match (search.old, Run::is(run, Note::Same)) {
                (false, _) => 1,
                (true, true) => 1 + in_use * in_page,
                (true, false) => in_page + in_use * in_page,
            };
            if !old || free < known + more {
                to.hope |= in_use == 0 && free > known;
                return;
            }
            let half = free * 2 >= usize::from((*run).capacity);
            // To give pages back breaks up a huge page: where half of a run is free, its neighbours are no better, as a rule.
            let segment = Segment::of(run.cast());
            if S::POLICY.spares() && Segment::state(segment) != state::SMALL {
                let waits = search.old && !heap.is_pressed();
                if waits && S::POLICY.purges_wholes() {
                    if search.list == List::Main && half {
                        self.set_aside(run);
                    }
                    return;
                }
                if waits && !half {
                    return;
                }
                if !heap.try_break_up(segment) && search.old {
                    to.hope = true;
                    return;
                }
            }
            to.seen += u32::from(listed);
            let (pages, bytes) = holes::give_back::<S>(heap, run, class);
            self.holes += pages as u32;
            to.bytes += bytes;
            if search.list == List::Main && (pages > 0 || half) {
                self.set_aside(run);
            }
        }
    }
}
