//! Memory is short: whatever waits in depots and in this thread goes back to its runs, and empty runs to the page heap.

use super::stats::{Kind, Stats};
use super::{central, class, magazine, thread};
use crate::heap::{Reliefs, depot};
use crate::os;
use crate::statics::Shared;
use crate::variant::Variant;

/// Gives back what can be given back from here. Returns the bytes of the objects that went back to their runs, as far as
/// they were in depots or in this thread's magazines.
#[cold]
#[inline(never)]
pub unsafe fn relieve<V: Variant>() -> usize {
    let _timer = V::Stats::time::<V>(Kind::Relief);
    // SAFETY: the block is this thread's; pools are below their number.
    unsafe {
        let mut bytes = drain_depots::<V>();
        if thread::state::<V>() == thread::State::Running {
            for id in 0..V::CLASSES {
                bytes += magazine::held::<V>(id) * class::<V>(id).size as usize;
            }
            thread::flush::<V>();
            drain_depots::<V>();
        }
        for pool in 0..V::CLASSES * V::SHARDS {
            central::<V>(pool).release_empty::<V>(class::<V>(pool % V::CLASSES));
        }
        bytes
    }
}

/// Empties all depots. Returns the bytes of their objects.
pub unsafe fn drain_depots<V: Variant>() -> usize {
    let mut bytes = 0;
    for pool in 0..V::CLASSES * V::SHARDS {
        // SAFETY: pools are below their number; the depot hands each batch to one taker, who gives it away.
        unsafe {
            let row = class::<V>(pool % V::CLASSES);
            while let Some(batch) = depot::take(V::shared().depot(pool)) {
                bytes += batch.count as usize * row.size as usize;
                central::<V>(pool).give::<V>(row, batch.head);
            }
        }
    }
    bytes
}

/// [`relieve`], counted.
pub unsafe fn counted<V: Variant>(also: Reliefs) {
    let heap = V::shared().heap();
    let before = heap.locked(|h| h.free_pages);
    // SAFETY: an event of this thread.
    let object_bytes = unsafe { relieve::<V>() } as u64;
    let after = heap.locked(|h| h.free_pages);
    heap.pressure.count(Reliefs {
        object_bytes,
        page_bytes: (after.saturating_sub(before) * os::PAGE) as u64,
        ..also
    });
}
