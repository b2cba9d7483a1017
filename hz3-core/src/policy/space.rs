//! Where the tag of a page is found.

use super::knobs::Guards;
use super::shape::Shape;
use super::tag::Tag;
use crate::os::PAGE;

/// What the tag table covers.
pub trait Space: 'static {
    /// The tag of `p`'s page; None if it has none.
    ///
    /// # Safety
    /// `p` is an address in user space. If it lies in the arena's range, a segment that is not below it was in use at some
    /// time: so it is with whatever an allocation returned.
    unsafe fn tag<S: Shape>(p: *mut u8) -> Option<usize>;

    /// The cell of the tag of `p`'s page; None if it has none. Cells of consecutive pages of a segment are consecutive.
    fn cell<S: Shape>(p: *mut u8) -> Option<*mut u8>;

    /// Bytes that must lie right below the arena.
    fn bytes_below<S: Shape>() -> usize;

    /// Bytes of a table that is mapped by itself; 0 if there is none.
    fn table_bytes<S: Shape>() -> usize;
}

/// The tag of `p`'s page; 0 for everything that is not an object of a class, or that has no tag.
#[inline]
pub fn tag_of<S: Shape>(p: *const u8) -> usize {
    // SAFETY: reading a tag has no conditions beyond an address in user space.
    unsafe { S::Space::tag::<S>(p.cast_mut()) }.unwrap_or(0)
}

/// Bytes of the tag table, rounded up to pages: it ends where the arena begins, or a page before that where there are guards.
pub const fn tag_bytes<S: Shape>() -> usize {
    let guard = match S::POLICY.hardening.guards {
        Guards::Off => 0,
        Guards::Tables | Guards::Large | Guards::Runs => PAGE,
    };
    (S::ARENA_PAGES * <S::Tag as Tag>::BYTES).next_multiple_of(PAGE) + guard
}

/// What null's tag is before there is a table.
static NOTHING: u32 = 0;

/// The first value of the table's word where tags cover the whole address space: a table of which only null's cell can be
/// read. Nothing else can be freed before the program or library that holds the variant is loaded, when the table is mapped.
pub const fn no_table() -> *const u32 {
    &raw const NOTHING
}
