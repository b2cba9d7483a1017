//! The hash of configs: FNV-1a over 64 bits, chosen because it is fully specified in two constants and can never
//! change with a dependency.

use crate::plan::ConfigHash;

/// The hash of a text.
pub(crate) fn of(text: &str) -> ConfigHash {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    ConfigHash(
        text.bytes()
            .fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)),
    )
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
