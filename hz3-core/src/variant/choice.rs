//! The choices that hot paths and events leave to a variant: one trait each. The types that answer them stand where they are
//! used, above.

use super::Variant;
use crate::list::Slot;
use crate::policy::Naming;

/// The operations from their beginning: for an event that has changed what they were called about, as by starting the
/// thread. What they are is said in [`crate::hot`].
pub trait Operations: 'static {
    /// Allocates `n` bytes.
    unsafe fn malloc(n: usize) -> *mut u8;

    /// Frees an object.
    ///
    /// `p` is null or an object of this variant that nobody uses any more.
    unsafe fn free(p: *mut u8);
}

/// Whose a freed object is.
pub trait Route: Naming {
    /// Frees `p`, an object of a page with this tag.
    ///
    /// As `free`; the tag is that of the page of `p`.
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
    unsafe fn malloc<V: Variant, M: Miss>(n: usize) -> *mut u8;
}

/// What is done when there is no object at hand: C returns null when memory is out, C++ throws.
pub trait Miss: 'static {
    /// The list of `slot` is empty.
    ///
    /// `slot` is the one that the lookup names for `n`.
    unsafe fn refill<V: Variant>(n: usize, slot: *mut Slot) -> *mut u8;

    /// `n` is above every class.
    unsafe fn large<V: Variant>(n: usize) -> *mut u8;
}
