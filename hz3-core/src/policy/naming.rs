//! How a tag names a pool.

use super::id::{ClassId, Owner};
use super::shape::Shape;

/// How a tag names a pool, the runs of one class and one owner. Tag 0 names none.
pub trait Naming: 'static {
    /// The tag of the pages of a pool.
    fn tag<S: Shape>(owner: Owner<S>, class: ClassId<S>) -> usize;

    /// The owner and the class that a tag names.
    ///
    /// # Safety
    /// [`tag`](Self::tag) of the same variant has given the tag.
    unsafe fn pool<S: Shape>(tag: usize) -> (Owner<S>, ClassId<S>);
}
