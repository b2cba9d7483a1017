//! Pages of runs are given back that no object in use lies in: by age, in the rounds through the depots, or at once.

use super::{central, owners};
use crate::heap::Reliefs;
use crate::heap::sparse::{List, Search, Searched};
use crate::policy::Pool;
use crate::statics::Shared;
use crate::variant::Variant;

/// What of a pool's runs is looked at, one after the other: each list from its beginning, and then on.
const PARTS: [(List, bool); 4] = [
    (List::Sparse, true),
    (List::Sparse, false),
    (List::Main, true),
    (List::Main, false),
];

/// Whether such pages are given back when they are old.
pub const fn by_age<V: Variant>() -> bool {
    V::POLICY.purge.holes && V::POLICY.purge.delay_ms > 0
}

/// The search that looks at a part of a pool's runs, and at `most` runs and objects of it, about: for what is old. None if there are no
/// more parts. `empty` says whether empty runs are given back, too.
pub(super) fn part(part: usize, most: u32, empty: bool) -> Option<Search> {
    PARTS.get(part).map(|&(list, begin)| Search {
        list,
        begin,
        most,
        old: true,
        empty,
    })
}

/// The part that follows one of which a step has seen all or not.
pub(super) const fn after(part: usize, over: bool) -> usize {
    match (over, part & 1) {
        (true, begun) => part + 2 - begun,
        (false, 0) => part + 1,
        (false, _) => part,
    }
}

/// Looks at the runs of a pool, from a part on, and at `most` runs and objects, about. Returns at how many, and where to go on.
#[inline(never)]
pub fn go_on<V: Variant>(pool: Pool<V>, mut at: usize, most: u32) -> (u32, Option<usize>) {
    let mut seen = 0;
    while let Some(search) = part(at, most - seen, true) {
        if seen >= most {
            return (seen, Some(at));
        }
        // SAFETY: the central is the pool's.
        let searched = unsafe { central::<V>(pool).search::<V>(V::shared().heap(), pool, search) };
        count::<V>(&searched);
        if searched.hope {
            V::shared().heap().pressure.rounds.hope();
        }
        seen = seen.saturating_add(searched.seen).min(most);
        at = after(at, searched.over);
    }
    (seen, None)
}

/// Gives all such pages back, whatever their age. Returns their bytes.
#[cold]
#[inline(never)]
pub fn all<V: Variant>() -> usize {
    let mut bytes = 0;
    if !V::POLICY.purge.holes {
        return 0;
    }
    for pool in owners::pools::<V>(0) {
        let mut at = 0;
        while let Some(mut search) = part(at, u32::MAX, true) {
            search.old = false;
            // SAFETY: the central is the pool's.
            let searched = unsafe { central::<V>(pool).search::<V>(V::shared().heap(), pool, search) };
            count::<V>(&searched);
            bytes += searched.bytes;
            at = after(at, searched.over);
        }
    }
    bytes
}

/// Counts what a search gave back.
#[inline(never)] // From many places.
pub(super) fn count<V: Variant>(searched: &Searched) {
    if searched.bytes > 0 {
        V::shared().heap().pressure.count(Reliefs {
            purges: 1,
            purged_bytes: searched.bytes as u64,
            ..Reliefs::default()
        });
    }
}
