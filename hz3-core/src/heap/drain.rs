//! The segment that is drained.

use super::segment::Segment;
use core::ptr;

/// The segment that is to become free.
pub struct Drain {
    /// The segment; null if there is none. Forgotten when the segment is retired, so that it is live.
    pub segment: *mut Segment,
    /// Its pages in use when it was chosen.
    pub(super) used: usize,
    /// Requests for pages during which it is still spared.
    pub left: u32,
}

impl Drain {
    /// No segment.
    pub const NONE: Drain = Drain {
        segment: ptr::null_mut(),
        used: 0,
        left: 0,
    };
}
