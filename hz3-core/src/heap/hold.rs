//! In which way the arena's range is held, and what comes of opening a part of it.

/// How the range is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// There is none.
    Nothing,
    /// Nothing is mapped but what is open.
    Claimed,
    /// All of it is mapped; what is not open without access.
    Reserved,
    /// All of it is open.
    Whole,
}

/// Why pages cannot be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The kernel refuses memory, or there are no free segments.
    NoMemory,
    /// A segment turned out to be somebody else's, and was noted as such.
    Lost,
}
