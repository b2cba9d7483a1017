//! How the arena's range of address space is held.
//!
//! Limits on address space (`RLIMIT_AS`) count what is mapped, used or not; a program may set one at any time, and
//! must then still be able to map files and start threads. So the arena maps nothing ahead: it *claims* a range far from
//! where the kernel puts mappings by itself, and maps parts of it as they are needed, only where nothing lies. What a
//! program has put there all the same is left to it ([`Kind::Lost`](super::arena::Kind)). Where the kernel grants no such
//! place (valgrind, small address spaces) the range is *reserved*: mapped without access, half as large each time that
//! this is refused. Where a claim lies is always drawn; where a reserved range lies, if the policy says so.

use super::arena::{Arena, Left};
use super::draw::{PLACES, place};
use super::hold::Hold;
use super::segment::SEGMENT;
use super::tag_table::TagTable;
use crate::os::{self, Access, PAGE, Placed};
use crate::policy::Policy;
use crate::policy::knobs::Commit;
use crate::sync::{AtomicUsize, Ordering};

/// The smallest arena worth having, in segments: 8 MiB, or four.
const LEAST: usize = if SEGMENT > 2 << 20 { 4 } else { (8 << 20) / SEGMENT };

impl Arena {
    /// Gets address space, with the entries and `tags.bytes_below` bytes of tags below it, and publishes the base in `word`.
    /// Leaves everything as it is if not even a small arena can be had: what it lacks comes from outside.
    pub fn reserve(&mut self, policy: &Policy, tags: TagTable, word: &AtomicUsize) {
        self.hold_by(policy, tags, word, policy.arena.commit == Commit::Segment);
    }

    /// The same: the range is claimed if that `claims`, and can be had.
    pub(super) fn hold_by(&mut self, policy: &Policy, tags: TagTable, word: &AtomicUsize, claims: bool) {
        self.tags = tags;
        if policy.has_walls() && tags.flat != 0 {
            // The page between the entries and the first segment. (A table of tags there ends a page before it.)
            self.tags.bytes_below = PAGE;
        }
        let random = match claims || policy.hardening.spread > 0 {
            true => os::random_bits(),
            false => 0,
        };
        if claims && self.claim(policy, random) || self.reserve_less(policy, random) {
            word.store(self.base, Ordering::Release);
        }
    }

    /// Claims a range of the full size.
    fn claim(&mut self, policy: &Policy, random: u64) -> bool {
        let bytes = policy.arena.size;
        if !self.tags.bytes_below.is_multiple_of(os::page()) {
            // Entries and tags are mappings of their own, which have no page of the kernel's in common.
            return false;
        }
        let entries = os::up(bytes / SEGMENT * 8);
        let front = entries + self.tags.bytes_below;
        for n in 0..PLACES {
            let (slot, base) = match policy.arena.base {
                wanted if wanted > front + os::page() && n == 0 => (wanted - front - os::page(), wanted),
                _ => place(policy, random, n, front, bytes),
            };
            match os::map_at(slot, PAGE, Access::None) {
                Placed::Done => {}
                Placed::Taken => continue,
                Placed::Refused => return false,
            }
            if self.lay_out(base, base - front, entries) {
                self.hold = Hold::Claimed;
                self.slot = slot;
                self.settle(base, bytes, (base - front) as *mut u8);
                return true;
            }
            // SAFETY: the page was mapped just now, and nobody knows it.
            unsafe { os::unmap(slot as *mut u8, PAGE) };
        }
        false
    }

    /// Maps the entries from `from` on, and the fences between them and the base. False if something lies there, or the
    /// kernel refuses; then nothing is mapped.
    fn lay_out(&self, base: usize, from: usize, entries: usize) -> bool {
        if os::map_at(from, entries, Access::Read) != Placed::Done {
            return false;
        }
        let fences = self.tags.fences(base);
        let missing = fences
            .clone()
            .find(|&at| os::map_at(at, PAGE, Access::None) != Placed::Done);
        // SAFETY: all that is unmapped was mapped just now, and nobody knows it.
        unsafe {
            let Some(missing) = missing else {
                os::name(from as *mut u8, entries, c"hz3 segments");
                return true;
            };
            for at in fences.take_while(|&at| at < missing) {
                os::unmap(at as *mut u8, PAGE);
            }
            os::unmap(from as *mut u8, entries);
        }
        false
    }

    fn settle(&mut self, base: usize, bytes: usize, entries: *mut u8) {
        self.base = base;
        self.segments = bytes / SEGMENT;
        self.entries = entries.cast_const().cast();
        self.tags.written = os::down(self.tags.cell(base, base));
    }

