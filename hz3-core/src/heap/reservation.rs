//! How the arena's range of address space is held, and how parts of it become memory.
//!
//! **Held.** Limits on address space (`RLIMIT_AS`) count what is mapped, used or not; a program may set one at any time, and
//! must then still be able to map files and start threads. So the arena maps nothing ahead: it *claims* a range far from
//! where the kernel puts mappings by itself, and maps parts of it as they are needed, only where nothing lies. What a
//! program has put there all the same is left to it ([`Kind::Lost`](super::arena::Kind)). Where the kernel grants no such
//! place (valgrind, small address spaces) the range is *reserved*: mapped without access, half as large each time that
//! this is refused.
//!
//! **Opened.** Of each segment a first part is memory: readable, writable, and counted by the kernel as such, so that limits
//! (`RLIMIT_AS`, `RLIMIT_DATA`), the kernel's judgement of what is too much, `mlockall` and core dumps see what is used and
//! little more: what is opened ahead is a sixteenth of what is open. Entries and tags are opened with the segments that they
//! are of.
//!
//! **Tags that are not there.** In a claimed range the table of tags ends where the segments end that were ever in use, so a
//! tag beyond is not memory. `free` looks at one only for a pointer into the range that was never an object: that faults. A
//! mapping of somebody else's in the table's place would be taken for tags; fences of single pages, closer together than
//! anything large, keep the kernel from granting one there, and no two arenas get the same slot of the address space.

use super::arena::{Arena, Left, NO_BASE};
use super::page::PAGES;
use super::segment::SEGMENT;
use crate::os::{self, Access, PAGE, Placed};
use crate::policy::knobs::{Commit, Thp};
use crate::policy::{PageIndex, Policy};
use crate::sync::{AtomicUsize, Ordering};

/// The smallest arena worth having, in segments.
const LEAST: usize = 4;
/// Segments whose tags become writable together.
const TABLE_STEP: usize = 64;
/// Places that are tried for a claim.
const PLACES: u64 = 8;
/// Where a claim may lie: above all that is chosen by hand as a rule (programs, their heaps, other runtimes' arenas), and far
/// below where the kernel maps libraries, files and stacks.
const CLAIM_FROM: usize = 0x1000_0000_0000;
const CLAIM_TO: usize = 0x5000_0000_0000;
/// Bytes of the tag table between two fences.
const FENCED: usize = 4 << 20;

/// How the range is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// There is none.
    Nothing,
    /// Nothing is mapped but what is open.
    Claimed,
    /// All of it is mapped; what is not open without access.
    Reserved,
    /// All of it is open.
    Whole,
}

/// Why pages cannot be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The kernel refuses memory, or there are no free segments.
    NoMemory,
    /// A segment turned out to be somebody else's, and was noted as such.
    Lost,
}

/// Where the page tags of the arena's segments lie.
#[derive(Clone, Copy, Debug)]
pub struct TagTable {
    /// Bytes of it right below the base.
    pub bytes_below: usize,
    /// Bytes of a tag.
    pub tag_bytes: usize,
    /// A table that begins with the tag of address 0 and covers the whole address space; 0 if there is none.
    pub flat: usize,
    /// Address up to which the arena's part of the table can be written.
    pub(super) written: usize,
    /// Entries that can be written.
    pub(super) entries: usize,
}

impl TagTable {
    /// No table.
    pub const NONE: TagTable = TagTable::new(0, 0, 0);

    /// A table of which nothing can be written yet.
    pub const fn new(bytes_below: usize, tag_bytes: usize, flat: usize) -> TagTable {
        TagTable {
            bytes_below,
            tag_bytes,
            flat,
            written: 0,
            entries: 0,
        }
    }

    /// Address of the tag of the page at `at`, a multiple of a segment that the table covers.
    fn cell(&self, base: usize, at: usize) -> usize {
        if self.flat != 0 {
            self.flat + PageIndex::of(0, at).cell(self.tag_bytes)
        } else {
            base - self.bytes_below + PageIndex::of(base, at).cell(self.tag_bytes)
        }
    }

    /// Addresses of the fences in the part of a claimed range's table that lies below its base.
    pub(super) fn fences(&self, base: usize) -> core::iter::StepBy<core::ops::Range<usize>> {
        (base - self.bytes_below + FENCED..base).step_by(FENCED)
    }

    /// Makes the tags of a segment outside of the arena writable, if the table covers it.
    pub fn open_outside(&self, segment: *mut u8) -> bool {
        if self.flat == 0 {
            return true;
        }
        let first = self.cell(0, segment as usize) & !(PAGE - 1);
        // SAFETY: the cells are the segment's, whose page of the table may be another segment's, too: it only gets more access.
        unsafe { os::protect(first as *mut u8, PAGE, Access::ReadWrite) }
    }
}

