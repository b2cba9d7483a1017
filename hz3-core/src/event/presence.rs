//! The object that holds a variant (a program, a library, a plugin) comes and goes.
//!
//! When it is unloaded, nothing of ours may be left that the C library would call, and no address space that nobody can use.
//! The same function is called when the process ends, while threads may still run: then all memory stays. To tell the one
//! from the other is what `load` is for. An object that was loaded with the program is never unloaded. One that came later
//! registers for the process's end, and what is registered then is called before any object's finalizer. Where it cannot be
//! known (`os::program`) the object counts as one that is never unloaded, and its memory stays.

use super::{cpu, exit, guard, helper, profile, relief, thread, vanished};
use crate::heap::arena::NO_BASE;
use crate::os::{self, program};
use crate::policy::{Space, no_table, set_arena};
use crate::statics::{Shared, State, ThreadBlock};
use crate::variant::{Record, Variant};
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::Ordering;

/// The object has been loaded; none of its other code has been called.
pub(super) fn load<V: Variant>() {
    let presence = V::shared().presence();
    // SAFETY: `unload` takes it out before this code goes.
    if program::is_running() && unsafe { program::at_end(end::<V>, presence.owner()) } {
        presence.late.store(1, Ordering::Relaxed);
    }
}

/// The process ends.
///
/// # Safety
/// None but that the C library wants a function of this type; it may be called at any time.
unsafe extern "C" fn end<V: Variant>(_: *mut c_void) {
    V::shared().presence().ending.store(1, Ordering::Relaxed);
}

/// The object is being unloaded, or the process ends. Called after all of its other code.
pub fn unload<V: Variant>() {
    let shared = V::shared();
    let presence = shared.presence();
    let threads = shared.threads();
    // Threads that start from now on have no caches; nobody would tell us when they end.
    let key = threads.key();
    threads.set_key(None);
    if let Some(key) = key {
        os::delete_key(key);
    }
    if presence.late.load(Ordering::Relaxed) == 0 || presence.ending.load(Ordering::Relaxed) != 0 {
        return;
    }
    // SAFETY: the owner is this variant's own.
    unsafe { program::forget_end(presence.owner()) };
    presence.settle();
    let signal = V::POLICY.stats.dump_signal;
    if signal != 0 {
        os::signal::forget(signal as i32, profile::on_signal::<V>, &presence.handler);
    }
    // SAFETY: the object is being unloaded: no thread runs its code, or comes back to it, but for the helper.
    unsafe {
        helper::remove::<V>();
        release::<V>();
        V::Record::unload::<V>();
        if let Some(in_use) = V::in_use() {
            in_use.unmap();
        }
    }
}

/// Takes back what all threads have, and unmaps everything but the pages of objects that were never freed: somebody may
/// still look at them.
///
/// # Safety
/// No other thread is in the variant's code, and none enters it any more.
unsafe fn release<V: Variant>() {
    let shared = V::shared();
    // SAFETY: nobody else is in the variant's code: the list of threads and their caches are ours.
    unsafe {
        if thread::state::<V>() == State::Running {
            exit::retire::<V>(V::Thread::meta(V::thread()));
        }
        vanished::take_back::<V>(&shared.threads().keep_only(ptr::null_mut()));
        relief::relieve::<V>();
        exit::clear_out::<V>();
    }
    if V::POLICY.per_cpu() {
        // SAFETY: as above.
        unsafe { cpu::end::<V>() };
    }
    shared.heap().locked(|h| {
        // SAFETY: as above; what is in no use is nobody's.
        unsafe { h.unmap_unused() };
    });
    if let Some(samples) = V::samples() {
        // SAFETY: as above.
        unsafe { samples.end_all() };
    }
    // SAFETY: as above.
    unsafe { guard::end::<V>() };
    V::arena_base().store(NO_BASE, Ordering::Relaxed);
    set_arena::<V>(NO_BASE);
    let table_bytes = V::Space::table_bytes::<V>();
    let table = V::flat_table().swap(no_table().cast_mut(), Ordering::Relaxed);
    if table_bytes > 0 && !ptr::eq(table, no_table()) {
        // SAFETY: as above; the table was mapped at the start, at this size.
        unsafe { os::unmap(table.cast(), table_bytes) };
    }
}
