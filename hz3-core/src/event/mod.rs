//! Everything off the hot path. All of it is cold and out of line; all of it is bounded.
//!
//! Order of stores: the child of a fork takes over the caches of threads that do not exist there, as they were at some
//! instruction. So an event first takes a list out of the place where it stands and only then puts it elsewhere: what
//! is in between at that instant is lost to the child, but nothing is ever found twice.

pub mod borrow;
pub mod foreign;
pub mod fork;
pub mod helper;
pub mod large;
pub mod magazine;
pub mod overflow;
pub mod owners;
pub mod presence;
pub mod pressure;
pub mod process;
pub mod refill;
pub mod relief;
pub mod remote;
pub mod stats;
pub mod surrender;
pub mod thread;
mod vanished;

use crate::heap::central::Central;
use crate::list::Slot;
use crate::policy::Class;
use crate::statics::Shared;
use crate::variant::Variant;

/// A class id and its row, from a slot of this thread's bank that is not the trap.
///
/// `slot` came from `V::slot` with a tag or a lookup entry other than 0.
unsafe fn class_of<V: Variant>(slot: *mut Slot) -> (usize, &'static Class) {
    let id = (slot as usize - V::slot(0) as usize) / size_of::<Slot>() - 1;
    // SAFETY: slots after the trap are the classes', in order.
    (id, unsafe { V::classes().get_unchecked(id) })
}

/// The class with this id.
///
/// `id < V::CLASSES`.
unsafe fn class<V: Variant>(id: usize) -> &'static Class {
    // SAFETY: the caller's contract.
    unsafe { V::classes().get_unchecked(id) }
}

/// The pool of a class of this thread's own.
///
/// `id < V::CLASSES`; the thread has started.
unsafe fn my_pool<V: Variant>(id: usize) -> usize {
    if V::SHARDS > 1 {
        // SAFETY: the block is this thread's.
        unsafe { thread::shard::<V>() * V::CLASSES + id }
    } else {
        id
    }
}

/// Central of a pool.
///
/// `pool < V::CLASSES * V::SHARDS`.
unsafe fn central<V: Variant>(pool: usize) -> &'static Central {
    // SAFETY: there is one central a pool.
    unsafe { V::shared().centrals().get_unchecked(pool) }
}
