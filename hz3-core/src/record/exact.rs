//! Counts every object: size, alignment, thread, time of birth, lifetime, and whether another thread ended it.
//!
//! What exists stands in one table, by address; what has ended is counted in another, by what it was like. Both are cut into
//! shards with a lock each, and no lock is held while another one is taken. Their memory is bounded together. What finds no
//! room is counted with others that were made at other times, and if there is no room for that either, as dropped.

use super::object::{Birth, Object};
use super::row::{End, Row};
use super::table::{Budget, Entry, Table};
use crate::sync::{AtomicU32, AtomicU64, Lock, Ordering, Requests};
use core::cell::UnsafeCell;

/// Shards of the table of objects, and of that of rows: so many low bits of the hash are left for the places.
const LIVE: usize = 32;
const ENDED: usize = 16;

/// A part of a table, with the lock that guards it, in cache lines of its own.
#[repr(align(64))]
struct Shard<E> {
    lock: Lock,
    table: UnsafeCell<Table<E>>,
}

// SAFETY: the table is only touched while the lock is held.
unsafe impl<E: Send> Sync for Shard<E> {}

impl<E: Entry> Shard<E> {
    #[cfg(not(loom))]
    const fn new() -> Self {
        Shard {
            lock: Lock::new(),
            table: UnsafeCell::new(Table::NEW),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Table<E>) -> R) -> R {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held, and `f` does not come back here: nothing in this module takes two locks.
        f(unsafe { &mut *self.table.get() })
    }
}

/// The shard that a hash falls to.
fn of<E, const N: usize>(shards: &[Shard<E>; N], hash: u64) -> &Shard<E> {
    &shards[(hash >> 58) as usize % N]
}

/// Counts every object of one variant.
pub struct Exact {
    live: [Shard<Object>; LIVE],
    ended: [Shard<Row>; ENDED],
    budget: Budget,
    /// What a dump takes beside that, for as long as it lasts.
    dump: Budget,
    live_bytes: AtomicU64,
    peak_bytes: AtomicU64,
    dropped: AtomicU64,
    /// Threads that have been heard of.
    threads: AtomicU32,
    /// Profiles, which one thread writes at a time.
    pub profiles: Requests,
    /// When the first call was told, in the clock's nanoseconds; 0 before.
    start: AtomicU64,
}

/// The sums.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sums {
    /// Bytes of the objects that exist, as they were asked for.
    pub live_bytes: u64,
    /// The most of them at any time.
    pub peak_bytes: u64,
    /// Objects that are not in the counts, as there was no room.
    pub dropped: u64,
    /// Threads so far.
    pub threads: u32,
}

impl Exact {
    /// Nothing was counted; at most `limit` bytes of memory are to be used.
    #[cfg(not(loom))]
    pub const fn new(limit: usize) -> Self {
        Exact {
            live: [const { Shard::new() }; LIVE],
            ended: [const { Shard::new() }; ENDED],
            budget: Budget::new(limit),
            dump: Budget::new(limit),
            live_bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            threads: AtomicU32::new(0),
            profiles: Requests::new(),
            start: AtomicU64::new(0),
        }
    }

