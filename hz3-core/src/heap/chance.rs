//! Chance: random numbers, and the two functions of them that sampling takes. The core has no mathematics of its own.

/// Random numbers (SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Dice(pub u64);

impl Dice {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        crate::os::stir(self.0)
    }

    /// A number below `bound`, which is above 0. (Of no bound that is asked for here is any number a millionth likelier.)
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Bytes until the next sample: exponentially distributed, so that no byte knows of the one before it.
    pub fn gap(&mut self, mean: u64) -> u64 {
        // In (0, 1]: 53 bits, and never 0.
        let unit = ((self.bits() >> 11) + 1) as f64 * (1.0 / (1u64 << 53) as f64);
        (-ln(unit) * mean as f64) as u64
    }
}

const LN_2: f64 = core::f64::consts::LN_2;

/// The natural logarithm of a positive, normal number.
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    // ln m = 2 artanh((m - 1) / (m + 1)), with an argument of at most a third.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    let mut k = 31.0;
    while k > 0.0 {
        sum = sum * square + 1.0 / k;
        k -= 2.0;
    }
    2.0 * s * sum + exponent as f64 * LN_2
}

/// `1 - exp(-x)` for `x >= 0`, exact to the last digits also where `x` is tiny.
pub fn risen(x: f64) -> f64 {
    if x > 45.0 {
        return 1.0;
    }
    // exp(-x) = exp(-r)^(2^k): the series converges at once below a half, and (1 - e²) = (1 - e)(1 + e) squares it.
    let mut halvings = 0;
    let mut r = x;
    while r > 0.5 {
        r *= 0.5;
        halvings += 1;
    }
    let mut rest = 0.0;
    let mut n = 18.0;
    while n > 0.0 {
        rest = (r - rest * r) / n;
        n -= 1.0;
    }
    for _ in 0..halvings {
        rest *= 2.0 - rest;
    }
    rest
}

/// How many objects stand behind a sampled one, when each byte of `bytes` was as likely as any other to be met, one in `mean`.
pub fn weight(bytes: u64, mean: u64) -> f64 {
    let chance = risen(bytes.max(1) as f64 / mean.max(1) as f64);
    1.0 / chance
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn functions_are_those_of_the_standard_library() {
        for i in 1..4000u64 {
            let x = i as f64 * i as f64 / 300_000.0;
            assert!((ln(x) - x.ln()).abs() < 1e-13 * x.ln().abs().max(1.0), "ln {x}");
            let want = -(-x).exp_m1();
            assert!((risen(x) - want).abs() < 1e-13, "{x}: {} {want}", risen(x));
        }
        assert!((weight(16, 512 << 10) - 32768.5).abs() < 0.01);
        assert!((weight(1 << 30, 512 << 10) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn gaps_are_exponential() {
        let mut dice = Dice(7);
        let (mean, count) = (10_000u64, 200_000);
        let gaps: std::vec::Vec<u64> = (0..count).map(|_| dice.gap(mean)).collect();
        let average = gaps.iter().sum::<u64>() as f64 / f64::from(count);
        assert!((average / mean as f64 - 1.0).abs() < 0.01, "{average}");
        let longer = gaps.iter().filter(|gap| **gap > 3 * mean).count() as f64 / f64::from(count);
        assert!((longer - (-3.0f64).exp()).abs() < 0.002, "{longer}");
    }
}
