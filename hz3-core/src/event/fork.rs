//! `fork` in a process with threads. Before it, all locks are taken in their order (threads, centrals, page heap), so
//! that the child finds every structure whole; depots need no lock. In the child the locks are made anew, and what
//! vanished threads had in their caches goes back.

use super::block::ThreadBlock;
use crate::statics::Shared;
use crate::variant::Variant;

/// Takes all locks.
pub unsafe extern "C" fn prepare<V: Variant>() {
    let shared = V::shared();
    shared.threads().lock.acquire();
    for central in shared.centrals() {
        central.lock.acquire();
    }
    shared.heap().lock.acquire();
}

/// Releases them.
pub unsafe extern "C" fn parent<V: Variant>() {
    let shared = V::shared();
    shared.heap().lock.release();
    for central in shared.centrals() {
        central.lock.release();
    }
    shared.threads().lock.release();
}

/// Makes them anew, and takes back what vanished threads had.
pub unsafe extern "C" fn child<V: Variant>() {
    let shared = V::shared();
    shared.heap().lock.reset();
    for central in shared.centrals() {
        central.lock.reset();
    }
    shared.threads().lock.reset();
    shared.heap().pressure.reset();
    shared.heap().locked(crate::heap::PageHeap::recover);
    // SAFETY: the child has this one thread, and the copies of the others' blocks are nobody's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        shared.threads().keep_only(meta).take_back::<V>();
    }
}
