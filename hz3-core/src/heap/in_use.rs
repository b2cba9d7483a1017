//! Which objects the program has: a bit for each address at which an object can begin, wherever it lies.
//!
//! A bit is set when an object leaves for the program, and cleared when it comes back, both by one atomic operation, or plainly as long
//! as the process has one thread. So of two threads that free one object one finds the bit cleared; and a pointer into the middle of an
//! object, or to one that was never handed out, has no bit.
//!
//! ```text
//! address  11 bits │ 11 bits │ 21 bits │ 4 bits
//!          realm   │ region  │ bit     │ 0
//! ```
//!
//! The table of realms is a static. A realm of 64 GiB has a table of its regions, and a region of 32 MiB its bits, 256 KiB: both are
//! mapped when an object first begins there, and stay as long as the process. Of the bits only those pages are backed that cover
//! objects, a 128th of their memory. (Longer regions would take a table less, but a process that locks its memory has all of it.)
//! Where there was no memory for bits, objects without any are taken for ones in use.

use super::draw;
use crate::os::{self, Access, PAGE, glibc};
use crate::policy::Policy;
use crate::policy::agreed::{ADDRESS_BITS, GRANULE};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

const BITS: usize = u64::BITS as usize;
const REGION_SHIFT: u32 = 25;
const REGION: usize = 1 << REGION_SHIFT;
const REALM_SHIFT: u32 = (ADDRESS_BITS + REGION_SHIFT) / 2;
const REGIONS: usize = 1 << (REALM_SHIFT - REGION_SHIFT);
const REALMS: usize = 1 << (ADDRESS_BITS - REALM_SHIFT);
const WORDS: usize = REGION / GRANULE / BITS;

/// The bits of a region.
struct Bits([AtomicU64; WORDS]);

/// The regions of a realm.
struct Realm([AtomicPtr<Bits>; REGIONS]);

/// Which objects the program has.
pub struct InUse {
    realms: [AtomicPtr<Realm>; REALMS],
    bytes: AtomicUsize,
    /// Whether there was no memory for bits, so that some are missing.
    missing: AtomicBool,
}

/// The word of an address, and its bit in it.
fn place(bits: &Bits, p: *const u8) -> (&AtomicU64, u64) {
    let granule = (p as usize % REGION) / GRANULE;
    let word = granule / BITS;
    // SAFETY: a granule of a region has its bit among its words.
    (unsafe { bits.0.get_unchecked(word) }, 1 << (granule % BITS))
}

/// Changes a word; `plainly` if the process has one thread, so that nobody else can meanwhile: whoever starts the second one does not do
/// so here. (The helper thread, of which the C library does not know, has no objects.) Returns what the word was.
#[inline(always)]
fn change(word: &AtomicU64, plainly: impl FnOnce(u64) -> u64, atomically: impl FnOnce(&AtomicU64) -> u64) -> u64 {
    if glibc::single_threaded() == Some(true) {
        let old = word.load(Ordering::Relaxed);
        word.store(plainly(old), Ordering::Relaxed);
        old
    } else {
        atomically(word)
    }
}