impl Arena {
    /// Gets address space, with the entries and `tags.bytes_below` bytes of tags below it, and publishes the base in `word`.
    /// Leaves everything as it is if not even a small arena can be had: what it lacks comes from outside.
    pub fn reserve(&mut self, policy: &Policy, tags: TagTable, word: &AtomicUsize) {
        self.tags = tags;
        if policy.arena.commit == Commit::Segment && self.claim(policy) || self.reserve_less(policy) {
            word.store(self.base, Ordering::Release);
        }
    }

    /// Claims a range of the full size.
    fn claim(&mut self, policy: &Policy) -> bool {
        let (random, bytes) = (os::random_bits(), policy.arena.size);
        let entries = (bytes / SEGMENT * 8).next_multiple_of(PAGE);
        let front = entries + self.tags.bytes_below;
        for n in 0..PLACES {
            let (slot, base) = match policy.arena.base {
                wanted if wanted > front + PAGE && n == 0 => (wanted - front - PAGE, wanted),
                _ => place(random, n, front, bytes),
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
        self.tags.written = self.tags.cell(base, base) & !(PAGE - 1);
    }

    /// Reserves a range, halved until the kernel agrees. Where address space is limited it takes a quarter at most, tables
    /// included: libraries, stacks and mappings of the program need the rest.
    fn reserve_less(&mut self, policy: &Policy) -> bool {
        let mut bytes = policy.arena.size;
        if let Some(limit) = os::address_space_limit() {
            bytes = bytes.min((limit / 4).saturating_sub(self.tags.bytes_below)) & !(SEGMENT - 1);
        }
        let ways = match policy.arena.commit {
            Commit::Whole => [Access::Uncounted, Access::None],
            Commit::Segment => [Access::None, Access::Uncounted],
        };
        while bytes >= LEAST * SEGMENT {
            if ways.into_iter().any(|access| self.try_reserve(policy, bytes, access)) {
                return true;
            }
            bytes = (bytes / 2) & !(SEGMENT - 1);
        }
        false
    }

    fn try_reserve(&mut self, policy: &Policy, bytes: usize, access: Access) -> bool {
        let front = (bytes / SEGMENT * 8).next_multiple_of(PAGE) + self.tags.bytes_below;
        let total = front + bytes + SEGMENT;
        let start = os::map(policy.arena.base.saturating_sub(front), total, access);
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
            if access == Access::None && !os::protect(entries, front, Access::Read) {
                os::unmap(entries, front + bytes);
                return false;
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

    /// Makes the first `pages` pages from segment `first` on memory, as far as they are not. What was opened stays so if the
    /// kernel refuses the rest.
    pub(super) fn open(&mut self, policy: &Policy, first: usize, pages: usize) -> Result<(), Refusal> {
        let end = first + pages.div_ceil(PAGES);
        self.open_tables(end)?;
        let wanted = |i: usize| (pages - (i - first) * PAGES).min(PAGES);
        let mut at = first;
        while at < end {
            let have = self.opened(at);
            if have >= wanted(at) {
                at += 1;
                continue;
            }
            // One mapping for all that lies together and is not open.
            let mut last = at;
            while wanted(last) == PAGES && last + 1 < end && self.opened(last + 1) == 0 {
                last += 1;
            }
            match self.open_part(policy, (at, have), (last, wanted(last))) {
                Placed::Done => at = last + 1,
                Placed::Refused => return Err(Refusal::NoMemory),
                Placed::Taken => return Err(self.find_lost(policy, at, last, wanted(last))),
            }
        }
        Ok(())
    }

    /// Opens from page `have` of segment `at` to page `to` of segment `last`.
    fn open_part(&mut self, policy: &Policy, (at, have): (usize, usize), (last, to): (usize, usize)) -> Placed {
        let from = self.address(at) as usize + have * PAGE;
        let bytes = (last - at) * SEGMENT + to * PAGE - have * PAGE;
        let done = match self.hold {
            Hold::Claimed => os::map_at(from, bytes, Access::ReadWrite),
            // SAFETY: the range is reserved by this arena and not open: nobody uses it.
            _ if unsafe { os::protect(from as *mut u8, bytes, Access::ReadWrite) } => Placed::Done,
            _ => Placed::Refused,
        };
        if done == Placed::Done {
            if self.high == 0 {
                // The process starts. Later a program may have forbidden itself such calls, on pain of death.
                // SAFETY: the range was just opened.
                unsafe { os::name(from as *mut u8, bytes, c"hz3 arena") };
            }
            self.advise(policy, from, bytes);
            for i in at..last {
                self.set_opened(i, PAGES);
            }
            self.set_opened(last, to);
        }
        done
    }

    /// Something lies where segments `at` to `last` would: opens what can be opened, one by one, up to the first that is
    /// somebody else's.
    fn find_lost(&mut self, policy: &Policy, at: usize, last: usize, to: usize) -> Refusal {
        for i in at..=last {
            let (have, want) = (self.opened(i), if i == last { to } else { PAGES });
            match self.open_part(policy, (i, have), (i, want)) {
                Placed::Done => {}
                Placed::Refused => return Refusal::NoMemory,
                // A segment that is in use keeps what it has.
                Placed::Taken if self.entry(i).kind != super::arena::Kind::Free => return Refusal::NoMemory,
                Placed::Taken => {
                    self.lose(i);
                    return Refusal::Lost;
                }
            }
        }
        Refusal::NoMemory
    }

    /// Makes the entries and the tags of the segments below `end` writable.
    fn open_tables(&mut self, end: usize) -> Result<(), Refusal> {
        if end > self.tags.entries {
            let per_page = PAGE / 8;
            let to = end.next_multiple_of(per_page);
            let from = self.entries as usize + self.tags.entries * 8;
            self.open_table(from, (to - self.tags.entries) * 8)?;
            self.tags.entries = to;
        }
        let generous = end.next_multiple_of(TABLE_STEP).min(self.segments);
        let wanted = |segments: usize| self.tags.cell(self.base, self.base + segments * SEGMENT);
        if wanted(end) > self.tags.written {
            let to = wanted(generous).next_multiple_of(PAGE);
            self.open_tags(to)?;
        }
        Ok(())
    }

    /// Makes the tags up to the address `to` writable, part by part.
    fn open_tags(&mut self, to: usize) -> Result<(), Refusal> {
        if self.hold != Hold::Claimed || self.tags.flat != 0 {
            self.open_table(self.tags.written, to - self.tags.written)?;
            self.tags.written = to;
            return Ok(());
        }
        let table = self.base - self.tags.bytes_below;
        while self.tags.written < to {
            let at = self.tags.written;
            let done = at - table;
            let end = if done > 0 && done.is_multiple_of(FENCED) {
                self.open_table(at, PAGE)?;
                at + PAGE
            } else {
                let end = to.min(table + (done + 1).next_multiple_of(FENCED));
                match os::map_at(at, end - at, Access::Uncounted) {
                    Placed::Done => {
                        if done == 0 {
                            // SAFETY: the range was just mapped.
                            unsafe { os::name(at as *mut u8, end - at, c"hz3 page tags") };
                        }
                        end
                    }
                    _ => return Err(Refusal::NoMemory),
                }
            };
            self.tags.written = end;
        }
        Ok(())
    }

    fn open_table(&self, from: usize, bytes: usize) -> Result<(), Refusal> {
        // SAFETY: a part of this arena's tables: it only gets more access.
        match unsafe { os::protect(from as *mut u8, bytes, Access::ReadWrite) } {
            true => Ok(()),
            false => Err(Refusal::NoMemory),
        }
    }

    /// Huge-page advice for a range that was just opened.
    fn advise(&self, policy: &Policy, from: usize, bytes: usize) {
        let advice = match policy.arena.thp {
            Thp::Never => os::HugePages::Never,
            Thp::Always => os::HugePages::Wanted,
            Thp::System | Thp::Large => return,
        };
        // SAFETY: the range is this arena's.
        unsafe { os::advise(from as *mut u8, bytes, advice) };
    }
}

/// The `n`th place for a claim of so many bytes, with so many right below them: where its slot of the address space begins,
/// and its base. A slot is at least twice as long as what lies in it.
fn place(random: u64, n: u64, front: usize, bytes: usize) -> (usize, usize) {
    let first = (PAGE + front).next_multiple_of(SEGMENT);
    let length = ((first + bytes) * 2).next_power_of_two().max(SEGMENT);
    let slots = ((CLAIM_TO - CLAIM_FROM) / length).max(1) as u64;
    let shifts = ((length - first - bytes) / SEGMENT).max(1) as u64;
    let slot = CLAIM_FROM + ((random % slots + n) % slots) as usize * length;
    (slot, slot + first + (random / slots % shifts) as usize * SEGMENT)
}

const _: () = assert!(NO_BASE > CLAIM_TO && PAGES < 1 << 10);

#[cfg(all(test, not(loom)))]
#[path = "reservation_tests.rs"]
mod tests;
#[cfg(all(test, not(loom)))]
pub(super) use tests::tags;
