//! Numbers that the generator and the core agree on. Every expansion holds each against the core's own (`emit/agreed.rs`).

/// Bytes of a page, the granule of page tags.
pub const PAGE: u32 = 4096;
/// The smallest size of a class, and what C's `malloc` aligns to, in bytes: `max_align_t` on the supported targets. It is the granule
/// of class sizes, too, unless the config says that it is 8.
pub const GRANULE: u32 = 16;
/// Bytes of a segment.
pub const SEGMENT: u64 = 2 << 20;
/// Pages at a segment's base that hold its header (bitmaps and run descriptors).
pub const SEGMENT_HEADER_PAGES: u32 = 5;
/// Pages of a segment that can hold objects.
pub const SEGMENT_USABLE_PAGES: u32 = (SEGMENT / PAGE as u64) as u32 - SEGMENT_HEADER_PAGES;
/// One past the highest address of user space, with 47 bits.
pub const USER_SPACE: u64 = 1 << 47;
/// Pages of the address space that a flat tag table covers.
pub const FLAT_PAGES: u64 = USER_SPACE / PAGE as u64;
/// Bytes of a cache line: thread blocks are aligned to it.
pub const CACHE_LINE: u64 = 64;
/// Bytes by which a colour shifts the first object of a run.
pub const COLOR_STEP: u32 = 64;
/// Bytes of one slot `{ head, room, cap }` of a bank: the unit of direct slot offsets.
pub const SLOT_BYTES: u32 = 16;
/// Bytes of an entry of a ring: an object and its tag.
pub const RING_ENTRY_BYTES: u64 = 16;
/// Bytes that a class's second magazine takes: a batch in one word.
pub const SPARE_BYTES: u64 = 8;
/// Bytes of a thread block that belong to no class: its state, its links and its own addresses.
pub const THREAD_META_BYTES: u64 = 96;
/// Most objects of a batch: a word holds it with its length.
pub const BATCH_MAX: u64 = 65_535;
/// Most objects of a run.
pub const RUN_OBJECTS_MAX: u64 = 65_535;
/// Most owners of runs.
pub const OWNERS_MAX: u64 = 64;
/// Lots: sets of segments that threads which meet at the page heap have for themselves.
pub const LOTS: u64 = 16;
/// Which part of `purge.dirty` one lot may keep in free pages.
pub const LOT_SHARE: u64 = 16;
/// Most shelves of a depot.
pub const SHELVES_MAX: u64 = 64;
/// Bytes that each thread of a crowd may keep, however many there are.
pub const CROWD_LEAST: u64 = 64 << 10;
/// Bytes of thread-local storage that sampling takes.
pub const SAMPLER_BYTES: u64 = 264;
/// Bytes of thread-local storage that guarded objects take.
pub const WARDEN_BYTES: u64 = 88;
/// Most frames of a call stack.
pub const DEPTH_MAX: u64 = 64;
/// The section that says where a variant's memory map lies.
pub const HEAP_SECTION: &str = ".hz3.heap";
