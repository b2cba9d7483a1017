//! The process's beginning, in two steps. When the program or library is loaded: the fork handlers and the key that
//! reports thread exits, as early as can be, as handlers run in the order of their registration. At the first allocation:
//! the arena.

use super::{cpu, exit, fork, guard, limit, presence, profile, sample, wrap};
use crate::heap::tag_table::TagTable;
use crate::heap::{Heap, PageHeap, draw};
use crate::os;
use crate::policy::{Link, Space, Tag, no_table, set_arena};
use crate::statics::Shared;
use crate::sync::Ordering;
use crate::variant::Variant;
use core::ptr;

/// To be called when the program or library that holds the variant is loaded.
pub fn load<V: Variant>() {
    register::<V>();
    // Where every address has a tag there must be a table as soon as anything is freed, if only an object of the C library's.
    // Without room for it this is no failure yet.
    let start = V::shared().start();
    start.alone(os::process_number(), anew::<V>, || _ = map_table::<V>());
    let signal = V::POLICY.stats.dump_signal;
    if signal != 0 {
        let before = &V::shared().presence().handler;
        os::signal::handle(signal as i32, profile::on_signal::<V>, before);
    }
}

/// Registers the fork handlers, once.
fn register<V: Variant>() {
    // Outside of the lock: it may allocate, and waits for a thread that runs fork handlers.
    if V::shared().start().registers() {
        os::at_fork(fork::prepare::<V>, fork::parent::<V>, fork::child::<V>);
        presence::load::<V>();
    }
}

/// Makes sure that the process has started. Takes no lock and allocates nothing after the first time.
#[inline]
pub fn start<V: Variant>() {
    if !V::shared().start().is_done() {
        start_slow::<V>();
    }
}

#[cold]
#[inline(never)]
fn start_slow<V: Variant>() {
    register::<V>();
    V::shared().start().once(os::process_number(), anew::<V>, begin::<V>);
}

/// Makes what `begin` works with what it is before: a copy of a process that was forked without our handlers may have any part of
/// it.
fn anew<V: Variant>() {
    V::shared().heap().lock.reset();
    V::shared().heap().locked(|h| *h = PageHeap::EMPTY);
    if let Some(samples) = V::samples() {
        samples.lock.reset();
    }
}

/// The arena, and the key.
fn begin<V: Variant>() {
    os::machine::check(V::POLICY.arena.page);
    if !map_table::<V>() {
        os::die(b"a flat tag table takes 64 GiB of address space or more, which the system does not give");
    }
    let flat = match V::Space::table_bytes::<V>() {
        0 => 0,
        _ => V::flat_table().load(Ordering::Relaxed) as usize,
    };
    wrap::begin_process::<V>();
    let heap: &Heap = V::shared().heap();
    // Nothing reads it here, but the linker leaves out what nothing refers to.
    core::hint::black_box(V::layout());
    heap.locked(|h| {
        let tags = TagTable::new(V::Space::bytes_below::<V>(), <V::Tag as Tag>::BYTES, flat);
        h.arena.reserve(&V::POLICY, tags, V::arena_base());
        set_arena::<V>(V::arena_base().load(Ordering::Relaxed));
    });
    if V::POLICY.per_cpu() {
        cpu::begin::<V>();
    }
    limit::begin::<V>();
    if V::POLICY.draws() {
        heap.order.seed();
    }
    if V::Link::KEYED {
        // Drawn before there is any link, and once: a copy of this process goes on with it.
        V::link_key().store(os::secret_bits() as usize, Ordering::Relaxed);
    }
    sample::begin::<V>();
    guard::begin_process::<V>();
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
    let table = draw::map(&V::POLICY, bytes, os::PAGE, os::Access::Read);
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
