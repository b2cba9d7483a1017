//! Samples: some objects, chosen by chance, of which more is known than of others.
//!
//! A sampled object of a class has a *place* of its own ([`place`]): pages that hold nothing else and whose tag is 0, so that
//! `free`, `realloc` and `malloc_usable_size` come to the slow path, which finds it here. A sampled object above the largest
//! class lies where it would lie anyhow, as pages of large objects have no tags either.
//!
//! What is known of objects that exist stands in one table, by address; those that have ended are summed up in another; call
//! stacks are kept once each. All tables lie in one mapping, whose bytes follow from `stats.samples`; only what is used of it
//! is backed. Nothing of it is ever given back: it is what the program asked for.

mod birth;
mod ended;
mod index;
mod live;
#[cfg(all(test, loom))]
mod live_loom_tests;
pub mod pace;
pub mod place;
mod rooms;
mod stacks;
#[cfg(all(test, not(loom)))]
mod tests;

use super::draw;
use crate::os::{self, Access, PAGE};
use crate::policy::Policy;
use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Lock, Ordering, Requests};
use birth::NOTHING;
pub use birth::{Birth, LARGE};
use core::cell::UnsafeCell;
use core::ptr;
use ended::Ended;
pub use ended::{ANY, Row};
use index::Index;
use live::Live;
use rooms::Rooms;
pub use rooms::table_bytes;
pub use stacks::View;
use stacks::{Memory, Stack, Stacks};

/// The tables.
struct Inner {
    base: *mut u8,
    /// The number of the birth of each place of the table of addresses.
    numbers: *mut u32,
    births: *mut Birth,
    /// Births from here on were never used.
    top: usize,
    /// The last birth that came free, one past its number; its `asked` is the one before. 0 if there is none.
    free: usize,
    rooms: Rooms,
    ended: Ended,
    stacks: Stacks,
}

/// All samples of a variant.
pub struct Samples {
    /// Guards the tables. No other lock is taken while it is held.
    pub lock: Lock,
    inner: UnsafeCell<Inner>,
    live: Live,
    /// Sampled objects that exist.
    count: AtomicUsize,
    /// Samples that found no room.
    dropped: AtomicU64,
    /// Samples that were met with a mean that was raised ([`pace`]).
    spaced: AtomicU64,
    /// Threads that have started.
    threads: AtomicU32,
    /// When the process started, in nanoseconds of the steady clock.
    start: AtomicU64,
    /// Profiles, which one thread writes at a time.
    pub profiles: Requests,
}

// SAFETY: `inner` is only touched while `lock` is held.
unsafe impl Sync for Samples {}

