//! Sampled objects above the largest class. They lie where they would lie anyhow.

use super::countdown::meets;
use super::{birth, ends};
use crate::event::calls;
use crate::heap::sample::LARGE;
use crate::policy::agreed::DEPTH_MAX;
use crate::variant::Variant;

/// An object above the largest class is being made. If it is to be sampled: doublings of the mean that it was met with.
///
/// # Safety
/// The calling thread has its block.
#[inline(always)]
pub(in crate::event) unsafe fn meets_large<V: Variant>(n: usize) -> Option<u8> {
    if !V::POLICY.samples() {
        return None;
    }
    // SAFETY: the block is this thread's.
    unsafe { meets::<V>(n) }
}

/// An object above the largest class was made that is to be sampled.
///
/// # Safety
/// The calling thread has its block, and `p` is its object.
#[cold]
#[inline(never)]
pub(in crate::event) unsafe fn made_large<V: Variant>(p: *mut u8, n: usize, align: usize, level: u8) {
    let Some(samples) = V::samples() else { return };
    // SAFETY: the sampler is this thread's.
    unsafe {
        let own = V::sampler();
        if (*own).busy {
            return;
        }
        let mut calls = [0; DEPTH_MAX];
        let calls = calls::read::<V>(&raw mut (*own).busy, (*own).stack, &mut calls);
        samples.birth(p, birth::<V>(samples, (n, align, n), LARGE, level), calls);
    }
}

/// An object above the largest class has another length now: to a profile it is another object.
///
/// # Safety
/// `p` is an object of the caller's, of `n` bytes. The calling thread has its block.
#[inline]
pub unsafe fn resized<V: Variant>(p: *mut u8, n: usize) {
    if V::POLICY.samples() {
        // SAFETY: the block is this thread's, and the object the caller's.
        unsafe {
            ends::<V>(p);
            if let Some(level) = meets::<V>(n) {
                made_large::<V>(p, n, 0, level);
            }
        }
    }
}

/// An object above the largest class moves, by other means than a copy: as it was it ends.
///
/// # Safety
/// As for `ends`.
#[inline]
pub unsafe fn moves<V: Variant>(p: *mut u8) {
    // SAFETY: the object is the caller's.
    unsafe { ends::<V>(p) };
}
