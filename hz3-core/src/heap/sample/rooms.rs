//! How long the tables are, which follows from `stats.samples`.

use super::stacks::Stack;
use super::{Birth, Row};
use crate::os;
use crate::policy::Policy;
use crate::sync::AtomicUsize;

/// How many entries each table has room for.
#[derive(Clone, Copy)]
pub(super) struct Rooms {
    pub(super) live: usize,
    pub(super) rows: usize,
    pub(super) stacks: usize,
    pub(super) frames: usize,
    pub(super) addresses: usize,
}

impl Rooms {
    pub(super) const fn of(policy: &Policy) -> Rooms {
        let live = (policy.stats.samples as usize).next_power_of_two();
        let live = if live < 64 { 64 } else { live };
        Rooms {
            live,
            rows: 2 * live,
            stacks: live,
            frames: 8 * live,
            addresses: 2 * live,
        }
    }

    /// Bytes of the mapping.
    pub(super) const fn bytes(self) -> usize {
        let entries = self.live * (size_of::<AtomicUsize>() + size_of::<u32>() + size_of::<Birth>())
            + self.rows * size_of::<Row>()
            + self.stacks * size_of::<Stack>()
            + self.frames * size_of::<u32>()
            + self.addresses * size_of::<u64>();
        let indices = 2 * (self.rows + self.stacks + self.addresses) * size_of::<u32>();
        (entries + indices).next_multiple_of(os::PAGE)
    }
}

/// Most bytes that the tables take.
pub const fn table_bytes(policy: &Policy) -> usize {
    Rooms::of(policy).bytes()
}
