//! What happened to the lists of a class, and how long that takes.

/// Nanoseconds of a refill or overflow, of a batch that is exchanged with a depot, of an object that is taken from its run or
/// goes there.
const EVENT: (f64, f64, f64) = (40.0, 30.0, 6.0);

/// How many events of each kind there were, and how many objects went through them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Events {
    /// Lists that were empty.
    pub refills: u64,
    /// Lists that were full.
    pub overflows: u64,
    /// Batches that were exchanged with depots.
    pub batches: u64,
    /// Objects that were taken from runs one by one, or went there.
    pub moved: u64,
}

impl Events {
    /// What they take.
    pub fn nanoseconds(&self) -> f64 {
        (self.refills + self.overflows) as f64 * EVENT.0 + self.batches as f64 * EVENT.1 + self.moved as f64 * EVENT.2
    }
}
