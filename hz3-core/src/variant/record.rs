//! What is told of the program's calls, and whether anybody listens.

use super::Variant;
use crate::sync::Lock;
use core::ffi::{CStr, c_int};

/// How an object was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    /// By `malloc`, or with an alignment that every object has.
    Plain,
    /// With zeroes.
    Zeroed,
    /// With this alignment, a power of two.
    Aligned(usize),
}

/// Who is told of each call of the program's that makes, resizes or ends an object. The types that answer stand in
/// `event::record`; where `CALLS` is false nothing is told, and no instruction is left of it.
///
/// An object is told of after it was made, and before it ends: so nobody else can have its address at that moment.
pub trait Record: 'static {
    /// What is kept for it: one static a variant.
    type State: Sync + 'static;
    /// What is remembered of an object while it is resized.
    type Old;

    /// Whether the calls are told.
    const CALLS: bool;

    /// An object was made.
    ///
    /// # Safety
    /// `p` is the caller's object, of `n` bytes. The calling thread has its block.
    unsafe fn made<V: Variant<Record = Self>>(p: *mut u8, n: usize, how: Made);

    /// An object ends.
    ///
    /// # Safety
    /// `p` is the caller's object, or not this variant's. The calling thread has its block.
    unsafe fn ends<V: Variant<Record = Self>>(p: *mut u8);

    /// An object is resized.
    ///
    /// # Safety
    /// As for [`ends`](Self::ends).
    unsafe fn resizes<V: Variant<Record = Self>>(p: *mut u8) -> Self::Old;

    /// It was resized, from `before` to `after`; to null if that failed, and it is as it was.
    ///
    /// # Safety
    /// `after` is null, or the caller's object of `n` bytes. The calling thread has its block.
    unsafe fn resized<V: Variant<Record = Self>>(old: Self::Old, before: *mut u8, after: *mut u8, n: usize, how: Made);

    /// Calls `f` with every lock that it has, in their order: for fork.
    fn locks<V: Variant<Record = Self>>(f: &mut dyn FnMut(&Lock));

    /// This is the child of a fork.
    ///
    /// # Safety
    /// The child has this one thread, whose block this is.
    unsafe fn in_child<V: Variant<Record = Self>>();

    /// The object that holds the variant is being unloaded: memory goes back.
    ///
    /// # Safety
    /// No other thread is in the variant's code, and none enters it any more.
    unsafe fn unload<V: Variant<Record = Self>>();

    /// Bytes of memory that it has.
    fn bytes<V: Variant<Record = Self>>() -> usize;

    /// Writes a profile to the path, or to the one of the config.
    ///
    /// # Errors
    /// An `errno`: `ENOSYS` if it makes none.
    fn dump<V: Variant<Record = Self>>(path: Option<&CStr>) -> Result<(), c_int>;

    /// A signal asks for a profile.
    fn asked<V: Variant<Record = Self>>();
}
