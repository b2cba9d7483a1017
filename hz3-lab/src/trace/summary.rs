//! What a trace asks for: sizes, lifetimes, threads.

use super::{Call, Trace};
use serde::Serialize;

/// One band of a histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Band {
    /// Smallest value of the band.
    pub from: u64,
    /// Largest value of the band.
    pub to: u64,
    /// Objects in it.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A trace in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// What was recorded.
    pub command: String,
    /// Events in it.
    pub events: u64,
    /// Calls that came after the limit.
    pub dropped: u64,
    /// Threads.
    pub threads: u64,
    /// Allocations, resizes left out.
    pub allocations: u64,
    /// Frees.
    pub frees: u64,
    /// Resizes of an object.
    pub resizes: u64,
    /// Frees and resizes by another thread than the one that made the object.
    pub remote_frees: u64,
    /// Bytes asked for in all.
    pub bytes: u64,
    /// Most live bytes.
    pub live_peak: u64,
    /// Bytes that were never freed.
    pub live_end: u64,
    /// Objects by size: four bands a doubling.
    pub sizes: Vec<Band>,
    /// Objects by lifetime, counted in events from birth to death: one band a doubling; those that live on are left out.
    pub lifetimes: Vec<Band>,
}

/// Four bands a doubling: index and bounds. Sizes are below 2^48.
pub(crate) fn size_band(n: u64) -> (u64, u64, u64) {
    if n < 8 {
        return (0, 0, 7);
    }
    let log = 63 - n.leading_zeros();
    let step = 1u64 << (log - 2);
    let from = n & !(step - 1);
    (u64::from(log) * 4 + ((n >> (log - 2)) & 3), from, from + step - 1)
}

fn life_band(n: u64) -> (u64, u64, u64) {
    let log = 63 - n.max(1).leading_zeros();
    (u64::from(log), 1 << log, (2 << log) - 1)
}

/// The figures of a trace.
pub fn summary(trace: &Trace) -> Summary {
    use std::collections::BTreeMap;
    let mut sizes: BTreeMap<u64, Band> = BTreeMap::new();
    let mut lives: BTreeMap<u64, Band> = BTreeMap::new();
    let put = |map: &mut BTreeMap<u64, Band>, (index, from, to): (u64, u64, u64), bytes: u64| {
        let band = map.entry(index).or_insert(Band {
            from,
            to,
            count: 0,
            bytes: 0,
        });
        band.count += 1;
        band.bytes += bytes;
    };
    let mut s = Summary {
        command: trace.command.clone(),
        events: trace.events.len() as u64,
        dropped: trace.dropped,
        threads: trace.threads() as u64,
        ..Summary::default()
    };
    // Size, thread and time of birth by object.
    let mut born: Vec<(u64, u16, u64)> = Vec::new();
    for (now, event) in trace.events.iter().enumerate() {
        let now = now as u64;
        if let Call::Free(o) | Call::Realloc(o, _) = event.call {
            let (size, thread, since) = born[o as usize];
            s.live_end -= size;
            s.remote_frees += u64::from(thread != event.thread);
            put(&mut lives, life_band(now - since), size);
        }
        match event.call {
            Call::Free(_) => s.frees += 1,
            Call::Realloc(..) => s.resizes += 1,
            _ => s.allocations += 1,
        }
        if let Some(n) = event.call.made() {
            born.push((n, event.thread, now));
            put(&mut sizes, size_band(n), n);
            s.bytes += n;
            s.live_end += n;
            s.live_peak = s.live_peak.max(s.live_end);
        }
    }
    s.sizes = sizes.into_values().collect();
    s.lifetimes = lives.into_values().collect();
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_hold_what_they_say_and_leave_no_gap() {
        let mut last = (0, 0, 7);
        for n in 0..100_000u64 {
            let b = size_band(n);
            assert!(b.1 <= n && n <= b.2, "{n} {b:?}");
            assert!(
                b == last || (b.1 == last.2 + 1 && b.0 > last.0),
                "{n}: {last:?} then {b:?}"
            );
            last = b;
            let l = life_band(n);
            assert!(l.1 <= n.max(1) && n <= l.2);
        }
    }
}
