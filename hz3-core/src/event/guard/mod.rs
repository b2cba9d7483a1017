//! Guarded objects, in variants that have some (`hardening.guarded_bytes`). In all others nothing of this is left.
//!
//! Of all bytes that come to the lists of threads each is as likely as any other to have its object guarded: the bytes between
//! two guarded objects are drawn from an exponential distribution, for each thread. Where a batch comes to a thread and one of
//! its objects is to be guarded, the batch is cut before that object, so that the list is empty when its turn comes. Then an
//! object of the pen is served instead: see [`pen`](crate::heap::pen). Its page has no tag, so that `free` comes here.

mod account;
mod fault;
mod fence;
mod kept;
mod stray;

use super::{calls, process};
use crate::heap::chance::Dice;
use crate::heap::pen::Pen;
use crate::os::{self, PAGE};
use crate::policy::agreed::DEPTH_MAX;
use crate::policy::{Class, ClassId};
use crate::statics::Warden;
use crate::variant::Variant;
use core::ptr;

/// Called when the variant is unloaded.
///
/// # Safety
/// Nobody else is in the variant's code, or comes there.
pub(super) unsafe fn end<V: Variant>() {
    fault::release::<V>();
    if let Some(pen) = V::pen() {
        // SAFETY: as for this function.
        unsafe { pen.end_all() };
    }
}

/// The process starts: from now on faults are told, if the policy wants that of the first one.
pub(super) fn begin_process<V: Variant>() {
    seed::<V>();
    if V::POLICY.hardening.faults {
        fault::catch::<V>();
    }
}

/// What the dice of threads are made of is drawn.
fn seed<V: Variant>() {
    if let Some(pen) = V::pen() {
        pen.seed();
    }
}

/// This is the child of a fork: which objects are guarded nobody can tell from what its parent guards, or another child.
///
/// # Safety
/// The calling thread has its block.
pub(super) unsafe fn in_child<V: Variant>() {
    seed::<V>();
    if let Some(pen) = V::pen() {
        let own = V::warden();
        // SAFETY: the warden is this thread's.
        unsafe {
            if (*own).started {
                (*own).dice = pen.enroll().0;
                draw::<V>(own);
            }
        }
    }
}

/// Draws the bytes until this thread's next guarded object.
///
/// # Safety
/// The calling thread has its block, and the variant guards.
unsafe fn draw<V: Variant>(own: *mut Warden) {
    // SAFETY: the warden is this thread's.
    unsafe { (*own).left = (*own).dice.gap(V::POLICY.hardening.guarded_bytes) };
}

/// So many bytes come. Whether a guarded object is due among them.
///
/// # Safety
/// The calling thread has its block, and the variant guards.
unsafe fn meets<V: Variant>(bytes: u64) -> bool {
    let own = V::warden();
    // SAFETY: the warden is this thread's.
    unsafe {
        if !(*own).started {
            begin::<V>(own);
        }
        let (left, met) = (*own).left.overflowing_sub(bytes);
        if met {
            draw::<V>(own);
        } else {
            (*own).left = left;
        }
        met
    }
}

/// This thread's first event.
///
/// # Safety
/// As for [`draw`].
#[cold]
#[inline(never)]
unsafe fn begin<V: Variant>(own: *mut Warden) {
    // SAFETY: the warden is this thread's.
    unsafe {
        (*own).started = true;
        let (dice, first) = V::pen().map_or((Dice(0), true), Pen::enroll);
        (*own).dice = dice;
        draw::<V>(own);
        calls::begin::<V>(&raw mut (*own).busy, &raw mut (*own).stack, first);
    }
}

/// Whether objects of a class can be guarded: one has a page.
fn fits(row: &Class) -> bool {
    row.size as usize <= PAGE
}

/// Whether bytes are counted as they are asked for, and not as they come to lists: where objects have something on, `malloc` is no bare
/// hot path, and what a quarantine gives back comes to lists without an event.
const fn counts_calls<V: Variant>() -> bool {
    V::POLICY.wraps()
}

/// To be called by `malloc(n)` of objects that have something on. A guarded object, if it is one's turn; else null.
///
/// # Safety
/// The calling thread has its block.
#[inline(always)]
pub unsafe fn in_turn<V: Variant>(n: usize) -> *mut u8 {
    if V::pen().is_none() || !counts_calls::<V>() {
        return ptr::null_mut();
    }
    // SAFETY: the warden is this thread's.
    unsafe {
        let own = V::warden();
        let (left, met) = (*own).left.overflowing_sub(n as u64);
        if met {
            return at_call::<V>(n);
        }
        (*own).left = left;
    }
    ptr::null_mut()
}

