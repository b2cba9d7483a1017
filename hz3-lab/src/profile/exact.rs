//! The profile of a recording: every object is known.

use super::{ALIGN, Clock, Ended, FreedBy, Level, Profile, Row};
use crate::trace::{Call, Trace};
use std::collections::BTreeMap;

/// Times of birth are rounded to such parts of a recording, or finer ones down to half.
const BIRTHS: u64 = 64;

/// When a profile is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After the last event.
    End,
    /// When the most bytes were live, the first time.
    Peak,
    /// After so many events.
    After(u64),
}

/// The lower bound of a lifetime: 0, or a power of two.
fn bucket(lifetime: u64) -> u64 {
    if lifetime == 0 { 0 } else { 1 << lifetime.ilog2() }
}

/// Events of a recording up to a moment.
pub fn until(trace: &Trace, moment: Moment) -> usize {
    match moment {
        Moment::End => trace.events.len(),
        Moment::After(n) => usize::try_from(n).unwrap_or(usize::MAX).min(trace.events.len()),
        Moment::Peak => {
            let mut sizes: Vec<u64> = Vec::new();
            let (mut live, mut peak, mut at) = (0u64, 0, 0);
            for (now, event) in trace.events.iter().enumerate() {
                if let Call::Free(o) | Call::Realloc(o, _) = event.call {
                    live -= sizes[o as usize];
                }
                if let Some(size) = event.call.made() {
                    sizes.push(size);
                    live += size;
                    if live > peak {
                        (peak, at) = (live, now + 1);
                    }
                }
            }
            at
        }
    }
}

/// An object of a recording that is live.
#[derive(Clone, Copy)]
struct Live {
    size: u64,
    align: u64,
    thread: u64,
    born: u64,
}

/// What a row's objects have in common: size, alignment, thread, birth, end.
type Key = (u64, u64, u64, u64, Option<Ended>);

