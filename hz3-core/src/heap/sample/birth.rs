//! What is known of a sampled object from its birth on.

/// The class of an object that is above every class.
pub const LARGE: u16 = 0xffff;

/// What is known of a sampled object that exists.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Birth {
    /// Bytes that were asked for.
    pub asked: u64,
    /// Nanoseconds from the start to its birth.
    pub born: u64,
    /// How many objects it stands for; 0 if nothing is here.
    pub weight: f64,
    /// The stack at birth, by its number.
    pub stack: u32,
    /// The thread that made it, counted from 1.
    pub thread: u32,
    /// Its class, or [`LARGE`].
    pub class: u16,
    /// log2 of the alignment asked for, if that was more than every object has; 0 if not.
    pub align: u8,
    /// Doublings of the mean of the gap that it ended ([`pace`](super::pace)).
    pub level: u8,
}

/// No object.
pub(super) const NOTHING: Birth = Birth {
    asked: 0,
    born: 0,
    weight: 0.0,
    stack: 0,
    thread: 0,
    class: 0,
    align: 0,
    level: 0,
};
