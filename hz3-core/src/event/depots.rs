//! Depots are emptied: what waits there goes back to its runs.

use super::{central, demand_of, depot_of};
use crate::heap::depot::Home;
use crate::policy::Pool;
use crate::statics::Shared;
use crate::variant::Variant;

/// Empties all depots. Returns the bytes of their objects.
pub fn drain_depots<V: Variant>() -> usize {
    let mut bytes = 0;
    for pool in Pool::all() {
        if demand_of::<V>(pool).clear() {
            bytes += empty_depot::<V>(pool);
        }
    }
    bytes
}

/// Empties a depot. Returns the bytes of its objects.
pub fn empty_depot<V: Variant>(pool: Pool<V>) -> usize {
    let mut bytes = 0;
    // SAFETY: the depot hands each batch to one taker, who gives it away.
    unsafe {
        let row = pool.row();
        while let Some(batch) = depot_of::<V>(pool).take(Home::ANY) {
            bytes += batch.count as usize * row.size as usize;
            central::<V>(pool).give::<V>(V::shared().heap(), row, batch.head);
        }
    }
    bytes
}

/// Empties the depots from which nobody has taken since this was last called.
pub fn empty_resting<V: Variant>() {
    for pool in Pool::all() {
        if demand_of::<V>(pool).rests() {
            empty_depot::<V>(pool);
        }
    }
}
