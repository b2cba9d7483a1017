//! A word of the arena's table: one segment's state, how old that is, how many of its pages are open, and whose group's it is.

use crate::heap::page::PAGES;

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
    /// Somebody else's: the program has mapped something there.
    Lost,
}

/// One segment's state: what it is, whether a free one may hold something else than zeroes, and the pages of a huge object.
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
    pub(super) const FREE: Entry = Entry {
        kind: Kind::Free,
        dirty: false,
        moved: false,
        pages: 0,
    };

    /// As a word of the table, without the pages that are open.
    pub(in crate::heap) fn pack(self) -> u64 {
        self.kind as u64 | u64::from(self.dirty) << 8 | u64::from(self.moved) << 9 | u64::from(self.pages) << 32
    }

    /// The state that a word of the table says.
    pub fn unpack(word: u64) -> Entry {
        let kind = match word & KIND {
            0 => Kind::Free,
            1 => Kind::Pages,
            2 => Kind::Huge,
            3 => Kind::Tail,
            5 => Kind::Lost,
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

/// How long a segment has been what it is, as far as somebody looked (`heap/collapse.rs`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Age {
    /// Nobody has seen it.
    New,
    /// It was there when somebody looked before.
    Old,
    /// It is a huge page, or was one.
    Settled,
}

impl Age {
    /// As bits of a word of the table.
    pub(super) fn pack(self) -> u64 {
        (self as u64) << AGE_SHIFT
    }

    /// The age that a word of the table says.
    pub(super) fn unpack(word: u64) -> Age {
        match (word & AGE) >> AGE_SHIFT {
            0 => Age::New,
            1 => Age::Old,
            _ => Age::Settled,
        }
    }
}

/// Where a word of the table says what its segment is.
const KIND: u64 = 0xf;
/// Where it says how old that is. It begins anew with whatever else the segment becomes.
const AGE_SHIFT: u32 = 4;
pub(super) const AGE: u64 = 0x3 << AGE_SHIFT;
/// Where a word of the table says how many pages of its segment are open.
pub(super) const OPENED_SHIFT: u32 = 10;
const OPENED_BITS: u32 = if PAGES > 512 { PAGES.ilog2() + 1 } else { 10 };
pub(super) const OPENED: u64 = ((1 << OPENED_BITS) - 1) << OPENED_SHIFT;
/// Where it says whose group's it is: the first that took it.
pub(super) const GROUP_SHIFT: u32 = OPENED_SHIFT + OPENED_BITS;
pub(super) const GROUP: u64 = 0xff << GROUP_SHIFT;
const _: () = assert!(PAGES < 1 << OPENED_BITS, "a word of the table holds how many are open");
const _: () = assert!(GROUP_SHIFT + 8 <= 32, "the pages of a huge object stand above");
