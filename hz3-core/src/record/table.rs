//! A hash table of small entries in memory of its own, straight from the kernel: it can be used in the middle of `malloc`.

use crate::os::{self, Access, PAGE};
use crate::sync::{AtomicUsize, Ordering};
use core::ptr;

/// What a table holds. All zero is the empty entry, and no other counts as empty.
pub trait Entry: Copy + PartialEq {
    /// Whether nothing is in this place.
    fn is_empty(&self) -> bool;
    /// A number that differs in all its bits where keys differ.
    fn hash(&self) -> u64;
    /// Whether it has the same key.
    fn is_of(&self, key: &Self) -> bool;
}

/// Mixes the bits of a key.
pub fn mixed(mut n: u64) -> u64 {
    n ^= n >> 33;
    n = n.wrapping_mul(0xff51_afd7_ed55_8ccd);
    n ^= n >> 33;
    n = n.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    n ^ n >> 33
}

/// The bytes that the tables of one recorder may have together.
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// Nothing is used yet.
    #[cfg(not(loom))]
    pub const fn new(limit: usize) -> Self {
        Budget {
            limit,
            used: AtomicUsize::new(0),
        }
    }

    /// Bytes that are used.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// What was taken is lost.
    pub fn forget(&self) {
        self.used.store(0, Ordering::Relaxed);
    }

    /// Fresh memory, if there is room in the budget and the kernel has some; null if not.
    fn map(&self, bytes: usize) -> *mut u8 {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used <= self.limit {
            let p = os::map(0, bytes, Access::ReadWrite);
            if !p.is_null() {
                return p;
            }
        }
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        ptr::null_mut()
    }

    /// Gives memory back.
    ///
    /// # Safety
    /// It came from `map`, with so many bytes, and nobody uses it any more.
    unsafe fn unmap(&self, p: *mut u8, bytes: usize) {
        // SAFETY: nobody uses the mapping.
        unsafe { os::unmap(p, bytes) };
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Open addressing with steps of one; a power of two of places, of which three quarters are in use at most, or seven eighths
/// where it may not grow. All zero is a table without entries.
pub struct Table<E> {
    places: *mut E,
    /// Places.
    count: usize,
    used: usize,
}

// SAFETY: what it points to is its own.
unsafe impl<E: Send> Send for Table<E> {}

/// There was no room for an entry.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl<E: Entry> Table<E> {
    /// A table without entries, which has no memory.
    pub const NEW: Self = Table {
        places: ptr::null_mut(),
        count: 0,
        used: 0,
    };

    /// Places of a new table: those of a page.
    const FIRST: usize = {
        let most = PAGE / size_of::<E>();
        1 << most.ilog2()
    };

    fn bytes(count: usize) -> usize {
        (count * size_of::<E>()).next_multiple_of(PAGE)
    }

    /// Entries.
    #[cfg(all(test, not(loom)))]
    pub fn len(&self) -> usize {
        self.used
    }

    /// The entry at a place.
    fn at(&mut self, place: usize) -> &mut E {
        debug_assert!(place < self.count);
        // SAFETY: callers pass places below `count`, which the mapping has; it is this table's alone, and zeroes are an entry.
        unsafe { &mut *self.places.add(place) }
    }

    /// Where the key's entry is, or would be. The table has memory, and a place that is empty.
    fn place(&mut self, key: &E) -> usize {
        let mask = self.count - 1;
        let mut place = key.hash() as usize & mask;
        loop {
            let entry = self.at(place);
            if entry.is_empty() || entry.is_of(key) {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    /// The entry of a key, if there is one.
    pub fn get(&mut self, key: &E) -> Option<&mut E> {
        if self.count == 0 {
            return None;
        }
        let place = self.place(key);
        Some(self.at(place)).filter(|entry| !entry.is_empty())
    }

    /// The entry of a key, which is put there if it is not there yet.
    ///
    /// # Errors
    /// If it is not there, and there is no room for it.
    pub fn entry(&mut self, key: &E, budget: &Budget) -> Result<&mut E, Full> {
        if self.used * 4 >= self.count * 3 && !self.grow(budget) && self.used * 8 >= self.count * 7 {
            return self.get(key).ok_or(Full);
        }
        let place = self.place(key);
        if self.at(place).is_empty() {
            *self.at(place) = *key;
            self.used += 1;
        }
        Ok(self.at(place))
    }

    /// Takes the entry of a key out. A table that became mostly empty gives half of its memory back.
    pub fn remove(&mut self, key: &E, budget: &Budget) -> Option<E> {
        if self.count == 0 {
            return None;
        }
        let mask = self.count - 1;
        let mut hole = self.place(key);
        let found = *self.at(hole);
        if found.is_empty() {
            return None;
        }
        self.used -= 1;
        // What comes behind and was put there because this place was taken moves up, so that it is still found.
        let mut place = hole;
        loop {
            place = (place + 1) & mask;
            let entry = *self.at(place);
            if entry.is_empty() {
                break;
            }
            let home = entry.hash() as usize & mask;
            if place.wrapping_sub(home) & mask >= place.wrapping_sub(hole) & mask {
                *self.at(hole) = entry;
                hole = place;
            }
        }
        // SAFETY: zeroes are the empty entry.
        *self.at(hole) = unsafe { core::mem::zeroed() };
        if self.used * 8 < self.count && self.count > Self::FIRST {
            self.resize(self.count / 2, budget);
        }
        Some(found)
    }

    /// Twice as many places. False if there is no room for them.
    fn grow(&mut self, budget: &Budget) -> bool {
        self.resize(if self.count == 0 { Self::FIRST } else { self.count * 2 }, budget)
    }

    /// So many places, which are enough. False if there is no room for them.
    fn resize(&mut self, count: usize, budget: &Budget) -> bool {
        let places = budget.map(Self::bytes(count));
        if places.is_null() {
            return false;
        }
        let mut larger = Table {
            places: places.cast(),
            count,
            used: self.used,
        };
        self.each(|entry| {
            let place = larger.place(entry);
            *larger.at(place) = *entry;
        });
        self.clear(budget);
        *self = larger;
        true
    }

    /// Calls `f` with every entry.
    pub fn each(&mut self, mut f: impl FnMut(&E)) {
        for place in 0..self.count {
            let entry = self.at(place);
            if !entry.is_empty() {
                f(entry);
            }
        }
    }

    /// Takes everything out, and gives the memory back.
    pub fn clear(&mut self, budget: &Budget) {
        if self.count > 0 {
            // SAFETY: the mapping was made at this size, and is this table's alone.
            unsafe { budget.unmap(self.places.cast(), Self::bytes(self.count)) };
        }
        *self = Self::NEW;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Pair(u64, u64);

    impl Entry for Pair {
        fn is_empty(&self) -> bool {
            self.0 == 0
        }
        // Bad on purpose: many meet.
        fn hash(&self) -> u64 {
            self.0 / 4
        }
        fn is_of(&self, key: &Self) -> bool {
            self.0 == key.0
        }
    }

    #[test]
    fn is_a_map() {
        let budget = Budget::new(1 << 20);
        let (mut table, mut model) = (Table::<Pair>::NEW, BTreeMap::new());
        let mut random = 1u64;
        for n in 0..60_000u64 {
            random = mixed(random + n);
            let key = random % 3000 + 1;
            if random >> 60 < 9 {
                table.entry(&Pair(key, 0), &budget).expect("room").1 = n;
                model.insert(key, n);
            } else {
                assert_eq!(table.remove(&Pair(key, 0), &budget).map(|e| e.1), model.remove(&key));
            }
            let key = random / 3000 % 3000 + 1;
            assert_eq!(table.get(&Pair(key, 0)).map(|e| e.1), model.get(&key).copied());
            assert_eq!(table.len(), model.len());
        }
        let mut all = BTreeMap::new();
        table.each(|e| assert_eq!(all.insert(e.0, e.1), None));
        assert_eq!(all, model);
        table.clear(&budget);
        assert_eq!((table.len(), budget.used.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn memory_comes_and_goes_with_the_entries() {
        let budget = Budget::new(1 << 24);
        let mut table = Table::<Pair>::NEW;
        for n in 1..=2000 {
            table.entry(&Pair(n * 4, n), &budget).expect("room");
        }
        let full = budget.used();
        for n in 1..=2000 {
            assert_eq!(table.remove(&Pair(n * 4, 0), &budget).map(|e| e.1), Some(n));
        }
        assert!(
            full >= 2000 * 16 && budget.used() == PAGE,
            "{} of {full}",
            budget.used()
        );
        table.clear(&budget);
    }

    #[test]
    fn a_budget_is_kept_and_what_is_there_stays() {
        // A first table of one page, and one of two: while it grows both are there.
        let budget = Budget::new(3 * PAGE);
        let mut table = Table::<Pair>::NEW;
        let mut put = 0;
        while table.entry(&Pair(put + 1, put), &budget).is_ok() {
            put += 1;
            assert!(put < 10_000);
        }
        assert!(budget.used.load(Ordering::Relaxed) <= 3 * PAGE);
        assert_eq!(put, 2 * PAGE as u64 / 16 * 7 / 8);
        assert!((0..put).all(|n| table.get(&Pair(n + 1, 0)).is_some_and(|e| e.1 == n)));
        assert_eq!(table.entry(&Pair(1, 0), &budget).map(|e| e.1), Ok(0));
        assert!(table.remove(&Pair(1, 0), &budget).is_some() && table.entry(&Pair(put + 1, 0), &budget).is_ok());
        table.clear(&budget);
        let none = Budget::new(0);
        assert_eq!(table.entry(&Pair(1, 0), &none).map(|e| e.1), Err(Full));
    }
}
