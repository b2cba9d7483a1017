//! Counting events, in variants that ask for it (`stats.level = "events"`). In all others nothing of this is left.

use crate::sync::Ordering;
use crate::variant::{Counter, Kind, Stats, Variant};

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
            counter
                .cycles
                .fetch_add(cycles().wrapping_sub(self.start), Ordering::Relaxed);
        }
    }
}

fn cycles() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has a time stamp counter.
    let now = unsafe { core::arch::x86_64::_rdtsc() };
    #[cfg(not(target_arch = "x86_64"))]
    let now = 0;
    now
}
