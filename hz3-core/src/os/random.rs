//! Random bits: the only place where they come from.
//!
//! The kernel gives them. Where it does not, early in the system's start or because a filter forbids the call, those serve
//! that it has given to the process at its start (`AT_RANDOM`). The C library makes its own secrets of them, so that no answer
//! may tell what they were.

use super::{raw, wall_ns};

/// Random bits for where things lie; 0 where addresses are not to be random (debuggers ask for that), so that a process can be
/// had again as it was.
pub fn random_bits() -> u64 {
    const ASK: usize = 0xffff_ffff;
    // SAFETY: asks only.
    let personality = unsafe { raw::call(libc::SYS_personality, [ASK, 0, 0, 0, 0, 0]) };
    if !raw::failed(personality) && personality as i32 & libc::ADDR_NO_RANDOMIZE != 0 {
        return 0;
    }
    secret_bits()
}

/// Random bits that nobody must guess: for keys. Each call gives others.
pub fn secret_bits() -> u64 {
    let mut bits = 0u64;
    let bytes = size_of::<u64>();
    // It must not wait: the system's start may wait for this process.
    let flags = libc::GRND_NONBLOCK as usize;
    // SAFETY: the kernel writes to `bits`, which outlives the call.
    let got = unsafe { raw::call(libc::SYS_getrandom, [&raw mut bits as usize, bytes, flags, 0, 0, 0]) };
    if got == bytes as isize {
        return bits;
    }
    fold(given_at_start(), [wall_ns(), (&raw const bits).addr() as u64])
}

/// The 16 random bytes that the kernel gives to each program that it starts; zeroes if it gave none.
fn given_at_start() -> [u64; 2] {
    // SAFETY: always safe to call.
    let at = unsafe { libc::getauxval(libc::AT_RANDOM) } as *const [u8; 16];
    if at.is_null() {
        return [0; 2];
    }
    // SAFETY: the kernel says that 16 bytes are there; they are the process's for its life, and nobody writes them.
    let bytes = u128::from_ne_bytes(unsafe { at.read() });
    [bytes as u64, (bytes >> 64) as u64]
}

/// One word of a secret of two and of what differs from call to call. As many secrets give the same word as there are words, so
/// that a word tells neither half of its secret.
fn fold([a, b]: [u64; 2], [time, place]: [u64; 2]) -> u64 {
    stir(a ^ stir(time)).wrapping_add(stir(b ^ stir(place)).rotate_left(32))
}

/// Spreads each bit over all (the finalizer of SplitMix64: Steele, Lea and Flood).
pub fn stir(n: u64) -> u64 {
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Of each bit position, how many of so many words have it. Of 4096 fair throws fewer than 1700 or more than 2396 heads
    /// come once in 10^27 times.
    fn assert_fair(words: &[u64]) {
        assert_eq!(words.len(), 4096);
        for bit in 0..64 {
            let ones = words.iter().filter(|&word| word >> bit & 1 == 1).count();
            assert!((1700..=2396).contains(&ones), "bit {bit}: {ones} of 4096");
        }
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "all differ");
    }

    #[test]
    fn secrets_are_fair_and_differ() {
        let words: std::vec::Vec<u64> = (0..4096).map(|_| secret_bits()).collect();
        assert_fair(&words);
    }

    #[test]
    fn what_is_folded_of_one_secret_is_fair_and_differs_by_time_and_by_secret() {
        let secret = given_at_start();
        assert_ne!(secret, [0; 2], "the kernel gives it to every program");
        let place = 0x7fff_1234_5678;
        let by_time: std::vec::Vec<u64> = (0..4096).map(|n| fold(secret, [n, place])).collect();
        assert_fair(&by_time);
        let by_secret: std::vec::Vec<u64> = (0..4096).map(|n| fold([n, secret[1]], [7, place])).collect();
        assert_fair(&by_secret);
    }
}
