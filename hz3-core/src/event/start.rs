//! A thread's start.

use super::thread::shard;
use super::{exit, magazine, owners, process, sample};
use crate::heap::draw;
use crate::list::{self, SlotOffset};
use crate::os::{self, Access, PAGE};
use crate::statics::{Shared, State, ThreadBlock};
use crate::variant::{Kind, Room, Stats, Variant};

/// A thread's first event.
///
/// # Safety
/// The state of the calling thread is `New`; it holds no lock of ours.
#[cold]
#[inline(never)]
pub unsafe fn start<V: Variant>() {
    process::start::<V>();
    let _timer = V::Stats::time::<V>(Kind::ThreadStart);
    let block = V::thread();
    // SAFETY: the block is this thread's, and the process has started.
    unsafe {
        let meta = V::Thread::meta(block);
        if !matches!((*meta).state, State::New) {
            // To register fork handlers allocates where the C library's own code calls our `malloc` (musl): this thread has started in
            // there.
            return;
        }
        let threads = V::shared().threads();
        // Its end would not be reported, or there is no memory: it has to do without caches. What it had outside of its
        // block, or in it, would stay behind. (`__cxa_thread_atexit_impl` could report the end of a thread without a key,
        // but takes the loader's lock, under which a library's constructor may wait for this thread.)
        let key = match threads.key() {
            Some(key) if map_room::<V>() => key,
            _ => {
                (*meta).state = State::Uncached;
                return;
            }
        };
        threads.link(meta, owners::of_this_node::<V>(), V::POLICY.depot.shelves as usize);
        V::Room::settle::<V>(block, shard::<V>());
        let (bank, spares) = if V::POLICY.per_cpu() {
            // Whoever looks for lists of the thread's own finds none.
            (V::trap(), V::trap().cast())
        } else {
            (V::slot(SlotOffset::TRAP), V::Thread::spares(block))
        };
        magazine::close_all::<V>(meta);
        (*meta).desertions = threads.owners.desertions();
        let pressure = &V::shared().heap().pressure;
        (*meta).epoch = pressure.epoch();
        // What it has is as young as itself: its first round is the next one.
        (*meta).round = pressure.rounds.number() as u8;
        (*meta).spares = spares;
        list::keep_order();
        // From here on the child of a fork takes back what this thread has.
        (*meta).bank = bank;
        list::keep_order();
        (*meta).state = State::Running;
        sample::starts::<V>();
        // May allocate; this thread is ready for that. (The C library needs memory where a program has many keys.)
        if !os::arm_key(key, meta.cast()) {
            exit::retire::<V>(meta);
        }
    }
}

/// Maps the room of this thread, outside of its block. False without memory.
///
/// # Safety
/// The thread has none.
unsafe fn map_room<V: Variant>() -> bool {
    let bytes = exit::room::<V>();
    if bytes == 0 {
        return true;
    }
    let mut body = exit::moved_out::<V>();
    if body.is_null() {
        body = draw::map(&V::POLICY, bytes, PAGE, Access::ReadWrite);
    }
    if body.is_null() {
        return false;
    }
    let block = V::thread();
    // SAFETY: the block is this thread's, and the mapping was just made for it.
    unsafe {
        if V::shared().threads().running() == 0 {
            // As the process starts: see [`os::name`].
            os::name(body, bytes, c"hz3 bank");
        }
        let meta = V::Thread::meta(block);
        (*meta).body = body;
        V::Room::attach::<V>(block, body);
    }
    true
}
