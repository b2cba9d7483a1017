//! The process's beginning, in two steps. When the program or library is loaded: the fork handlers and the key that
//! reports thread exits, as early as can be, as handlers run in the order of their registration. At the first allocation:
//! the arena.

use super::{exit, fork, presence, profile, sample};
use crate::heap::tag_table::TagTable;
use crate::heap::{Heap, PageHeap};
use crate::os;
use crate::policy::{Space, Tag, no_table};
use crate::statics::Shared;
use crate::statics::start::{STARTED, Start};
use crate::sync::Ordering;
use crate::variant::Variant;
use core::ptr;

/// To be called when the program or library that holds the variant is loaded.
pub fn load<V: Variant>() {
    register::<V>();
    // Where every address has a tag there must be a table as soon as anything is freed, if only an object of the C library's.
    // Without room for it this is no failure yet.
    alone::<V>(|_| _ = map_table::<V>());
    let signal = V::POLICY.stats.dump_signal;
    if signal != 0 {
        os::signal::handle(signal as i32, profile::on_signal::<V>);
    }
}

/// Registers the fork handlers, once.
fn register<V: Variant>() {
    let start = V::shared().start();
    // Outside of the lock: it may allocate, and waits for a thread that runs fork handlers.
    if start.registered.swap(1, Ordering::Relaxed) == 0 {
        os::at_fork(fork::prepare::<V>, fork::parent::<V>, fork::child::<V>);
        presence::load::<V>();
    }
}

/// Makes sure that the process has started. Takes no lock and allocates nothing after the first time.
#[inline]
pub fn start<V: Variant>() {
    if V::shared().start().stage.load(Ordering::Acquire) != STARTED {
        start_slow::<V>();
    }
}

#[cold]
#[inline(never)]
fn start_slow<V: Variant>() {
    register::<V>();
    alone::<V>(|start| {
        if start.stage.load(Ordering::Acquire) != STARTED {
            begin::<V>();
            start.stage.store(STARTED, Ordering::Release);
        }
    });
}

/// Runs `f`, which is a part of the process's start, under the lock of that.
fn alone<V: Variant>(f: impl FnOnce(&Start)) {
    let start = V::shared().start();
    let process = os::process_number();
    let starter = start.starter.load(Ordering::Relaxed);
    let change = |from, to| {
        start
            .starter
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    };
    if starter != 0 && starter != process && change(starter, process) {
        // A copy of a process that was forked without our handlers: whoever was starting it is not here, and may have
        // left anything.
        V::shared().heap().lock.reset();
        V::shared().heap().locked(|h| *h = PageHeap::EMPTY);
        start.lock.reset();
    }
    let _guard = start.lock.lock();
    start.starter.store(process, Ordering::Relaxed);
    f(start);
    start.starter.store(0, Ordering::Relaxed);
}

/// The arena, and the key.
fn begin<V: Variant>() {
    if !map_table::<V>() {
        os::die(b"a flat tag table takes 64 GiB of address space or more, which the system does not give");
    }
    let flat = match V::Space::table_bytes::<V>() {
        0 => 0,
        _ => V::flat_table().load(Ordering::Relaxed) as usize,
    };
    let heap: &Heap = V::shared().heap();
    // Nothing reads it here, but the linker leaves out what nothing refers to.
    core::hint::black_box(V::layout());
    heap.locked(|h| {
        let tags = TagTable::new(V::Space::bytes_below::<V>(), <V::Tag as Tag>::BYTES, flat);
        h.arena.reserve(&V::POLICY, tags, V::arena_base());
    });
    sample::begin::<V>();
    V::shared().threads().set_key(os::make_key(exit::exit::<V>));
}

/// Maps the table of a flat space, if it has one and has it not yet. False if there is no room for it.
///
/// For the holder of `Start::lock`.
fn map_table<V: Variant>() -> bool {
    let (bytes, word) = (V::Space::table_bytes::<V>(), V::flat_table());
    if bytes == 0 || !ptr::eq(word.load(Ordering::Relaxed), no_table()) {
        return true;
    }
    // Its cells become writable with the segments that they are of.
    let table = os::map(0, bytes, os::Access::Read);
    if table.is_null() {
        return false;
    }
    // SAFETY: the range was just mapped.
    unsafe {
        os::leave_out_of_dumps(table, bytes);
        os::name(table, bytes, c"hz3 page tags");
    }
    word.store(table.cast(), Ordering::Release);
    true
}
