//! How the first word of a free object says which object comes after it.

/// An encoding of the links in free objects.
///
/// What [`next`](Link::next) makes of a word that [`word`](Link::word) gave for the same object is what `word` was given: an
/// object, or null, which ends a list. Of any other word it makes any address: the child of a fork may ask for it where a
/// list was torn, and looks at the answer before it goes there.
pub trait Link: 'static {
    /// What the first word of `at` holds when `next` is the object after it.
    fn word(at: *mut u8, next: *mut u8) -> *mut u8;

    /// The object after `at`, whose first word this is.
    fn next(at: *mut u8, word: *mut u8) -> *mut u8;
}

/// The address, as it is.
pub struct Plain;

impl Link for Plain {
    #[inline(always)]
    fn word(_: *mut u8, next: *mut u8) -> *mut u8 {
        next
    }

    #[inline(always)]
    fn next(_: *mut u8, word: *mut u8) -> *mut u8 {
        word
    }
}
