//! Where the tag of a page is found.

use super::knobs::Guards;
use super::shape::Shape;
use super::tag::Tag;
use crate::os::PAGE;
use crate::sync::{AtomicUsize, Ordering};

/// What the tag table covers.
pub trait Space: 'static {
    /// The tag of `p`'s page; None if it has none.
    ///
    /// # Safety
    /// `p` is an address in user space. If it lies in the arena's range, a segment that is not below it was in use at some
    /// time: so it is with whatever an allocation returned.
    unsafe fn tag<S: Shape>(p: *mut u8) -> Option<usize>;

    /// The same as `free` finds it: None, too, where this thread has not heard of the arena yet ([`Shape::arena_pair`]).
    ///
    /// # Safety
    /// As for [`tag`](Self::tag).
    #[inline(always)]
    unsafe fn tag_at_hand<S: Shape>(p: *mut u8) -> Option<usize> {
        // SAFETY: as the caller says.
        unsafe { Self::tag::<S>(p) }
    }

    /// The cell of the tag of `p`'s page; None if it has none. Cells of consecutive pages of a segment are consecutive.
    fn cell<S: Shape>(p: *mut u8) -> Option<*mut u8>;

    /// Bytes that must lie right below the arena.
    fn bytes_below<S: Shape>() -> usize;

    /// Bytes of a table that is mapped by itself; 0 if there is none.
    fn table_bytes<S: Shape>() -> usize;
}

/// What `free` adds to the page number of an address to get its number in the arena, and where the table of tags begins: for
/// machines that take the two words faster than they compute one from the other. They follow from the arena's base.
pub type ArenaWords = [AtomicUsize; 2];

/// What the words are before there was any arena: no address is in it.
pub const NOWHERE: (usize, usize) = (1 << 63, 0);

/// Both words. If the first one is an arena's, the second one is that arena's, too.
#[inline(always)]
pub fn pair_in(words: &ArenaWords) -> (usize, usize) {
    let [turned, table] = words;
    (turned.load(Ordering::Acquire), table.load(Ordering::Relaxed))
}

/// The words that belong to a base.
pub const fn words_of<S: Shape>(base: usize) -> (usize, usize) {
    ((base / PAGE).wrapping_neg(), base.wrapping_sub(tag_bytes::<S>()))
}

/// Says where the arena is from now on, or that it is nowhere.
///
/// The word for the base comes last: a thread that copies the words ([`Shape::arena_pair`]) while they change, as it frees something of
/// the C library's, must not get the base without the table.
pub fn set_arena<S: Shape>(base: usize) {
    publish(S::arena_words(), words_of::<S>(base));
}

fn publish(words: &ArenaWords, (base, tags): (usize, usize)) {
    let [turned, table] = words;
    table.store(tags, Ordering::Relaxed);
    turned.store(base, Ordering::Release);
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

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    #[test]
    fn a_copy_of_the_base_has_the_table() {
        loom::model(|| {
            let words = Arc::new([AtomicUsize::new(NOWHERE.0), AtomicUsize::new(NOWHERE.1)]);
            let other = words.clone();
            let starter = loom::thread::spawn(move || publish(&other, (7, 9)));
            let (base, table) = pair_in(&words);
            assert!(base == NOWHERE.0 || (base, table) == (7, 9));
            starter.join().unwrap();
            assert_eq!(pair_in(&words), (7, 9));
        });
    }
}
