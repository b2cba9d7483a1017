//! What follows from the knobs that events and the heap read.

use super::knobs::{Idle, OnFull, Per, PlacementOrder, Policy, Record, Relief, Thp, Unit};

impl Policy {
    /// Whether memory is mapped outside of the arena when that is used up.
    pub const fn grows_outside(&self) -> bool {
        matches!(self.arena.on_full, OnFull::System)
    }

    /// Whether a helper thread purges when no other thread has events.
    pub const fn has_helper(&self) -> bool {
        matches!(self.purge.idle, Idle::Helper)
    }

    /// Whether slots are processors'.
    pub const fn per_cpu(&self) -> bool {
        matches!(self.cache.per, Per::Cpu)
    }

    /// Whether relief first gives back only what lies in one segment.
    pub const fn relieves_by_segment(&self) -> bool {
        matches!(self.pressure.relief, Relief::Segment)
    }

    /// Milliseconds within which free pages that were given back should not have been: after that they go anyhow.
    pub const fn window(&self) -> u64 {
        if self.purge.delay_ms > 0 {
            self.purge.delay_ms
        } else {
            1000
        }
    }

    /// The same of freed huge objects.
    pub const fn huge_window(&self) -> u64 {
        if self.large.max_age_ms > 0 {
            self.large.max_age_ms
        } else {
            1000
        }
    }

    /// Of so much that is kept but did not serve, what is worth keeping beside.
    pub const fn spare(&self, others: usize) -> usize {
        if self.purge.spare { others } else { 0 }
    }

    /// Whether pages are placed without any choice: from the fullest segment, at the first hole.
    pub const fn places_plainly(&self) -> bool {
        let choice = &self.placement;
        matches!(choice.order, PlacementOrder::Fullest) && choice.pack_tries == 0 && choice.quarantine_events == 0
    }

    /// Whether segments are given back as a whole, as long as nothing presses.
    pub const fn purges_wholes(&self) -> bool {
        matches!(self.purge.unit, Unit::Huge)
    }

    /// Whether some pages stay backed that are free, as their segment is to stay whole.
    pub const fn spares(&self) -> bool {
        self.purges_wholes() || matches!(self.arena.thp, Thp::Dense)
    }

    /// Whether what is old and backed becomes huge pages.
    pub const fn collapses(&self) -> bool {
        matches!(self.arena.thp, Thp::Dense)
    }

    /// Whether some objects are sampled.
    pub const fn samples(&self) -> bool {
        matches!(self.stats.record, Record::Sample | Record::SampleAll)
    }

    /// Whether `malloc` counts the bytes until the next sample; if not, events do.
    pub const fn counts_bytes(&self) -> bool {
        matches!(self.stats.record, Record::SampleAll)
    }
}
