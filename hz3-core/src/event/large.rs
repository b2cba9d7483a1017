//! Objects above the largest class.

use super::{limit, pressure, process, sample};
use crate::heap::Reach;
use crate::heap::large::Fresh;
use crate::heap::lot::Seat;
use crate::os::{self, PAGE};
use crate::policy::agreed::GRANULE;
use crate::statics::{Shared, ThreadBlock};
use crate::variant::{Kind, Stats, Variant};

/// Allocates `n` bytes above the largest class; null with `errno = ENOMEM` when the kernel refuses.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[cold]
#[inline(never)]
pub unsafe fn malloc<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: none needed from the caller but that it may allocate.
    unsafe {
        // Where `malloc` counts bytes, it has counted these.
        if V::POLICY.counts_bytes() {
            return take::<V>(n, PAGE).p;
        }
        match sample::meets_large::<V>(n) {
            Some(level) => sampled::<V>(n, GRANULE, level).p,
            None => take::<V>(n, PAGE).p,
        }
    }
}

/// The same at a multiple of `align`, a power of two; says whether the memory is all zero.
///
/// # Safety
/// `align` is a power of two. The calling thread has its block: it is any thread of the C library's, not the helper.
pub unsafe fn aligned<V: Variant>(n: usize, align: usize) -> Fresh {
    // SAFETY: as the caller says.
    unsafe {
        match sample::meets_large::<V>(n) {
            Some(level) => sampled::<V>(n, align, level),
            None => take::<V>(n, align),
        }
    }
}

/// The same of an object that is to be sampled, which was met with so many doublings of the mean.
///
/// # Safety
/// As for [`aligned`].
#[cold]
#[inline(never)]
pub(super) unsafe fn sampled<V: Variant>(n: usize, align: usize, level: u8) -> Fresh {
    // SAFETY: as the caller says; the object is new.
    unsafe {
        let fresh = take::<V>(n, align);
        if !fresh.p.is_null() {
            sample::made_large::<V>(fresh.p, n, align, level);
        }
        fresh
    }
}

/// # Safety
/// As for [`aligned`].
unsafe fn take<V: Variant>(n: usize, align: usize) -> Fresh {
    process::start::<V>();
    sample::look::<V>();
    let _timer = V::Stats::time::<V>(Kind::LargeMalloc);
    let heap = V::shared().heap();
    let n = n.max(1);
    if !heap.can_exist(&V::POLICY, n, align) {
        pressure::no_memory::<V>();
        return Fresh::NONE;
    }
    // SAFETY: an event of this thread.
    unsafe { pressure::pulse::<V>() };
    limit::before::<V>(n);
    if heap.is_limited() && heap.is_beyond_limit(n) {
        pressure::no_memory::<V>();
        return Fresh::NONE;
    }
    // SAFETY: the block is this thread's.
    let seat = unsafe { seat::<V>() };
    let attempt = |reach| {
        let fresh = heap.large(&V::POLICY, reach, n, align, seat);
        (!fresh.p.is_null()).then_some(fresh)
    };
    if let Some(fresh) = attempt(pressure::first::<V>()) {
        return fresh;
    }
    // SAFETY: an event of this thread.
    if let Some(fresh) = unsafe { further::<V>(n, attempt) } {
        return fresh;
    }
    pressure::no_memory::<V>();
    Fresh::NONE
}

/// Where this thread stands among those that take large objects.
///
/// # Safety
/// The calling thread has its block, and does not use what is returned when it has no more.
pub(super) unsafe fn seat<'a, V: Variant>() -> &'a Seat {
    // SAFETY: the block is this thread's; the seat is changed through cells only.
    unsafe { &(*V::Thread::meta(V::thread())).seat }
}

/// What the first attempt did not find. Caches are given back only where that may help.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
unsafe fn further<V: Variant>(n: usize, attempt: impl Fn(Reach) -> Option<Fresh>) -> Option<Fresh> {
    let fits = V::shared().heap().arena_may_hold(n);
    if !fits && !V::POLICY.grows_outside() {
        return None;
    }
    // What is more than all memory the kernel refuses, whatever it gets back from us.
    let hopeless = n > os::most_memory();
    if !fits || hopeless {
        let found = attempt(if V::POLICY.grows_outside() {
            Reach::System
        } else {
            Reach::Arena
        });
        if found.is_some() || hopeless {
            return found;
        }
    }
    // SAFETY: an event of this thread.
    unsafe { pressure::overcome::<V, _>(n, attempt) }
}
