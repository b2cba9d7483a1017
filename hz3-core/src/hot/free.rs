//! `free`.

use super::{Route, Space};
use crate::event;
use crate::variant::Variant;

/// Frees an object; null is nothing.
///
/// `p` is null or an object of this variant that nobody uses any more.
#[inline(always)]
pub unsafe fn free<V: Variant>(p: *mut u8) {
    // SAFETY: the caller's contract; the tag is that of the object's page.
    unsafe {
        match V::Space::tag::<V>(p) {
            Some(tag) => V::Route::free::<V>(p, tag),
            None => event::foreign::free::<V>(p),
        }
    }
}

/// The tag of `p`'s page; 0 for everything that is not an object of a class, or that has no tag.
#[inline]
pub fn tag_of<V: Variant>(p: *const u8) -> usize {
    // SAFETY: reading a tag has no conditions beyond an address in user space.
    unsafe { V::Space::tag::<V>(p.cast_mut()) }.unwrap_or(0)
}
