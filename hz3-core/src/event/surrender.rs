//! A batch leaves its thread.

use super::{check, demand_of, depot_of, depots, owners, thread};
use crate::list::{Batch, chart};
use crate::policy::Pool;
use crate::statics::Shared;
use crate::variant::{Kind, Stats, Variant};

/// Gives a batch to the depot of its pool, or, where that is full or the owner has no threads, object by object to its
/// runs.
///
/// # Safety
/// The batch is the caller's, not empty, and of this pool. The calling thread has its block.
pub unsafe fn surrender<V: Variant>(pool: Pool<V>, batch: Batch) {
    // SAFETY: as the caller says.
    unsafe {
        if !V::POLICY.marks() {
            chart::erase(batch);
        }
        leave::<V>(pool, batch);
    }
}

/// As [`surrender`], of a batch that most likely another thread takes.
///
/// # Safety
/// As for [`surrender`].
pub unsafe fn hand_over<V: Variant>(pool: Pool<V>, batch: Batch) {
    // SAFETY: as the caller says.
    unsafe {
        if !V::POLICY.marks() {
            chart::draw::<V>(batch, pool.row().size);
        }
        leave::<V>(pool, batch);
    }
}

/// # Safety
/// As for [`surrender`]; what is known of the batch stands in its first object.
#[inline(never)]
unsafe fn leave<V: Variant>(pool: Pool<V>, batch: Batch) {
    // SAFETY: the batch goes to exactly one place, the depot of its pool or its runs.
    unsafe {
        let batch = check::leaving::<V>(pool, batch);
        if batch.count == 0 {
            return;
        }
        let (depot, demand) = (depot_of::<V>(pool), demand_of::<V>(pool));
        let stored = if demand.is_closed() {
            false
        } else if V::SHARDS == 1 {
            depot.put(thread::home::<V>(), batch)
        } else {
            let owners = &V::shared().threads().owners;
            owners.put(pool.owner().number(), depot, batch, |b| owners::to_runs::<V>(pool, b))
        };
        if stored {
            demand.stored();
            V::Stats::count::<V>(Kind::ToDepot);
            // Nobody comes for all that: what waits had better be in its runs.
            let row = pool.row();
            let bytes = batch.count as usize * row.size as usize;
            if demand.stored_long(batch.count / u32::from(row.batch.max(1)), bytes) {
                depots::empty_depot::<V>(pool);
            }
        } else {
            V::Stats::count::<V>(Kind::ToRuns);
            if !demand.is_closed() && demand.full() {
                depots::empty_depot::<V>(pool);
            }
            owners::to_runs::<V>(pool, batch);
        }
    }
}