impl InUse {
    /// No objects.
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        InUse {
            realms: [const { AtomicPtr::new(ptr::null_mut()) }; REALMS],
            bytes: AtomicUsize::new(0),
            missing: AtomicBool::new(false),
        }
    }

    /// Bytes of address space that the bits take.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The bits of the region of `p`, if anything ever began there.
    #[inline(always)]
    fn bits(&self, p: *const u8) -> Option<&Bits> {
        let realm = self.realms.get(p as usize >> REALM_SHIFT)?.load(Ordering::Acquire);
        // SAFETY: what a table points to was mapped, and stays.
        let realm = unsafe { realm.as_ref() }?;
        let bits = realm
            .0
            .get((p as usize >> REGION_SHIFT) % REGIONS)?
            .load(Ordering::Acquire);
        // SAFETY: as above.
        unsafe { bits.as_ref() }
    }

    /// The program gets the object at `p`.
    #[inline(always)]
    pub fn begins(&self, policy: &Policy, p: *const u8) {
        match self.bits(p).or_else(|| self.open(policy, p)) {
            Some(bits) => {
                let (word, bit) = place(bits, p);
                // Whoever finds the bit finds what the object has on, too.
                change(word, |old| old | bit, |word| word.fetch_or(bit, Ordering::Release));
            }
            None => self.missing.store(true, Ordering::Relaxed),
        }
    }

    /// The program gives the object at `p` back. False if it does not have one there.
    #[inline(always)]
    pub fn ends(&self, p: *const u8) -> bool {
        self.look(p, |word, bit| {
            change(word, |old| old & !bit, |word| word.fetch_and(!bit, Ordering::Relaxed))
        })
    }

    /// Whether the program has an object at `p`.
    #[inline(always)]
    pub fn has(&self, p: *const u8) -> bool {
        self.look(p, |word, _| word.load(Ordering::Relaxed))
    }

    /// Whether the program has an object at `p` for certain, bits or none. `p` is a multiple of 16.
    #[inline(always)]
    pub fn surely_has(&self, p: *const u8) -> bool {
        self.bits(p).is_some_and(|bits| {
            let (word, bit) = place(bits, p);
            word.load(Ordering::Acquire) & bit != 0
        })
    }

    /// Whether the bit of `p` is set in what `ask` gives of its word.
    #[inline(always)]
    fn look(&self, p: *const u8, ask: impl FnOnce(&AtomicU64, u64) -> u64) -> bool {
        if !(p as usize).is_multiple_of(GRANULE) {
            return false;
        }
        let Some(bits) = self.bits(p) else {
            return self.is_missing();
        };
        let (word, bit) = place(bits, p);
        ask(word, bit) & bit != 0
    }

    /// Whether what has no bits may be in use for all that is known.
    #[cold]
    fn is_missing(&self) -> bool {
        self.missing.load(Ordering::Relaxed)
    }

    /// Maps what is missing for the region of `p`.
    #[cold]
    #[inline(never)]
    fn open(&self, policy: &Policy, p: *const u8) -> Option<&Bits> {
        let realm = self.grow(policy, self.realms.get(p as usize >> REALM_SHIFT)?)?;
        self.grow(policy, realm.0.get((p as usize >> REGION_SHIFT) % REGIONS)?)
    }

    /// What a cell of a table points to, which is mapped if it points to nothing.
    fn grow<T>(&self, policy: &Policy, cell: &AtomicPtr<T>) -> Option<&T> {
        let mut at = cell.load(Ordering::Acquire);
        if at.is_null() {
            let fresh: *mut T = draw::map(policy, size_of::<T>(), PAGE, Access::Uncounted).cast();
            if fresh.is_null() {
                return None;
            }
            at = match cell.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.bytes.fetch_add(size_of::<T>(), Ordering::Relaxed);
                    fresh
                }
                // Another thread was first.
                Err(theirs) => {
                    // SAFETY: the mapping was just made, and nobody knows it.
                    unsafe { os::unmap(fresh.cast(), size_of::<T>()) };
                    theirs
                }
            };
        }
        // SAFETY: it is mapped, holds zeroes, pointers or bits, and stays.
        Some(unsafe { &*at })
    }

    /// Unmaps everything.
    ///
    /// # Safety
    /// Nobody uses the bits, now or later.
    pub unsafe fn unmap(&self) {
        for realm in &self.realms {
            let at = realm.swap(ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: what a table points to was mapped, and is the caller's alone.
            let Some(table) = (unsafe { at.as_ref() }) else {
                continue;
            };
            for bits in &table.0 {
                let bits = bits.load(Ordering::Relaxed);
                if !bits.is_null() {
                    // SAFETY: as above.
                    unsafe { os::unmap(bits.cast(), size_of::<Bits>()) };
                }
            }
            // SAFETY: as above.
            unsafe { os::unmap(at.cast(), size_of::<Realm>()) };
        }
        self.bytes.store(0, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::boxed::Box;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    /// Nothing is drawn.
    fn policy() -> Policy {
        Policy::default()
    }

    fn empty() -> Box<InUse> {
        Box::new(InUse::new())
    }

    proptest! {
        /// As a set of addresses would be, in any order, wherever they lie.
        #[test]
        fn is_a_set_of_addresses(
            steps in prop::collection::vec((0usize..3, 0usize..4, 0usize..6, 0usize..40), 0..400),
        ) {
            let (in_use, mut model) = (empty(), BTreeSet::new());
            for (what, region, segment, granule) in steps {
                let bases = [0, 1 << REALM_SHIFT, (1 << ADDRESS_BITS) - 3 * REGION, 0x7f00_0000_0000];
                // Multiples of a granule, and addresses between them.
                let p = (bases[region] + segment * REGION / 2 + granule * GRANULE / 2) as *const u8;
                let at_granule = (p as usize).is_multiple_of(GRANULE);
                match what {
                    0 if at_granule => {
                        in_use.begins(&policy(), p);
                        model.insert(p);
                    }
                    1 => prop_assert_eq!(in_use.ends(p), model.remove(&p)),
                    _ => prop_assert_eq!(in_use.has(p), model.contains(&p)),
                }
            }
            // SAFETY: the table is this test's.
            unsafe { in_use.unmap() };
            prop_assert_eq!(in_use.bytes(), 0);
        }
    }

    #[test]
    fn addresses_of_no_process_are_not_in_use() {
        let in_use = empty();
        for p in [usize::MAX & !15, 1 << ADDRESS_BITS] {
            assert!(!in_use.has(p as *const u8) && !in_use.ends(p as *const u8));
        }
    }

    #[test]
    fn of_threads_that_end_one_object_one_succeeds() {
        let in_use = empty();
        let objects: Vec<usize> = (0..4000).map(|i| 0x7000_0000_0000 + i * 48).collect();
        for &p in &objects {
            in_use.begins(&policy(), p as *const u8);
        }
        let ended: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| objects.iter().filter(|&&p| in_use.ends(p as *const u8)).count()))
                .collect();
            threads.into_iter().map(|t| t.join().expect("no panic")).sum()
        });
        assert_eq!(ended, objects.len());
        // SAFETY: the table is this test's.
        unsafe { in_use.unmap() };
    }

    #[test]
    fn without_memory_for_bits_nothing_is_wrong() {
        let (in_use, p) = (empty(), 0x7000_0000_0000 as *const u8);
        crate::os::refuse::calls(0, 2);
        in_use.begins(&policy(), p);
        crate::os::refuse::calls(0, 0);
        assert!(in_use.has(p) && in_use.ends(p) && in_use.bytes() == 0);
    }
}
