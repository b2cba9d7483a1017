//! Whole segments of the arena that are one object, as the page heap counts them.
//!
//! As all of the page heap: for the holder of the heap's lock.

use super::arena::{Entry, Kind, Left};
use super::group::Group;
use super::page::PAGES;
use super::segment::SEGMENT;
use super::{Heap, PageHeap, Reach};
use crate::os::{self, PAGE};
use crate::policy::Policy;

impl PageHeap {
    /// Whether so many bytes of a huge object are worth keeping with their pages, beside those that are kept already.
    /// If not, they are held to be given to the kernel.
    pub(super) fn keeps(&mut self, policy: &Policy, bytes: usize) -> bool {
        let now = os::now_ms();
        let keep = self.huge_worth.reckon(policy.large.cache, now, policy.huge_window());
        let fits = self.huge_dirty + bytes <= keep && !self.is_near_limit();
        if !fits {
            self.huge_worth.gave(bytes, now, policy.huge_window());
        }
        fits
    }

    pub(super) fn own_huge(&mut self, policy: &Policy, first: usize, segments: usize, pages: usize, dirty: usize) {
        self.huge_dirty -= dirty * SEGMENT;
        self.huge_worth.taken(dirty * SEGMENT);
        let body = pages.div_ceil(PAGES);
        if self.huge_worth.regrets() && dirty < body {
            let missing = (body - dirty) * SEGMENT;
            self.huge_worth.missed(
                missing,
                policy.spare(self.huge_dirty),
                os::now_ms(),
                policy.huge_window(),
            );
        }
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
        if policy.has_walls() {
            self.arena.enclose(first, segments, pages);
        }
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
        left: Left,
        moved: bool,
        stamp: u32,
    ) {
        self.huge_worth.freed(pages.div_ceil(PAGES) * SEGMENT);
        self.returns = self.returns.wrapping_add(1);
        self.huge_bytes -= pages * PAGE;
        self.huge_dirty += self.arena.give_back(first, segments, left, moved, stamp);
    }

    /// From so many pages and segments to others. `left` says what is left of the segments that go back. False if there is no
    /// room; then nothing has changed.
    pub(super) fn resize_huge(
        &mut self,
        index: usize,
        (old, have): (usize, usize),
        (pages, want): (usize, usize),
        left: Left,
        policy: &Policy,
    ) -> bool {
        let mut moved = self.arena.entry(index).moved;
        self.request(Reach::System);
        if pages > old && !self.allows((pages - old) * PAGE) {
            return false;
        }
        if want > have {
            // The last segment so far becomes one of many: it has to be open as a whole.
            let first = index + have;
            let Ok(dirty) = self.arena.open(policy, index, have * PAGES).and_then(|()| {
                self.arena
                    .take_at(policy, Group::of_large(policy), first, pages - have * PAGES)
            }) else {
                if policy.has_walls() {
                    self.arena.enclose(index, have, old);
                }
                return false;
            };
            self.huge_dirty -= dirty * SEGMENT;
            moved |= self.arena.moved(index + have, want - have);
            self.set_tails(index + have, index + want);
        } else if want < have {
            let stamp = Heap::stamp(policy);
            self.returns = self.returns.wrapping_add(1);
            self.huge_dirty += self.arena.give_back(index + want, have - want, left, moved, stamp);
        } else if self.arena.open(policy, index, pages).is_err() {
            if policy.has_walls() {
                self.arena.enclose(index, have, old);
            }
            return false;
        }
        if left == Left::Closed {
            let opened = pages.next_multiple_of(os::pages()) - (want - 1) * PAGES;
            self.arena.set_opened(index + want - 1, opened);
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
        if policy.has_walls() {
            self.arena.enclose(index, want, pages);
        }
        true
    }
}
