//! A hash index over entries that lie densely elsewhere, and are never taken out.

/// Places of a new index; a power of two.
const FIRST: usize = 512;

/// Numbers of entries by hash: open addressing with steps of one, at most half full. It grows within its own memory.
pub(super) struct Index {
    /// One past the number of an entry; 0 is free.
    places: *mut u32,
    /// Places in use, less one; they are a power of two. 0 before the first entry.
    mask: usize,
    /// Places that there is memory for; a power of two.
    room: usize,
    entries: usize,
}

impl Index {
    pub(super) const NONE: Index = Index {
        places: core::ptr::null_mut(),
        mask: 0,
        room: 0,
        entries: 0,
    };

    /// An empty index.
    ///
    /// # Safety
    /// `places` has memory of zeroes for `room` places, a power of two, which is the index's alone.
    pub(super) unsafe fn new(places: *mut u32, room: usize) -> Index {
        Index {
            places,
            mask: FIRST.min(room) - 1,
            room,
            entries: 0,
        }
    }

    /// Entries.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// The number of the entry with this hash that `is` takes, or what `Err` says: the number of the next entry, which the
    /// caller may add with [`add`](Self::add).
    pub(super) fn find(&self, hash: u64, is: impl Fn(usize) -> bool) -> Option<usize> {
        if self.places.is_null() {
            return None;
        }
        let mut at = hash as usize & self.mask;
        loop {
            // SAFETY: masked, so within the memory that `new` was given.
            match unsafe { *self.places.add(at) } {
                0 => return None,
                entry if is(entry as usize - 1) => return Some(entry as usize - 1),
                _ => at = (at + 1) & self.mask,
            }
        }
    }

    /// Adds the entry whose number is [`len`](Self::len). False if there is no room. `hash_of` tells the hash of any entry
    /// that was added before.
    pub(super) fn add(&mut self, hash: u64, hash_of: impl Fn(usize) -> u64) -> bool {
        if (self.entries + 1) * 2 > self.mask + 1 {
            if self.mask + 1 >= self.room {
                return false;
            }
            self.mask = self.mask * 2 + 1;
            // SAFETY: the memory of so many places is this index's.
            unsafe { core::ptr::write_bytes(self.places, 0, self.mask + 1) };
            for entry in 0..self.entries {
                self.put(hash_of(entry), entry);
            }
        }
        self.put(hash, self.entries);
        self.entries += 1;
        true
    }

    fn put(&mut self, hash: u64, entry: usize) {
        let mut at = hash as usize & self.mask;
        // SAFETY: masked, as in `find`; half of the places are free, so the search ends.
        unsafe {
            while *self.places.add(at) != 0 {
                at = (at + 1) & self.mask;
            }
            *self.places.add(at) = entry as u32 + 1;
        }
    }
}

/// Mixes the bits of a word.
pub(super) fn mixed(mut n: u64) -> u64 {
    n ^= n >> 33;
    n = n.wrapping_mul(0xff51_afd7_ed55_8ccd);
    n ^= n >> 33;
    n = n.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    n ^ n >> 33
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_added_and_grows() {
        let mut memory = std::vec![0u32; 4096];
        // SAFETY: the memory is the index's alone, and outlives it.
        let mut index = unsafe { Index::new(memory.as_mut_ptr(), 4096) };
        let hash = |n: usize| mixed(n as u64 % 700);
        for n in 0..2048 {
            assert_eq!(index.find(hash(n), |e| e == n), None);
            assert!(index.add(hash(n), hash), "{n}");
            assert_eq!(index.find(hash(n), |e| e == n), Some(n));
        }
        assert!(!index.add(hash(2048), hash), "it is half full");
        assert_eq!(index.len(), 2048);
        assert!((0..2048).all(|n| index.find(hash(n), |e| e == n) == Some(n)));
        assert_eq!(Index::NONE.find(1, |_| true), None);
    }
}
