//! How parts of the arena become memory.
//!
//! Of each segment a first part is memory: readable, writable, and counted by the kernel as such, so that limits
//! (`RLIMIT_AS`, `RLIMIT_DATA`), the kernel's judgement of what is too much, `mlockall` and core dumps see what is used and
//! little more: what is opened ahead is a sixteenth of what is open. Entries and tags are opened with the segments that they
//! are of.

use super::arena::{Arena, Kind};
use super::hold::{Hold, Refusal};
use super::page::PAGES;
use super::segment::SEGMENT;
use super::tag_table::FENCED;
use crate::os::{self, Access, PAGE, Placed};
use crate::policy::Policy;
use crate::policy::knobs::Thp;

/// Segments whose tags become writable together: those of 128 MiB, however long a segment is.
pub(super) const TABLE_STEP: usize = (128 << 20) / SEGMENT;

impl Arena {
    /// Makes the first `pages` pages from segment `first` on memory, as far as they are not. What was opened stays so if the
    /// kernel refuses the rest.
    pub(super) fn open(&mut self, policy: &Policy, first: usize, pages: usize) -> Result<(), Refusal> {
        let pages = pages.next_multiple_of(os::pages());
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
                Placed::Taken if self.entry(i).kind != Kind::Free => return Refusal::NoMemory,
                Placed::Taken => {
                    self.lose(i);
                    return Refusal::Lost;
                }
            }
        }
        Refusal::NoMemory
    }

    /// Sees to it that nobody can touch the pages before and behind a huge object of so many segments and pages. What a longer object
    /// has left behind it goes to the kernel.
    pub(super) fn enclose(&mut self, first: usize, n: usize, pages: usize) {
        let last = first + n - 1;
        self.close(last, pages - (n - 1) * PAGES);
        // The last page of a segment of pages is a guard, and behind another huge object nothing is open.
        if first > 0 && matches!(self.entry(first - 1).kind, Kind::Free | Kind::Purging) {
            self.close(first - 1, PAGES - 1);
        }
    }

    /// Closes the pages of a segment from page `from` on, as far as they are open. Whether they are closed: where the kernel refuses,
    /// they stay as they are.
    pub(super) fn close(&mut self, index: usize, from: usize) -> bool {
        let opened = self.opened(index);
        if opened <= from {
            return true;
        }
        let p = self.address(index).wrapping_add(from * PAGE);
        // SAFETY: the pages are open, and whoever has the segment wants nothing that is in them. If nobody has it, somebody may be
        // giving it to the kernel, which does no harm.
        let closed = unsafe { Self::shut(self.hold, p, (opened - from) * PAGE) };
        if closed {
            self.set_opened(index, from);
        }
        closed
    }

    /// Makes pages of the range what they are where it is not open. False where the kernel refuses.
    ///
    /// # Safety
    /// The pages are open and the caller's, who wants nothing that is in them.
    pub(super) unsafe fn shut(hold: Hold, p: *mut u8, bytes: usize) -> bool {
        // SAFETY: as the caller says.
        unsafe {
            match hold {
                Hold::Claimed => os::guard::close(p, bytes),
                // What is opened again is taken for zero.
                Hold::Reserved => {
                    os::guard::clear(p, bytes);
                    os::protect(p, bytes, Access::None)
                }
                _ => false,
            }
        }
    }

    /// Makes the entries and the tags of the segments below `end` writable.
    pub(super) fn open_tables(&mut self, end: usize) -> Result<(), Refusal> {
        if end > self.tags.entries {
            let per_page = os::page() / 8;
            let to = end.next_multiple_of(per_page);
            let from = self.entries as usize + self.tags.entries * 8;
            self.open_table(from, (to - self.tags.entries) * 8)?;
            self.tags.entries = to;
        }
        let generous = end.next_multiple_of(TABLE_STEP).min(self.segments);
        let wanted = |segments: usize| self.tags.cell(self.base, self.base + segments * SEGMENT);
        if wanted(end) > self.tags.written {
            let to = os::up(wanted(generous));
            self.open_tags(to)?;
        }
        Ok(())
    }

    /// Makes the tags up to the address `to` writable, part by part.
    pub(super) fn open_tags(&mut self, to: usize) -> Result<(), Refusal> {
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
                self.open_table(at, os::page())?;
                at + os::page()
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
    pub(super) fn advise(&self, policy: &Policy, from: usize, bytes: usize) {
        let advice = match policy.arena.thp {
            Thp::Never => os::HugePages::Never,
            Thp::Always => os::HugePages::Wanted,
            Thp::System | Thp::Large | Thp::Dense => return,
        };
        // SAFETY: the range is this arena's.
        unsafe { os::advise(from as *mut u8, bytes, advice) };
    }
}
