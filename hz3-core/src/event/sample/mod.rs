//! Sampling, in variants that ask for it (`stats.record = "sample"`, `"sample-all"`). In all others nothing of this is left.
//!
//! Each byte that leaves is as likely as any other to be met by a sample: the bytes between two samples are drawn from an
//! exponential distribution, for each thread, and whoever counts them down to 0 makes a sample of the object at hand. There
//! are two levels:
//!
//! - **in use**: events count. A batch of objects that comes to a thread counts with all its bytes, and where a sample falls
//!   into the middle of it the batch is cut there, so that the list is empty when that object is due. So what leaves a list
//!   for good is met exactly, however regular the program is, and what comes and goes within a list is never seen.
//! - **all**: `malloc` counts.
//!
//! Objects above the largest class are events anyhow: both levels see all of them.

mod countdown;
pub mod dump;
mod large;
mod small;

use crate::heap::chance;
use crate::heap::sample::{Birth, LARGE, Samples};
use crate::policy::ClassId;
use crate::policy::agreed::GRANULE;
use crate::statics::Sampler;
use crate::variant::Variant;

pub use countdown::recount;
pub(super) use countdown::starts;
pub(super) use large::{made_large, meets_large};
pub use large::{moves, resized};
pub use small::due;
pub(super) use small::{forget, instead, portion};

/// A process that samples starts.
pub(super) fn begin<V: Variant>() {
    if let Some(samples) = V::samples() {
        samples.begin(&V::POLICY);
    }
}

/// What is to be known of an object that this thread makes now: bytes asked for, alignment, bytes of which each could have
/// been met, its class, and doublings of the mean that it was met with. It counts in what the thread's next means follow from.
///
/// # Safety
/// The calling thread has its block, and the variant samples.
unsafe fn birth<V: Variant>(
    samples: &Samples,
    (asked, align, basis): (usize, usize, usize),
    class: u16,
    level: u8,
) -> Birth {
    let (own, born) = (V::sampler(), samples.age());
    if V::POLICY.stats.sample_pause_us > 0 {
        // SAFETY: the sampler is this thread's.
        unsafe { (*own).pace.sampled(born, V::POLICY.stats.sample_pause_us * 1000) };
    }
    Birth {
        asked: asked.saturating_sub(V::POLICY.extra()) as u64,
        born,
        weight: chance::weight(basis as u64, V::POLICY.stats.sample_bytes << level),
        stack: 0,
        // SAFETY: the sampler is this thread's.
        thread: unsafe { (*own).number },
        class,
        level,
        align: if align > GRANULE { align.ilog2() as u8 } else { 0 },
    }
}

/// An object whose page has no tag ends: if it is a sampled one, that is noted.
///
/// # Safety
/// `p` is an object of the caller's, which nobody uses any more. The calling thread has its block.
#[inline]
pub(super) unsafe fn ends<V: Variant>(p: *mut u8) {
    if let Some(samples) = V::samples() {
        // SAFETY: the sampler is this thread's.
        let ended = samples.end(p, || unsafe {
            if (*V::sampler()).number == 0 {
                countdown::enroll::<V>();
            }
            (*V::sampler()).number
        });
        if let Some(birth) = ended {
            // SAFETY: the block is this thread's.
            unsafe { small::leaves_its_place::<V>(&birth) };
        }
    }
}

/// An object is made longer or shorter without being moved, as its class or its pages have room for `n` bytes, those included that
/// the variant adds to each object: if it is a sampled one, that is noted.
///
/// # Safety
/// `p` is an object of the caller's.
#[inline]
pub unsafe fn stays<V: Variant>(p: *mut u8, n: usize) {
    if let Some(samples) = V::samples() {
        samples.resize(p, n.saturating_sub(V::POLICY.extra()));
    }
}

/// Bytes that a sampled object of a class can hold: as many as any other object of its class. None if `p` is no such object.
#[inline]
pub fn class_bytes<V: Variant>(p: *const u8) -> Option<usize> {
    let birth = V::samples()?.get(p)?;
    if birth.class == LARGE {
        return None;
    }
    // SAFETY: births of objects of classes have the number of their class.
    Some(unsafe { ClassId::<V>::new(birth.class as usize) }.row().size as usize)
}

/// The caller of `malloc` was itself asked for an object of `n` bytes at a multiple of `align`: so a sample is said to be.
///
/// # Safety
/// The calling thread has its block.
#[inline]
pub unsafe fn asked_for<V: Variant>(n: usize, align: usize) {
    if V::POLICY.samples() {
        // SAFETY: the sampler is this thread's.
        unsafe {
            let own: *mut Sampler = V::sampler();
            (*own).asked = n;
            (*own).align = align;
        }
    }
}

/// Writes the profile that a signal has asked for, if nobody has.
#[inline]
pub(super) fn look<V: Variant>() {
    if V::POLICY.stats.dump_signal != 0
        && let Some(samples) = V::samples()
        && samples.profiles.is_asked()
    {
        dump::late::<V>(samples);
    }
}
