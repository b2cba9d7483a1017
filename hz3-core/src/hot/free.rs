//! `free`.

use crate::event;
use crate::policy::Space;
use crate::variant::{Route, Variant};

/// Frees an object; null is nothing.
///
/// # Safety
/// `p` is null or an object of this variant that nobody uses any more. The calling thread has its block: it is any thread
/// of the C library's, not the helper.
#[inline(always)]
pub unsafe fn free<V: Variant>(p: *mut u8) {
    // SAFETY: an object's address is one that has a tag or is on the slow path; the tag is that of its page.
    unsafe {
        match V::Space::tag_at_hand::<V>(p) {
            Some(tag) => V::Route::free::<V>(p, tag),
            None => event::foreign::free::<V>(p),
        }
    }
}
