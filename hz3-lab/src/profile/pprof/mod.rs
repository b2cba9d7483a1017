//! Files in pprof's format.
//!
//! A profile of hz3 has four values a row, as Go's heap profiles have: objects and bytes that were allocated, and those of
//! them that are in use. What else is known of a row stands in its labels, and what is known of the whole in comments of the
//! form `key=value`. Times have the unit of the profile's clock.
//!
//! | label | of a row |
//! |---|---|
//! | `bytes` | the size that was asked for |
//! | `align` | the alignment that was asked for, if it is above 16 |
//! | `thread` | the number of the thread that allocated, from 1 |
//! | `born` | when that was |
//! | `lifetime`, `freed_by` | of objects that have ended: how long they lived, and whether the `same` or an`other` thread freed them |
//! | `samples` | objects that were seen |
//! | `lived` | the sum of how long its objects were live, of rows that were counted exactly |

mod proto;
mod read;
mod rounding;
#[cfg(test)]
mod tests;
mod write;

#[cfg(test)]
pub(super) use tests::example;

/// The values of a row.
const VALUES: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];
/// Label of a row: the sum of how long its objects lived. Others than hz3's tool need not write it.
const LIVED: &str = "lived";
