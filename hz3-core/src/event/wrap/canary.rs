//! The canary: a value behind what was asked for, which only the process knows.
//!
//! ```text
//! p                 p + asked        end - 8      end
//! │ what was asked for │ pattern │ …    │ word      │
//! ```
//!
//! The last word of an object says how many bytes there are between it and what was asked for, so that nobody else has to know that.
//! The pattern fills the first of them, 16 at the most: what runs over an object's end comes by there. It is written and looked at in
//! two words that lie one behind the other, but none beyond the last one before the canary's own: so how many of them are needed
//! decides no branch, which nobody could foretell where sizes vary. The word is
//! `(bytes + value) × FACTOR`, where `value` is the object's of the process's secret and `FACTOR` is odd: to read it, multiply by
//! the inverse. A change of any of its bytes, the lowest ones first as an overflow does it, changes all bits above after that, and
//! what is read is no length an object could have. The pattern is a byte of the value that is never 0, which is what a string's end
//! would write.

use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

/// Bytes of the word.
pub const WORD: usize = size_of::<u64>();
/// Words of pattern, at most.
const WORDS: usize = 2;

/// Odd, and with bits everywhere.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// `FACTOR * INVERSE` is 1, modulo 2^64.
const INVERSE: u64 = inverse(FACTOR);

/// By Newton's method: each step doubles the number of bits that are right, from the three that `odd` has itself.
const fn inverse(odd: u64) -> u64 {
    let mut x = odd;
    let mut bits = 3;
    while bits < u64::BITS {
        x = x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x)));
        bits *= 2;
    }
    x
}

/// The word of an object with so many bytes before it that were not asked for.
const fn seal(count: usize, value: u64) -> u64 {
    (count as u64).wrapping_add(value).wrapping_mul(FACTOR)
}

/// How many bytes a word says there are.
const fn unseal(word: u64, value: u64) -> u64 {
    word.wrapping_mul(INVERSE).wrapping_sub(value)
}

/// Eight bytes of the pattern.
const fn pattern(value: u64) -> u64 {
    ((value >> 32 | 1) & 0xff) * 0x0101_0101_0101_0101
}

/// The canary's own word of the object at `p`. Whoever looks at a neighbour reads it while its owner may write another one.
///
/// # Safety
/// An object lies there that holds `bytes`, 16 at least; both are multiples of 8.
#[inline(always)]
unsafe fn word<'a>(p: *const u8, bytes: usize) -> &'a AtomicU64 {
    // SAFETY: as the caller says: the last eight bytes are aligned.
    unsafe { AtomicU64::from_ptr(p.add(bytes - WORD).cast_mut().cast()) }
}

/// Whether the word behind the object at `p` is a canary's. It stays one while the object is free, and until it is served again: what
/// objects are filled with ends before it.
///
/// # Safety
/// An object lies there that holds `bytes`, 16 at least; both are multiples of 8. It was the program's once.
#[inline(always)]
pub unsafe fn is_sealed(p: *const u8, bytes: usize, value: u64) -> bool {
    // SAFETY: as the caller says.
    unsafe { length(p, bytes, value) }.is_some()
}

/// How many bytes were asked for of the object at `p`, by the word alone; None if that is not a canary's.
///
/// # Safety
/// As for [`is_sealed`].
#[inline(always)]
pub unsafe fn length(p: *const u8, bytes: usize, value: u64) -> Option<usize> {
    // SAFETY: as the caller says.
    let count = unseal(unsafe { word(p, bytes) }.load(Ordering::Relaxed), value);
    (count <= (bytes - WORD) as u64).then(|| bytes - WORD - count as usize)
}

/// Where the words of pattern lie in an object that holds `bytes`, and of which `asked` are the program's. If fewer than eight bytes are
/// left before the canary's own word, each of them begins with bytes of the program's.
#[inline(always)]
fn words(bytes: usize, asked: usize) -> impl Iterator<Item = usize> {
    let last = bytes - 2 * WORD;
    (0..WORDS).map(move |i| (asked + i * WORD).min(last))
}

/// Writes the canary of the object at `p`, which holds `bytes`, behind the first `asked` of them. The last eight of these may change.
///
/// # Safety
/// The object is the caller's, of 16 bytes at least, and it and `bytes` are multiples of 8; `asked + WORD <= bytes`.
#[inline(always)]
pub unsafe fn write_new(p: *mut u8, bytes: usize, asked: usize, value: u64) {
    let pattern = pattern(value);
    // SAFETY: everything that is written lies in the object.
    unsafe {
        for at in words(bytes, asked) {
            p.add(at).cast::<u64>().write_unaligned(pattern);
        }
        let count = bytes - WORD - asked;
        word(p, bytes).store(seal(count, value), Ordering::Relaxed);
    }
}

/// The same of an object whose first `asked` bytes hold what the program wants kept.
///
/// # Safety
/// As for [`write_new`].
pub unsafe fn write(p: *mut u8, bytes: usize, asked: usize, value: u64) {
    // SAFETY: the last word of pattern lies in the object.
    unsafe {
        let last = p.add(bytes - 2 * WORD).cast::<u64>();
        let before = last.read_unaligned();
        write_new(p, bytes, asked, value);
        let kept = asked.saturating_sub(bytes - 2 * WORD);
        if kept > 0 {
            ptr::copy_nonoverlapping((&raw const before).cast::<u8>(), last.cast(), kept);
        }
    }
}

