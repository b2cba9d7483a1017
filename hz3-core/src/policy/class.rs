//! Size classes.

/// One size class, as the events need it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Class {
    /// Bytes of an object.
    pub size: u32,
    /// Alignment of every object, bytes.
    pub align: u32,
    /// Pages of a run.
    pub run_pages: u16,
    /// Objects of a full-length run.
    pub objects: u16,
    /// Objects of a full batch.
    pub batch: u16,
    /// Objects of a new thread's first batch.
    pub batch_first: u16,
    /// Objects that a thread's list may hold at most, where they come and go in bursts; at least a batch.
    pub burst: u16,
    /// Objects that one trip to the runs takes at most.
    pub batch_carve: u16,
    /// Next larger classes that may serve before the heap grows.
    pub borrow: u16,
    /// Colours: a run's first object is shifted by (0..colors) × [`COLOR_STEP`](super::agreed::COLOR_STEP) bytes.
    pub colors: u16,
    /// Batches that the depot of this class may hold.
    pub depot: u16,
}
