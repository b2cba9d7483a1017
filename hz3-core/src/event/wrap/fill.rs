//! Filling of objects: freed ones, so that nothing of what they held is left and a write into them is found when they are served
//! again; and new ones.
//!
//! Of a free object of a class the first word is a link and the second a [`mark`]; the filling begins behind them, and ends before the
//! canary's word, if there is one: that stays, and is looked at, too. A filling that is bounded (`fill_bytes`) has its last words where what
//! was asked for ends, as the canary says: that is where a program writes which goes through an object, or uses its last field, and it
//! costs no line of the cache more. Larger objects
//! are not looked at again, as their pages go back to the kernel or to anybody: long ones are emptied by giving their pages back at
//! once, which reads as zero whatever the filling is.

use super::canary;
use crate::list::mark::{self, Mark};
use crate::os::{self, PAGE};
use crate::policy::knobs::Fill;
use crate::variant::Variant;
use core::ptr;

/// A freed byte: eight of them are no address.
const FREED: u8 = 0xdf;
/// A new byte, likewise.
const NEW: u8 = 0xaa;
/// Bytes of a free object's link and mark.
pub(super) const HEAD: usize = 16;
/// Bytes of a word.
const WORD: usize = size_of::<u64>();
/// If objects are filled up to here at most, all are in the same number of words, those of short ones more than once: then no branch
/// depends on how long they are.
const SHORT: usize = 128;
/// Bytes from which on it is cheaper to give pages back than to write them.
const GIVEN_BACK: usize = 256 << 10;

const fn byte(fill: Fill, poison: u8) -> u8 {
    match fill {
        Fill::Poison => poison,
        Fill::Off | Fill::Zero => 0,
    }
}

/// How much of an object of so many bytes is filled.
const fn filled<V: Variant>(bytes: usize) -> usize {
    match V::POLICY.hardening.fill_bytes {
        0 => bytes,
        most if most < bytes => most,
        _ => bytes,
    }
}

/// Words of a bounded filling that lie where what was asked for ends.
const LAST: usize = 2;

/// Where that part of the filling of a free object ends that begins behind its mark; `most` bytes of the object can be filled.
const fn end<V: Variant>(most: usize) -> usize {
    match V::POLICY.hardening.fill_bytes {
        0 => most,
        bytes => {
            let first = if bytes > HEAD + LAST * WORD {
                bytes - LAST * WORD
            } else {
                HEAD
            };
            if first < most { first } else { most }
        }
    }
}

/// The first words that are filled and looked at, if [`SHORT`] holds, of an object of which `most` bytes can be filled.
#[inline(always)]
fn first<V: Variant>(most: usize) -> impl Iterator<Item = usize> {
    (HEAD / WORD..const { end::<V>(usize::MAX) / WORD }).map(move |i| (i * WORD).min(most - WORD))
}

/// The last ones, where what was asked for ends; none if all of an object is filled.
#[inline(always)]
fn last<V: Variant>(asked: usize) -> impl Iterator<Item = usize> {
    let words = const { if V::POLICY.hardening.fill_bytes > HEAD { LAST } else { 0 } };
    let end = asked.next_multiple_of(WORD);
    (0..words).map(move |i| end.saturating_sub((i + 1) * WORD).max(HEAD))
}

/// Where what was asked for of a free object of a class ends, as far as that is known: behind the last byte that can be filled at the
/// most. None if its canary is not as it was.
///
/// # Safety
/// As for [`look`].
#[inline(always)]
unsafe fn asked<V: Variant>(p: *const u8, bytes: usize, value: u64) -> Option<usize> {
    // (Of the shortest objects the mark is the last word.)
    if V::POLICY.hardening.canary && bytes != HEAD {
        // SAFETY: as the caller says.
        unsafe { canary::length(p, bytes, value) }
    } else {
        Some(bytes - V::POLICY.extra())
    }
}

/// Whether the number of those words is always the same.
pub(super) const fn is_short<V: Variant>() -> bool {
    let bytes = V::POLICY.hardening.fill_bytes;
    0 < bytes && bytes <= SHORT
}

/// Fills a freed object of a class.
///
/// # Safety
/// The object is the caller's, of `bytes` bytes, and nobody uses it any more.
#[inline(always)]
pub unsafe fn freed<V: Variant>(p: *mut u8, bytes: usize) {
    let with = byte(V::POLICY.hardening.fill_freed, FREED);
    let pattern = u64::from_ne_bytes([with; 8]);
    // SAFETY: the object is the caller's; it has a link and a mark, and the filling ends with it.
    unsafe {
        let value = V::secret().of(p);
        p.cast::<u64>().write(pattern);
        mark::filled(p, value);
        let most = bytes - V::POLICY.extra();
        if most <= HEAD {
            return;
        }
        let asked = asked::<V>(p, bytes, value).unwrap_or(most);
        if is_short::<V>() {
            for at in first::<V>(most) {
                p.add(at).cast::<u64>().write(pattern);
            }
        } else {
            ptr::write_bytes(p.add(HEAD), with, end::<V>(most) - HEAD);
        }
        for at in last::<V>(asked) {
            p.add(at).cast::<u64>().write(pattern);
        }
    }
}

