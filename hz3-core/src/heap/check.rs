//! What is checked where objects leave and enter runs (`hardening.check`): whether what a list leads to can be an object of the
//! list's pool at all, and whether it is free already.
//!
//! All of it is read from headers of segments, which no overflow of an object reaches unless it goes on for pages, and of the
//! object only the two words that are read or written anyway.

use super::arena::{Arena, Kind};
use super::page::Page;
use super::run::Run;
use super::segment::Segment;
use super::{Heap, PageHeap};
use crate::heap::outside::Outside;
use crate::policy::knobs::{Check, DoubleFree};
use crate::policy::{Class, Pool, Shape};
use core::ptr;

/// What was found wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// It lies in no run of the pool.
    Elsewhere,
    /// It lies in a run of the pool, where no object begins.
    Between,
    /// It is an object that was never handed out.
    Fresh,
    /// It is in its run's list already.
    Twice,
    /// Its run has as many free objects as it ever handed out.
    Counts,
    /// The list ends behind it, before its count.
    Short,
    /// The list leads to it beyond its count.
    Long,
}

/// What was found wrong, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bad {
    /// What.
    pub wrong: Wrong,
    /// The address that is wrong.
    pub at: *mut u8,
}

/// Whether a variant checks at events.
pub const fn checks<S: Shape>() -> bool {
    !matches!(S::POLICY.hardening.check, Check::Off)
}

/// Whether objects that are home say so. Where freed objects are filled the word is taken.
pub const fn says<S: Shape>() -> bool {
    checks::<S>() && !S::POLICY.marks()
}

/// Whether lists are walked before a thread takes from them.
pub const fn walks_in<S: Shape>() -> bool {
    matches!(S::POLICY.hardening.check, Check::Links)
}

/// Whether lists are walked when they leave a thread.
pub const fn walks_out<S: Shape>() -> bool {
    matches!(S::POLICY.hardening.double_free, DoubleFree::List)
}

/// Tells of one address after the other whether an object of a pool begins there.
pub struct Sieve<'a> {
    arena: *const Arena,
    /// Whether a segment of pages lies at an address outside of the arena.
    outside: &'a dyn Fn(*const u8) -> bool,
    /// The segment that was looked up last.
    last: *mut Segment,
}

impl<'a> Sieve<'a> {
    /// For objects of this heap. `outside` says whether a segment of pages lies at an address outside of the arena.
    pub fn new(heap: &Heap, outside: &'a dyn Fn(*const u8) -> bool) -> Self {
        Sieve {
            // SAFETY: only the address of a field is taken.
            arena: unsafe { &raw const (*heap.unlocked()).arena },
            outside,
            // No segment begins there. (One may be asked for at null.)
            last: ptr::without_provenance_mut(1),
        }
    }

    /// The run that the object at `p` is of, if an object of this pool that was ever handed out begins there. `p` may be anything.
    ///
    /// # Safety
    /// The caller holds the lock of the pool's central, or has objects of the pool. In either case the run of an object of its own is
    /// as it is.
    #[inline]
    pub unsafe fn run_of<S: Shape>(&mut self, pool: Pool<S>, class: &Class, p: *mut u8) -> Result<*mut Run, Wrong> {
        let segment = Segment::of(p);
        if segment != self.last {
            // SAFETY: the arena is the heap's, which lives as long as the process and was reserved before there was any object.
            let known = match unsafe { Arena::peek(self.arena, p) } {
                Some((_, entry)) => entry.kind == Kind::Pages,
                None => (self.outside)(p),
            };
            if !known {
                return Err(Wrong::Elsewhere);
            }
            self.last = segment;
        }
        // SAFETY: the segment is one of pages. One of the arena stays mapped, and one outside goes only when no object is in it.
        // Whatever the header says is checked before it is used.
        unsafe {
            match Segment::run_at(segment, Page::of(p)) {
                Some(run) if usize::from((*run).pool) == pool.number() => {
                    let index = index_of(run, class, p).ok_or(Wrong::Between)?;
                    if index < u32::from((*run).carved) {
                        Ok(run)
                    } else {
                        Err(Wrong::Fresh)
                    }
                }
                _ => Err(Wrong::Elsewhere),
            }
        }
    }
}

/// The number of the object of `run` that begins at `p`, if one does, whether it was ever handed out or not. The number may be
/// beyond the run's capacity.
///
/// # Safety
/// `run` is a descriptor in the header of a segment that is there; `class` is that of its objects.
#[inline]
pub(super) unsafe fn index_of(run: *mut Run, class: &Class, p: *const u8) -> Option<u32> {
    // SAFETY: the descriptor can be read.
    let first = unsafe { (Run::base(run) as usize).wrapping_add(Run::bytes_to(run, 0, class.size as usize)) };
    let from = u32::try_from((p as usize).wrapping_sub(first)).ok()?;
    class.index_at(from)
}

/// Whether an object that was ever handed out begins at `p`.
///
/// # Safety
/// `run` is a descriptor in the header of a segment that is there; `class` is that of its objects.
#[inline]
pub unsafe fn is_object(run: *mut Run, class: &Class, p: *const u8) -> bool {
    // SAFETY: the descriptor can be read.
    unsafe { index_of(run, class, p).is_some_and(|index| index < u32::from((*run).carved)) }
}

impl Heap {
    /// Whether a segment of pages lies at `p`, outside of the arena.
    pub fn has_outside(&self, p: *const u8) -> bool {
        self.locked(|h| h.has_outside(p))
    }
}

impl PageHeap {
    /// See [`Heap::has_outside`].
    pub(super) fn has_outside(&self, p: *const u8) -> bool {
        self.outside.get(p) == Some(Outside::Pages)
    }
}
