//! Numbers that the generator and the core agree on. Every expansion holds each against the core's own.

/// Bytes of a page, the granule of page tags.
pub const PAGE: u32 = 4096;
/// The smallest size and the granule of every class size, in bytes: `max_align_t` on the supported targets.
pub const GRANULE: u32 = 16;
/// Bytes of a segment.
pub const SEGMENT: u64 = 2 << 20;
/// Pages at a segment's base that hold its header (bitmaps and run descriptors).
pub const SEGMENT_HEADER_PAGES: u32 = 5;
/// Pages of a segment that can hold objects.
pub const SEGMENT_USABLE_PAGES: u32 = (SEGMENT / PAGE as u64) as u32 - SEGMENT_HEADER_PAGES;
/// Pages of the 47 bits of address space that a flat tag table covers.
pub const FLAT_PAGES: u64 = 1 << 35;
/// Bytes of one slot `{ head, room, cap }` of a bank: the unit of direct slot offsets.
pub const SLOT_BYTES: u32 = 16;
/// Bytes of an entry of a ring: an object and its tag.
pub const RING_ENTRY_BYTES: u64 = 16;
/// Bytes that a class's second magazine takes: a batch in one word.
pub const SPARE_BYTES: u64 = 8;
