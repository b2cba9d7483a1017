//! The choices that hot paths and events leave to a variant: one trait each. The types that answer them stand where they are
//! used, above.

use super::Variant;
use crate::list::Slot;
use crate::policy::Naming;

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

    /// `malloc` has counted down to a sample, and this object may be it. The ending that is `malloc`'s own makes it; any other
    /// comes there by calling `malloc`.
    ///
    /// # Safety
    /// The calling thread has its block, and the variant counts bytes in `malloc`.
    unsafe fn due<V: Variant>(n: usize) -> *mut u8;
}
