//! A thread's end, and what it gives back before.

use super::thread::shard;
use super::{helper, magazine, owners, wrap};
use crate::os;
use crate::statics::vacant::PLACES;
use crate::statics::{Meta, Shared, State, ThreadBlock, Vacant};
use crate::variant::{Kind, Room, Stats, Variant};
use core::ffi::c_void;
use core::ptr;

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
        wrap::quarantine::leave::<V>();
        flush::<V>();
        (*meta).state = State::Uncached;
        if !V::POLICY.per_cpu() && (*meta).closed != V::FIRST {
            // A class was opened meanwhile. The rooms of a thread without caches are 0, so that every operation is an event.
            magazine::empty_all::<V>();
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

/// Bytes of what is mapped for a thread beside its block: its room, and its quarantine behind.
pub(super) fn room<V: Variant>() -> usize {
    V::Room::bytes::<V>() + wrap::quarantine::room::<V>()
}

/// Bytes of all rooms that are kept for the next threads, at most.
const KEPT: usize = 128 << 10;

/// How many rooms are kept at most: short ones, as what a thread begins with is to take less time than mapping it.
const fn kept(room: usize) -> usize {
    match KEPT.checked_div(room) {
        None | Some(0 | 1) => 0,
        Some(PLACES..) => PLACES,
        Some(some) => some,
    }
}

/// The room of a thread that has ended, zero where a thread's begins so; null if none is kept.
pub(super) fn moved_out<V: Variant>() -> *mut u8 {
    let body = V::vacant().map_or(ptr::null_mut(), Vacant::take);
    if !body.is_null() {
        // SAFETY: it was mapped as long as a room, and is this thread's alone.
        unsafe {
            body.write_bytes(0, V::Room::bytes::<V>());
            wrap::quarantine::begin::<V>(body);
        }
    }
    body
}

/// Unmaps the rooms that are kept: the variant is unloaded.
///
/// # Safety
/// Nobody else is in the variant's code, or comes there.
pub(super) unsafe fn clear_out<V: Variant>() {
    loop {
        let body = V::vacant().map_or(ptr::null_mut(), Vacant::take);
        if body.is_null() {
            break;
        }
        // SAFETY: it was mapped at this size, and is nobody's.
        unsafe { os::unmap(body, room::<V>()) };
    }
}

/// Unmaps the room of a thread, or keeps it for the next one.
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
        let bytes = room::<V>();
        if !V::vacant().is_some_and(|vacant| vacant.put(body, kept(bytes))) {
            os::unmap(body, bytes);
        }
    }
}

/// Gives back all that this thread caches; its magazines are those of a new thread.
///
/// # Safety
/// The calling thread is running: it has caches.
pub unsafe fn flush<V: Variant>() {
    // SAFETY: the block is this thread's.
    unsafe {
        wrap::quarantine::flush::<V>();
        let meta = V::Thread::meta(V::thread());
        if !V::POLICY.per_cpu() {
            magazine::empty_all::<V>();
            magazine::close_all::<V>(meta);
        }
        V::Room::flush::<V>();
    }
}
