//! Which owners have threads, and what becomes of an owner's memory when its last thread ends.
//!
//! An owner is found by its threads: they alone take from its depots, and from its runs before all others. Where it has none,
//! nothing may wait for it. Its last thread empties its depots and gives its empty runs back to the page heap; from then
//! on its objects go straight to their runs, no empty run of it is kept, and other threads keep little for it. All that is
//! left of it are runs with objects of the program's, which a later thread of the owner finds again: owners with the
//! fewest threads are joined first, and of these the one with the lowest number.

use super::{central, check, depot_of, thread};
use crate::heap::central::Central;
use crate::heap::depot::Home;
use crate::list::{self, Batch};
use crate::os;
use crate::policy::{ClassId, Owner, Pool};
use crate::statics::{Shared, State, ThreadBlock};
use crate::variant::{Room, Variant};
use core::ops::Range;
use core::ptr;

/// The owners of the memory node that this thread runs on. All where the variant knows no nodes; of a machine with more nodes than
/// the variant several share theirs.
pub fn of_this_node<V: Variant>() -> Range<usize> {
    match V::POLICY.nodes() {
        1 => 0..Owner::<V>::COUNT,
        nodes => of_node(os::node(), nodes, Owner::<V>::COUNT),
    }
}

/// Owners of a node, of so many `nodes` that have as many owners each.
fn of_node(node: usize, nodes: usize, owners: usize) -> Range<usize> {
    let each = owners / nodes;
    let first = node % nodes * each;
    first..first + each
}

/// Whether an owner has threads; where there is one owner, it is all threads'.
#[inline]
pub fn lives<V: Variant>(owner: Owner<V>) -> bool {
    V::SHARDS == 1 || V::shared().threads().owners.has_threads(owner.number())
}

/// Whether an owner may have runs, or batches in its depots. Of one that has not, nothing is looked at: it has many pages, and to look
/// at one that was never touched takes memory.
#[inline]
pub fn may_have<V: Variant>(owner: Owner<V>) -> bool {
    V::SHARDS == 1 || V::shared().threads().owners.is_known(owner.number())
}

/// The pools from this number on whose owners may have anything.
pub fn pools<V: Variant>(first: usize) -> impl Iterator<Item = Pool<V>> {
    Pool::from(first).filter(|pool: &Pool<V>| may_have::<V>(pool.owner()))
}

/// All of these, and their centrals.
pub fn centrals<V: Variant>() -> impl Iterator<Item = (Pool<V>, &'static Central)> {
    pools::<V>(0).map(|pool| (pool, central::<V>(pool)))
}

/// Gives the objects of a batch back to their runs.
///
/// # Safety
/// The objects of the batch are the caller's and of this pool.
pub unsafe fn to_runs<V: Variant>(pool: Pool<V>, batch: Batch) {
    // Asked under the lock of the pool, which the owner's last thread takes later to release what is empty: so either it
    // finds a run that was kept, or none is.
    let keep = || {
        if lives::<V>(pool.owner()) {
            V::POLICY.depot.empty_runs
        } else {
            0
        }
    };
    // SAFETY: the objects are of this pool, whose central is asked.
    let bad = unsafe { central::<V>(pool).give_keeping::<V>(V::shared().heap(), pool, batch, &keep) };
    check::report::<V>(pool, bad);
}

/// Gives one object back to its run.
///
/// # Safety
/// The object is the caller's and of this pool.
pub unsafe fn one_to_runs<V: Variant>(pool: Pool<V>, p: *mut u8) {
    // SAFETY: the object is the caller's; it becomes a list of one.
    unsafe {
        list::set_next::<V>(p, ptr::null_mut());
        to_runs::<V>(pool, Batch { head: p, count: 1 });
    }
}

/// An owner has lost its last thread: what waits for it goes back to its runs, and its empty runs to the page heap.
#[cold]
#[inline(never)]
pub fn clear<V: Variant>(owner: Owner<V>) {
    for id in ClassId::all() {
        let pool = Pool::of(owner, id);
        while let Some(batch) = depot_of::<V>(pool).take(Home::ANY) {
            // SAFETY: a depot hands each batch to one taker.
            unsafe { to_runs::<V>(pool, batch) };
        }
        central::<V>(pool).release_empty::<V>(V::shared().heap(), id.row());
    }
}

/// To be called at events: if owners lost their last threads since this thread last looked, what it keeps for such
/// owners goes back to their runs.
///
/// # Safety
/// The calling thread has its block.
#[inline]
pub unsafe fn notice<V: Variant>() {
    if V::Room::bytes::<V>() == 0 {
        return;
    }
    // SAFETY: the block is this thread's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        let now = V::shared().threads().owners.desertions();
        if (*meta).desertions != now {
            (*meta).desertions = now;
            forsake::<V>();
        }
    }
}

/// # Safety
/// The block is this thread's.
#[cold]
#[inline(never)]
unsafe fn forsake<V: Variant>() {
    // SAFETY: the thread is running where it says so.
    unsafe {
        if thread::state::<V>() == State::Running {
            V::Room::forsake::<V>();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::of_node;

    #[test]
    fn each_node_has_as_many_owners_and_no_two_the_same() {
        assert_eq!([0, 1, 2, 3].map(|node| of_node(node, 2, 8)), [0..4, 4..8, 0..4, 4..8]);
        assert_eq!(of_node(5, 6, 6), 5..6);
    }
}
