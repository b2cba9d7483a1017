//! Everything off the hot path. All of it is cold and out of line; all of it is bounded.
//!
//! Order of stores: the child of a fork takes over the caches of threads that do not exist there, as they were at some
//! instruction. So an event first takes a list out of the place where it stands and only then puts it elsewhere: what
//! is in between at that instant is lost to the child, but nothing is ever found twice.

pub mod borrow;
pub mod cached;
mod calls;
pub mod check;
pub mod cpu;
pub mod depots;
pub mod exit;
pub mod foreign;
pub mod fork;
pub mod guard;
pub mod helper;
pub mod holes;
pub mod large;
pub mod limit;
pub mod magazine;
pub mod overflow;
pub mod owners;
pub mod presence;
pub mod pressure;
pub mod process;
pub mod profile;
pub mod record;
pub mod refill;
pub mod relief;
pub mod remote;
pub mod report;
pub mod sample;
mod share;
pub mod start;
pub mod stats;
pub mod surrender;
pub mod thread;
mod vanished;
pub mod ward;
pub mod wrap;

use crate::heap::central::Central;
use crate::heap::demand::Demand;
use crate::heap::depot::Depot;
use crate::list::{BatchWord, Slot, SlotOffset};
use crate::policy::{ClassId, Owner, Pool};
use crate::statics::{Shared, ThreadBlock};
use crate::variant::Variant;

/// The class of a slot of this thread's own slot array.
///
/// # Safety
/// The slot came from `V::slot` with an offset that a table or a tag names, and is not the trap.
unsafe fn class_of<V: Variant>(slot: *mut Slot) -> ClassId<V> {
    // SAFETY: tables and tags name classes' slots and the trap (the contracts of `Variant` and `Naming`).
    unsafe { SlotOffset::between(V::slot(SlotOffset::TRAP), slot).class() }
}

/// The class that `malloc(n)` uses.
///
/// # Safety
/// `n <= V::LARGEST`.
#[inline]
pub unsafe fn class_for<V: Variant>(n: usize) -> ClassId<V> {
    // SAFETY: the lookups answer every size up to the largest class.
    unsafe {
        let offset = if n <= V::FINE_MAX {
            V::fine((n + V::GRANULE - 1) >> const { V::GRANULE.ilog2() })
        } else {
            V::coarse((n - 1) >> V::COARSE_SHIFT)
        };
        offset.class()
    }
}

/// This thread's slot of a class.
fn slot_of<V: Variant>(class: ClassId<V>) -> *mut Slot {
    V::slot(SlotOffset::of(class))
}

/// This thread's spare magazine of a class.
///
/// # Safety
/// The thread has started, so that it has spares.
unsafe fn spare_of<V: Variant>(class: ClassId<V>) -> *mut BatchWord {
    // SAFETY: the block is this thread's, and has a spare for each class, behind that of the trap.
    unsafe { V::Thread::spares(V::thread()).add(class.place()) }
}

/// The pool of a class of this thread's own.
///
/// # Safety
/// The thread has started, so that it has an owner.
unsafe fn my_pool<V: Variant>(class: ClassId<V>) -> Pool<V> {
    if V::SHARDS > 1 {
        // SAFETY: the block is this thread's.
        Pool::of(unsafe { thread::shard::<V>() }, class)
    } else {
        Pool::of(Owner::FIRST, class)
    }
}

/// Central of a pool.
fn central<V: Variant>(pool: Pool<V>) -> &'static Central {
    // SAFETY: the statics have a central for each pool (the contract of `Variant`).
    unsafe { V::shared().centrals().get_unchecked(pool.number()) }
}

/// The depot of a pool.
#[inline]
fn depot_of<V: Variant>(pool: Pool<V>) -> Depot<'static> {
    // SAFETY: the statics have a depot for each pool (the contract of `Variant`).
    let words = unsafe { V::shared().depot(pool.number()) };
    Depot::new(words, V::POLICY.depot.shelves, pool.row().depot)
}

/// Whether somebody takes from that depot.
fn demand_of<V: Variant>(pool: Pool<V>) -> &'static Demand {
    // SAFETY: as for the depot.
    unsafe { V::shared().demand(pool.number()) }
}
