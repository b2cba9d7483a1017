//! Chance, for the order in which objects are served.
//!
//! One generator serves the process: a draw is one atomic addition, made at events only, where the policy asks for random order.
//! The kernel gives the seed, at the start and again in the child of a fork: processes that were one must not go on alike.

use super::chance::Dice;
use crate::os;
use crate::policy::knobs::{Guards, Policy};
use crate::sync::{AtomicU64, Ordering, const_but_in_models};

/// Where the numbers of SplitMix64 go from one to the next.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Policy {
    /// Whether anything is left to chance.
    #[inline(always)]
    pub const fn draws(&self) -> bool {
        self.hardening.random || matches!(self.hardening.guards, Guards::Runs)
    }
}

/// The generator of a process.
pub struct Order(AtomicU64);

impl Order {
    const_but_in_models! {
        /// One without a seed.
        pub fn new() -> Self {
            Order(AtomicU64::new(0))
        }
    }

    /// Begins anew, where nobody can guess.
    pub fn seed(&self) {
        self.0.store(os::random_bits(), Ordering::Relaxed);
    }

    /// Numbers of the caller's own.
    #[inline]
    pub fn draw(&self) -> Dice {
        // No other draw begins there; each is as long as a list, and they are 2^64 apart in a random order.
        Dice(os::stir(self.0.fetch_add(STEP, Ordering::Relaxed)))
    }
}

/// Puts the numbers from 0 on, which are as many as there are places, into a random order (Fisher and Yates).
pub fn mix(places: &mut [u8], dice: &mut Dice) {
    for (i, place) in places.iter_mut().enumerate() {
        *place = i as u8;
    }
    for i in 1..places.len() {
        let other = dice.below(i as u32 + 1) as usize;
        places.swap(i, other.min(i));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn all_orders_of_four_come_equally_often() {
        let order = Order::new();
        let mut seen: BTreeMap<[u8; 4], u32> = BTreeMap::new();
        for _ in 0..24_000 {
            let mut places = [0; 4];
            mix(&mut places, &mut order.draw());
            *seen.entry(places).or_default() += 1;
        }
        assert_eq!(seen.len(), 24);
        // 1000 on average, give or take 31.
        assert!(seen.values().all(|n| (800..1200).contains(n)), "{seen:?}");
    }

    #[test]
    fn draws_differ_and_a_seed_changes_all() {
        let (one, other) = (Order::new(), Order::new());
        assert_eq!(one.draw().bits(), other.draw().bits());
        assert_ne!(one.draw().bits(), one.draw().bits());
        one.seed();
        other.seed();
        assert_ne!(one.draw().bits(), other.draw().bits());
    }
}