impl Profile {
    /// The exact profile that a recorded program would have had at some moment. Its clock counts events. What came later is
    /// not in it. It has no stacks, as a recording has none.
    ///
    /// Objects of one row were born in the same part of the recording (there are 64 to 128 of them), and their lifetimes have the
    /// same power of two; [`Row::lived`] is exact all the same.
    pub fn of_trace(trace: &Trace, moment: Moment) -> Self {
        let end = until(trace, moment);
        let width = (end as u64 / BIRTHS).max(1);
        let width = 1u64 << width.ilog2();
        let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
        let mut put = |object: Live, now: u64, ended: Option<Ended>| {
            let born = object.born / width * width;
            let row = rows
                .entry((object.size, object.align, object.thread, born, ended))
                .or_insert(Row {
                    size: object.size,
                    align: object.align,
                    stack: 0,
                    thread: object.thread,
                    born,
                    ended,
                    objects: 0,
                    bytes: 0,
                    samples: 0,
                    lived: 0.0,
                });
            row.objects += 1;
            row.bytes += object.size;
            row.samples += 1;
            row.lived += (now - object.born) as f64;
        };
        let mut born: Vec<Option<Live>> = Vec::new();
        let (mut live, mut peak, mut threads) = (0u64, 0u64, 0u64);
        for (now, event) in trace.events[..end].iter().enumerate() {
            let (now, thread) = (now as u64, u64::from(event.thread) + 1);
            threads = threads.max(thread);
            if let Call::Free(o) | Call::Realloc(o, _) = event.call
                && let Some(object) = born[o as usize].take()
            {
                live -= object.size;
                let by = if object.thread == thread {
                    FreedBy::Same
                } else {
                    FreedBy::Other
                };
                let ended = Ended {
                    lifetime: bucket(now - object.born),
                    freed_by: Some(by),
                };
                put(object, now, Some(ended));
            }
            if let Some(size) = event.call.made() {
                let align = match event.call {
                    Call::Memalign(log, _) => ALIGN.max(1 << log),
                    _ => ALIGN,
                };
                born.push(Some(Live {
                    size,
                    align,
                    thread,
                    born: now,
                }));
                live += size;
                peak = peak.max(live);
            }
        }
        for object in born.into_iter().flatten() {
            put(object, end as u64, None);
        }
        Self {
            command: trace.command.clone(),
            clock: Clock::Events,
            duration: end as u64,
            threads,
            live_bytes: Some(live),
            peak_live_bytes: Some(peak),
            // A recording counts what it could not hold in events, not in samples, and only at its end.
            dropped: if end == trace.events.len() { trace.dropped } else { 0 },
            rows: rows.into_values().collect(),
            stacks: vec![Vec::new()],
            ..Self::new(Level::Exact)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Which;
    use crate::trace::Event;

    fn example() -> Trace {
        let e = |thread, call| Event { thread, call };
        Trace {
            dropped: 3,
            events: vec![
                e(0, Call::Malloc(24)),
                e(0, Call::Malloc(1000)),
                e(1, Call::Memalign(12, 77)),
                e(1, Call::Free(0)),
                e(0, Call::Realloc(1, 100)),
                e(0, Call::Malloc(24)),
                e(0, Call::Free(2)),
            ],
            ..Trace::default()
        }
    }

    #[test]
    fn what_a_recording_says() {
        let profile = Profile::of_trace(&example(), Moment::End);
        assert_eq!((profile.level, profile.threads, profile.dropped), (Level::Exact, 2, 3));
        assert_eq!((profile.live_bytes, profile.peak_live_bytes), (Some(124), Some(1101)));
        let pairs = |which| profile.sizes(which).into_iter().collect::<Vec<_>>();
        assert_eq!(pairs(Which::InUse), [(24, 1), (100, 1)]);
        assert_eq!(pairs(Which::Allocated), [(24, 2), (77, 1), (100, 1), (1000, 1)]);
        let ended = |size, align, freed_by| {
            let row = profile
                .rows
                .iter()
                .find(|row| (row.size, row.align) == (size, align) && !row.live());
            let row = row.expect("a row");
            assert_eq!(row.ended.and_then(|ended| ended.freed_by), Some(freed_by));
            (row.born, row.ended.map_or(0, |ended| ended.lifetime), row.lived)
        };
        assert_eq!(ended(24, ALIGN, FreedBy::Other), (0, 2, 3.0));
        assert_eq!(ended(77, 4096, FreedBy::Other), (2, 4, 4.0));
        assert_eq!(ended(1000, ALIGN, FreedBy::Same), (1, 2, 3.0));
        assert_eq!(profile.mean_live()[&(24, ALIGN)], 5.0 / 7.0);
    }

    #[test]
    fn at_the_peak_later_events_have_not_happened() {
        let peak = Profile::of_trace(&example(), Moment::Peak);
        assert_eq!(peak, Profile::of_trace(&example(), Moment::After(3)));
        assert_eq!((peak.live_bytes, peak.duration, peak.dropped), (Some(1101), 3, 0));
        assert!(peak.rows.iter().all(Row::live));
        assert_eq!(Profile::of_trace(&Trace::default(), Moment::Peak).rows, []);
    }

    #[test]
    fn rows_are_few_and_add_up() {
        let call = |n: u32| {
            if n.is_multiple_of(2) {
                Call::Malloc(64)
            } else {
                Call::Free(n / 2)
            }
        };
        let events = (0..100_000)
            .map(|n| Event {
                thread: 0,
                call: call(n),
            })
            .collect();
        let profile = Profile::of_trace(
            &Trace {
                events,
                ..Trace::default()
            },
            Moment::End,
        );
        assert!((64..=128).contains(&profile.rows.len()), "{}", profile.rows.len());
        assert_eq!(profile.rows.iter().map(|row| row.objects).sum::<u64>(), 50_000);
        assert_eq!(profile.mean_live()[&(64, ALIGN)], 0.5);
    }
}
