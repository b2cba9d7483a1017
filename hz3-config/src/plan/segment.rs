//! How long segments are, and what their headers take.

use serde::Serialize;

use crate::agreed::{PAGE, SEGMENT};

/// The segments of a heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SegmentPlan {
    /// Bytes of a segment: a power of two.
    pub bytes: u64,
    /// Pages at its base that hold its header (bitmaps and run descriptors): 40 bytes for each page.
    pub header_pages: u32,
    /// Pages that can hold objects.
    pub usable_pages: u32,
}

impl SegmentPlan {
    /// Segments as they are where nothing is said.
    pub const USUAL: SegmentPlan = SegmentPlan::of(SEGMENT);

    /// Segments of so many bytes.
    pub const fn of(bytes: u64) -> Self {
        let pages = (bytes / PAGE as u64) as u32;
        let header_pages = (pages * 40).div_ceil(PAGE);
        SegmentPlan {
            bytes,
            header_pages,
            usable_pages: pages - header_pages,
        }
    }

    /// Whether they are as where nothing is said.
    pub fn is_usual(&self) -> bool {
        *self == Self::USUAL
    }

    /// The feature of `hz3` and of `hz3-core` with which these are built for such segments; none for the usual ones.
    pub fn feature(&self) -> Option<String> {
        (!self.is_usual()).then(|| format!("segment-{}m", self.bytes >> 20))
    }
}
