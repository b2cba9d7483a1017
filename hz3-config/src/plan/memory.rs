//! Where memory comes from, where in it pages are placed, and when it is given back.

use serde::Serialize;

/// Address space.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArenaPlan {
    /// Bytes of address space; a multiple of [`SEGMENT`](super::SEGMENT).
    pub size: u64,
    /// Wanted base address; 0 lets the kernel choose.
    pub base: u64,
    /// How memory of the reservation becomes usable.
    pub commit: Commit,
    /// What follows when the arena is used up.
    pub on_full: OnFull,
    /// Huge pages.
    pub thp: Thp,
}

/// How reserved memory becomes usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Commit {
    /// Reserved without access; opened segment by segment (`mlockall` and strict overcommit stay usable).
    Segment,
    /// Reserved readable and writable as a whole.
    Whole,
}

/// What follows when the arena is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFull {
    /// Further segments are mapped outside of the arena; `free` finds them on its slow path.
    System,
    /// NULL and `ENOMEM`.
    Fail,
}

/// Huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Thp {
    /// As the system says: no advice is given.
    System,
    /// `MADV_NOHUGEPAGE` for the whole arena.
    Never,
    /// `MADV_HUGEPAGE` for objects of a segment or more.
    Large,
    /// `MADV_HUGEPAGE` for the whole arena.
    Always,
}

/// Objects above the largest class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LargePlan {
    /// Bytes of freed whole-segment objects kept with their pages.
    pub cache_bytes: u64,
    /// Milliseconds after which a kept object goes back; 0 keeps it until room is needed.
    pub max_age_ms: u64,
}

/// Where runs and large objects are placed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlacementPlan {
    /// Which of several segments with room gives its pages.
    pub order: PlacementOrder,
    /// Requests for pages during which a drained segment gives none; 0 where it is not spared.
    pub quarantine_events: u32,
    /// Segments that a search looks at for the tightest hole; 0 where tightness does not count.
    pub pack_tries: u32,
}

/// Which of several segments with room gives its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlacementOrder {
    /// The one with the fewest free pages.
    Fullest,
    /// The one at the lowest address.
    Lowest,
}

/// When free pages go back to the kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PurgePlan {
    /// Free but still backed bytes that the page heap keeps before it purges.
    pub dirty_bytes: u64,
    /// Milliseconds for which a free range stays backed; 0 means that only `dirty_bytes` counts.
    pub delay_ms: u64,
    /// Whether an exiting thread purges.
    pub at_thread_exit: bool,
    /// Whether a helper thread purges when no thread has events.
    pub helper: bool,
}

/// What happens when memory runs short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PressurePlan {
    /// Whether the epoch is raised and answered.
    pub enabled: bool,
    /// Bytes of segments in use above which pressure is raised; 0 means only when the arena is used up.
    pub budget_bytes: u64,
    /// Free bytes below which other threads are asked even after a successful relief.
    pub reclaim_bytes: u64,
    /// What caches give back.
    pub relief: Relief,
}

/// What caches give back when memory is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relief {
    /// Everything.
    All,
    /// First what lies in one chosen segment; everything, if that is not enough.
    Segment,
}
