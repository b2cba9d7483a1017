//! Numbers that look random and are the same each time, and inputs made with them.

use hz3_lab::stats::Rng;

/// A generator: that of the lab.
#[derive(Debug, Clone)]
pub struct Dice(Rng);

impl Dice {
    /// The one that begins with `seed`.
    pub fn new(seed: u64) -> Self {
        Dice(Rng(seed))
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
    }

    /// Whether something happens that happens once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of several.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn among<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// So many bytes.
    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.roll() as u8).collect()
    }

    /// An input like one of `seeds`, changed in a few places. Without coverage to go by, few and small changes reach the
    /// furthest.
    ///
    /// # Panics
    ///
    /// If there is no seed.
    pub fn changed(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut data = self.among(seeds).clone();
        for _ in 0..1 + self.below(4) {
            let at = self.below(data.len() + 1);
            match self.below(8) {
                0 => data.insert(at, self.roll() as u8),
                1 if at < data.len() => drop(data.remove(at)),
                2 if at < data.len() => data[at] = self.roll() as u8,
                3 if at < data.len() => data[at] ^= 1 << self.below(8),
                4 if at < data.len() => data[at] = *self.among(&[0, 1, 0x7f, 0x80, 0xff, b'0', b'9', b'"']),
                5 => data.truncate(at.max(data.len() / 2)),
                // A piece of the same or of another seed.
                6 => {
                    let other = self.among(seeds);
                    let from = self.below(other.len() + 1);
                    let length = self.below(64).min(other.len() - from);
                    data.splice(at..at, other[from..from + length].iter().copied());
                }
                _ => {
                    let end = (at + self.below(32)).min(data.len());
                    data.drain(at..end);
                }
            }
        }
        data
    }
}
