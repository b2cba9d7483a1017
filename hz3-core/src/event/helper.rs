//! The helper thread, in variants that ask for one (`purge.idle = "helper"`).
//!
//! Events purge what is old, but an idle process has no events. The helper sleeps for the purge delay, gives old pages
//! back and empties the depots, whose objects keep runs open, and ends when it found nothing to give back for a while. It
//! is not the default: a thread that the program did not start is seen by whoever counts threads (`unshare`, `setns`, some
//! sandboxes).
//!
//! Only allocations start it. The C library calls `free` while it holds the lock of its thread stacks, which starting a
//! thread takes too. So it has to be there before much is freed: a process with a large heap that allocates has it.

use super::relief;
use crate::os;
use crate::statics::Shared;
use crate::sync::Ordering;
use crate::variant::Variant;
use core::ffi::c_void;
use core::ptr;

/// Milliseconds between two looks where no delay is configured.
const PAUSE: u64 = 1000;
/// Bytes of segments and huge objects from which on the helper is there before anything is freed.
const MUCH: usize = 16 << 20;
/// Looks that find nothing before it ends.
const PATIENCE: u32 = 10;

/// What is said of the helper in [`crate::heap::Pressure`]: there is none.
const NONE: u32 = 0;
/// It exists.
const EXISTS: u32 = 1;
/// It has to end at once.
const DISMISSED: u32 = 2;
/// It has ended, or is about to: somebody has to wait for it.
const ENDED: u32 = 3;

/// Starts the helper if there is something to purge, or will be, and it does not exist. Returns whether it was started, for which the
/// C library may have allocated and freed in this thread.
pub fn wake<V: Variant>() -> bool {
    let pressure = &V::shared().heap().pressure;
    let helper = &pressure.helper;
    let before = helper.load(Ordering::Relaxed);
    let idle = before == NONE || before == ENDED;
    if !idle
        || !backed::<V>() && !large::<V>()
        || helper
            .compare_exchange(before, EXISTS, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
    {
        return false;
    }
    if before == ENDED {
        // SAFETY: the thread was started here, and whoever finds that it ended waits for it.
        unsafe { os::join_thread(pressure.helper_thread.load(Ordering::Relaxed) as os::Thread) };
    }
    match os::start_thread(run::<V>) {
        Some(thread) => pressure.helper_thread.store(thread as usize, Ordering::Relaxed),
        None => helper.store(NONE, Ordering::Relaxed),
    }
    true
}

/// Ends the helper, if there is one, and waits until it has left the variant's code.
///
/// No other thread is in the variant's code.
pub unsafe fn dismiss<V: Variant>() {
    if !V::POLICY.purge_helper {
        return;
    }
    let pressure = &V::shared().heap().pressure;
    let before = pressure.helper.swap(DISMISSED, Ordering::Acquire);
    os::futex_wake(&pressure.helper);
    if before == EXISTS || before == ENDED {
        // SAFETY: as in `wake`.
        unsafe { os::join_thread(pressure.helper_thread.load(Ordering::Relaxed) as os::Thread) };
    }
    pressure.helper.store(NONE, Ordering::Relaxed);
}

/// Whether there is much that may be freed: only allocations start the helper, so it has to be there before.
fn large<V: Variant>() -> bool {
    V::shared().heap().locked(|h| h.taken() > MUCH)
}

fn backed<V: Variant>() -> bool {
    V::shared().heap().locked(|h| h.dirty_pages > 0 || h.huge_dirty > 0)
}

extern "C" fn run<V: Variant>(_: *mut c_void) -> *mut c_void {
    let heap = V::shared().heap();
    let pause = |n: u64| if n > 0 { n } else { PAUSE };
    let (delay, age) = (pause(V::POLICY.purge_delay), pause(V::POLICY.large_age));
    let helper = &heap.pressure.helper;
    let change = |from, to| {
        helper
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    };
    let mut idle = 0;
    loop {
        os::futex_wait_for(helper, EXISTS, (delay.min(age) * 1000) as u32);
        if helper.load(Ordering::Relaxed) == DISMISSED {
            return ptr::null_mut();
        }
        // SAFETY: depots hand each batch to one taker.
        unsafe { relief::drain_depots::<V>() };
        let now = os::now_ms();
        heap.purge_old(&V::POLICY, now.saturating_sub(delay));
        heap.purge_huge(Some(now.saturating_sub(age) as u32));
        idle = if backed::<V>() { 0 } else { idle + 1 };
        if idle < PATIENCE {
            continue;
        }
        // What came in between has its own event, unless this thread was still there at that time.
        if !change(EXISTS, ENDED) || !backed::<V>() || !change(ENDED, EXISTS) {
            return ptr::null_mut();
        }
    }
}
