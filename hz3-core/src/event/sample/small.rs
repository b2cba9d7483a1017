//! Sampled objects of classes: whose turn it is, and how they are made.

use super::countdown::{meets, recount};
use super::{birth, look};
use crate::event::{calls, class_for, large, pressure, process, slot_of, thread};
use crate::heap::sample::{Birth, LARGE, place};
use crate::policy::agreed::{DEPTH_MAX, GRANULE};
use crate::policy::{Class, ClassId};
use crate::statics::{Shared, State};
use crate::variant::Variant;
use core::ptr;

/// To be called when `malloc(n)` has found an empty list. A sampled object, if it is one's turn; else null.
///
/// # Safety
/// The calling thread has its block, and the process has started.
#[inline(always)]
pub(in crate::event) unsafe fn instead<V: Variant>(n: usize, id: ClassId<V>) -> *mut u8 {
    if !V::POLICY.samples() {
        return ptr::null_mut();
    }
    look::<V>();
    // SAFETY: the block is this thread's, so its sampler is.
    unsafe {
        // Events are frequent, and samples seldom.
        let own = V::sampler();
        if V::POLICY.counts_bytes() || !(*own).is_armed(id.number()) && (*own).passes(id.row().size as usize) {
            return ptr::null_mut();
        }
        at_refill::<V>(n, id)
    }
}

/// # Safety
/// As for [`instead`].
#[cold]
#[inline(never)]
unsafe fn at_refill<V: Variant>(n: usize, id: ClassId<V>) -> *mut u8 {
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
pub(in crate::event) unsafe fn portion<V: Variant>(id: ClassId<V>, row: &Class, count: u32) -> u32 {
    if !V::POLICY.samples() || V::POLICY.counts_bytes() {
        return count;
    }
    // SAFETY: the sampler is this thread's.
    unsafe {
        if count == 0 || (*V::sampler()).passes(row.size as usize * count as usize) {
            return count;
        }
        portion_before::<V>(id, row, count)
    }
}

/// # Safety
/// As for [`portion`]; there are objects.
#[cold]
#[inline(never)]
unsafe fn portion_before<V: Variant>(id: ClassId<V>, row: &Class, count: u32) -> u32 {
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
pub(in crate::event) unsafe fn forget<V: Variant>(id: ClassId<V>) {
    if V::POLICY.samples() && !V::POLICY.counts_bytes() {
        // SAFETY: the sampler is this thread's.
        unsafe {
            if (*V::sampler()).is_armed(id.number()) {
                (*V::sampler()).forget(id.number());
            }
        }
    }
}

/// `malloc(n)` has counted down to a sample.
///
/// # Safety
/// The calling thread has its block, and the variant counts bytes in `malloc`.
#[cold]
#[inline(never)]
pub unsafe fn due<V: Variant>(n: usize) -> *mut u8 {
    process::start::<V>();
    look::<V>();
    // SAFETY: the block is this thread's, so its sampler is.
    unsafe {
        recount::<V>(n);
        if let Some(level) = meets::<V>(n) {
            if n > V::LARGEST {
                return large::sampled::<V>(n, GRANULE, level).p;
            }
            let p = small::<V>(n, class_for::<V>(n), n, level);
            if !p.is_null() {
                return p;
            }
        }
        V::malloc_uncounted(n)
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
        let calls = calls::read::<V>(&raw mut (*own).busy, (*own).stack, &mut calls);
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

/// Samples in a row of which each takes the place of the one before, at most.
const HEIRS: u8 = 8;

/// A sampled object ends. Where events count, the next one that this thread takes has its place, if nothing has come back to
/// the list since: so that of many objects that go at once and one that stays, the sample comes to be the one that stays.
///
/// # Safety
/// The calling thread has its block, and the variant samples.
#[cold]
pub(super) unsafe fn leaves_its_place<V: Variant>(birth: &Birth) {
    if V::POLICY.counts_bytes() || birth.class == LARGE {
        return;
    }
    // SAFETY: births of objects of classes have the number of their class; the sampler and the slot are this thread's.
    unsafe {
        let (own, id) = (V::sampler(), ClassId::<V>::new(birth.class as usize));
        let empty = thread::state::<V>() == State::Running && (*slot_of::<V>(id)).head.is_null();
        if empty && (*own).heirs < HEIRS {
            (*own).heirs += 1;
            (*own).arm(id.number(), birth.level);
        }
    }
}
