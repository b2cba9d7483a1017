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

pub mod dump;

use super::{large, pressure};
use crate::heap::sample::{Birth, LARGE, Samples, chance, place};
use crate::list;
use crate::os::{self, stack};
use crate::policy::agreed::GRANULE;
use crate::policy::knobs::Stacks;
use crate::policy::{Class, ClassId};
use crate::statics::{Sampler, Shared, State};
use crate::sync::Ordering;
use crate::variant::Variant;
use core::ptr;

pub use crate::heap::sample::DEPTH_MAX;

/// A process that samples starts.
pub(super) fn begin<V: Variant>() {
    if let Some(samples) = V::samples() {
        samples.begin(&V::POLICY);
    }
}

/// A thread starts: it gets its number.
///
/// # Safety
/// The calling thread has its block.
pub(super) unsafe fn starts<V: Variant>() {
    if V::POLICY.samples() {
        // SAFETY: the block is this thread's.
        unsafe { enroll::<V>() };
    }
}

/// # Safety
/// The calling thread has its block, and the variant samples.
#[cold]
#[inline(never)]
unsafe fn enroll<V: Variant>() {
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
        (*own).busy = true;
        list::keep_order();
        match V::POLICY.stats.stacks {
            Stacks::Off => {}
            Stacks::FramePointers => {
                let found = stack::bounds();
                (*own).stack = (found.start, found.end);
            }
            // Its first call may allocate, and take locks of the loader's: better now than in the middle of an event.
            Stacks::Unwinder if (*own).number == 1 => {
                stack::unwind(&mut stack::Frames::new(&mut [0; 2], 0..0));
            }
            Stacks::Unwinder => {}
        }
        list::keep_order();
        (*own).busy = false;
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
unsafe fn meets<V: Variant>(bytes: usize) -> Option<u8> {
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

/// To be called when `malloc(n)` has found an empty list. A sampled object, if it is one's turn; else null.
///
/// # Safety
/// The calling thread has its block, and the process has started.
#[inline(always)]
pub(super) unsafe fn instead<V: Variant>(n: usize, id: ClassId<V>) -> *mut u8 {
    if !V::POLICY.samples() {
        return ptr::null_mut();
    }
    // SAFETY: the block is this thread's.
    unsafe { at_refill::<V>(n, id) }
}

/// # Safety
/// As for [`instead`].
#[inline(never)]
unsafe fn at_refill<V: Variant>(n: usize, id: ClassId<V>) -> *mut u8 {
    look::<V>();
    if V::POLICY.counts_bytes() {
        return ptr::null_mut();
    }
    let size = id.row().size as usize;
    // SAFETY: the block is this thread's.
    unsafe {
        let own = V::sampler();
        let level = match (*own).disarm(id.number()) {
            Some(level) => level,
            None => {
                let Some(level) = meets::<V>(size) else {
                    return ptr::null_mut();
                };
                (*own).heirs = 0;
                level
            }
        };
        small::<V>(n, id, size, level)
    }
}

/// So many objects of a class come to a thread's list. How many of them may stay there: if a sample falls among them, those
/// before it.
///
/// # Safety
/// The calling thread has its block.
#[inline(always)]
pub(super) unsafe fn portion<V: Variant>(id: ClassId<V>, row: &Class, count: u32) -> u32 {
    if !V::POLICY.samples() || V::POLICY.counts_bytes() {
        return count;
    }
    let (own, size) = (V::sampler(), row.size as usize);
    // SAFETY: the sampler is this thread's.
    unsafe {
        let before = (*own).left / size.max(1);
        let Some(level) = meets::<V>(size * count as usize) else {
            return count;
        };
        (*own).arm(id.number(), level);
        (*own).heirs = 0;
        before.min(count as usize - 1) as u32
    }
}

/// A list of the class leaves this thread: no sample is due at its end any more.
///
/// # Safety
/// The calling thread has its block.
#[inline(always)]
pub(super) unsafe fn forget<V: Variant>(id: ClassId<V>) {
    if V::POLICY.samples() && !V::POLICY.counts_bytes() {
        // SAFETY: the sampler is this thread's.
        unsafe { _ = (*V::sampler()).disarm(id.number()) };
    }
}

/// `malloc(n)` has counted down to a sample.
///
/// # Safety
/// The calling thread has its block, and the variant counts bytes in `malloc`.
#[cold]
#[inline(never)]
pub unsafe fn due<V: Variant>(n: usize) -> *mut u8 {
    super::process::start::<V>();
    look::<V>();
    // SAFETY: the block is this thread's, so its sampler is.
    unsafe {
        recount::<V>(n);
        if let Some(level) = meets::<V>(n) {
            if n > V::LARGEST {
                return large::sampled::<V>(n, GRANULE, level).p;
            }
            let p = small::<V>(n, super::class_for::<V>(n), n, level);
            if !p.is_null() {
                return p;
            }
        }
        V::malloc_uncounted(n)
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

/// Makes a sampled object of a class; null if there is no memory or no room for it, or this is no time. Each of `basis` bytes
/// could have been met, with so many doublings of the mean.
///
/// # Safety
/// The calling thread has its block, the process has started, and the variant samples.
#[cold]
#[inline(never)]
unsafe fn small<V: Variant>(n: usize, id: ClassId<V>, basis: usize, level: u8) -> *mut u8 {
    let (own, heap) = (V::sampler(), V::shared().heap());
    let Some(samples) = V::samples() else {
        return ptr::null_mut();
    };
    // SAFETY: the sampler is this thread's, and a place that nobody knows the caller's.
    unsafe {
        if (*own).busy {
            return ptr::null_mut();
        }
        let (asked, align) = match (*own).asked {
            0 => (n, 0),
            asked => (asked, (*own).align),
        };
        let mut calls = [0; DEPTH_MAX];
        let calls = read::<V>(&mut calls);
        let seat = large::seat::<V>();
        let p = place::make(heap, &V::POLICY, pressure::first::<V>(), id.row().size as usize, seat);
        if p.is_null() {
            return p;
        }
        let birth = birth::<V>(samples, (asked, align, basis), id.number() as u16, level);
        if !samples.birth(p, birth, calls) {
            place::unmake(heap, &V::POLICY, p, seat);
            return ptr::null_mut();
        }
        p
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
        asked: asked as u64,
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

/// An object above the largest class is being made. If it is to be sampled: doublings of the mean that it was met with.
///
/// # Safety
/// The calling thread has its block.
#[inline(always)]
pub(super) unsafe fn meets_large<V: Variant>(n: usize) -> Option<u8> {
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
pub(super) unsafe fn made_large<V: Variant>(p: *mut u8, n: usize, align: usize, level: u8) {
    let Some(samples) = V::samples() else { return };
    // SAFETY: the sampler is this thread's.
    unsafe {
        if (*V::sampler()).busy {
            return;
        }
        let mut calls = [0; DEPTH_MAX];
        let calls = read::<V>(&mut calls);
        samples.birth(p, birth::<V>(samples, (n, align, n), LARGE, level), calls);
    }
}

/// Reads this thread's stack.
///
/// # Safety
/// The calling thread has its block.
unsafe fn read<V: Variant>(calls: &mut [usize; DEPTH_MAX]) -> &[usize] {
    let depth = (V::POLICY.stats.depth as usize).min(DEPTH_MAX);
    // In a program of Rust's the whole program is the object that holds this.
    let own = if V::INTERPOSES { stack::own_code() } else { 0..0 };
    let sampler = V::sampler();
    let mut frames = stack::Frames::new(calls.get_mut(..depth).unwrap_or_default(), own);
    match V::POLICY.stats.stacks {
        Stacks::Off => {}
        Stacks::FramePointers => {
            // SAFETY: the sampler is this thread's.
            let (start, end) = unsafe { (*sampler).stack };
            stack::walk(&mut frames, &(start..end));
        }
        Stacks::Unwinder => {
            // SAFETY: as above.
            unsafe {
                (*sampler).busy = true;
                list::keep_order();
                stack::unwind(&mut frames);
                list::keep_order();
                (*sampler).busy = false;
            }
        }
    }
    let count = frames.count();
    calls.get(..count).unwrap_or_default()
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
                enroll::<V>();
            }
            (*V::sampler()).number
        });
        if let Some(birth) = ended {
            // SAFETY: the block is this thread's.
            unsafe { leaves_its_place::<V>(&birth) };
        }
    }
}

/// Samples in a row of which each takes the place of the one before, at most.
const HEIRS: u8 = 8;

/// A sampled object ends. Where events count, the next one that this thread takes has its place, if nothing has come back to
/// the list since: so that of many objects that go at once and one that stays, the sample comes to be the one that stays.
///
/// # Safety
/// The calling thread has its block, and the variant samples.
#[cold]
unsafe fn leaves_its_place<V: Variant>(birth: &Birth) {
    if V::POLICY.counts_bytes() || birth.class == LARGE {
        return;
    }
    // SAFETY: births of objects of classes have the number of their class; the sampler and the slot are this thread's.
    unsafe {
        let (own, id) = (V::sampler(), ClassId::<V>::new(birth.class as usize));
        let empty = super::thread::state::<V>() == State::Running && (*super::slot_of::<V>(id)).head.is_null();
        if empty && (*own).heirs < HEIRS {
            (*own).heirs += 1;
            (*own).arm(id.number(), birth.level);
        }
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
        && samples.wanted.load(Ordering::Relaxed) != 0
    {
        dump::late::<V>(samples);
    }
}
