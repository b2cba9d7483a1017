//! Recorded traces of what programs ask of malloc: from the shim's raw file to a compact one, to a summary, and to the
//! flat form that the replay client runs.
//!
//! An object has a number, counted from 0 in the order of allocation; a resize ends one object and makes another. What
//! the recording missed (objects older than it, calls beyond its limit) leaves no half events behind: a free of an
//! unknown address is dropped.

mod flat;
mod pack;
mod raw;
mod summary;

pub use flat::flat;
pub use pack::{pack, unpack};
pub use raw::{Raw, read_raw, unpack_raw};
pub(crate) use summary::size_band;
pub use summary::{Band, Summary, summary};

/// One event of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Thread, counted from 0 in the order of their first events.
    pub thread: u16,
    /// What was done.
    pub call: Call,
}

/// What was done; sizes in bytes, below 2^48. The object that an allocation or resize makes has the next number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `malloc(size)`
    Malloc(u64),
    /// `calloc` of so many bytes
    Calloc(u64),
    /// An allocation that names its alignment: log2 of that, below 48, and size
    Memalign(u8, u64),
    /// `realloc(old object, size)`
    Realloc(u32, u64),
    /// `free(object)`
    Free(u32),
}

impl Call {
    /// What a program of C would call: `malloc` aligns to 16 in any case.
    pub fn of_c(self) -> Self {
        match self {
            Self::Memalign(log, n) if log <= 4 => Self::Malloc(n),
            other => other,
        }
    }

    /// Bytes of the object that it makes; none if it makes none.
    pub fn made(self) -> Option<u64> {
        match self {
            Self::Malloc(n) | Self::Calloc(n) | Self::Memalign(_, n) | Self::Realloc(_, n) => Some(n),
            Self::Free(_) => None,
        }
    }
}

/// A trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// What was recorded, for people.
    pub command: String,
    /// Calls that came after the limit.
    pub dropped: u64,
    /// The events, in the order of their effects.
    pub events: Vec<Event>,
    /// The clock: from the event with this index on, so many milliseconds had passed. Rising; none if it was not recorded.
    pub ticks: Vec<(u32, u32)>,
    /// Microseconds that the process computed in all, recording included; 0 if that is not known.
    pub cpu: u64,
}

/// Whether a file begins as recordings do.
pub fn is_recording(data: &[u8]) -> bool {
    data.starts_with(pack::MAGIC)
}

impl Trace {
    /// Objects that it makes.
    pub fn objects(&self) -> usize {
        self.events.iter().filter(|e| e.call.made().is_some()).count()
    }
    /// Whether those who allocate name their alignment, as Rust's layouts do: hardly anything is asked for without one. (What was
    /// inherited by a fork and is resized is told as if it were.)
    pub fn names_alignments(&self) -> bool {
        let count = |of: fn(&Event) -> bool| self.events.iter().filter(|event| of(event)).count();
        let named = count(|event| matches!(event.call, Call::Memalign(..)));
        named > 0 && count(|event| matches!(event.call, Call::Malloc(_))) <= named / 100
    }

    /// Threads that take part.
    pub fn threads(&self) -> usize {
        self.events.iter().map(|e| usize::from(e.thread) + 1).max().unwrap_or(0)
    }
    /// The first `n` events; what they leave alive stays alive.
    pub fn truncate(&mut self, n: usize) {
        let cut = self.events.len().saturating_sub(n) as u64;
        self.dropped = self.dropped.saturating_add(cut);
        self.events.truncate(n);
        self.ticks.retain(|(event, _)| (*event as usize) < n);
    }
}

#[cfg(test)]
impl Trace {
    /// Of one thread's calls.
    pub(crate) fn of_calls(calls: &[Call]) -> Self {
        Self {
            events: calls.iter().map(|&call| Event { thread: 0, call }).collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn example() -> Trace {
        let e = |thread, call| Event { thread, call };
        Trace {
            command: "an example".into(),
            dropped: 3,
            events: vec![
                e(0, Call::Malloc(24)),
                e(0, Call::Malloc(1 << 33)),
                e(1, Call::Calloc(4096)),
                e(1, Call::Free(0)),
                e(0, Call::Realloc(1, 100)),
                e(0, Call::Memalign(12, 77)),
                e(0, Call::Malloc(0)),
                e(1, Call::Free(3)),
                e(0, Call::Free(2)),
            ],
            ticks: vec![(0, 3), (4, 4), (8, 1000)],
            cpu: 900_000,
        }
    }

    #[test]
    fn counts() {
        let t = example();
        assert_eq!((t.objects(), t.threads()), (6, 2));
    }

    #[test]
    fn layouts_are_told_from_calls_of_c() {
        assert!(!Trace::default().names_alignments() && !example().names_alignments());
        let mut calls = vec![Call::Memalign(3, 24); 200];
        assert!(Trace::of_calls(&calls).names_alignments());
        calls.extend([Call::Malloc(24), Call::Malloc(1), Call::Calloc(100)]);
        assert!(Trace::of_calls(&calls).names_alignments());
        calls.push(Call::Malloc(24));
        assert!(!Trace::of_calls(&calls).names_alignments());
    }

    #[test]
    fn summaries() {
        let s = summary(&example());
        assert_eq!((s.allocations, s.frees, s.resizes), (5, 3, 1));
        assert_eq!((s.live_end, s.live_peak), (77, 24 + (1 << 33) + 4096));
        // Objects 0 and 3 were freed by thread 1 and made by 0, object 2 the other way round.
        assert_eq!(s.remote_frees, 3);
        assert_eq!(s.sizes.iter().map(|b| b.count).sum::<u64>(), 6);
    }
}
