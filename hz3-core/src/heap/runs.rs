//! The runs of one pool: which of them have something left to hand out, and how objects leave them and come back.

use super::central::Neighbour;
use super::check::{self, Bad, Sieve, Wrong, checks, says};
use super::frame::Frame;
use super::group::Group;
use super::holes;
use super::page::Span;
use super::page_heap::Request;
use super::run::{GONE, Run, UNIT};
use super::segment::Segment;
use super::{Heap, Reach};
use crate::list::{self, Batch};
use crate::os::PAGE;
use crate::policy::agreed::COLOR_STEP;
use crate::policy::{Class, Naming, Pool, Shape, Space, Tag};
use core::ptr;

pub(super) struct Runs {
    pub(super) first: *mut Run,
    pub(super) last: *mut Run,
    /// Runs of another list, from which objects are taken when the first has none: few of their objects are out.
    pub(super) sparse: *mut Run,
    /// The run of either list where a search goes on.
    pub(super) cursor: *mut Run,
    /// Pages of runs that were given back.
    pub(super) holes: u32,
    /// Runs in the lists that have no object out.
    pub(super) empty: u32,
    /// Runs of the class.
    pub(super) runs: u32,
    /// Colour of the next run.
    pub(super) color: u32,
}

/// What came of taking objects back.
pub(super) struct Returned {
    /// A run was closed.
    pub(super) closed: bool,
    /// What was found wrong.
    pub(super) bad: Option<Bad>,
}

/// Moves objects from the run's free list to the batch: the list as a whole where it fits, without walking it. Returns what it found
/// wrong: then the run's list ends there.
///
/// # Safety
/// `run` is open, and the caller holds the lock of its central; the batch is of the run's pool, whose class this is.
pub(super) unsafe fn take_free<S: Shape>(run: *mut Run, class: &Class, want: u32, batch: &mut Batch) -> Option<Bad> {
    // SAFETY: the run is open and its class's lock held, so its free list is ours.
    unsafe {
        let away = holes::away::<S>(run);
        if batch.count == 0 && (*run).free > away && u32::from((*run).free - away) <= want {
            *batch = Batch {
                head: Run::first_free(run, S::GRANULE),
                count: u32::from((*run).free - away),
            };
            Run::empty_free(run, away);
            return None;
        }
        while batch.count < want && (*run).free > away {
            let p = Run::first_free(run, S::GRANULE);
            let mut following = list::next::<S>(p);
            let mut bad = None;
            if (*run).free == away + 1 {
                following = ptr::null_mut();
            } else if checks::<S>() && !check::is_object(run, class, following) {
                bad = Some(Bad {
                    wrong: Wrong::Elsewhere,
                    at: following,
                });
            }
            if says::<S>() {
                list::set_out(p);
            }
            // What a list leads to that is none is lost.
            match bad {
                None => Run::set_first_free(run, following, (*run).free - 1, S::GRANULE),
                Some(_) => Run::set_first_free(run, ptr::null(), away, S::GRANULE),
            }
            batch.push::<S>(p);
            if bad.is_some() {
                return bad;
            }
        }
    }
    None
}

/// See [`Central::try_look`](super::central::Central::try_look).
///
/// # Safety
/// `run` is a descriptor in the header of a segment that is there; the caller holds the lock of its central. `class` is that of its
/// objects.
pub(super) unsafe fn look<S: Shape>(run: *mut Run, class: &Class, at: *mut u8) -> Option<Neighbour> {
    // SAFETY: the lock is held.
    unsafe {
        let index = check::index_of(run, class, at).filter(|index| *index < u32::from((*run).capacity))?;
        if index >= u32::from((*run).carved) {
            return Some(Neighbour::Fresh);
        }
        is_home::<S>(run, class, at).map(|home| if home { Neighbour::Home } else { Neighbour::Out })
    }
}

