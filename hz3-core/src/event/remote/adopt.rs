//! Freed objects are the freeing thread's: there are no other owners, and nothing is kept for them.

use crate::policy::{ClassId, Owner};
use crate::statics::Meta;
use crate::variant::{Room, Variant};

/// No room.
pub struct Adopt;

impl Room for Adopt {
    fn bytes<V: Variant>() -> usize {
        0
    }

    unsafe fn attach<V: Variant>(_: *mut V::Thread, _: *mut u8) {}

    unsafe fn settle<V: Variant>(_: *mut V::Thread, _: Owner<V>) {}

    unsafe fn flush<V: Variant>() {}

    unsafe fn forsake<V: Variant>() {}

    unsafe fn leave<V: Variant>(_: *mut V::Thread) {}

    unsafe fn take_back<V: Variant>(_: *const Meta, _: impl Fn(Owner<V>, ClassId<V>, *mut u8)) {}
}
