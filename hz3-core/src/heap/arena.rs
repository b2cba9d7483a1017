//! The arena: one reservation, cut into segments.
//!
//! ```text
//! | segment entries | page tags (full size) | segment 0 | segment 1 | …
//!                                           ^ base, a multiple of a segment
//! ```
//!
//! The tag table always covers the arena as configured, even when the reservation had to shrink: pages that do not
//! exist read tag 0. Everything here belongs to the holder of the heap's lock, with one exception that is named below.

use super::segment::SEGMENT;
use crate::os::{self, Access};
use crate::sync::{AtomicU64, AtomicUsize, Ordering};
use crate::variant::Policy;

/// Value of the base word while there is no arena: no user-space address minus this falls below any arena's size.
pub const NO_BASE: usize = 1 << 63;

/// Segments opened at once when memory is opened piecemeal: 32 MiB a system call.
const OPEN_STEP: usize = 16;
/// Segments that a search looks at for a better place than the first.
const LOOK: usize = 256;
/// The smallest arena worth having, in segments.
const LEAST: usize = 4;

/// What a segment of the arena is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Nobody's.
    Free,
    /// Pages: has a header.
    Pages,
    /// First segment of one huge object.
    Huge,
    /// A further segment of it.
    Tail,
    /// Free, but the kernel is being given its pages at the moment.
    Purging,
}

/// One segment's state: kind, whether a free one may hold something else than zeroes, and the pages of a huge object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Some page of it may hold something.
    pub dirty: bool,
    /// Its pages were moved by the kernel, so that its mapping no longer merges with its neighbours'.
    pub moved: bool,
    /// Pages of the huge object that starts here; of a free segment that is dirty, since when (milliseconds) it is free.
    pub pages: u32,
}

impl Entry {
    const FREE: Entry = Entry {
        kind: Kind::Free,
        dirty: false,
        moved: false,
        pages: 0,
    };

    fn pack(self) -> u64 {
        self.kind as u64 | u64::from(self.dirty) << 8 | u64::from(self.moved) << 9 | u64::from(self.pages) << 32
    }

    /// The state that a word of the table says.
    pub fn unpack(word: u64) -> Entry {
        let kind = match word & 0xff {
            0 => Kind::Free,
            1 => Kind::Pages,
            2 => Kind::Huge,
            3 => Kind::Tail,
            _ => Kind::Purging,
        };
        Entry {
            kind,
            dirty: word >> 8 & 1 != 0,
            moved: word >> 9 & 1 != 0,
            pages: (word >> 32) as u32,
        }
    }
}

/// The reservation.
pub struct Arena {
    pub(crate) base: usize,
    pub(crate) segments: usize,
    /// Segments from 0 on that are readable and writable.
    opened: usize,
    /// No free segment lies below this one.
    lowest: usize,
    /// Segments from here on were never used.
    pub(crate) high: usize,
    /// Segments that are not free.
    used: usize,
    pub(crate) entries: *const AtomicU64,
}

impl Arena {
    /// No reservation yet.
    pub const NONE: Arena = Arena {
        base: 0,
        segments: 0,
        opened: 0,
        lowest: 0,
        high: 0,
        used: 0,
        entries: core::ptr::null(),
    };

    /// Reserves address space, with `tag_bytes` of tags below it, and publishes the base in `word`. Halves the arena until
    /// the kernel agrees (valgrind, strict overcommit). Where address space is limited it takes a quarter at most, tags
    /// included: libraries, stacks and mappings of the program need the rest, and what the arena lacks comes from
    /// outside. Leaves everything as it is if not even a small arena can be had.
    pub fn reserve(&mut self, policy: &Policy, tag_bytes: usize, word: &AtomicUsize) {
        let mut bytes = policy.arena_bytes;
        if let Some(limit) = os::address_space_limit() {
            bytes = bytes.min((limit / 4).saturating_sub(tag_bytes)) & !(SEGMENT - 1);
        }
        while bytes >= LEAST * SEGMENT {
            let (first, second) = if policy.commit_whole {
                (Access::ReadWrite, Access::None)
            } else {
                (Access::None, Access::ReadWrite)
            };
            if self.try_reserve(policy, bytes, tag_bytes, first) || self.try_reserve(policy, bytes, tag_bytes, second) {
                word.store(self.base, Ordering::Release);
                return;
            }
            bytes = (bytes / 2) & !(SEGMENT - 1);
        }
    }

