//! The choices that hot paths and events leave to a variant: one trait each. The types that answer them stand where they are
//! used, above.

use super::Variant;
use crate::list::Slot;
use crate::policy::{ClassId, Naming};

/// The operations from their beginning: for an event that has changed what they were called about, as by starting the
/// thread. What they are is said in [`crate::hot`].
pub trait Operations: 'static {
    /// Allocates `n` bytes.
    ///
    /// # Safety
    /// The calling thread has its block: it is any thread of the C library's, not the helper.
    unsafe fn malloc(n: usize) -> *mut u8;

    /// The same, of bytes that were counted already.
    ///
    /// # Safety
    /// As for [`malloc`](Self::malloc).
    unsafe fn malloc_uncounted(n: usize) -> *mut u8;

    /// Frees an object.
    ///
    /// # Safety
    /// `p` is null or an object of this variant that nobody uses any more. Where there is a tag, it is that of the page of
    /// `p`. The calling thread has its block: it is any thread of the C library's, not the helper.
    unsafe fn free(p: *mut u8);
}

/// Whose a freed object is.
pub trait Route: Naming {
    /// Frees `p`, an object of a page with this tag.
    ///
    /// # Safety
    /// `p` is null or an object of this variant that nobody uses any more. Where there is a tag, it is that of the page of
    /// `p`. The calling thread has its block: it is any thread of the C library's, not the helper.
    unsafe fn free<V: Variant>(p: *mut u8, tag: usize);
}

/// What `free` looks at before it puts an object into a list.
pub trait Sentry: 'static {
    /// Whether `p`, of a page with this tag, must not go into the list of `slot`. `class` is the class of a tag that is not 0.
    ///
    /// # Safety
    /// `slot` is the calling thread's slot that the tag of `p` names.
    unsafe fn refuses<V: Variant>(p: *mut u8, tag: usize, slot: *mut Slot, class: impl Fn() -> ClassId<V>) -> bool;

    /// Whether `p`, of a page with a tag other than 0, must not go into a ring. `before` is what went there last, or null.
    ///
    /// # Safety
    /// `p` is of a page with a tag of this class.
    unsafe fn refuses_in_ring<V: Variant>(p: *mut u8, before: *mut u8, class: ClassId<V>) -> bool;
}

/// What `malloc` does about the next object of the list.
pub trait Prefetch: 'static {
    /// Called with the new head of the list, which may be null.
    fn next(p: *mut u8);
}

/// What `malloc` does with a size above [`Variant::FINE_MAX`].
pub trait Above: 'static {
    /// Allocates `n > V::FINE_MAX` bytes.
    ///
    /// As `malloc`.
    ///
    /// # Safety
    /// The calling thread has its block: it is any thread of the C library's, not the helper.
    unsafe fn malloc<V: Variant, M: Miss>(n: usize) -> *mut u8;
}

/// Whose slots there are: a thread's own, or a processor's.
pub trait Cache: 'static {
    /// Takes the first object of a slot; what `M` does if there is none.
    ///
    /// # Safety
    /// `slot` is the calling thread's slot that the lookup names for `n`. The calling thread has its block.
    unsafe fn pop<V: Variant, M: Miss>(slot: *mut Slot, n: usize) -> *mut u8;

    /// Takes it if it lies at a multiple of `align`, a power of two; null if not, or if there is none.
    ///
    /// # Safety
    /// `slot` is the calling thread's own slot of a class. The calling thread has its block.
    unsafe fn pop_aligned<V: Variant>(slot: *mut Slot, align: usize) -> *mut u8;
}

/// What is done when there is no object at hand: C returns null when memory is out, C++ throws.
pub trait Miss: 'static {
    /// The list of `slot` is empty.
    ///
    /// # Safety
    /// `slot` is the calling thread's slot that the lookup names for `n`. The calling thread has its block: it is any
    /// thread of the C library's, not the helper.
    unsafe fn refill<V: Variant>(n: usize, slot: *mut Slot) -> *mut u8;

    /// `n` is above every class.
    ///
    /// # Safety
    /// The calling thread has its block: it is any thread of the C library's, not the helper.
    unsafe fn large<V: Variant>(n: usize) -> *mut u8;

    /// The first object of the list of `slot` says of the next one what cannot be.
    ///
    /// # Safety
    /// As for [`refill`](Self::refill), but that the list is not empty.
    unsafe fn torn<V: Variant>(n: usize, slot: *mut Slot) -> *mut u8;

    /// `malloc` has counted down to a sample, and this object may be it. The ending that is `malloc`'s own makes it; any other
    /// comes there by calling `malloc`.
    ///
    /// # Safety
    /// The calling thread has its block, and the variant counts bytes in `malloc`.
    unsafe fn due<V: Variant>(n: usize) -> *mut u8;
}
