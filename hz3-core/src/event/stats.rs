//! Counting events, in variants that ask for it (`stats.level = "events"`). In all others nothing of this is left.

use crate::sync::{AtomicU64, Ordering};
use crate::variant::{Counter, Kind, LENGTHS, STEPS, Stats, Variant};

/// Nothing is counted.
pub struct Off;

impl Stats for Off {
    type Timer = ();

    #[inline(always)]
    fn time<V: Variant>(_: Kind) {}

    #[inline(always)]
    fn count<V: Variant>(_: Kind) {}
}

/// Events are counted in the variant's statics, by all threads together.
pub struct Events;

impl Stats for Events {
    type Timer = Timer;

    fn time<V: Variant>(kind: Kind) -> Timer {
        Self::count::<V>(kind);
        Timer {
            of: V::counters().get(kind as usize),
            start: cycles(),
        }
    }

    fn count<V: Variant>(kind: Kind) {
        if let Some(counter) = V::counters().get(kind as usize) {
            counter.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Adds the cycles of its life to a counter.
pub struct Timer {
    of: Option<&'static Counter>,
    start: u64,
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(counter) = self.of {
            let length = cycles().wrapping_sub(self.start);
            counter.cycles.fetch_add(length, Ordering::Relaxed);
            counter.longest.fetch_max(length, Ordering::Relaxed);
            if let Some(events) = counter.lengths.get(place(length)) {
                events.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Where a length is counted: `STEPS` places for each power of two, one for each number below.
fn place(length: u64) -> usize {
    let steps = STEPS as u64;
    if length < steps {
        return length as usize;
    }
    let shift = length.ilog2() - steps.ilog2();
    (shift as usize * STEPS + (length >> shift) as usize).min(LENGTHS - 1)
}

/// The greatest length that is counted at a place.
fn greatest(place: usize) -> u64 {
    if place < STEPS {
        return place as u64;
    }
    let shift = place / STEPS - 1;
    (((place - shift * STEPS) as u64 + 1) << shift) - 1
}

/// The cycles that so many thousandths of a counter's timed events take at most; 0 if there are none.
pub fn quantile(counter: &Counter, permille: u64) -> u64 {
    let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let all: u64 = counter.lengths.iter().map(count).sum();
    let mut left = (all * permille).div_ceil(1000);
    let longest = count(&counter.longest);
    for (at, events) in counter.lengths.iter().enumerate() {
        left = left.saturating_sub(count(events));
        if left == 0 {
            return if all == 0 { 0 } else { greatest(at).min(longest) };
        }
    }
    longest
}

fn cycles() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has a time stamp counter.
    let now = unsafe { core::arch::x86_64::_rdtsc() };
    #[cfg(not(target_arch = "x86_64"))]
    let now = 0;
    now
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_counted_where_it_belongs() {
        for n in (0..5000).chain([1 << 20, (1 << 40) - 1]) {
            let at = place(n);
            assert!(greatest(at) >= n && greatest(at) <= n + n / 8, "{n} at {at}");
            assert!(at == 0 || greatest(at - 1) < n, "{n} at {at}");
        }
        assert_eq!(place(u64::MAX), LENGTHS - 1);
    }

    #[test]
    fn quantiles() {
        let counter = Counter::ZERO;
        assert_eq!(quantile(&counter, 500), 0);
        for n in 1..=1000u64 {
            counter.lengths[place(n)].fetch_add(1, Ordering::Relaxed);
        }
        counter.longest.store(1000, Ordering::Relaxed);
        let [half, most, last] = [500, 990, 1000].map(|q| quantile(&counter, q));
        assert!(
            (500..=563).contains(&half) && (990..=1000).contains(&most) && last == 1000,
            "{half} {most} {last}"
        );
    }
}