impl Samples {
    /// No samples.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Samples {
        Samples {
            lock: Lock::new(),
            inner: UnsafeCell::new(Inner {
                base: ptr::null_mut(),
                numbers: ptr::null_mut(),
                births: ptr::null_mut(),
                top: 0,
                free: 0,
                rooms: Rooms {
                    live: 0,
                    rows: 0,
                    stacks: 0,
                    frames: 0,
                    addresses: 0,
                },
                ended: Ended::NONE,
                stacks: Stacks::NONE,
            }),
            live: Live::new(),
            count: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            spaced: AtomicU64::new(0),
            threads: AtomicU32::new(0),
            start: AtomicU64::new(0),
            profiles: Requests::new(),
        }
    }

    /// The process starts: maps the tables. Without memory nothing is sampled.
    pub fn begin(&self, policy: &Policy) {
        self.start.store(os::now_ns(), Ordering::Relaxed);
        let rooms = Rooms::of(policy);
        let base = draw::map(policy, rooms.bytes(), PAGE, Access::Uncounted);
        if base.is_null() {
            return;
        }
        // SAFETY: the range was just mapped.
        unsafe { os::name(base, rooms.bytes(), c"hz3 samples") };
        let mut at = base;
        let mut next = |bytes: usize| {
            let start = at;
            at = at.wrapping_add(bytes);
            start
        };
        let _guard = self.lock.lock();
        // SAFETY: the parts follow each other in the mapping, which is as long as all of them, those of eight bytes' alignment
        // first; it is zero, and nobody else's.
        unsafe {
            let keys = next(rooms.live * size_of::<AtomicUsize>());
            let births = next(rooms.live * size_of::<Birth>());
            let rows = next(rooms.rows * size_of::<Row>());
            let stacks = next(rooms.stacks * size_of::<Stack>());
            let addresses = next(rooms.addresses * size_of::<u64>());
            let numbers = next(rooms.live * size_of::<u32>());
            let frames = next(rooms.frames * size_of::<u32>());
            let mut index = |entries: usize| Index::new(next(2 * entries * size_of::<u32>()).cast(), 2 * entries);
            let (of_row, of_stack, of_address) = (index(rooms.rows), index(rooms.stacks), index(rooms.addresses));
            *self.inner.get() = Inner {
                base,
                numbers: numbers.cast(),
                births: births.cast(),
                top: 0,
                free: 0,
                rooms,
                ended: Ended::new(rows.cast(), rooms.rows, of_row),
                stacks: Stacks::new(Memory {
                    stacks: stacks.cast(),
                    stacks_room: rooms.stacks,
                    of_stack,
                    frames: frames.cast(),
                    frames_room: rooms.frames,
                    addresses: addresses.cast(),
                    of_address,
                }),
            };
            self.live.open(keys.cast(), rooms.live);
        }
    }

    /// Gives the tables back: the variant is unloaded.
    ///
    /// # Safety
    /// Nobody else is in the variant's code, or comes there.
    pub unsafe fn end_all(&self) {
        let _guard = self.lock.lock();
        self.live.close();
        // SAFETY: the lock is held, and nobody reads without it.
        unsafe {
            let inner = &mut *self.inner.get();
            if !inner.base.is_null() {
                os::unmap(inner.base, inner.rooms.bytes());
            }
            inner.base = ptr::null_mut();
            inner.births = ptr::null_mut();
            (inner.top, inner.free) = (0, 0);
            inner.ended = Ended::NONE;
            inner.stacks = Stacks::NONE;
        }
    }

    /// Nanoseconds since the process started.
    pub fn age(&self) -> u64 {
        os::now_ns().saturating_sub(self.start.load(Ordering::Relaxed))
    }

    /// A number for a thread that starts, from 1.
    pub fn enroll(&self) -> u32 {
        self.threads.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Threads that have started.
    pub fn threads(&self) -> u32 {
        self.threads.load(Ordering::Relaxed)
    }

    /// Samples that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Samples that were met with a mean above `stats.sample_bytes`, as their thread's samples came too often.
    pub fn spaced(&self) -> u64 {
        self.spaced.load(Ordering::Relaxed)
    }

    /// Sampled objects that exist.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Remembers an object that was made just now, with its stack. False if there is no room: then nothing is known of it.
    pub fn birth(&self, p: *mut u8, mut birth: Birth, stack: &[usize]) -> bool {
        if birth.level > 0 {
            self.spaced.fetch_add(1, Ordering::Relaxed);
        }
        let guard = self.lock.lock();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *self.inner.get() };
        let known = !inner.births.is_null() && {
            birth.stack = inner.stacks.number(stack);
            inner.put(&self.live, p, birth)
        };
        drop(guard);
        let sum = if known {
            self.count.fetch_add(1, Ordering::Relaxed);
            return true;
        } else {
            &self.dropped
        };
        sum.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// The object's owner ends it, as that thread. Returns what was known of it; None if it is not a sampled one.
    #[inline]
    pub fn end(&self, p: *mut u8, thread: impl FnOnce() -> u32) -> Option<Birth> {
        let place = self.live.find(p)?;
        Some(self.end_at(place, thread()))
    }

    #[cold]
    #[inline(never)]
    fn end_at(&self, place: usize, thread: u32) -> Birth {
        let now = self.age();
        let _guard = self.lock.lock();
        // SAFETY: the lock is held; the place is one that `find` gave, so it has a birth, and its number is below the room.
        let birth = unsafe {
            let inner = &mut *self.inner.get();
            self.live.take(place);
            let number = *inner.numbers.add(place) as usize;
            let birth = *inner.births.add(number);
            *inner.births.add(number) = Birth {
                asked: inner.free as u64,
                ..NOTHING
            };
            inner.free = number + 1;
            let life = now.saturating_sub(birth.born);
            if !inner.ended.count(&birth, life, birth.thread != thread) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            birth
        };
        self.count.fetch_sub(1, Ordering::Relaxed);
        birth
    }

    /// An object of the caller's has so many bytes now, at the same place. It stands for as many objects as before: what it was
    /// met with was the length that it had then.
    #[inline]
    pub fn resize(&self, p: *const u8, bytes: usize) {
        if let Some(place) = self.live.find(p) {
            self.resize_at(place, bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn resize_at(&self, place: usize, bytes: usize) {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held; as in `end_at`.
        unsafe {
            let inner = &*self.inner.get();
            (*inner.births.add(*inner.numbers.add(place) as usize)).asked = bytes as u64;
        }
    }

    /// What is known of an object of the caller's; None if it is not a sampled one.
    #[inline]
    pub fn get(&self, p: *const u8) -> Option<Birth> {
        let place = self.live.find(p)?;
        let _guard = self.lock.lock();
        // SAFETY: the lock is held; as in `end_at`.
        unsafe {
            let inner = &*self.inner.get();
            Some(*inner.births.add(*inner.numbers.add(place) as usize))
        }
    }

    /// Bytes that a [`Copy`](Self::copy) takes at most.
    pub fn copy_bytes(policy: &Policy) -> usize {
        let rooms = Rooms::of(policy);
        rooms.live * size_of::<Birth>() + rooms.rows * size_of::<Row>()
    }

    /// Copies what is known. None if the lock is not free and the caller does not `wait`.
    ///
    /// # Safety
    /// `memory` is aligned to 8, and the caller's for [`copy_bytes`](Self::copy_bytes) as long as the copy lives.
    pub unsafe fn copy<'a>(&self, memory: *mut u8, wait: bool) -> Option<Copied<'a>> {
        let _guard = if wait { self.lock.lock() } else { self.lock.try_lock()? };
        // SAFETY: the lock is held; the memory is long enough for all births and rows that there are room for.
        unsafe {
            let inner = &*self.inner.get();
            if inner.births.is_null() {
                return Some(Copied {
                    births: &[],
                    rows: &[],
                    stacks: View::NONE,
                });
            }
            let births = memory.cast::<Birth>();
            ptr::copy_nonoverlapping(inner.births, births, inner.top);
            let rows = births.add(inner.top).cast::<Row>();
            let all = inner.ended.rows();
            ptr::copy_nonoverlapping(all.as_ptr(), rows, all.len());
            Some(Copied {
                births: core::slice::from_raw_parts(births, inner.top),
                rows: core::slice::from_raw_parts(rows, all.len()),
                stacks: inner.stacks.view(),
            })
        }
    }
}

impl Inner {
    /// Puts a birth into the tables.
    fn put(&mut self, live: &Live, p: *mut u8, birth: Birth) -> bool {
        let (number, next) = match self.free {
            0 if self.top >= self.rooms.live => return false,
            0 => (self.top, 0),
            // SAFETY: the number of a birth that was used.
            free => (free - 1, unsafe { (*self.births.add(free - 1)).asked as usize }),
        };
        let (numbers, births) = (self.numbers, self.births);
        // SAFETY: the place is one of the table's, which has a number for each; the birth's number is below the room.
        let put = unsafe {
            live.add(p, |place| {
                *numbers.add(place) = number as u32;
                births.add(number).write(birth);
            })
        };
        if put {
            self.top = self.top.max(number + 1);
            self.free = next;
        }
        put
    }
}

/// What was known at some time.
pub struct Copied<'a> {
    births: &'a [Birth],
    /// Those that had ended.
    pub rows: &'a [Row],
    /// All stacks.
    pub stacks: View,
}

impl Copied<'_> {
    /// Those that existed.
    pub fn births(&self) -> impl Iterator<Item = &Birth> {
        self.births.iter().filter(|birth| birth.weight > 0.0)
    }
}