/// Whether an object is free in its run, the list of which is walked. None if the list leads out of the run.
///
/// # Safety
/// As for [`look`].
unsafe fn is_home<S: Shape>(run: *mut Run, class: &Class, at: *mut u8) -> Option<bool> {
    // SAFETY: the lock is held; a link is followed only to where an object of the run begins.
    unsafe {
        if holes::is_away::<S>(run, class, at) {
            return Some(true);
        }
        let mut p = Run::first_free(run, S::GRANULE);
        for _ in 0..holes::listed::<S>(run) {
            if p == at {
                return Some(true);
            }
            if !check::is_object(run, class, p) {
                return None;
            }
            p = list::next::<S>(p);
        }
        Some(false)
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
        let request = Request {
            reach,
            group: Group::of_pool(pool),
            least: (class.size as usize).div_ceil(PAGE),
            most: class.run_pages as usize,
            frame: Frame::PLAIN,
        };
        let ended = if S::POLICY.ends_runs() {
            heap.take_ended(&S::POLICY, request)
        } else {
            None
        };
        let guards = usize::from(ended.is_some());
        let Some(t) = ended.or_else(|| heap.take(&S::POLICY, request)) else {
            return ptr::null_mut();
        };
        let pages = t.span.len - guards;
        // SAFETY: the span was just taken, so its pages, tags and descriptor are ours.
        unsafe {
            let run = Segment::open_run(t.segment, t.span, pool.number() as u16);
            let bytes = pages * PAGE;
            let (shift, capacity) = if pages == class.run_pages as usize {
                let colors = u32::from(class.colors.max(1));
                let color = match S::POLICY.hardening.random {
                    true => heap.order.draw().below(colors),
                    false => self.color % colors,
                };
                self.color = color + 1;
                (color as usize * COLOR_STEP, class.objects as usize)
            } else {
                (0, bytes.checked_div(class.size as usize).unwrap_or(0))
            };
            (*run).shift = (shift / UNIT) as u8;
            (*run).capacity = capacity as u16;
            let tag = S::Route::tag::<S>(pool.owner(), pool.class());
            set_tags::<S>(Run::base(run), pages, tag);
            self.runs += 1;
            self.empty += 1;
            self.push_front(run);
            run
        }
    }

    /// Takes objects back into their runs. Those that become empty are closed, but for `keep`, and their pages passed to
    /// `give`. Where the sieve finds something wrong, what comes after it in the list is lost.
    ///
    /// # Safety
    /// The caller holds the lock. The objects of the batch are the caller's, and of this central's pool, `pool`; where the variant
    /// does not check, they are without fail.
    pub(super) unsafe fn take_back<S: Shape>(
        &mut self,
        sieve: &mut Sieve<'_>,
        pool: Pool<S>,
        batch: Batch,
        keep: u32,
        mut give: impl FnMut(*mut Segment, Span, usize),
    ) -> Returned {
        let class = pool.row();
        let mut returned = Returned {
            closed: false,
            bad: None,
        };
        let (mut p, mut left) = (batch.head, batch.count);
        while left > 0 && !p.is_null() {
            left -= 1;
            // SAFETY: the caller owns the list; its objects lie in open runs of this class, whose descriptors the
            // lock guards. What is checked is followed no further if it does not.
            unsafe {
                let run = if checks::<S>() {
                    match self.admit::<S>(sieve, pool, class, p) {
                        Ok(run) => run,
                        Err(wrong) => {
                            returned.bad = Some(Bad { wrong, at: p });
                            return returned;
                        }
                    }
                } else {
                    Segment::run_of(p)
                };
                let following = list::next::<S>(p);
                let exhausted = (*run).free == 0 && (*run).carved == (*run).capacity;
                list::set_next::<S>(p, Run::first_free(run, S::GRANULE));
                Run::set_first_free(run, p, (*run).free + 1, S::GRANULE);
                if says::<S>() {
                    list::set_home(p, Run::generation(run));
                }
                if checks::<S>() && left > 0 && following.is_null() {
                    returned.bad = Some(Bad {
                        wrong: Wrong::Short,
                        at: p,
                    });
                }
                if exhausted {
                    self.append(run);
                }
                if Run::live(run) == 0 {
                    if self.empty < keep && !holes::has::<S>(run) {
                        self.empty += 1;
                    } else {
                        self.close::<S>(class, run, &mut give);
                        returned.closed = true;
                    }
                }
                p = following;
            }
        }
        if checks::<S>() && left == 0 && !p.is_null() {
            returned.bad = Some(Bad {
                wrong: Wrong::Long,
                at: p,
            });
        }
        returned
    }

    /// The run that an object comes home to, if it is out.
    ///
    /// # Safety
    /// The caller holds the lock. `p` may be anything.
    #[inline]
    unsafe fn admit<S: Shape>(
        &self,
        sieve: &mut Sieve<'_>,
        pool: Pool<S>,
        class: &Class,
        p: *mut u8,
    ) -> Result<*mut Run, Wrong> {
        // SAFETY: the lock is held; what the sieve lets pass is an object of an open run of the pool.
        unsafe {
            let run = sieve.run_of::<S>(pool, class, p)?;
            if (*run).free >= (*run).carved {
                return Err(Wrong::Counts);
            }
            let says = says::<S>() && list::says_home(p, Run::generation(run));
            if (says || holes::is_away::<S>(run, class, p)) && is_home::<S>(run, class, p) == Some(true) {
                return Err(Wrong::Twice);
            }
            Ok(run)
        }
    }

    /// Closes an empty run that is in a list and no longer counted as empty. Its pages are passed to `give`, with how many of them may
    /// hold something.
    ///
    /// # Safety
    /// `run` is in a list, and no object of it is out; the caller holds the lock.
    #[inline(never)]
    pub(super) unsafe fn close<S: Shape>(
        &mut self,
        class: &Class,
        run: *mut Run,
        give: &mut dyn FnMut(*mut Segment, Span, usize),
    ) {
        // SAFETY: no object of the run is out, so its pages are central's, and now those of whoever gets them.
        unsafe {
            self.unlink(run);
            self.runs -= 1;
            let span = Run::span(run);
            let used = Run::bytes_to(run, (*run).carved as usize, class.size as usize);
            let touched = used.div_ceil(PAGE);
            set_tags::<S>(Run::base(run), span.len, 0);
            if holes::has::<S>(run) {
                self.holes -= holes::pages::<S>(run);
                holes::parts(run, touched, give);
                return;
            }
            (*run).pool = GONE;
            give(Segment::of(run.cast()), span, touched);
        }
    }

    /// # Safety
    /// `run` is open and in no list; the caller holds the lock.
    pub(super) unsafe fn push_front(&mut self, run: *mut Run) {
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
    /// `run` is in one of the lists; the caller holds the lock.
    pub(super) unsafe fn unlink(&mut self, run: *mut Run) {
        // SAFETY: the run is in a list; the lock is held.
        unsafe {
            let (prev, next) = ((*run).prev, (*run).next);
            if self.cursor == run {
                self.cursor = next;
            }
            if !prev.is_null() {
                (*prev).next = next;
            } else if self.first == run {
                self.first = next;
            } else {
                self.sparse = next;
            }
            if !next.is_null() {
                (*next).prev = prev;
            } else if self.last == run {
                self.last = prev;
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