/// Fills a freed object that is no class's.
///
/// # Safety
/// As for [`freed`]; the object lies in pages of its own.
#[cold]
#[inline(never)]
pub unsafe fn freed_pages<V: Variant>(p: *mut u8, bytes: usize) {
    let bytes = filled::<V>(bytes);
    // SAFETY: the object is the caller's, and its pages are nobody else's.
    unsafe {
        let whole = bytes & !(PAGE - 1);
        if bytes >= GIVEN_BACK && os::purge(p, whole) {
            ptr::write_bytes(p.add(whole), 0, bytes - whole);
        } else {
            ptr::write_bytes(p, byte(V::POLICY.hardening.fill_freed, FREED), bytes);
        }
    }
}

/// What a free object turns out to be that is about to be served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Anything may be in it.
    Something,
    /// Behind link and mark it is all zero.
    Zero,
    /// It was written to.
    Written,
}

/// Looks at a free object of a class that is about to be served, where freed objects are filled. `value` is its own of the process's
/// secret.
///
/// # Safety
/// The object is the caller's, of `bytes` bytes, and free until now.
#[inline(always)]
pub unsafe fn look<V: Variant>(p: *mut u8, bytes: usize, value: u64) -> Found {
    // SAFETY: the object is the caller's.
    unsafe {
        match mark::read(p, value) {
            Mark::Fresh => Found::Something,
            Mark::Written => Found::Written,
            Mark::Filled => {
                let with = byte(V::POLICY.hardening.fill_freed, FREED);
                let most = bytes - V::POLICY.extra();
                let Some(asked) = asked::<V>(p, bytes, value) else {
                    return Found::Written;
                };
                if most > HEAD && !is_filled::<V>(p, most, asked, with) {
                    Found::Written
                } else if end::<V>(most) == most && with == 0 {
                    Found::Zero
                } else {
                    Found::Something
                }
            }
        }
    }
}

/// Whether a free object of a class is as it was filled, behind its link and its mark.
///
/// # Safety
/// As for [`look`]; `most` bytes of it can be filled, and reach beyond the mark; what was asked for ends at `asked`, not behind them.
#[inline(always)]
unsafe fn is_filled<V: Variant>(p: *const u8, most: usize, asked: usize, with: u8) -> bool {
    let pattern = u64::from_ne_bytes([with; 8]);
    // SAFETY: the words are the object's, and aligned as it is.
    unsafe {
        let mut wrong = 0;
        for at in last::<V>(asked) {
            wrong |= *p.add(at).cast::<u64>() ^ pattern;
        }
        if is_short::<V>() {
            for at in first::<V>(most) {
                wrong |= *p.add(at).cast::<u64>() ^ pattern;
            }
            wrong == 0
        } else {
            wrong == 0 && all(p.add(HEAD), end::<V>(most) - HEAD, with)
        }
    }
}

/// Whether the first words of a freed object of a class, which is in no list yet, are as they were filled: the two of its link and its
/// mark, and, for short fillings, those of the filling that lie behind them.
///
/// # Safety
/// As for [`look`]; free objects are marked.
#[inline(always)]
pub unsafe fn begins_whole<V: Variant>(p: *mut u8, bytes: usize, value: u64) -> bool {
    let pattern = u64::from_ne_bytes([byte(V::POLICY.hardening.fill_freed, FREED); 8]);
    let most = bytes - V::POLICY.extra();
    // SAFETY: the object is the caller's, and the words are its own.
    unsafe {
        let mut wrong = *p.cast::<u64>() ^ pattern;
        if is_short::<V>() && most > HEAD {
            for at in first::<V>(most) {
                wrong |= *p.add(at).cast::<u64>() ^ pattern;
            }
        }
        wrong == 0 && mark::read(p, value) == Mark::Filled
    }
}

/// Whether so many bytes are all this one. They are a multiple of eight, and aligned to that.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn all(p: *const u8, bytes: usize, byte: u8) -> bool {
    let (words, pattern) = (p.cast::<u64>(), u64::from_ne_bytes([byte; 8]));
    let mut wrong = 0;
    // Without an exit in the middle, so that it is done by vectors.
    for i in 0..bytes / 8 {
        // SAFETY: the word is one of those bytes.
        wrong |= unsafe { *words.add(i) } ^ pattern;
    }
    wrong == 0
}

/// Fills a new object from `from` on, which is new to the program as far as `n`. The first `zero` bytes of a free object are zero, but
/// for its link and its mark.
///
/// # Safety
/// The object is the caller's, and has `n` bytes behind `p`.
#[inline(always)]
pub unsafe fn new<V: Variant>(p: *mut u8, from: usize, n: usize, zero: usize) {
    let fill = V::POLICY.hardening.fill_new;
    if matches!(fill, Fill::Off) {
        return;
    }
    let zeroes = matches!(fill, Fill::Zero);
    let end = if zeroes && zero > 0 && n > HEAD {
        HEAD
    } else {
        filled::<V>(n)
    };
    if from < end {
        // SAFETY: as the caller says.
        unsafe { ptr::write_bytes(p.add(from), byte(fill, NEW), end - from) }
    }
}
