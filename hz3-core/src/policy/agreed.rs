//! Numbers that the generator has, too: it counts with them where it makes tables, and every expansion holds its own against
//! these.

/// What C's `malloc` aligns to, and the size of the smallest class.
pub const GRANULE: usize = 16;
/// The least granule of class sizes that a variant can have.
pub const LEAST_GRANULE: usize = 8;
/// Bytes by which a colour shifts the first object of a run.
pub const COLOR_STEP: usize = 64;
/// Most objects of a batch, as it is packed into one word.
pub const BATCH_MAX: u32 = u16::MAX as u32;
/// Most objects of a run, as it counts them.
pub const RUN_OBJECTS_MAX: usize = u16::MAX as usize;
/// Most owners of runs: a thread knows by a bit of one word which of them have threads.
pub const OWNERS_MAX: usize = u64::BITS as usize;
/// Which part of `purge.dirty` one lot may keep in free pages.
pub const LOT_SHARE: usize = 16;
/// Most shelves of a depot.
pub const SHELVES_MAX: usize = 64;
/// Most frames of a call stack that are kept.
pub const DEPTH_MAX: usize = 64;
/// Bytes that each thread of a crowd may keep, however many there are.
pub const CROWD_LEAST: usize = 64 << 10;
/// Bits of an address that the heap can use.
pub use crate::os::ADDRESS_BITS;

/// Whether two texts are the same, for the compiler.
pub const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    a.len() == b.len() && i == a.len()
}
