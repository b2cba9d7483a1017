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

/// A hash in the making.
pub(crate) struct Fnv(u64);

impl Fnv {
    /// Of nothing yet.
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        self.0 = bytes
            .iter()
            .fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    }

    /// Of all that was added.
    pub(crate) fn finish(self) -> ConfigHash {
        ConfigHash(self.0)
    }
}

/// The hash of a text.
pub(crate) fn of(text: &str) -> ConfigHash {
    let mut hash = Fnv::new();
    hash.add(text.as_bytes());
    hash.finish()
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
