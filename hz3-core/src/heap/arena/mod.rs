//! The arena: one range of address space, cut into segments.
//!
//! ```text
//! | segment entries | page tags | segment 0 | segment 1 | …
//!                               ^ base, a multiple of a segment
//! ```
//!
//! The place of the tag table is always that of the arena as configured, even when a reservation had to shrink: so the bound
//! in `free` is a constant. How the range is held, and how parts of it become memory, is in [`crate::heap::reservation`]. Everything here
//! belongs to the holder of the heap's lock, with one exception that is named below.

mod entry;

use super::group::Group;
use super::hold::{Hold, Refusal};
use super::page::PAGES;
use super::segment::SEGMENT;
use super::tag_table::TagTable;
use crate::os::PAGE;
use crate::policy::Policy;
// They lie in memory that the kernel gives as zeroes, so they cannot be a model's. Nothing hangs on their order.
use core::sync::atomic::{AtomicU64, Ordering};
use entry::{AGE, GROUP, GROUP_SHIFT, OPENED, OPENED_SHIFT};
pub use entry::{Age, Entry, Kind};

/// Value of the base word while there is no arena: no user-space address minus this falls below any arena's size.
pub const NO_BASE: usize = 1 << 63;

/// Segments that a search looks at for a better place than the first.
const LOOK: usize = 256;

/// What is left of a range whose pages went to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// Pages that read as zero.
    Zero,
    /// Address space: the pages have to be opened again.
    Closed,
    /// What was there: the kernel did not take it.
    Something,
    /// Perhaps not even the mapping: the range must not be touched again.
    Nothing,
}