    /// Reserves a range, halved until the kernel agrees. Where address space is limited it takes a quarter at most, tables
    /// included: libraries, stacks and mappings of the program need the rest.
    fn reserve_less(&mut self, policy: &Policy, random: u64) -> bool {
        let mut bytes = policy.arena.size;
        if let Some(limit) = os::address_space_limit() {
            bytes = bytes.min((limit / 4).saturating_sub(self.tags.bytes_below)) & !(SEGMENT - 1);
        }
        let ways = match policy.arena.commit {
            Commit::Whole => [Access::Uncounted, Access::None],
            Commit::Segment => [Access::None, Access::Uncounted],
        };
        while bytes >= LEAST * SEGMENT {
            if ways
                .into_iter()
                .any(|access| self.try_reserve(policy, random, bytes, access))
            {
                return true;
            }
            bytes = (bytes / 2) & !(SEGMENT - 1);
        }
        false
    }

    fn try_reserve(&mut self, policy: &Policy, random: u64, bytes: usize, access: Access) -> bool {
        let front = os::up((bytes / SEGMENT * 8).next_multiple_of(PAGE) + self.tags.bytes_below);
        let drawn = || Self::reserve_drawn(policy, random, front, bytes, access);
        let Some(base) = drawn().or_else(|| Self::reserve_anywhere(policy, front, bytes, access)) else {
            return false;
        };
        let entries = (base - front) as *mut u8;
        // SAFETY: all lies in the mapping just made.
        unsafe {
            if access == Access::None && !os::protect(entries, front, Access::Read) {
                os::unmap(entries, front + bytes);
                return false;
            }
            if policy.has_walls() {
                // (A claimed range has nothing there.)
                os::protect((base - PAGE) as *mut u8, PAGE, Access::None);
            }
            os::leave_out_of_dumps(entries, front);
            os::name(entries, front, c"hz3 page tags");
        }
        self.hold = match access {
            Access::None => Hold::Reserved,
            _ => Hold::Whole,
        };
        self.settle(base, bytes, entries);
        if self.hold == Hold::Whole {
            self.advise(policy, base, bytes);
            // Below a flat table, tags become writable with their segments all the same.
            self.tags.entries = self.segments;
            self.tags.written = if self.tags.flat == 0 { base } else { self.tags.written };
        }
        true
    }

    /// Maps a range of so many bytes, with so many right below them, at a place that is drawn, if the policy says so. Returns its
    /// base.
    fn reserve_drawn(policy: &Policy, random: u64, front: usize, bytes: usize, access: Access) -> Option<usize> {
        if policy.hardening.spread == 0 {
            return None;
        }
        for n in 0..PLACES {
            let (_, base) = place(policy, random, n, front, bytes);
            match os::map_at(base - front, front + bytes, access) {
                Placed::Done => return Some(base),
                Placed::Taken => {}
                Placed::Refused => break,
            }
        }
        None
    }

    /// The same where the kernel likes it.
    fn reserve_anywhere(policy: &Policy, front: usize, bytes: usize, access: Access) -> Option<usize> {
        let total = front + bytes + SEGMENT;
        let start = os::map(policy.arena.base.saturating_sub(front), total, access);
        if start.is_null() {
            return None;
        }
        let base = (start as usize + front).next_multiple_of(SEGMENT);
        let before = base - front - start as usize;
        // SAFETY: both ranges lie in the mapping just made: the slack of one segment is what alignment may take.
        unsafe {
            if before > 0 {
                os::unmap(start, before);
            }
            os::unmap((base + bytes) as *mut u8, SEGMENT - before);
        }
        Some(base)
    }

    /// Gives pages to the kernel whose segments are free as a whole: in a claimed range with their addresses, so that limits
    /// no longer count them; in another one `moved` pages are replaced, so that their mapping is one with its neighbours'
    /// again.
    ///
    /// # Safety
    /// The range begins with a segment, is open and the caller's, who wants nothing that is in it. It was held so from its
    /// start.
    pub unsafe fn forget(hold: Hold, p: *mut u8, bytes: usize, moved: bool) -> Left {
        // SAFETY: the range is open, nobody wants what is in it, and it was held in this way from its start.
        unsafe {
            match (hold, moved) {
                (Hold::Claimed, _) => {
                    os::unmap(p, bytes);
                    Left::Closed
                }
                (_, true) if os::map_over(p, bytes) => Left::Zero,
                (_, true) => Left::Nothing,
                (_, false) if os::purge(p, bytes) => Left::Zero,
                (_, false) => Left::Something,
            }
        }
    }

    /// How the range is held.
    pub fn hold(&self) -> Hold {
        self.hold
    }
}

#[cfg(all(test, not(loom)))]
#[path = "reservation_tests.rs"]
mod tests;
#[cfg(all(test, not(loom)))]
pub(super) use tests::tags;
