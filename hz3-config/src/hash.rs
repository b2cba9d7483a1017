//! The hash of configs and sources: FNV-1a over 64 bits, chosen because it is fully specified in two constants and can never
//! change with a dependency.

use std::fmt;

use serde::{Serialize, Serializer};

/// A 64-bit hash, shown as 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigHash(pub u64);

impl fmt::Display for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for ConfigHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a hash starts.
pub const START: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with more bytes.
pub fn add(start: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes
        .iter()
        .fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// The hash of a text.
pub(crate) fn of(text: &str) -> ConfigHash {
    ConfigHash(add(START, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_values() {
        assert_eq!(super::of("").to_string(), "cbf29ce484222325");
        assert_eq!(super::of("a").to_string(), "af63dc4c8601ec8c");
        assert_eq!(super::of("foobar").to_string(), "85944171f73967e8");
    }
}