    fn try_reserve(&mut self, policy: &Policy, bytes: usize, tag_bytes: usize, access: Access) -> bool {
        let segments = bytes / SEGMENT;
        let entry_bytes = (segments * 8).next_multiple_of(os::PAGE);
        let front = entry_bytes + tag_bytes;
        let hint = if policy.arena_base == 0 {
            0
        } else {
            policy.arena_base - front
        };
        let total = front + bytes + SEGMENT;
        let start = os::map(hint, total, access);
        if start.is_null() {
            return false;
        }
        let base = (start as usize + front).next_multiple_of(SEGMENT);
        let entries = (base - front) as *mut u8;
        // SAFETY: all ranges lie in the mapping just made: the slack of one segment is what alignment may take.
        unsafe {
            let before = entries as usize - start as usize;
            if before > 0 {
                os::unmap(start, before);
            }
            os::unmap((base + bytes) as *mut u8, SEGMENT - before);
            if access == Access::None && !os::commit(entries, front) {
                os::unmap(entries, front + bytes);
                return false;
            }
            if policy.thp_never {
                os::advise(base as *mut u8, bytes, os::HugePages::Never);
            } else if policy.thp_always {
                os::advise(base as *mut u8, bytes, os::HugePages::Wanted);
            }
        }
        self.base = base;
        self.segments = segments;
        self.opened = if access == Access::ReadWrite { segments } else { 0 };
        self.entries = entries.cast_const().cast();
        true
    }

    /// Address of the first segment; 0 if there is no arena.
    pub fn base(&self) -> usize {
        self.base
    }

    /// Segments reserved.
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// Segments that are not free.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Segments from here on were never used.
    pub fn high(&self) -> usize {
        self.high
    }

    /// The segment's index, if `p` lies in the arena.
    #[inline]
    pub fn index(&self, p: *const u8) -> Option<usize> {
        let i = (p as usize).wrapping_sub(self.base) / SEGMENT;
        (i < self.segments).then_some(i)
    }

    /// A segment's index and state, for whoever does not hold the lock: right as long as the caller owns an object in the
    /// segment, and of any kind otherwise.
    ///
    /// `this` is an arena that lives as long as the process; it was reserved before the caller got any object.
    pub unsafe fn peek(this: *const Arena, p: *const u8) -> Option<(usize, Entry)> {
        // SAFETY: base, number and table of segments are written once, when the arena is reserved. Only these three are
        // read, and the words of the table are atomic.
        unsafe {
            let i = (p as usize).wrapping_sub((*this).base) / SEGMENT;
            (i < (*this).segments).then(|| (i, Entry::unpack((*(*this).entries.add(i)).load(Ordering::Relaxed))))
        }
    }

    /// Address of a segment.
    #[inline]
    pub fn address(&self, index: usize) -> *mut u8 {
        (self.base + index * SEGMENT) as *mut u8
    }

    /// A segment's state. The owner of an object may read its own segment's without the lock.
    #[inline]
    pub fn entry(&self, index: usize) -> Entry {
        if index >= self.segments {
            return Entry::FREE;
        }
        // SAFETY: the table has one word a segment and lives as long as the process.
        Entry::unpack(unsafe { (*self.entries.add(index)).load(Ordering::Relaxed) })
    }

    /// Changes a segment's state.
    pub fn set(&mut self, index: usize, entry: Entry) {
        if index < self.segments {
            // SAFETY: as in `entry`.
            unsafe { (*self.entries.add(index)).store(entry.pack(), Ordering::Relaxed) }
        }
    }

    /// Takes `n` consecutive free segments, the lowest that start at a multiple of `align` bytes. Returns the first one
    /// and how many of them may hold something else than zeroes. The caller sets their entries.
    pub fn take(&mut self, n: usize, align: usize) -> Option<(usize, usize)> {
        let first = self.find(n, align)?;
        self.take_at(first, n).map(|dirty| (first, dirty))
    }

