//! What the heap has to know of a variant.

use super::class::Class;
use super::knobs::Policy;
use super::link::Link;
use super::naming::Naming;
use super::secret::Secret;
use super::space::{ArenaWords, Space};
use super::tag::Tag;
use crate::sync::{AtomicPtr, AtomicUsize};

/// The numbers of one variant, its classes, and its page tags.
///
/// # Safety
/// The implementor (the generator) promises: `classes` has `CLASSES` entries by rising size, all multiples of `GRANULE`; `ARENA_PAGES` pages of tags and
/// the arena fit the reservation that `POLICY` asks for; the words are used by this variant alone.
pub unsafe trait Shape: Sized + 'static {
    /// Page tags.
    type Tag: Tag;
    /// What the tag table covers.
    type Space: Space;
    /// Links in free objects.
    type Link: Link;
    /// Whose a freed object is, hence how a tag names its pool.
    type Route: Naming;

    /// The variant's name.
    const NAME: &'static str;
    /// Pages of the arena as configured; the bound that `free` compares with.
    const ARENA_PAGES: usize;
    /// Classes.
    const CLASSES: usize;
    /// Owners of runs; 1 where they belong to nobody in particular.
    const SHARDS: usize;
    /// Bits of a tag below the owner's.
    const BIN_BITS: u32;
    /// What sizes of classes are multiples of, hence addresses of objects: [`GRANULE`](super::agreed::GRANULE), or
    /// [`LEAST_GRANULE`](super::agreed::LEAST_GRANULE) where all who allocate name their alignment.
    const GRANULE: usize;
    /// What events and the heap read.
    const POLICY: Policy;

    /// The class table.
    fn classes() -> &'static [Class];
    /// The word that holds the arena's base.
    fn arena_base() -> &'static AtomicUsize;
    /// Where `free` finds the tag of a page of the arena: see [`ArenaWords`].
    fn arena_words() -> &'static ArenaWords;
    /// The two words of that as `free` has them: these, or what this thread has copied of them. A copy may be old; then an address that
    /// is in the arena is not found there, and none is found that is not.
    fn arena_pair() -> (usize, usize);
    /// Copies them anew for this thread. Whether they were others than those that it had.
    fn catch_up() -> bool;
    /// The word that holds the flat tag table's address; only read where tags cover the whole address space.
    fn flat_table() -> &'static AtomicPtr<u32>;
    /// The word that holds the key of links, which is set before there is any; only read where links are encoded.
    fn link_key() -> &'static AtomicUsize;
    /// What this process knows and nobody else; nothing, unless a defence of the variant asks for it.
    #[inline(always)]
    fn secret() -> &'static Secret {
        static NONE: Secret = Secret::new();
        &NONE
    }
}
