//! A thread's start and its end.

use super::{helper, magazine, owners};
use crate::list::{self, Slot, SlotOffset};
use crate::os::{self, Access};
use crate::policy::{ClassId, Owner};
use crate::statics::{Meta, Shared, State, ThreadBlock};
use crate::variant::{Kind, Room, Stats, Variant};
use core::ffi::c_void;
use core::ptr;

/// Whether this thread may use its caches.
///
/// # Safety
/// The calling thread has its block.
#[inline]
pub unsafe fn state<V: Variant>() -> State {
    // SAFETY: the block is this thread's.
    unsafe { (*V::Thread::meta(V::thread())).state }
}

/// The owner that this thread is one of.
///
/// # Safety
/// The calling thread has its block. (One that has not started is of the first owner.)
#[inline]
pub unsafe fn shard<V: Variant>() -> Owner<V> {
    // SAFETY: the block is this thread's; its owner was one of the first `Owner::COUNT` when it was chosen.
    unsafe { Owner::new((*V::Thread::meta(V::thread())).shard as usize) }
}

/// This thread's row of slots in its block, and the tag of its first slot: for [`crate::hot::OwnerRing`].
///
/// # Safety
/// The calling thread has its block, which begins with its row.
#[inline(always)]
pub(crate) unsafe fn bank_and_base<V: Variant>() -> (*mut Slot, usize) {
    let block = V::thread();
    // SAFETY: the block is this thread's and begins with its row.
    unsafe { (block.cast(), (*V::Thread::meta(block)).base) }
}

/// A thread's first event.
///
/// # Safety
/// The state of the calling thread is `New`; it holds no lock of ours.
#[cold]
#[inline(never)]
pub unsafe fn start<V: Variant>() {
    super::process::start::<V>();
    let _timer = V::Stats::time::<V>(Kind::ThreadStart);
    let block = V::thread();
    // SAFETY: the block is this thread's, and the process has started.
    unsafe {
        let meta = V::Thread::meta(block);
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
        threads.link(meta, Owner::<V>::COUNT);
        V::Room::settle::<V>(block, shard::<V>());
        let bank = V::slot(SlotOffset::TRAP);
        (*meta).growth = V::GROWTH;
        (*meta).desertions = threads.owners.desertions();
        (*meta).epoch = V::shared().heap().pressure.epoch();
        (*meta).spares = V::Thread::spares(block);
        list::keep_order();
        // From here on the child of a fork takes back what this thread has.
        (*meta).bank = bank;
        list::keep_order();
        (*meta).state = State::Running;
        // May allocate; this thread is ready for that. (The C library needs memory where a program has many keys.)
        if !os::arm_key(key, meta.cast()) {
            retire::<V>(meta);
        }
    }
}

/// Maps the room of this thread, outside of its block. False without memory.
///
/// # Safety
/// The thread has none.
unsafe fn map_room<V: Variant>() -> bool {
    let bytes = V::Room::bytes::<V>();
    if bytes == 0 {
        return true;
    }
    let body = os::map(0, bytes, Access::ReadWrite);
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

/// The key's destructor: gives everything back that this thread has. What the thread still allocates and frees after
/// that goes to central one by one.
///
/// # Safety
/// Called by the C library at the end of a thread that armed the key.
pub unsafe extern "C" fn exit<V: Variant>(_: *mut c_void) {
    let presence = V::shared().presence();
    presence.enter();
    // SAFETY: the C library calls this in the thread that armed the key.
    unsafe { ends::<V>() };
    presence.leave();
}

/// A running thread ends, or another key's destructor has made one of a thread that ends.
///
/// # Safety
/// The calling thread armed the key.
unsafe fn ends<V: Variant>() {
    let block = V::thread();
    // SAFETY: the block is this thread's.
    unsafe {
        let meta = V::Thread::meta(block);
        if (*meta).state != State::Running {
            return;
        }
        (*meta).exits += 1;
        // Once more around: other keys' destructors may still want to allocate.
        if (*meta).exits == 1
            && let Some(key) = V::shared().threads().key()
            && os::arm_key(key, meta.cast())
        {
            return;
        }
        let _timer = V::Stats::time::<V>(Kind::ThreadExit);
        retire::<V>(meta);
    }
}

/// Gives everything back that this thread has, for good: it has no caches from now on.
///
/// # Safety
/// `meta` is the calling thread's, which is running.
pub(super) unsafe fn retire<V: Variant>(meta: *mut Meta) {
    // SAFETY: the thread is running, and its block its own; it leaves the list before its room goes.
    unsafe {
        flush::<V>();
        (*meta).state = State::Uncached;
        for id in ClassId::all() {
            // The rooms of a thread without caches are 0, so that every operation is an event.
            magazine::empty::<V>(id, 0);
        }
        let deserted = V::shared().threads().unlink(meta);
        V::Room::leave::<V>(V::thread());
        unmap_room::<V>(meta);
        if deserted && V::SHARDS > 1 {
            owners::clear::<V>(shard::<V>());
        }
        if V::POLICY.purge.at_thread_exit {
            V::shared().heap().purge_to(&V::POLICY, 0);
        }
        if V::POLICY.has_helper() {
            helper::look::<V>();
        }
    }
}

/// Unmaps the room of a thread.
///
/// # Safety
/// It is not this thread's, or this thread has left it; the thread's caches are empty and it will not use them again.
pub(super) unsafe fn unmap_room<V: Variant>(meta: *mut Meta) {
    // SAFETY: the body was mapped at this size, and whoever used it does so no more.
    unsafe {
        let body = (*meta).body;
        if body.is_null() {
            return;
        }
        (*meta).body = ptr::null_mut();
        os::unmap(body, V::Room::bytes::<V>());
    }
}

/// Gives back all that this thread caches; its magazines are those of a new thread.
///
/// # Safety
/// The calling thread is running: it has caches.
pub unsafe fn flush<V: Variant>() {
    // SAFETY: the block is this thread's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        for id in ClassId::all() {
            magazine::empty::<V>(id, 0);
        }
        (*meta).growth = V::GROWTH;
        V::Room::flush::<V>();
    }
}