/// # Safety
/// As for [`in_turn`].
#[cold]
#[inline(never)]
unsafe fn at_call<V: Variant>(n: usize) -> *mut u8 {
    process::start::<V>();
    // SAFETY: the block is this thread's. (The thread's first call only draws.)
    unsafe {
        match V::pen() {
            Some(pen) if meets::<V>(n as u64) && n <= PAGE => make::<V>(pen, n),
            _ => ptr::null_mut(),
        }
    }
}

/// A guarded object of `n` bytes; null if there is none to be had.
///
/// # Safety
/// The calling thread has its block, and the process has started.
unsafe fn make<V: Variant>(pen: &'static Pen, n: usize) -> *mut u8 {
    let own = V::warden();
    // SAFETY: the warden is this thread's.
    unsafe {
        if (*own).busy || !pen.is_time(V::POLICY.hardening.guarded_pause_us * 1000) {
            return ptr::null_mut();
        }
        fault::catch::<V>();
        let mut calls = [0; DEPTH_MAX];
        let calls = calls::read::<V>(&raw mut (*own).busy, (*own).stack, &mut calls);
        let end = (*own).dice.bits() >> 63 != 0;
        pen.make(&V::POLICY, n, end, os::thread_number(), calls)
    }
}

/// To be called when `malloc(n)` has found an empty list. A guarded object, if it is one's turn; else null.
///
/// # Safety
/// The calling thread has its block, and the process has started.
#[inline(always)]
pub(super) unsafe fn instead<V: Variant>(n: usize, id: ClassId<V>) -> *mut u8 {
    match V::pen().filter(|_| !counts_calls::<V>()) {
        // SAFETY: the block is this thread's.
        Some(pen) => unsafe { at_refill::<V>(pen, n, id) },
        None => ptr::null_mut(),
    }
}

/// # Safety
/// As for [`instead`].
#[inline(never)]
unsafe fn at_refill<V: Variant>(pen: &'static Pen, n: usize, id: ClassId<V>) -> *mut u8 {
    let row = id.row();
    if !fits(row) {
        return ptr::null_mut();
    }
    let own = V::warden();
    // SAFETY: the warden is this thread's.
    unsafe {
        let due = (*own).disarm(id.number()) || meets::<V>(u64::from(row.size));
        if due { make::<V>(pen, n) } else { ptr::null_mut() }
    }
}

/// So many objects of a class come to a thread's list. How many of them may stay there: if one of them is to be guarded, those
/// before it.
///
/// # Safety
/// The calling thread has its block.
#[inline(always)]
pub(super) unsafe fn portion<V: Variant>(id: ClassId<V>, row: &Class, count: u32) -> u32 {
    if V::pen().is_none() || counts_calls::<V>() || !fits(row) {
        return count;
    }
    let own = V::warden();
    // SAFETY: the warden is this thread's.
    unsafe {
        let (before, size) = ((*own).left, u64::from(row.size).max(1));
        if !meets::<V>(size * u64::from(count)) {
            return count;
        }
        (*own).arm(id.number());
        ((before / size) as u32).min(count.saturating_sub(1))
    }
}

/// A list of the class leaves this thread: none is due at its end any more.
///
/// # Safety
/// The calling thread has its block.
#[inline(always)]
pub(super) unsafe fn forget<V: Variant>(id: ClassId<V>) {
    if V::pen().is_some() {
        // SAFETY: the warden is this thread's.
        unsafe { _ = (*V::warden()).disarm(id.number()) };
    }
}

/// Frees `p` if it lies in the pen. Whether it does.
///
/// # Safety
/// The calling thread has its block; an object at `p`, if there is one, is the caller's, and nobody uses it any more.
#[inline(always)]
pub(super) unsafe fn free<V: Variant>(p: *mut u8) -> bool {
    match V::pen() {
        Some(pen) if pen.contains(p) => {
            // SAFETY: as for this function.
            unsafe { free_there::<V>(pen, p) };
            true
        }
        _ => false,
    }
}

/// # Safety
/// As for [`free`]; `p` lies in the pen.
#[cold]
#[inline(never)]
unsafe fn free_there<V: Variant>(pen: &'static Pen, p: *mut u8) {
    let own = V::warden();
    // SAFETY: the warden is this thread's.
    unsafe {
        if !(*own).started {
            begin::<V>(own);
        }
        let mut calls = [0; DEPTH_MAX];
        let calls = if (*own).busy {
            &[]
        } else {
            calls::read::<V>(&raw mut (*own).busy, (*own).stack, &mut calls)
        };
        if let Err(harm) = pen.end(p, os::thread_number(), calls) {
            account::at_free::<V>(pen, p, harm, calls);
        }
    }
}

/// Bytes that were asked for the guarded object at `p`; None if there is none at this address.
#[inline(always)]
pub fn asked<V: Variant>(p: *const u8) -> Option<usize> {
    V::pen()?.asked(p)
}
