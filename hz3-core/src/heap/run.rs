//! A run's descriptor, in the header of its segment: which objects it has, and which of them are free.

use super::page::{self, SEGMENT, Span};
use super::segment::{HEADER_PAGES, Segment};
use crate::policy::agreed::GRANULE;

/// Pool of a run that holds one large object.
pub const LARGE: u16 = 0xffff;
/// Pool of a descriptor whose run was closed or whose large object was freed, until a new one begins there.
pub const GONE: u16 = 0xfffe;

/// Bytes of which a descriptor counts places in a segment.
pub(super) const UNIT: usize = GRANULE;

/// Bits of a descriptor's `head` that say which object is the first free one; none set: the list is empty, as no object lies in
/// the header.
const HEAD_BITS: u32 = (SEGMENT / UNIT).ilog2();
const HEAD: u32 = (1 << HEAD_BITS) - 1;
/// Nobody took from the run since it was last looked at.
const LOOKED_AT: u32 = 1 << HEAD_BITS;
/// Nobody took from it since its free list was last walked for holes.
const WALKED: u32 = 2 << HEAD_BITS;
/// Pages of it were given back.
pub const HOLED: u32 = 4 << HEAD_BITS;
/// No object came home or left since it was last looked at.
const SAME: u32 = 8 << HEAD_BITS;
/// The count of the generations stands above that.
const GENERATION_SHIFT: u32 = HEAD_BITS + 4;

/// What is noted of a run in its descriptor.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum Note {
    /// See [`LOOKED_AT`].
    LookedAt = LOOKED_AT,
    /// See [`WALKED`].
    Walked = WALKED,
    /// See [`HOLED`].
    Holed = HOLED,
    /// See [`SAME`].
    Same = SAME,
}

/// Consecutive pages that hold objects of one class, or one large object.
#[repr(C)]
pub struct Run {
    /// Next run of the class with free objects (central's list).
    pub next: *mut Run,
    /// The one before.
    pub prev: *mut Run,
    /// First object of the free list, in units of 16 bytes from the segment's base, 0 if it is empty; above that what is noted of
    /// the run, and how many times the list was taken as a whole.
    pub head: u32,
    /// Free objects: those on the free list, and those in pages that were given back.
    pub free: u16,
    /// Objects ever carved: those from here on were never handed out.
    pub carved: u16,
    /// Objects that fit.
    pub capacity: u16,
    /// The pool that the run belongs to (see [`crate::event`]), or [`LARGE`].
    pub pool: u16,
    /// Pages.
    pub pages: u16,
    /// Shift of the first object, in units of 16 bytes.
    pub shift: u8,
    /// Bytes from the unit of `head` to the first free object: objects whose granule is less than a unit begin in its middle, too, but
    /// never two of them in one.
    pub within: u8,
}

impl Run {
    /// The pages of a run.
    ///
    /// # Safety
    /// `this` is an open run, and stays one meanwhile: the caller holds its lock or owns an object of it.
    pub unsafe fn span(this: *mut Run) -> Span {
        let segment = Segment::of(this.cast());
        // SAFETY: descriptors lie in their segment's header, so the segment is found by masking the address.
        unsafe {
            let base = (&raw const (*segment).runs) as usize;
            let first = (this as usize - base) / core::mem::size_of::<Run>() + HEADER_PAGES;
            Span::between(first, first + (*this).pages as usize)
        }
    }

    /// Address of the run's first page.
    ///
    /// # Safety
    /// As for [`span`](Self::span).
    pub unsafe fn base(this: *mut Run) -> *mut u8 {
        // SAFETY: the run is open, and stays so.
        let span = unsafe { Run::span(this) };
        Segment::page_address(Segment::of(this.cast()), span.first)
    }

    /// Where the object number `n` is that was ever carved, or is the next one to be; `size` is the class's.
    ///
    /// # Safety
    /// `this` is an open run of a class, whose lock the caller holds.
    #[inline]
    pub unsafe fn object(this: *mut Run, n: usize, size: usize) -> *mut u8 {
        // SAFETY: the run is open and its descriptor the caller's; the objects lie in its pages.
        unsafe { Run::base(this).add(Run::bytes_to(this, n, size)) }
    }