/// How many bytes were asked for of the object at `p`, which holds `bytes`. None if the canary is not as it was written.
///
/// # Safety
/// The object is the caller's, of 16 bytes at least, and it and `bytes` are multiples of 8.
#[inline(always)]
pub unsafe fn asked(p: *const u8, bytes: usize, value: u64) -> Option<usize> {
    // SAFETY: all that is read lies in the object.
    unsafe {
        let asked = length(p, bytes, value)?;
        let pattern = pattern(value);
        let mut wrong = 0;
        for at in words(bytes, asked) {
            wrong |= p.add(at).cast::<u64>().read_unaligned() ^ pattern;
        }
        // What each of them has of the program's. (All of it, if nothing is left: that is a shift by 64 bits, in two.)
        let kept = asked.saturating_sub(bytes - 2 * WORD) * 4;
        (wrong >> kept >> kept == 0).then_some(asked)
    }
}

/// Takes the canary of an object away that is about to be longer: behind what was asked for it is zero.
///
/// # Safety
/// As for [`write()`].
pub unsafe fn erase(p: *mut u8, bytes: usize, asked: usize) {
    // SAFETY: the bytes behind `asked` are the object's.
    unsafe { ptr::write_bytes(p.add(asked), 0, bytes - asked) }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn the_inverse_is_one() {
        assert_eq!(FACTOR.wrapping_mul(INVERSE), 1);
    }

    /// Sizes of an object and of what is asked of it.
    fn object() -> impl Strategy<Value = (usize, usize)> {
        (1usize..40)
            .prop_map(|n| n * 16)
            .prop_flat_map(|bytes| (Just(bytes), 0..=bytes - WORD))
    }

    /// An object as aligned as the heap's are.
    struct Object(Vec<u128>);

    impl core::ops::Deref for Object {
        type Target = [u8];

        fn deref(&self) -> &[u8] {
            // SAFETY: all bytes of these numbers are bytes.
            unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * 16) }
        }
    }

    impl core::ops::DerefMut for Object {
        fn deref_mut(&mut self) -> &mut [u8] {
            // SAFETY: as above.
            unsafe { core::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * 16) }
        }
    }

    fn sealed(bytes: usize, asked: usize, value: u64) -> Object {
        let mut object = Object(vec![0; bytes / 16]);
        object.iter_mut().enumerate().for_each(|(i, byte)| *byte = i as u8);
        // SAFETY: the object is this vector's, and so long.
        unsafe { write(object.as_mut_ptr(), bytes, asked, value) };
        object
    }

    const PATTERN: usize = WORDS * WORD;

    fn read(object: &[u8], value: u64) -> Option<usize> {
        // SAFETY: as above.
        unsafe { super::asked(object.as_ptr(), object.len(), value) }
    }

    proptest! {
        #[test]
        fn what_was_asked_for_is_found_again_and_left_alone((bytes, asked) in object(), value: u64) {
            let object = sealed(bytes, asked, value);
            prop_assert!(object[..asked].iter().enumerate().all(|(i, byte)| *byte == i as u8));
            prop_assert_eq!(read(&object, value), Some(asked));
        }

        #[test]
        fn a_new_object_has_the_same((bytes, asked) in object(), value: u64) {
            let mut object = Object(vec![0; bytes / 16]);
            // SAFETY: the object is this vector's, and so long.
            unsafe { write_new(object.as_mut_ptr(), bytes, asked, value) };
            let same = sealed(bytes, asked, value);
            let pattern = asked..(asked + PATTERN).min(bytes - WORD);
            prop_assert_eq!(&object[pattern.clone()], &same[pattern]);
            prop_assert_eq!(&object[bytes - WORD..], &same[bytes - WORD..]);
            prop_assert_eq!(read(&object, value), Some(asked));
            // SAFETY: as above.
            let is_sealed = unsafe { is_sealed(object.as_ptr(), bytes, value) };
            prop_assert!(is_sealed);
        }

        #[test]
        fn any_byte_of_it_that_changes_is_found((bytes, asked) in object(), value: u64, at: prop::sample::Index, flip in 1u8..) {
            let mut object = sealed(bytes, asked, value);
            let pattern = PATTERN.min(bytes - WORD - asked);
            let at = at.index(pattern + WORD);
            let at = if at < pattern { asked + at } else { bytes - WORD + at - pattern };
            object[at] ^= flip;
            prop_assert_eq!(read(&object, value), None);
        }

        #[test]
        fn an_overflow_of_any_length_is_found((bytes, asked) in object(), value: u64, length: prop::sample::Index, with: u8) {
            let mut object = sealed(bytes, asked, value);
            let length = 1 + length.index(bytes - asked);
            let same = object[asked..asked + length.min(PATTERN)].iter().all(|byte| *byte == with);
            object[asked..asked + length].fill(with);
            prop_assert!(same || read(&object, value).is_none());
        }

        #[test]
        fn zero_is_no_pattern((bytes, asked) in object(), value: u64) {
            let object = sealed(bytes, asked, value);
            prop_assert!(object[asked..(asked + PATTERN).min(bytes - WORD)].iter().all(|byte| *byte != 0));
        }

        #[test]
        fn the_canary_of_another_object_is_none((bytes, asked) in object(), value: u64, other: u64) {
            prop_assume!(value != other);
            let object = sealed(bytes, asked, value);
            prop_assert_ne!(read(&object, other), Some(asked));
        }

        #[test]
        fn nothing_is_left_of_it((bytes, asked) in object(), value: u64) {
            let mut object = sealed(bytes, asked, value);
            // SAFETY: the object is this vector's.
            unsafe { erase(object.as_mut_ptr(), bytes, asked) };
            prop_assert_eq!(&object[asked..], &vec![0; bytes - asked][..]);
        }
    }
}
