//! What is counted of events, and how a variant says whether it is.

use super::Variant;
use crate::sync::AtomicU64;

/// What is counted. The cycles of a timed event are summed, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Kind {
    /// `malloc` found an empty list (timed).
    Refill,
    /// … and took the spare magazine.
    FromSpare,
    /// … or a batch from the depot.
    FromDepot,
    /// … or objects from runs.
    FromRuns,
    /// … or an object of a larger class.
    Borrowed,
    /// `free` found no room (timed).
    Overflow,
    /// … and the magazine was allowed to grow.
    Grown,
    /// A magazine became longer than a batch, or longer still, for objects that come and go in bursts.
    Lengthened,
    /// … or shorter, as they do not any more.
    Shortened,
    /// A batch went to a depot.
    ToDepot,
    /// A batch went back to its runs, object by object.
    ToRuns,
    /// A full slot of another owner's objects was handed over (timed).
    RowFull,
    /// A ring was flushed (timed).
    RingFlush,
    /// An object above the largest class was allocated (timed).
    LargeMalloc,
    /// A pointer without a tag was freed: large, outside of the arena, or not ours (timed).
    Untagged,
    /// A thread started (timed).
    ThreadStart,
    /// A thread ended (timed).
    ThreadExit,
    /// Memory ran short and caches were emptied (timed).
    Relief,
}

/// The events and their names in reports, in order.
pub const KINDS: [(Kind, &str); 18] = [
    (Kind::Refill, "refill"),
    (Kind::FromSpare, "refill-from-spare"),
    (Kind::FromDepot, "refill-from-depot"),
    (Kind::FromRuns, "refill-from-runs"),
    (Kind::Borrowed, "refill-borrowed"),
    (Kind::Overflow, "overflow"),
    (Kind::Grown, "magazine-grown"),
    (Kind::Lengthened, "magazine-lengthened"),
    (Kind::Shortened, "magazine-shortened"),
    (Kind::ToDepot, "batch-to-depot"),
    (Kind::ToRuns, "batch-to-runs"),
    (Kind::RowFull, "row-full"),
    (Kind::RingFlush, "ring-flush"),
    (Kind::LargeMalloc, "large-malloc"),
    (Kind::Untagged, "untagged-free"),
    (Kind::ThreadStart, "thread-start"),
    (Kind::ThreadExit, "thread-exit"),
    (Kind::Relief, "relief"),
];

/// Steps for each power of two in which the lengths of events are counted: a figure is at most an eighth too high.
pub const STEPS: usize = 8;
/// Lengths that are told apart: the last one holds all from 2^40 cycles on.
pub const LENGTHS: usize = 38 * STEPS;

/// One event's sums.
pub struct Counter {
    /// Events.
    pub count: AtomicU64,
    /// Cycles of the time stamp counter; 0 for events that are not timed, and on machines without one.
    pub cycles: AtomicU64,
    /// Timed events by their length in cycles.
    pub lengths: [AtomicU64; LENGTHS],
    /// Cycles of the longest one.
    pub longest: AtomicU64,
}

impl Counter {
    /// Nothing counted: what the counters of a variant begin as.
    #[cfg(not(loom))]
    #[allow(clippy::declare_interior_mutable_const)] // Each use initialises a static of its own.
    pub const ZERO: Counter = Counter {
        count: AtomicU64::new(0),
        cycles: AtomicU64::new(0),
        lengths: [const { AtomicU64::new(0) }; LENGTHS],
        longest: AtomicU64::new(0),
    };
}

/// Whether and how events are counted.
pub trait Stats: 'static {
    /// Runs until it is dropped.
    type Timer;

    /// Counts an event and times it until the timer is dropped.
    fn time<V: Variant>(kind: Kind) -> Self::Timer;

    /// Counts an event.
    fn count<V: Variant>(kind: Kind);
}
