//! Segments and huge objects that lie outside of the arena: what is left when the arena is used up.
//!
//! `free` finds them on its slow path, through this table: open addressing, keyed by segment number, in its own mapping.
//! It belongs to the holder of the heap's lock.

use super::draw;
use super::segment::{SEGMENT, Segment};
use crate::os::{self, Access, PAGE};
use crate::policy::Policy;
use core::ptr;

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Cell {
    /// Address divided by the size of a segment; 0 is empty, 1 deleted.
    pub(crate) key: usize,
    /// Bytes of a huge object's mapping; 0 for a segment of pages.
    pub(crate) bytes: usize,
}

const EMPTY: usize = 0;
const DELETED: usize = 1;

/// What lies at an address outside of the arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outside {
    /// A segment of pages.
    Pages,
    /// A huge object of so many bytes.
    Huge(usize),
}

/// The table.
pub struct OutsideTable {
    pub(crate) cells: *mut Cell,
    pub(crate) capacity: usize,
    filled: usize,
    live: usize,
}

impl OutsideTable {
    /// Nothing lies outside.
    pub const EMPTY: OutsideTable = OutsideTable {
        cells: ptr::null_mut(),
        capacity: 0,
        filled: 0,
        live: 0,
    };

    /// Entries.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether nothing lies outside.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    fn cell(&self, i: usize) -> *mut Cell {
        // SAFETY: masked by the capacity, a power of two; only called when the table exists.
        unsafe { self.cells.add(i & (self.capacity - 1)) }
    }

    fn find(&self, key: usize) -> Option<*mut Cell> {
        if self.capacity == 0 {
            return None;
        }
        let mut i = hash(key);
        loop {
            let c = self.cell(i);
            // SAFETY: `cell` returns a cell of the mapping; there is always an empty one, so the loop ends.
            match unsafe { (*c).key } {
                EMPTY => return None,
                k if k == key => return Some(c),
                _ => i = i.wrapping_add(1),
            }
        }
    }

    /// What lies at `p`: any address of a segment of pages, but only the first of a huge object.
    pub fn get(&self, p: *const u8) -> Option<Outside> {
        let c = self.find(p as usize / SEGMENT)?;
        // SAFETY: `find` returns a live cell.
        match unsafe { (*c).bytes } {
            0 => Some(Outside::Pages),
            bytes if (p as usize).is_multiple_of(SEGMENT) => Some(Outside::Huge(bytes)),
            _ => None,
        }
    }

    /// What lies around `p`, wherever in it `p` is: where it begins, and the bytes of a huge object, or 0. Looks at all that
    /// there is.
    pub fn around(&self, p: *const u8) -> Option<(usize, usize)> {
        (0..self.capacity).find_map(|i| {
            // SAFETY: a cell of the mapping.
            let c = unsafe { *self.cell(i) };
            let start = c.key.checked_mul(SEGMENT)?;
            let inside = (p as usize).wrapping_sub(start) < c.bytes.max(SEGMENT);
            (c.key > DELETED && inside).then_some((start, c.bytes))
        })
    }

    /// Registers what begins at `p`, a multiple of a segment. False when there is no memory for the table.
    pub fn insert(&mut self, policy: &Policy, p: *const u8, what: Outside) -> bool {
        if (self.filled + 1) * 2 > self.capacity && !self.grow(policy) {
            return false;
        }
        self.put(
            p as usize / SEGMENT,
            match what {
                Outside::Pages => 0,
                Outside::Huge(b) => b,
            },
        );
        true
    }

    fn put(&mut self, key: usize, bytes: usize) {
        let mut i = hash(key);
        loop {
            let c = self.cell(i);
            // SAFETY: as in `find`.
            unsafe {
                if (*c).key <= DELETED {
                    self.filled += usize::from((*c).key == EMPTY);
                    self.live += 1;
                    *c = Cell { key, bytes };
                    return;
                }
            }
            i = i.wrapping_add(1);
        }
    }

    /// Forgets what begins at `p`.
    pub fn remove(&mut self, p: *const u8) {
        if let Some(c) = self.find(p as usize / SEGMENT) {
            // SAFETY: `find` returns a live cell.
            unsafe { *c = Cell { key: DELETED, bytes: 0 } };
            self.live -= 1;
        }
    }

    /// Calls `f` with the key and the bytes of every live cell.
    fn for_each(&self, mut f: impl FnMut(usize, usize)) {
        for i in 0..self.capacity {
            // SAFETY: a cell of the table.
            let c = unsafe { *self.cell(i) };
            if c.key > DELETED {
                f(c.key, c.bytes);
            }
        }
    }

    /// Calls `f` with every segment of pages.
    pub fn for_each_segment(&self, mut f: impl FnMut(*mut Segment)) {
        self.for_each(|key, bytes| {
            if bytes == 0 {
                f((key * SEGMENT) as *mut Segment);
            }
        });
    }

    /// Forgets everything, and unmaps the table.
    pub fn clear(&mut self) {
        let old = core::mem::replace(self, OutsideTable::EMPTY);
        if old.capacity > 0 {
            // SAFETY: the old table is no longer referred to.
            unsafe { os::unmap(old.cells.cast(), old.capacity * size_of::<Cell>()) };
        }
    }

    fn grow(&mut self, policy: &Policy) -> bool {
        let capacity = (self.live * 4).next_power_of_two().max(256);
        let bytes = capacity * size_of::<Cell>();
        let cells: *mut Cell = draw::map(policy, bytes, PAGE, Access::ReadWrite).cast();
        if cells.is_null() {
            return false;
        }
        let mut old = core::mem::replace(
            self,
            OutsideTable {
                cells,
                capacity,
                filled: 0,
                live: 0,
            },
        );
        old.for_each(|key, bytes| self.put(key, bytes));
        old.clear();
        true
    }
}

/// Fibonacci hashing: segment numbers are close to each other.
fn hash(key: usize) -> usize {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn agrees_with_a_map(ops in prop::collection::vec((0u8..3, 2usize..600, 1usize..9), 1..2000)) {
            let mut table = OutsideTable::EMPTY;
            let mut model = BTreeMap::new();
            for (op, key, bytes) in ops {
                let p = (key * SEGMENT) as *const u8;
                match op {
                    0 | 1 if !model.contains_key(&key) => {
                        let what = if op == 0 { Outside::Pages } else { Outside::Huge(bytes * SEGMENT) };
                        prop_assert!(table.insert(&Policy::default(), p, what));
                        model.insert(key, what);
                    }
                    _ => {
                        table.remove(p);
                        model.remove(&key);
                    }
                }
                prop_assert_eq!(table.len(), model.len());
            }
            for key in 2..600usize {
                prop_assert_eq!(table.get((key * SEGMENT) as *const u8), model.get(&key).copied());
                let inner = model.get(&key).copied().filter(|w| *w == Outside::Pages);
                prop_assert_eq!(table.get((key * SEGMENT + 64) as *const u8), inner);
                let holds = |(start, what): (&usize, &Outside)| match what {
                    Outside::Pages => *start == key,
                    Outside::Huge(bytes) => (*start..start + bytes / SEGMENT).contains(&key),
                };
                let known = model.iter().any(|(start, what)| holds((start, what)));
                prop_assert_eq!(table.around((key * SEGMENT + 64) as *const u8).is_some(), known);
            }
        }
    }
}
