//! What `free` looks at before it puts an object into a list (`hardening.double_free`, `hardening.interior`).

use crate::heap::segment::Segment;
use crate::list::Slot;
use crate::policy::ClassId;
use crate::variant::{Sentry, Variant};

/// Nothing.
pub struct NoSentry;

impl Sentry for NoSentry {
    #[inline(always)]
    unsafe fn refuses<V: Variant>(_: *mut u8, _: usize, _: *mut Slot, _: impl Fn() -> ClassId<V>) -> bool {
        false
    }

    #[inline(always)]
    unsafe fn refuses_in_ring<V: Variant>(_: *mut u8, _: *mut u8, _: ClassId<V>) -> bool {
        false
    }
}

/// Only at the address, which is to be a multiple of the variant's granule.
pub const ALIGN: u8 = 1;
/// At the grid of the run: an object begins there.
pub const GRID: u8 = 2;

/// It looks whether the object was freed last in its class (`HEAD`), and whether an object begins there at all, as far as
/// `INTERIOR` says.
pub struct Looks<const HEAD: bool, const INTERIOR: u8>;

impl<const HEAD: bool, const INTERIOR: u8> Looks<HEAD, INTERIOR> {
    /// Whether no object begins at `p`, of a page with this tag.
    ///
    /// # Safety
    /// The tag is that of the page of `p`.
    #[inline(always)]
    unsafe fn is_inside<V: Variant>(p: *mut u8, tag: usize, class: impl Fn() -> ClassId<V>) -> bool {
        match INTERIOR {
            ALIGN => p as usize & (V::GRANULE - 1) != 0,
            // SAFETY: a page with a tag other than 0 belongs to an open run of that class.
            GRID => tag != 0 && unsafe { !Segment::begins(class().row(), p) },
            _ => false,
        }
    }
}

impl<const HEAD: bool, const INTERIOR: u8> Sentry for Looks<HEAD, INTERIOR> {
    #[inline(always)]
    unsafe fn refuses<V: Variant>(p: *mut u8, tag: usize, slot: *mut Slot, class: impl Fn() -> ClassId<V>) -> bool {
        // SAFETY: the slot is this thread's, and the tag that of the page.
        unsafe { Self::is_inside::<V>(p, tag, class) || HEAD && (*slot).head == p }
    }

    #[inline(always)]
    unsafe fn refuses_in_ring<V: Variant>(p: *mut u8, before: *mut u8, class: ClassId<V>) -> bool {
        // SAFETY: the tag of the page is that of the class.
        unsafe { Self::is_inside::<V>(p, usize::MAX, || class) || HEAD && before == p }
    }
}