    /// Takes `n` segments from `first` on, if they exist and are free. Returns how many may hold something.
    pub fn take_at(&mut self, first: usize, n: usize) -> Option<usize> {
        if first + n > self.segments || (first..first + n).any(|i| i < self.high && self.entry(i).kind != Kind::Free) {
            return None;
        }
        if !self.open(first + n) {
            return None;
        }
        let dirty = (first..first + n).filter(|&i| self.entry(i).dirty).count();
        self.high = self.high.max(first + n);
        self.used += n;
        if first == self.lowest {
            self.lowest = first + n;
        }
        Some(dirty)
    }

    /// The first place for `n` segments; of those that a short look finds, the one with most segments that are backed.
    fn find(&self, n: usize, align: usize) -> Option<usize> {
        let mask = (align / SEGMENT).max(1) - 1;
        let number = self.base / SEGMENT;
        let start = |i: usize| ((number + i + mask) & !mask) - number;
        let mut best: Option<(usize, usize)> = None;
        let mut at = start(self.lowest);
        let mut looked = 0;
        while at + n <= self.segments {
            let end = (at + n).min(self.high.max(at));
            looked += end - at;
            match (at..end).rev().find(|&i| self.entry(i).kind != Kind::Free) {
                Some(taken) => at = start(taken + 1),
                None => {
                    let dirty = (at..end).filter(|&i| self.entry(i).dirty).count();
                    if best.is_none_or(|(most, _)| dirty > most) {
                        best = Some((dirty, at));
                    }
                    if dirty == n || end < at + n || looked > LOOK {
                        break;
                    }
                    at = start(at + 1);
                }
            }
        }
        best.map(|(_, at)| at)
    }

    fn open(&mut self, end: usize) -> bool {
        if end <= self.opened {
            return true;
        }
        let generous = end.next_multiple_of(OPEN_STEP).min(self.segments);
        for to in [generous, end] {
            let bytes = (to - self.opened) * SEGMENT;
            // SAFETY: the range is reserved by this arena and not yet opened.
            if unsafe { os::commit(self.address(self.opened), bytes) } {
                self.opened = to;
                return true;
            }
        }
        false
    }

    /// Whether the kernel has moved pages of any of these segments.
    pub fn moved(&self, first: usize, n: usize) -> bool {
        (first..first + n).any(|i| self.entry(i).moved)
    }

    /// Gives segments back. `dirty` says whether a page of them may hold something, and `stamp` since when nobody used
    /// them; `moved` whether their mappings are split from their neighbours'.
    pub fn give(&mut self, first: usize, n: usize, dirty: bool, moved: bool, stamp: u32) {
        for i in first..first + n {
            let pages = if dirty { stamp } else { 0 };
            self.set(
                i,
                Entry {
                    kind: Kind::Free,
                    dirty,
                    moved,
                    pages,
                },
            );
        }
        self.used -= n;
        self.lowest = self.lowest.min(first);
    }

    /// Takes free segments that are backed and were left alone since `before` (any, if that is `None`), next to each other
    /// and alike, at most `most`, from `from` on. Returns the first and how many.
    pub fn take_backed(&mut self, from: usize, most: usize, before: Option<u32>) -> Option<(usize, usize)> {
        let old = |e: Entry| before.is_none_or(|before| before.wrapping_sub(e.pages) as i32 >= 0);
        let fits = |e: Entry| e.kind == Kind::Free && e.dirty && old(e);
        let first = (from..self.high).find(|&i| fits(self.entry(i)))?;
        let moved = self.entry(first).moved;
        let end = (first + 1..self.high.min(first + most))
            .find(|&i| !fits(self.entry(i)) || self.entry(i).moved != moved)
            .unwrap_or(self.high.min(first + most));
        for i in first..end {
            self.set(
                i,
                Entry {
                    kind: Kind::Purging,
                    dirty: true,
                    moved,
                    pages: 0,
                },
            );
        }
        self.used += end - first;
        Some((first, end - first))
    }
}
