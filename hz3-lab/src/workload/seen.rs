//! Births from a profile, which knows times and not the order of calls.

use super::Call;
use super::births::{Birth, Births};
use crate::profile::{ALIGN, Clock, FreedBy, Profile, Row};
use std::collections::BTreeMap;

/// The most objects that a thread makes in a workload from a profile: seconds, not hours.
const MOST: f64 = 4_000_000.0;
/// An object that is gone before so many others were made is short-lived: fewer of them do as well.
const SHORT: f64 = 10_000.0;

/// How many objects had been made at a time; between two times it is taken to be even.
struct Course(Vec<(f64, f64)>);

impl Course {
    fn of(rows: &[(&Row, f64)], duration: f64) -> Self {
        let mut born: Vec<(f64, f64)> = rows.iter().map(|(row, count)| (row.born as f64, *count)).collect();
        born.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut course: Vec<(f64, f64)> = Vec::new();
        let mut made = 0.0;
        for (at, count) in born {
            if course.last().is_none_or(|(last, _)| *last < at) {
                course.push((at, made));
            }
            made += count;
        }
        let last = course.last().map_or(0.0, |(at, _)| *at);
        course.push((duration.max(last + 1.0), made));
        Self(course)
    }

    fn at(&self, time: f64) -> f64 {
        let next = self.0.partition_point(|(at, _)| *at <= time);
        let (Some(a), Some(b)) = (self.0.get(next.saturating_sub(1)), self.0.get(next)) else {
            return self.0.last().map_or(0.0, |(_, made)| *made);
        };
        if next == 0 {
            return 0.0;
        }
        a.1 + (b.1 - a.1) * (time - a.0) / (b.0 - a.0)
    }

    /// Objects that were made while one of these was live, on average.
    fn while_live(&self, row: &Row) -> f64 {
        let life = row.lived / row.objects as f64;
        self.at(row.born as f64 + life) - self.at(row.born as f64)
    }
}

impl Births {
    /// Those of a profile. Its clock becomes births: an object lives for as many steps as objects were made meanwhile.
    ///
    /// Of a program that made more than four million objects a thread, those that were soon gone become fewer, and all others
    /// stay as many as they were. So what is live stays the same, and the client ends in seconds.
    pub fn of_profile(profile: &Profile) -> Self {
        let rows: Vec<(&Row, f64)> = profile
            .rows
            .iter()
            .filter(|row| row.objects > 0)
            .map(|row| (row, row.objects as f64))
            .collect();
        let duration = profile.duration as f64;
        let course = Course::of(&rows, duration);
        let mut births: BTreeMap<u64, f64> = BTreeMap::new();
        let mut remote = 0.0;
        for (row, count) in &rows {
            *births.entry(row.thread).or_default() += count;
            if row.ended.is_some_and(|e| e.freed_by == Some(FreedBy::Other)) {
                remote += count;
            }
        }
        let shares: Vec<f64> = if births.keys().all(|thread| *thread == 0) {
            // Nobody says which thread it was: all that were started are taken to be alike.
            vec![1.0; profile.threads.clamp(1, super::THREADS) as usize]
        } else {
            births.into_values().collect()
        };
        let short = |row: &Row| !row.live() && course.while_live(row) < SHORT;
        let (few, many) = rows
            .iter()
            .fold((0.0, 0.0), |(few, many), (row, count)| match short(row) {
                true => (few, many + count),
                false => (few + count, many),
            });
        let room = MOST * shares.len() as f64;
        let thinned = ((room - few) / many).clamp(0.01, 1.0);
        let scaled: Vec<(&Row, f64)> = rows
            .iter()
            .map(|(row, count)| (*row, if short(row) { count * thinned } else { *count }))
            .collect();
        let slower = Course::of(&scaled, duration);
        let all = scaled.iter().map(|(row, count)| {
            let life = if short(row) {
                course.while_live(row)
            } else {
                slower.while_live(row)
            };
            Birth {
                count: *count,
                at: row.born,
                size: row.size.max(1),
                last: row.size.max(1),
                resizes: 0,
                call: if row.align > ALIGN {
                    Call::Aligned(row.align.min(1 << 30))
                } else {
                    Call::Malloc
                },
                life: (!row.live()).then_some(life),
                handed: f64::from(u8::from(row.ended.is_some_and(|e| e.freed_by == Some(FreedBy::Other)))),
            }
        });
        let about = match (profile.command.as_str(), profile.clock) {
            ("", Clock::Nanoseconds) => format!("a profile of {:.1} s", duration / 1e9),
            ("", Clock::Events) => "a profile".into(),
            (command, _) => command.to_owned(),
        };
        let mut births = Self {
            about,
            threads: 1,
            all: all.collect(),
        };
        births.share(&shares, remote);
        births
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Ended, Level};
    use crate::workload::births::Grain;

    fn row(size: u64, born: u64, life: Option<u64>, objects: u64) -> Row {
        let lived = life.unwrap_or(1000 - born);
        Row {
            size,
            align: ALIGN,
            stack: 0,
            thread: 0,
            born,
            ended: life.map(|lifetime| Ended {
                lifetime,
                freed_by: None,
            }),
            objects,
            bytes: size * objects,
            samples: objects,
            lived: (lived * objects) as f64,
        }
    }

    #[test]
    fn threads_may_have_any_numbers() {
        let mut profile = Profile::new(Level::All);
        profile.duration = 1000;
        profile.rows = vec![row(64, 0, Some(10), 100), row(64, 500, Some(10), 100)];
        profile.rows[0].thread = 7;
        profile.rows[1].thread = i64::MAX as u64;
        assert_eq!(Births::of_profile(&profile).threads, 2);
    }

    #[test]
    fn times_become_births_and_what_is_live_stays() {
        let mut profile = Profile::new(Level::Exact);
        profile.duration = 1000;
        // A million objects a tick that are gone in a thousandth of one, and a thousand in all that stay for half of the time.
        profile.rows = (0..10)
            .flat_map(|k| {
                [
                    row(64, k * 100, Some(0), 100_000_000),
                    row(4096, k * 100, Some(500), 100),
                    row(7, k * 100, None, 3),
                ]
            })
            .collect();
        let births = Births::of_profile(&profile);
        let long = births.all.iter().find(|b| b.size == 4096).unwrap();
        let made: f64 = births.all.iter().map(|b| b.count).sum();
        // Short ones are a hundredth, and no fewer.
        assert!((made - 10_001_030.0).abs() < 1.0, "{made}");
        assert!((long.life.unwrap() / made - 0.5).abs() < 0.01, "{long:?}");
        let w = births.workload(Grain { phases: 4, kinds: 8 });
        let live: f64 = w.expected().last().unwrap().live_bytes;
        // Five hundred of 4096 bytes are live at the end, and thirty of 7.
        assert!((live / (500.0 * 4096.0) - 1.0).abs() < 0.25, "{live}");
        assert_eq!(w.phases.len(), 4);
    }
}
