//! `free`.

use crate::event;
use crate::policy::Space;
use crate::variant::{Route, Variant};

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
