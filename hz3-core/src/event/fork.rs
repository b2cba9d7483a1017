//! `fork`. Before it, all locks are taken in their order (streams, the forking thread's own, start, threads, rows, centrals, lots,
//! page heap, samples, ward, pen, recorder), so that the child finds every structure whole; depots need no lock. In the child the
//! locks are made anew, and what vanished threads had in their caches goes back.
//!
//! The recorder's come last: a signal handler that writes a profile takes them, and may have interrupted a thread that has
//! any of the others.
//!
//! In a process with one thread nothing is taken, and nothing made anew: nobody else can be in the middle of anything, and
//! what this thread itself is in the middle of, where a signal handler forks, it finishes in the parent and in the child.
//! (The helper, which is not counted, is kept out of all locks.)
//!
//! These handlers call nothing that is bound when it is first called, as that takes a lock of the loader.

use super::{cpu, guard, vanished, wrap};
use crate::os::{self, glibc};
use crate::statics::{Shared, ThreadBlock};
use crate::sync::{Lock, Ordering, forker, turn};
use crate::variant::{Record, Variant};
// The kernel has a part in the helper's number.
use core::sync::atomic::Ordering::Acquire;

/// Calls `f` with the variant's locks in their order.
#[inline(never)] // From three places, and long.
fn each<V: Variant>(f: &mut dyn FnMut(&Lock)) {
    let shared = V::shared();
    f(&shared.start().lock);
    f(&shared.threads().lock);
    if V::POLICY.per_cpu() {
        f(&shared.rows().lock);
    }
    for central in shared.centrals() {
        f(&central.lock);
    }
    for lot in shared.heap().lots.each() {
        f(&lot.lock);
    }
    f(&shared.heap().lock);
    if let Some(samples) = V::samples() {
        f(&samples.lock);
    }
    if let Some(ward) = V::ward() {
        f(&ward.lock);
    }
    if let Some(pen) = V::pen() {
        f(&pen.lock);
    }
    V::Record::locks::<V>(f);
}

fn keeps<V: Variant>() -> bool {
    V::shared().start().lock.is_kept() && forker::is_me()
}

/// Whether this is the only thread of the process but for the helper, which is outside of its gate.
fn is_alone<V: Variant>() -> bool {
    if let Some(alone) = glibc::single_threaded() {
        return alone;
    }
    if !V::POLICY.has_helper() {
        return os::is_only_thread(|| 0);
    }
    // The kernel counts the helper, and one that has ended for some microseconds more.
    let helper = V::shared().helper();
    let ask = || os::is_only_thread(|| helper.number.load(Acquire));
    ask()
        || helper.has_ended() && {
            os::sleep_ms(1);
            ask()
        }
}

/// Takes all locks.
///
/// # Safety
/// Called by the C library, in the thread that is about to fork; it calls one of the other two after that.
pub unsafe extern "C" fn prepare<V: Variant>() {
    if V::POLICY.has_helper() {
        V::shared().helper().gate.close();
    }
    if is_alone::<V>() {
        return;
    }
    if V::INTERPOSES {
        // Whoever flushes all streams holds this lock, and may allocate.
        glibc::lock_streams();
    }
    turn::hold(&each::<V>);
}

/// Releases them.
///
/// # Safety
/// Called by the C library after `prepare`, in the same thread.
pub unsafe extern "C" fn parent<V: Variant>() {
    if V::POLICY.has_helper() {
        V::shared().helper().gate.open();
    }
    if !keeps::<V>() {
        return;
    }
    turn::let_go(&each::<V>);
    if V::INTERPOSES {
        glibc::unlock_streams();
    }
}

/// Makes them anew, and takes back what vanished threads had.
///
/// # Safety
/// Called by the C library in the one thread of a child, a copy of one that called `prepare`.
pub unsafe extern "C" fn child<V: Variant>() {
    if V::POLICY.has_helper() {
        let helper = V::shared().helper();
        if helper.forget() {
            // Whoever next gives pages to the kernel sees to those that it had; here the heap may be in use.
            V::shared().heap().pressure.orphans.store(1, Ordering::Relaxed);
            // And it may have been in a round through the depots.
            V::shared().heap().pressure.rounds.reset();
        }
        helper.gate.open_in_child(keeps::<V>());
    }
    if V::POLICY.draws() {
        V::shared().heap().order.seed();
    }
    // SAFETY: this is the child's one thread, and the copy of its block.
    unsafe {
        guard::in_child::<V>();
        wrap::quarantine::in_child::<V>();
        V::Record::in_child::<V>();
    }
    if !keeps::<V>() {
        return;
    }
    let shared = V::shared();
    let mut lent = false;
    each::<V>(&mut |lock| lent |= lock.reset());
    if lent {
        os::die(b"fork: another thread was inside the allocator, as the forking thread had slept for long");
    }
    if let Some(samples) = V::samples() {
        samples.profiles.reset();
    }
    if let Some(ward) = V::ward() {
        ward.reset();
    }
    shared.heap().pressure.reset();
    shared.presence().reset();
    shared.heap().pressure.orphans.store(0, Ordering::Relaxed);
    shared.heap().locked(crate::heap::PageHeap::recover);
    // SAFETY: the child has this one thread, and the copies of the others' blocks are nobody's.
    unsafe {
        if V::POLICY.per_cpu() {
            cpu::child::<V>();
        }
        let meta = V::Thread::meta(V::thread());
        vanished::take_back::<V>(&shared.threads().keep_only(meta));
    }
    turn::leave_in_child();
    if V::INTERPOSES {
        glibc::reset_streams();
    }
}
