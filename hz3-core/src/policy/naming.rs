//! How a tag names a pool.

use super::shape::Shape;

/// How a tag names a pool, the runs of one class and one owner. Tag 0 names none.
pub trait Naming: 'static {
    /// The tag of the pages of a pool.
    fn tag<S: Shape>(owner: usize, class: usize) -> usize;

    /// The owner and the class that a tag other than 0 names.
    fn pool<S: Shape>(tag: usize) -> (usize, usize);
}
