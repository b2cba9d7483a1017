//! Memory is short: whatever waits in depots and in this thread goes back to its runs, and empty runs to the page heap.

use super::stats::{Kind, Stats};
use super::{central, class, thread};
use crate::heap::depot;
use crate::os;
use crate::statics::Shared;
use crate::variant::Variant;

/// Gives back what can be given back from here.
#[cold]
#[inline(never)]
pub unsafe fn relieve<V: Variant>() {
    let _timer = V::Stats::time::<V>(Kind::Relief);
    // SAFETY: the block is this thread's; the depot hands each batch to one taker.
    unsafe {
        if thread::state::<V>() == thread::State::Running {
            thread::flush::<V>();
        }
        for pool in 0..V::CLASSES * V::SHARDS {
            let row = class::<V>(pool % V::CLASSES);
            while let Some(batch) = depot::take(V::shared().depot(pool)) {
                central::<V>(pool).give::<V>(row, batch.head);
            }
            central::<V>(pool).release_empty::<V>(row);
        }
    }
}

/// The kernel refused memory.
#[cold]
pub fn no_memory() {
    os::set_errno(os::ENOMEM);
}
