//! Whole segments of the arena that are one object, as the page heap counts them.
//!
//! As all of the page heap: for the holder of the heap's lock.

use super::PageHeap;
use super::arena::{Entry, Kind};
use super::segment::SEGMENT;
use crate::os::PAGE;
use crate::variant::Policy;

impl PageHeap {
    /// Whether so many bytes of a huge object are worth keeping with their pages, beside those that are kept already.
    /// What is worth keeping is reckoned as in [`excess`](Self::excess), between a thirty-second of the bound and the bound.
    pub(super) fn keeps(&mut self, policy: &Policy, bytes: usize) -> bool {
        let most = policy.large_cache;
        self.huge_keep = (self.huge_keep + self.huge_reused)
            .saturating_sub(self.huge_added / 16)
            .clamp(most / 32, most);
        (self.huge_reused, self.huge_added) = (0, 0);
        self.huge_dirty + bytes <= self.huge_keep
    }

    pub(super) fn own_huge(&mut self, first: usize, segments: usize, pages: usize, dirty: usize) {
        self.huge_dirty -= dirty * SEGMENT;
        self.huge_reused += dirty * SEGMENT;
        self.huge_bytes += pages * PAGE;
        let moved = self.arena.moved(first, segments);
        self.arena.set(
            first,
            Entry {
                kind: Kind::Huge,
                dirty: false,
                moved,
                pages: pages as u32,
            },
        );
        self.set_tails(first + 1, first + segments);
    }

    pub(super) fn set_tails(&mut self, from: usize, to: usize) {
        for i in from..to {
            self.arena.set(
                i,
                Entry {
                    kind: Kind::Tail,
                    dirty: false,
                    moved: false,
                    pages: 0,
                },
            );
        }
    }

    pub(super) fn disown_huge(
        &mut self,
        first: usize,
        segments: usize,
        pages: usize,
        dirty: bool,
        moved: bool,
        stamp: u32,
    ) {
        self.huge_dirty += if dirty { segments * SEGMENT } else { 0 };
        self.huge_added += segments * SEGMENT;
        self.huge_bytes -= pages * PAGE;
        self.arena.give(first, segments, dirty, moved, stamp);
    }

    /// From so many pages and segments to others. `dirty` says whether a segment that goes back may hold something.
    pub(super) fn resize_huge(
        &mut self,
        index: usize,
        (old, have): (usize, usize),
        (pages, want): (usize, usize),
        dirty: bool,
        stamp: u32,
    ) -> bool {
        let mut moved = self.arena.entry(index).moved;
        if want > have {
            let Some(dirty) = self.arena.take_at(index + have, want - have) else {
                return false;
            };
            self.huge_dirty -= dirty * SEGMENT;
            moved |= self.arena.moved(index + have, want - have);
            self.set_tails(index + have, index + want);
        } else if want < have {
            self.huge_dirty += if dirty { (have - want) * SEGMENT } else { 0 };
            self.arena.give(index + want, have - want, dirty, moved, stamp);
        }
        self.huge_bytes = self.huge_bytes - old * PAGE + pages * PAGE;
        self.arena.set(
            index,
            Entry {
                kind: Kind::Huge,
                dirty: false,
                moved,
                pages: pages as u32,
            },
        );
        true
    }
}
