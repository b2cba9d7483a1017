//! Size classes.

/// One size class, as the events need it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Class {
    /// 2^64 / `size`, rounded up: see [`index_at`](Class::index_at).
    pub inverse: u64,
    /// Bytes of an object.
    pub size: u32,
    /// Alignment of every object, bytes.
    pub align: u32,
    /// Pages of a run.
    pub run_pages: u16,
    /// Objects of a full-length run.
    pub objects: u16,
    /// Objects of a full batch.
    pub batch: u16,
    /// Objects of a new thread's first batch.
    pub batch_first: u16,
    /// Objects that a thread's list may hold at most, where they come and go in bursts; at least a batch.
    pub burst: u16,
    /// Objects that one trip to the runs takes at most.
    pub batch_carve: u16,
    /// Next larger classes that may serve before the heap grows.
    pub borrow: u16,
    /// Colours: a run's first object is shifted by (0..colors) × [`COLOR_STEP`](super::agreed::COLOR_STEP) bytes.
    pub colors: u16,
    /// Batches that the depot of this class may hold.
    pub depot: u16,
}

impl Class {
    /// The number of the object that begins so many bytes behind the first one of a run; None if none begins there.
    ///
    /// An exact division without one: with `inverse` = ⌈2^64 / size⌉ the product is offset / size in its upper half, and its lower
    /// half is below `inverse` if nothing remains (Lemire, Kaser and Kurz, "Faster remainder by direct computation"; both hold for
    /// all numbers of 32 bits).
    #[inline]
    pub const fn index_at(&self, offset: u32) -> Option<u32> {
        let product = self.inverse as u128 * offset as u128;
        if (product as u64) < self.inverse {
            Some((product >> 64) as u32)
        } else {
            None
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn of(size: u32) -> Class {
        Class {
            inverse: u64::MAX / u64::from(size) + 1,
            size,
            align: 16,
            run_pages: 1,
            objects: 1,
            batch: 1,
            batch_first: 1,
            burst: 1,
            batch_carve: 1,
            borrow: 0,
            colors: 1,
            depot: 1,
        }
    }

    #[test]
    fn objects_are_numbered_as_division_would() {
        for size in (16..=1 << 20).step_by(16).filter(|s| s % 4096 == 0 || *s < 40_000) {
            let class = of(size);
            // The largest offset in a segment is below 2^21; others may come of wrong pointers.
            let near = (0..40).map(|n| n * size);
            let far = [(1 << 21) / size * size, u32::MAX / size * size];
            for at in near.chain(far) {
                assert_eq!(class.index_at(at), Some(at / size), "{at} of {size}");
                for wrong in [1, 8, 15, size / 2, size - 1] {
                    let beyond = at.checked_add(wrong).filter(|b| b % size != 0);
                    assert!(
                        beyond.is_none_or(|b| class.index_at(b).is_none()),
                        "{at} + {wrong} of {size}"
                    );
                }
            }
        }
    }
}
