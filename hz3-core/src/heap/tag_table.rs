//! Where the page tags of segments lie.
//!
//! In a claimed range the table of tags ends where the segments end that were ever in use, so a
//! tag beyond is not memory. `free` looks at one only for a pointer into the range that was never an object: that faults. A
//! mapping of somebody else's in the table's place would be taken for tags; fences of single pages, closer together than
//! anything large, keep the kernel from granting one there, and no two arenas get the same slot of the address space.

use crate::os::{self, Access, PAGE};
use crate::policy::PageIndex;

/// Bytes of the tag table between two fences.
pub(super) const FENCED: usize = 4 << 20;

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
    pub(super) fn cell(&self, base: usize, at: usize) -> usize {
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
