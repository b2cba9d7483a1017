//! Limits of the heap: where they come from, and when.
//!
//! The policy's hold from the process's beginning, the program may set others, and those of the control group are read at
//! events, if the policy asks for them: the first time when a thread has had a few events or wants much at once, and then once a
//! second at most. They may change while the process runs.

use super::{pressure, process, relief};
use crate::heap::Reach;
use crate::heap::limit::Bounds;
use crate::os::{self, cgroup::Group};
use crate::statics::Shared;
use crate::sync::Ordering;
use crate::variant::Variant;

/// Milliseconds between two looks at the control group.
const PAUSE: u64 = 1000;
/// A request for so many bytes does not go before the first look.
const MUCH: usize = 1 << 20;

/// Those of the policy, as the process begins.
pub(super) fn begin<V: Variant>() {
    let bounds = Bounds::of(V::POLICY.arena.soft_limit, V::POLICY.arena.hard_limit);
    if bounds != Bounds::NONE {
        V::shared().heap().set_limits(Some(bounds), None);
    }
}

/// A request for so many bytes comes.
#[inline]
pub(super) fn before<V: Variant>(bytes: usize) {
    if V::POLICY.arena.cgroup && bytes >= MUCH && V::shared().heap().pressure.asked.load(Ordering::Relaxed) == 0 {
        look::<V>(os::now_ms());
    }
}

/// Asks the control group, if the policy wants that and it is time. Where threads of the group wait for memory, what is free goes
/// to the kernel, and all threads are asked for their caches.
pub(super) fn look<V: Variant>(now: u64) {
    if !V::POLICY.arena.cgroup {
        return;
    }
    let heap = V::shared().heap();
    let asked = &heap.pressure.asked;
    let last = asked.load(Ordering::Relaxed);
    if last != 0 && now < last + PAUSE
        || asked
            .compare_exchange(last, now.max(1), Ordering::Relaxed, Ordering::Relaxed)
            .is_err()
    {
        return;
    }
    let group = Group::of_process();
    heap.set_limits(None, Some(Bounds::of_group(group)));
    if group.stalls || heap.missing(Reach::Budget, 0) > 0 {
        // SAFETY: an event of this thread, which has its block.
        unsafe { pressure::ask::<V>() };
        relief::to_kernel::<V>(0);
    }
}

/// Sets the limits that the program wants, in bytes; 0 is none. Where the heap has more than the soft one already, what can be
/// given back is given back. False if the soft limit is above the hard one; then nothing has changed.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper; no event of it is under way.
pub unsafe fn set<V: Variant>(soft: usize, hard: usize) -> bool {
    if hard != 0 && soft > hard {
        return false;
    }
    process::start::<V>();
    let heap = V::shared().heap();
    heap.set_limits(Some(Bounds::of(soft, hard)), None);
    if heap.missing(Reach::Budget, 0) > 0 {
        // SAFETY: an event of this thread.
        unsafe {
            pressure::ask::<V>();
            relief::relieve::<V>();
        }
        relief::to_kernel::<V>(0);
    }
    true
}
