//! How the first word of a free object says which object comes after it.

use super::agreed::ADDRESS_BITS;
use super::shape::Shape;

/// An encoding of the links in free objects.
///
/// What [`next`](Link::next) makes of a word that [`word`](Link::word) gave for the same object is what `word` was given: an
/// object, or null, which ends a list. Of any other word it makes any address: the child of a fork may ask for it where a
/// list was torn, and looks at the answer before it goes there.
pub trait Link: 'static {
    /// What the first word of `at` holds when `next` is the object after it.
    fn word<S: Shape>(at: *mut u8, next: *mut u8) -> *mut u8;

    /// The object after `at`, whose first word this is.
    fn next<S: Shape>(at: *mut u8, word: *mut u8) -> *mut u8;

    /// Whether it needs a key of the process's.
    const KEYED: bool;

    /// Whether [`next`](Link::next) has given what can be an object at all, or null. Where it has not, the word was written by
    /// somebody else.
    fn sound<S: Shape>(next: *mut u8) -> bool;
}

/// The address, as it is.
pub struct Plain;

impl Link for Plain {
    const KEYED: bool = false;

    #[inline(always)]
    fn word<S: Shape>(_: *mut u8, next: *mut u8) -> *mut u8 {
        next
    }

    #[inline(always)]
    fn next<S: Shape>(_: *mut u8, word: *mut u8) -> *mut u8 {
        word
    }

    #[inline(always)]
    fn sound<S: Shape>(_: *mut u8) -> bool {
        true
    }
}

/// The address, turned around byte by byte, and both the key of the process and the object's own address in it. So
///
/// - the byte that comes first in memory, which is what an overflow reaches first, is the highest of the address: a change of the
///   first two bytes never gives an address;
/// - a word that was copied from another object, as one that is old, gives no address if the two lie less than 64 KiB apart and it
///   leads elsewhere;
/// - who writes a word without knowing the key gives an address of an object once in two million times.
pub struct Encoded;

/// The key of the process.
#[inline(always)]
fn key<S: Shape>() -> usize {
    // SAFETY: it is written once, before there is any link, and the thread that asks for a link has seen that (it has a list, or an
    // object), so a plain load does not race. (An atomic one would cost an instruction: LLVM loads it apart.)
    #[cfg(not(loom))]
    unsafe {
        *S::link_key().as_ptr()
    }
    #[cfg(loom)]
    S::link_key().load(crate::sync::Ordering::Relaxed)
}

/// Bits that no object's address has: it is below 2^47 and a multiple of the granule.
const fn never(granule: usize) -> usize {
    !((1 << ADDRESS_BITS) - 1) | (granule - 1)
}

impl Link for Encoded {
    const KEYED: bool = true;

    #[inline(always)]
    fn word<S: Shape>(at: *mut u8, next: *mut u8) -> *mut u8 {
        let key = key::<S>();
        (((next as usize ^ key).swap_bytes()) ^ at as usize) as *mut u8
    }

    #[inline(always)]
    fn next<S: Shape>(at: *mut u8, word: *mut u8) -> *mut u8 {
        let key = key::<S>();
        ((word as usize ^ at as usize).swap_bytes() ^ key) as *mut u8
    }

    #[inline(always)]
    fn sound<S: Shape>(next: *mut u8) -> bool {
        next as usize & never(S::GRANULE) == 0
    }
}
