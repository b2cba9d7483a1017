//! The answers to "whose is a freed object?", and all that the language and the cost model know of each.

use super::words::words;
use crate::agreed::{RING_ENTRY_BYTES, SLOT_BYTES, SPARE_BYTES};

words! {
    /// Who a freed object belongs to. Each word is a type of this name in the core's `hot`, and a room in its `event`.
    Ownership, OWNERSHIP: {
        "adopt" => Adopt: "always the thread that frees it",
        "owner-bank" => OwnerBank: "its owner; it goes there through a bank with one slot array for each owner",
        "owner-ring" => OwnerRing: "its owner; it goes there through a bounded ring, which is flushed sorted by owner",
    }
}

/// What the size of a thread's room follows from.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Owners of runs.
    pub shards: u64,
    /// Slots of an array: the classes and the trap.
    pub slots: u64,
    /// Bits of a tag below the owner's: an array takes so many bytes as they can count.
    pub bin_bits: u32,
    /// Entries of a ring.
    pub ring: u64,
}

/// What a thread keeps for other owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Bytes that a thread maps for it outside of its block; 0 if it keeps nothing.
    pub bytes: u64,
    /// What they are, for people.
    pub holds: String,
}

impl Ownership {
    /// Owners of runs, where the config says that there are `shards`.
    pub fn owners(self, shards: u64) -> u64 {
        match self {
            Ownership::Adopt => 1,
            Ownership::OwnerBank | Ownership::OwnerRing => shards,
        }
    }

    /// The number of the first owner in a tag. In a ring variant owner 0 is a thread that has not started.
    pub fn first_owner(self) -> u64 {
        match self {
            Ownership::Adopt | Ownership::OwnerBank => 0,
            Ownership::OwnerRing => 1,
        }
    }

    /// Whether a thread's slots lie outside of its block, in a bank with one slot array for each owner.
    pub fn has_bank(self) -> bool {
        match self {
            Ownership::Adopt | Ownership::OwnerRing => false,
            Ownership::OwnerBank => true,
        }
    }

    /// What a thread has outside of its block.
    pub fn room(self, scale: Scale) -> Room {
        let Scale {
            shards,
            slots,
            bin_bits,
            ring,
        } = scale;
        match self {
            Ownership::Adopt => Room {
                bytes: 0,
                holds: "nothing".to_owned(),
            },
            Ownership::OwnerBank => Room {
                bytes: (shards << bin_bits) + slots * SPARE_BYTES,
                holds: format!(
                    "{shards} slot arrays of {slots} slots of {SLOT_BYTES} B, and spares; untouched ones are not backed"
                ),
            },
            Ownership::OwnerRing => Room {
                bytes: ring * RING_ENTRY_BYTES,
                holds: format!("a ring of {ring} entries of {RING_ENTRY_BYTES} B"),
            },
        }
    }

    /// Bytes of other owners' objects that a thread holds at most before it hands them over: `batch` objects of each class
    /// and owner, or a `ring` of them. `classes` are bytes of an object and objects of a batch.
    pub fn remote_bytes(self, shards: u64, batch: u64, ring: u64, classes: impl Iterator<Item = (u64, u64)>) -> u64 {
        match self {
            Ownership::Adopt => 0,
            Ownership::OwnerBank => {
                let array: u64 = classes.map(|(size, full)| full.min(batch) * size).sum();
                array * (shards - 1)
            }
            Ownership::OwnerRing => ring * classes.map(|(size, _)| size).max().unwrap_or(0),
        }
    }
}
