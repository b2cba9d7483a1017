//! FNV-1a, to tell contents apart: for names of folders and stamps of what was built, not against anybody.

/// Where a hash starts.
pub const START: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with more bytes.
pub fn add(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The hash of some bytes.
pub fn of(bytes: &[u8]) -> u64 {
    add(START, bytes)
}
