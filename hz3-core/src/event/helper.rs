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

/// Starts the helper if there is something to purge, or will be, and it does not exist. Returns whether it was started, for which the
/// C library may have allocated and freed in this thread.
pub fn wake<V: Variant>() -> bool {
    let heap = V::shared().heap();
    let exists = &heap.pressure.helper;
    if exists.load(Ordering::Relaxed) != 0 || !backed::<V>() && !large::<V>() || exists.swap(1, Ordering::Relaxed) != 0
    {
        return false;
    }
    if !os::start_thread(run::<V>) {
        exists.store(0, Ordering::Relaxed);
    }
    true
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
    let exists = &heap.pressure.helper;
    let mut idle = 0;
    loop {
        os::sleep_ms(delay.min(age));
        // SAFETY: depots hand each batch to one taker.
        unsafe { relief::drain_depots::<V>() };
        let now = os::now_ms();
        heap.purge_old(&V::POLICY, now.saturating_sub(delay));
        heap.purge_huge(Some(now.saturating_sub(age) as u32));
        idle = if backed::<V>() { 0 } else { idle + 1 };
        if idle < PATIENCE {
            continue;
        }
        exists.store(0, Ordering::Relaxed);
        // What came in between has its own event, unless this thread was still there at that time.
        if !backed::<V>() || exists.swap(1, Ordering::Relaxed) != 0 {
            return ptr::null_mut();
        }
    }
}
