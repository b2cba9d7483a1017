//! A thread's end, and what it gives back before.

use super::thread::shard;
use super::{helper, magazine, owners};
use crate::os;
use crate::policy::ClassId;
use crate::statics::{Meta, Shared, State, ThreadBlock};
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
