//! What a process knows and nobody else: the value that each object has of it.

use core::sync::atomic::{AtomicU64, Ordering};

/// Two random numbers. Drawn once, when the process starts, before any object leaves the heap.
pub struct Secret {
    key: AtomicU64,
    factor: AtomicU64,
}

impl Secret {
    /// Nothing is drawn yet.
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Secret {
            key: AtomicU64::new(0),
            factor: AtomicU64::new(0),
        }
    }

    /// Makes these bits the secret.
    pub fn draw(&self, key: u64, factor: u64) {
        self.key.store(key, Ordering::Relaxed);
        self.factor.store(factor | 1, Ordering::Relaxed);
    }

    /// The value of the object at `p`. Both halves of the product go into it, so that one object's value says nothing of another's.
    #[inline(always)]
    pub fn of(&self, p: *const u8) -> u64 {
        let (key, factor) = (self.key.load(Ordering::Relaxed), self.factor.load(Ordering::Relaxed));
        let product = u128::from(p as u64 ^ key) * u128::from(factor);
        product as u64 ^ (product >> 64) as u64
    }
}
