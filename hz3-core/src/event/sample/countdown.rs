//! The bytes that a thread counts down to its next sample.

use crate::event::calls;
use crate::heap::chance;
use crate::os;
use crate::variant::Variant;

/// A thread starts: it gets its number.
///
/// # Safety
/// The calling thread has its block.
pub(in crate::event) unsafe fn starts<V: Variant>() {
    if V::POLICY.samples() {
        // SAFETY: the block is this thread's.
        unsafe { enroll::<V>() };
    }
}

/// # Safety
/// The calling thread has its block, and the variant samples.
#[cold]
#[inline(never)]
pub(super) unsafe fn enroll<V: Variant>() {
    let Some(samples) = V::samples() else { return };
    let own = V::sampler();
    // SAFETY: the sampler is this thread's.
    unsafe {
        if (*own).number != 0 {
            return;
        }
        (*own).number = samples.enroll();
        (*own).dice = chance::Dice(os::random_bits() ^ u64::from((*own).number) << 32);
        (*own).pace.start(samples.age());
        draw::<V>();
        calls::begin::<V>(&raw mut (*own).busy, &raw mut (*own).stack, (*own).number == 1);
    }
}

/// Draws the bytes until the thread's next sample.
///
/// # Safety
/// The calling thread has its block, and the variant samples.
unsafe fn draw<V: Variant>() {
    let own = V::sampler();
    // SAFETY: the sampler is this thread's.
    unsafe {
        let mean = V::POLICY.stats.sample_bytes << (*own).pace.begin();
        (*own).left = (*own).dice.gap(mean) as usize;
    }
}

/// So many bytes leave. If a sample falls among them: doublings of the mean that it was drawn with.
///
/// # Safety
/// The calling thread has its block, and the variant samples.
pub(super) unsafe fn meets<V: Variant>(bytes: usize) -> Option<u8> {
    let own = V::sampler();
    // SAFETY: the sampler is this thread's.
    unsafe {
        if (*own).number == 0 {
            enroll::<V>();
        }
        let (left, met) = (*own).left.overflowing_sub(bytes);
        if met {
            let level = (*own).pace.level();
            draw::<V>();
            return Some(level);
        }
        (*own).left = left;
        None
    }
}

/// What `malloc` has counted of `n` bytes counts no more: they are counted once again.
///
/// # Safety
/// The calling thread has its block.
#[inline(always)]
pub unsafe fn recount<V: Variant>(n: usize) {
    if V::POLICY.counts_bytes() {
        let own = V::sampler();
        // SAFETY: the sampler is this thread's. (It wraps as it did in `malloc`.)
        unsafe { (*own).left = (*own).left.wrapping_add(n) };
    }
}
