//! The object that holds a variant (a program, a library, a plugin) comes and goes.
//!
//! When it is unloaded, nothing of ours may be left that the C library would call, and no address space that nobody can use.
//! The same function is called when the process ends, while threads may still run: then all memory stays. To tell the one
//! from the other is what `load` is for. An object that was loaded with the program is never unloaded. One that came later
//! registers for the process's end, and what is registered then is called before any object's finalizer. Where it cannot be
//! known (`os::program`) the object counts as one that is never unloaded, and its memory stays.

use super::block::ThreadBlock;
use super::{helper, relief, thread};
use crate::heap::arena::NO_BASE;
use crate::hot::Space;
use crate::os::{self, program};
use crate::statics::Shared;
use crate::variant::Variant;
use core::ffi::c_void;
use core::ptr;
// The kernel has a part in these: they cannot be a model's.
use core::sync::atomic::{AtomicU32, Ordering};

/// What is known of the object. All zero at first.
pub struct Presence {
    /// It came later than the program.
    late: AtomicU32,
    /// The process ends.
    ending: AtomicU32,
    /// Threads that are giving back what they had, as they end.
    leaving: AtomicU32,
}

impl Presence {
    /// Nothing is known.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Presence {
            late: AtomicU32::new(0),
            ending: AtomicU32::new(0),
            leaving: AtomicU32::new(0),
        }
    }

    /// A thread begins to give back what it had, for the C library called us about its end.
    pub(super) fn enter(&self) {
        self.leaving.fetch_add(1, Ordering::Acquire);
    }

    /// It is done.
    pub(super) fn leave(&self) {
        self.leaving.fetch_sub(1, Ordering::Release);
    }

    /// In the child of a fork, where nobody is doing that.
    pub(super) fn reset(&self) {
        self.leaving.store(0, Ordering::Relaxed);
    }

    /// Waits until nobody does that.
    fn settle(&self) {
        loop {
            let leaving = self.leaving.load(Ordering::Acquire);
            if leaving == 0 {
                return;
            }
            os::futex_wait_for(&self.leaving, leaving, 1000);
        }
    }

    /// Who registered for the process's end.
    fn owner(&self) -> *const c_void {
        (&raw const self.ending).cast()
    }
}

/// The object has been loaded; none of its other code has been called.
pub(super) fn load<V: Variant>() {
    let presence = V::shared().presence();
    // SAFETY: `unload` takes it out before this code goes.
    if program::is_running() && unsafe { program::at_end(end::<V>, presence.owner()) } {
        presence.late.store(1, Ordering::Relaxed);
    }
}

/// The process ends.
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
    // SAFETY: the object is being unloaded: no thread runs its code, or comes back to it, but for the helper.
    unsafe {
        helper::remove::<V>();
        release::<V>();
    }
}

/// Takes back what all threads have, and unmaps everything but the pages of objects that were never freed: somebody may
/// still look at them.
///
/// No other thread is in the variant's code, and none enters it any more.
unsafe fn release<V: Variant>() {
    let shared = V::shared();
    // SAFETY: the caller's contract: the list of threads and their caches are ours.
    unsafe {
        if thread::state::<V>() == thread::State::Running {
            thread::retire::<V>(V::Thread::meta(V::thread()));
        }
        shared.threads().keep_only(ptr::null_mut()).take_back::<V>();
        relief::relieve::<V>();
    }
    shared.heap().locked(|h| {
        // SAFETY: as above; what is in no use is nobody's.
        unsafe { h.unmap_unused() };
    });
    V::arena_base().store(NO_BASE, Ordering::Relaxed);
    let table_bytes = V::Space::table_bytes::<V>();
    let table = V::flat_table().swap(crate::hot::FlatSpace::before().cast_mut(), Ordering::Relaxed);
    if table_bytes > 0 && !ptr::eq(table, crate::hot::FlatSpace::before()) {
        // SAFETY: as above; the table was mapped at the start, at this size.
        unsafe { os::unmap(table.cast(), table_bytes) };
    }
}