    /// Bytes from the run's beginning to the object number `n`.
    ///
    /// # Safety
    /// As for [`object`](Self::object).
    #[inline]
    pub unsafe fn bytes_to(this: *const Run, n: usize, size: usize) -> usize {
        // SAFETY: the descriptor is the caller's.
        unsafe { (*this).shift as usize * UNIT + n * size }
    }

    /// The first object of the free list; null if that is empty.
    ///
    /// # Safety
    /// As for [`object`](Self::object); `granule` is what the sizes of classes are multiples of.
    #[inline]
    pub unsafe fn first_free(this: *mut Run, granule: usize) -> *mut u8 {
        // SAFETY: the descriptor is the caller's; the head of a list that is not empty is an object's offset in the segment.
        unsafe {
            match (*this).head & HEAD {
                0 => core::ptr::null_mut(),
                head => {
                    let within = if granule < UNIT { usize::from((*this).within) } else { 0 };
                    Segment::of(this.cast()).cast::<u8>().add(head as usize * UNIT + within)
                }
            }
        }
    }

    /// Makes an object the first of the free list; the run has `free` free objects then.
    ///
    /// # Safety
    /// As for [`first_free`](Self::first_free); `p` is an object of the run, or null where the list is empty.
    #[inline]
    pub unsafe fn set_first_free(this: *mut Run, p: *const u8, free: u16, granule: usize) {
        // SAFETY: the descriptor is the caller's.
        unsafe {
            (*this).head = (*this).head & !(HEAD | SAME) | (page::offset(p) / UNIT) as u32;
            if granule < UNIT {
                (*this).within = (page::offset(p) % UNIT) as u8;
            }
            (*this).free = free;
        }
    }

    /// Empties the free list, whose objects go elsewhere without being looked at. Some that are free may lie in pages that were given
    /// back: `away` of them.
    ///
    /// # Safety
    /// As for [`object`](Self::object).
    #[inline]
    pub unsafe fn empty_free(this: *mut Run, away: u16) {
        // SAFETY: the descriptor is the caller's.
        unsafe {
            (*this).head = Run::next_generation(this) | (*this).head & HOLED;
            (*this).free = away;
        }
    }

    /// The descriptor's `head` after its [`generation`](Self::generation), without a first free object, and with nothing noted.
    ///
    /// # Safety
    /// The descriptor is the caller's.
    #[inline]
    pub(super) unsafe fn next_generation(this: *const Run) -> u32 {
        // SAFETY: the descriptor is the caller's.
        unsafe { ((*this).head >> GENERATION_SHIFT).wrapping_add(1) << GENERATION_SHIFT }
    }

    /// Whether something is noted of the run.
    ///
    /// # Safety
    /// As for [`object`](Self::object).
    #[inline]
    pub(super) unsafe fn is(this: *const Run, note: Note) -> bool {
        // SAFETY: the descriptor is the caller's.
        unsafe { (*this).head & note as u32 != 0 }
    }

    /// Notes something of the run, or takes it back.
    ///
    /// # Safety
    /// As for [`object`](Self::object).
    #[inline]
    pub(super) unsafe fn note(this: *mut Run, note: Note, holds: bool) {
        // SAFETY: the descriptor is the caller's.
        unsafe {
            (*this).head = (*this).head & !(note as u32) | if holds { note as u32 } else { 0 };
        }
    }

    /// Notes that somebody took from the run.
    ///
    /// # Safety
    /// As for [`object`](Self::object).
    #[inline]
    pub(super) unsafe fn was_taken_from(this: *mut Run) {
        // SAFETY: the descriptor is the caller's.
        unsafe { (*this).head &= !(LOOKED_AT | WALKED | SAME) }
    }

    /// How many times the free list was taken as a whole, and the run begun anew, modulo 2^11 (in segments of 2 MiB): what an object says of itself that
    /// came home before that is old.
    ///
    /// # Safety
    /// As for [`object`](Self::object).
    #[inline]
    pub unsafe fn generation(this: *const Run) -> u32 {
        // SAFETY: the descriptor is the caller's.
        unsafe { (*this).head >> GENERATION_SHIFT }
    }

    /// Objects of the run that are out: in use, in a thread's magazines or in a depot.
    ///
    /// # Safety
    /// `this` is an open run of a class, and the caller holds its central's lock.
    #[inline]
    pub unsafe fn live(this: *const Run) -> u32 {
        // SAFETY: the lock is held that guards the counts.
        unsafe { u32::from((*this).carved) - u32::from((*this).free) }
    }
}
