//! The process's first allocation: the arena, the key that reports thread exits, the fork handlers.

use super::{fork, thread};
use crate::heap::Heap;
use crate::hot::Space;
use crate::os;
use crate::statics::Shared;
use crate::sync::Ordering;
use crate::variant::Variant;

const NOT_STARTED: u32 = 0;
const STARTING: u32 = 1;
const STARTED: u32 = 2;

/// Makes sure that the process has started. Takes no lock and allocates nothing after the first time.
#[inline]
pub fn start<V: Variant>() {
    if V::shared().stage().load(Ordering::Acquire) != STARTED {
        start_slow::<V>();
    }
}

#[cold]
#[inline(never)]
fn start_slow<V: Variant>() {
    let stage = V::shared().stage();
    loop {
        match stage.compare_exchange(NOT_STARTED, STARTING, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => break,
            Err(STARTED) => return,
            // Another thread is at it; it takes a few system calls.
            Err(_) => core::hint::spin_loop(),
        }
    }
    let table_bytes = V::Space::table_bytes::<V>();
    if table_bytes > 0 {
        let table = os::map(0, table_bytes, os::Access::ReadWrite);
        if table.is_null() {
            os::die(b"a flat tag table takes 64 GiB of address space or more, which the system does not give");
        }
        V::flat_table().store(table.cast(), Ordering::Release);
    }
    let heap: &Heap = V::shared().heap();
    // Nothing reads it here, but the linker leaves out what nothing refers to.
    core::hint::black_box(V::layout());
    heap.locked(|h| {
        h.arena
            .reserve(&V::POLICY, V::Space::bytes_below::<V>(), V::arena_base())
    });
    V::shared().threads().set_key(os::make_key(thread::exit::<V>));
    stage.store(STARTED, Ordering::Release);
    // May allocate, and finds an allocator that works.
    os::at_fork(fork::prepare::<V>, fork::parent::<V>, fork::child::<V>);
}