/// The range and its segments.
pub struct Arena {
    pub(crate) base: usize,
    pub(crate) segments: usize,
    pub(super) hold: Hold,
    /// The page that says whose a claimed range's slot of the address space is.
    pub(super) slot: usize,
    pub(super) tags: TagTable,
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
        hold: Hold::Nothing,
        slot: 0,
        tags: TagTable::NONE,
        lowest: 0,
        high: 0,
        used: 0,
        entries: core::ptr::null(),
    };

    /// Address of the first segment; 0 if there is no arena.
    pub fn base(&self) -> usize {
        self.base
    }

    /// Segments of the range.
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
    /// segment, and of any sort otherwise.
    ///
    /// # Safety
    /// `this` is an arena that lives as long as the process, and was reserved before the caller got any object.
    pub unsafe fn peek(this: *const Arena, p: *const u8) -> Option<(usize, Entry)> {
        // SAFETY: base, number and table of segments are written once, when the arena is reserved. Only these three are
        // read, and the words of the table are atomic.
        unsafe {
            let i = (p as usize).wrapping_sub((*this).base) / SEGMENT;
            (i < (*this).segments).then(|| (i, Entry::unpack((*(*this).entries.add(i)).load(Ordering::Relaxed))))
        }
    }

    /// Bytes of the arena, for whoever does not hold the lock.
    ///
    /// # Safety
    /// As for [`peek`](Self::peek).
    pub unsafe fn size(this: *const Arena) -> usize {
        // SAFETY: the number of segments is written once, when the arena is reserved.
        unsafe { (*this).segments * SEGMENT }
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
        self.write(index, OPENED | GROUP, entry.pack());
    }

    /// How old a segment is.
    pub(in crate::heap) fn age(&self, index: usize) -> Age {
        if index >= self.segments {
            return Age::Settled;
        }
        // SAFETY: as in `entry`.
        let word = unsafe { (*self.entries.add(index)).load(Ordering::Relaxed) };
        Age::unpack(word)
    }

    pub(in crate::heap) fn set_age(&mut self, index: usize, age: Age) {
        self.write(index, !AGE, age.pack());
    }

    /// Replaces all of a word but the bits that are to be kept. (Who does not hold the lock may read the word meanwhile.)
    fn write(&mut self, index: usize, keep: u64, bits: u64) {
        if index < self.segments {
            // SAFETY: as in `entry`; the table's word is writable, as that is made so before the segment is taken.
            let word = unsafe { &*self.entries.add(index) };
            word.store(word.load(Ordering::Relaxed) & keep | bits, Ordering::Relaxed);
        }
    }

    /// Pages of a segment, from its first on, that are memory. The others must not be touched.
    #[inline]
    pub fn opened(&self, index: usize) -> usize {
        if self.hold == Hold::Whole {
            return PAGES;
        }
        if index >= self.segments {
            return 0;
        }
        // SAFETY: as in `entry`.
        let word = unsafe { (*self.entries.add(index)).load(Ordering::Relaxed) };
        ((word & OPENED) >> OPENED_SHIFT) as usize
    }

    pub(super) fn set_opened(&mut self, index: usize, pages: usize) {
        self.write(index, !OPENED, (pages as u64) << OPENED_SHIFT);
    }

    /// Whether a segment is free, for a group.
    fn is_free(&self, index: usize, group: Group) -> bool {
        if index >= self.segments {
            return false;
        }
        // SAFETY: as in `entry`.
        let word = unsafe { (*self.entries.add(index)).load(Ordering::Relaxed) };
        Entry::unpack(word).kind == Kind::Free && group.takes(Group((word >> GROUP_SHIFT) as u8))
    }

    /// Bytes from the first of `n` segments on that are memory, where all of them but the last are open as a whole.
    pub fn opened_bytes(&self, first: usize, n: usize) -> usize {
        (n - 1) * SEGMENT + self.opened(first + n - 1) * PAGE
    }

    /// Takes the consecutive free segments that `pages` pages need for a group, the lowest that start at a multiple of `align` bytes, and
    /// opens these pages. Returns the first segment and how many of them may hold something else than zeroes. The caller
    /// sets their entries.
    pub fn take(&mut self, policy: &Policy, group: Group, pages: usize, align: usize) -> Option<(usize, usize)> {
        loop {
            let first = self.find(group, policy.segments(pages), align)?;
            match self.take_at(policy, group, first, pages) {
                Ok(dirty) => return Some((first, dirty)),
                // One segment less to look at.
                Err(Refusal::Lost) => {}
                // A place where nothing has to be opened may be left.
                Err(Refusal::NoMemory) => break,
            }
        }
        let first = self.find_open(policy, group, pages, align)?;
        self.take_at(policy, group, first, pages)
            .ok()
            .map(|dirty| (first, dirty))
    }

    /// The first free place where so many pages are open.
    fn find_open(&self, policy: &Policy, group: Group, pages: usize, align: usize) -> Option<usize> {
        let n = policy.segments(pages);
        let fits = |first: usize| {
            (first..first + n).all(|i| {
                let wanted = (pages - (i - first) * PAGES).min(PAGES);
                self.is_free(i, group) && self.opened(i) >= wanted
            })
        };
        (self.lowest..self.high)
            .filter(|&i| i + n <= self.high && (self.address(i) as usize).is_multiple_of(align.max(SEGMENT)))
            .find(|&i| fits(i))
    }

    /// Takes the segments that `pages` pages need from segment `first` on for a group, if they exist and are free for it, and opens these
    /// pages. Returns how many segments may hold something.
    pub fn take_at(&mut self, policy: &Policy, group: Group, first: usize, pages: usize) -> Result<usize, Refusal> {
        let n = policy.segments(pages);
        if first + n > self.segments || (first..first + n).any(|i| i < self.high && !self.is_free(i, group)) {
            return Err(Refusal::NoMemory);
        }
        if policy.has_walls() {
            // Those of a segment of which nothing is opened, too.
            self.open_tables(first + n)?;
        }
        self.open(policy, first, pages)?;
        let dirty = (first..first + n).filter(|&i| self.entry(i).dirty).count();
        self.high = self.high.max(first + n);
        self.used += n;
        if group != Group::ANY {
            (first..first + n).for_each(|i| self.write(i, !GROUP, u64::from(group.0) << GROUP_SHIFT));
        }
        if first == self.lowest {
            self.lowest = first + n;
        }
        Ok(dirty)
    }

    /// A free segment is found to be somebody else's.
    pub(super) fn lose(&mut self, index: usize) {
        let lost = Entry {
            kind: Kind::Lost,
            ..Entry::FREE
        };
        self.set(index, lost);
        self.high = self.high.max(index + 1);
    }

    /// The first place for `n` segments; of those that a short look finds, the one with most segments that are backed.
    fn find(&self, group: Group, n: usize, align: usize) -> Option<usize> {
        if self.used + n > self.segments {
            return None;
        }
        let mask = (align / SEGMENT).max(1) - 1;
        let number = self.base / SEGMENT;
        let start = |i: usize| ((number + i + mask) & !mask) - number;
        let mut best: Option<(usize, usize)> = None;
        let mut at = start(self.lowest);
        let mut looked = 0;
        while at + n <= self.segments {
            let end = (at + n).min(self.high.max(at));
            looked += end - at;
            match (at..end).rev().find(|&i| !self.is_free(i, group)) {
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

    /// Whether the kernel has moved pages of any of these segments.
    pub fn moved(&self, first: usize, n: usize) -> bool {
        (first..first + n).any(|i| self.entry(i).moved)
    }

    /// Gives segments back of which so much is left. Returns the bytes that may still hold something.
    pub fn give_back(&mut self, first: usize, n: usize, left: Left, moved: bool, stamp: u32) -> usize {
        match left {
            Left::Zero => {
                self.give(first, n, false, moved, stamp);
            }
            Left::Closed => {
                (first..first + n).for_each(|i| self.set_opened(i, 0));
                self.give(first, n, false, false, stamp);
            }
            Left::Something => {
                return self.give(first, n, true, moved, stamp) * SEGMENT;
            }
            Left::Nothing => {
                self.used -= n;
                (first..first + n).for_each(|i| self.lose(i));
            }
        }
        0
    }

    /// Gives segments back. `dirty` says whether a page of them may hold something, and `stamp` since when nobody used
    /// them; `moved` whether their mappings are split from their neighbours'. Returns how many are dirty: of what is not open nothing is.
    pub fn give(&mut self, first: usize, n: usize, dirty: bool, moved: bool, stamp: u32) -> usize {
        let mut count = 0;
        for i in first..first + n {
            let dirty = dirty && self.opened(i) > 0;
            count += usize::from(dirty);
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
        count
    }

    /// Takes free segments that are backed and were left alone since `before` (any, if that is `None`), next to each other
    /// and alike, at most `most`, from `from` on; all but the last are open as a whole. Returns the first and how many.
    pub fn take_backed(&mut self, from: usize, most: usize, before: Option<u32>) -> Option<(usize, usize)> {
        let old = |e: Entry| before.is_none_or(|before| before.wrapping_sub(e.pages) as i32 >= 0);
        let fits = |e: Entry| e.kind == Kind::Free && e.dirty && old(e);
        let first = (from..self.high).find(|&i| fits(self.entry(i)))?;
        let moved = self.entry(first).moved;
        let end = (first + 1..self.high.min(first + most))
            .find(|&i| !fits(self.entry(i)) || self.entry(i).moved != moved || self.opened(i - 1) < PAGES)
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