    /// The next thread's number, from 1 on.
    pub fn number(&self) -> u32 {
        self.threads.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Nanoseconds since the first call, at this time.
    pub fn since_start(&self, now: u64) -> u64 {
        let start = self.start.load(Ordering::Relaxed);
        if start != 0 {
            return now.saturating_sub(start);
        }
        // (Whoever comes at the same time may count from a moment later, for once.)
        _ = self
            .start
            .compare_exchange(0, now.max(1), Ordering::Relaxed, Ordering::Relaxed);
        0
    }

    /// An object was made.
    pub fn made(&self, p: *mut u8, birth: Birth) {
        let object = Object::new(p, birth);
        let before = of(&self.live, object.hash()).with(|table| {
            table
                .entry(&object, &self.budget)
                .map(|entry| core::mem::replace(entry, object))
        });
        match before {
            // New, as it reads like what was put there.
            Ok(before) if before == object => {}
            // Its end was not told.
            Ok(before) => {
                self.drop_one();
                self.live_bytes.fetch_sub(before.birth().bytes, Ordering::Relaxed);
            }
            Err(_) => return self.drop_one(),
        }
        let bytes = object.birth().bytes;
        let now = self.live_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak_bytes.fetch_max(now, Ordering::Relaxed);
    }

    /// Takes an object out that is about to end, or to be resized. None if it is not known.
    pub fn take(&self, p: *mut u8) -> Option<Birth> {
        let key = Object::at(p);
        let birth = of(&self.live, key.hash())
            .with(|table| table.remove(&key, &self.budget))?
            .birth();
        self.live_bytes.fetch_sub(birth.bytes, Ordering::Relaxed);
        Some(birth)
    }

    /// Counts one that was taken out, and has ended.
    pub fn ended(&self, birth: &Birth, end: End) {
        let row = Row::of(birth, Some(end));
        for row in [row, row.coarse()] {
            let counted = of(&self.ended, row.hash()).with(|table| {
                let entry = table.entry(&row, &self.budget);
                entry.map(|entry| entry.add(1, end.lifetime)).is_ok()
            });
            if counted {
                return;
            }
        }
        self.drop_one();
    }

    /// An object is not in the counts.
    pub fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The sums.
    pub fn sums(&self) -> Sums {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Sums {
            live_bytes: load(&self.live_bytes),
            peak_bytes: load(&self.peak_bytes),
            dropped: load(&self.dropped),
            threads: self.threads.load(Ordering::Relaxed),
        }
    }

    /// Calls `f` with every row, at `now` nanoseconds from the start: first those of objects that have ended, then those of objects that exist. No lock is held
    /// meanwhile, so `f` may wait. Returns how many objects are in none, as there was no room.
    ///
    /// Each shard is as it was at some moment; what ends between two of them may be in both or in none.
    pub fn each(&self, now: u64, mut f: impl FnMut(&Row)) -> u64 {
        let mut dropped = 0;
        let mut sheet = Table::NEW;
        let mut put = |sheet: &mut Table<Row>, row: Row, objects: u64, lived: u64| {
            for row in [row, row.coarse()] {
                if let Ok(entry) = sheet.entry(&row, &self.dump) {
                    entry.add(objects, lived);
                    return;
                }
            }
            dropped += objects;
        };
        for shard in &self.ended {
            shard.with(|table| {
                table.each(|row| put(&mut sheet, row.kind(), row.objects, row.lived));
            });
            sheet.each(&mut f);
            sheet.clear(&self.dump);
        }
        for shard in &self.live {
            shard.with(|table| {
                table.each(|object| {
                    let birth = object.birth();
                    put(&mut sheet, Row::of(&birth, None), 1, now.saturating_sub(birth.born));
                });
            });
        }
        sheet.each(&mut f);
        sheet.clear(&self.dump);
        dropped
    }

    /// Bytes of the tables.
    pub fn bytes(&self) -> usize {
        self.budget.used() + self.dump.used()
    }

    /// Calls `f` with every lock: for fork.
    pub fn locks(&self, f: &mut dyn FnMut(&Lock)) {
        self.live.iter().for_each(|shard| f(&shard.lock));
        self.ended.iter().for_each(|shard| f(&shard.lock));
    }

    /// In the child of a fork: nobody writes a profile here. What another thread had for that is lost.
    pub fn forget_dump(&self) {
        self.dump.forget();
        self.profiles.reset();
    }

    /// Forgets everything, and gives the memory back.
    pub fn clear(&self) {
        self.live
            .iter()
            .for_each(|shard| shard.with(|table| table.clear(&self.budget)));
        self.ended
            .iter()
            .for_each(|shard| shard.with(|table| table.clear(&self.budget)));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    fn birth(bytes: u64, thread: u32, born: u64) -> Birth {
        Birth {
            bytes,
            align: 0,
            thread,
            born,
        }
    }

    fn rows(exact: &Exact) -> Vec<Row> {
        let mut rows = Vec::new();
        assert_eq!(exact.each(30_000, |row| rows.push(*row)), 0);
        rows
    }

    #[test]
    fn counts_are_exact() {
        let exact = Exact::new(64 << 20);
        let mut model = BTreeMap::new();
        let (mut live, mut peak, mut lived) = (0, 0, 0);
        for n in 1..=20_000u64 {
            let (bytes, thread) = (n % 97, (n % 5) as u32 + 1);
            let p = (n * 16) as *mut u8;
            exact.made(p, birth(bytes, thread, n));
            live += bytes;
            peak = peak.max(live);
            if n % 3 > 0 {
                let born = exact.take(p).expect("it is there");
                assert_eq!(born, birth(bytes, thread, n));
                live -= bytes;
                let end = End {
                    lifetime: n % 1000,
                    by_its_own: n % 7 > 0,
                };
                exact.ended(&born, end);
                lived += end.lifetime;
                *model
                    .entry((
                        bytes,
                        thread,
                        n.ilog2(),
                        Some((end.lifetime.max(1).ilog2(), end.by_its_own)),
                    ))
                    .or_insert(0) += 1;
            } else {
                lived += 30_000 - n;
                *model.entry((bytes, thread, n.ilog2(), None)).or_insert(0) += 1;
            }
            assert_eq!(exact.take(8 as *mut u8), None);
        }
        let mut seen = BTreeMap::new();
        for row in rows(&exact) {
            let end = row.end().map(|end| (end.lifetime.ilog2(), end.by_its_own));
            let key = (
                row.bytes(),
                row.thread().expect("few threads") as u32,
                row.born().expect("room").ilog2(),
                end,
            );
            assert_eq!(seen.insert(key, row.objects), None);
        }
        assert_eq!(seen, model);
        assert_eq!(rows(&exact).iter().map(|row| row.lived).sum::<u64>(), lived);
        let sums = exact.sums();
        assert_eq!((sums.live_bytes, sums.peak_bytes, sums.dropped), (live, peak, 0));
        exact.clear();
        assert!(rows(&exact).is_empty());
    }

    #[test]
    fn what_finds_no_room_is_counted_as_dropped() {
        let exact = Exact::new(1 << 20);
        for n in 1..=100_000u64 {
            exact.made((n * 16) as *mut u8, birth(n, 1, n));
        }
        let dropped = exact.sums().dropped;
        assert!(dropped > 10_000 && dropped < 100_000, "{dropped}");
        let mut known = 0;
        for n in 1..=100_000u64 {
            known += u64::from(exact.take((n * 16) as *mut u8).is_some());
        }
        assert_eq!((known, exact.sums().live_bytes > 0), (100_000 - dropped, false));
    }

    #[test]
    fn an_object_whose_end_was_not_told_is_replaced() {
        let exact = Exact::new(1 << 20);
        exact.made(16 as *mut u8, birth(100, 1, 1));
        exact.made(16 as *mut u8, birth(20, 2, 9));
        assert_eq!((exact.sums().live_bytes, exact.sums().dropped), (20, 1));
        assert_eq!(exact.take(16 as *mut u8), Some(birth(20, 2, 9)));
    }
}
