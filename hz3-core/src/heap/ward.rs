//! The ward: freed objects above the largest class that are not served again for a while, and that nobody may touch meanwhile
//! (`hardening.quarantine_large`).
//!
//! To the heap such an object is in use as before: its pages, or its segments, are nobody else's. What was in them went to the kernel
//! when they were shut, so what waits here is address space, and no memory. (Locked memory stays, as the kernel keeps what is locked.)
//! Which object leaves for another one to come is drawn, so that nobody knows when an address is served again.

use super::chance::Dice;
use crate::os;
use crate::policy::Policy;
use crate::sync::Lock;
use core::cell::UnsafeCell;
use core::mem::offset_of;

/// Most objects in it.
const PLACES: usize = 128;
/// A single object takes no more than this part of its bytes.
const SHARE: usize = 4;

impl Policy {
    /// Whether a freed object of so many bytes, in pages of its own, waits before it is served again.
    #[inline]
    pub const fn keeps_large(&self, bytes: usize) -> bool {
        bytes <= self.hardening.quarantine_large / SHARE
    }
}

/// A freed object that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inmate {
    /// Where it begins.
    pub p: *mut u8,
    /// Its bytes, in whole pages.
    pub bytes: usize,
    /// How its pages were shut.
    pub way: os::guard::Guard,
}

/// What came of an object that was to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// It waits.
    Kept,
    /// It does so already.
    Twice,
    /// There is no room before this one is given back, which waits no more.
    Leaves(Inmate),
}

/// The freed objects of a variant that wait.
pub struct Ward {
    /// Guards all of it. Nobody who has it takes another one.
    pub lock: Lock,
    inner: UnsafeCell<Inner>,
}

// SAFETY: `inner` is only touched while `lock` is held.
unsafe impl Sync for Ward {}

struct Inner {
    bytes: usize,
    used: usize,
    /// What draws; 0 before it was seeded.
    dice: Dice,
    inmates: [Inmate; PLACES],
}

impl Inner {
    fn kept(&self) -> &[Inmate] {
        self.inmates.get(..self.used).unwrap_or(&self.inmates)
    }

    /// Takes one out, if there are any.
    fn draw(&mut self) -> Option<Inmate> {
        if self.dice.0 == 0 {
            self.dice.0 = os::secret_bits() | 1;
        }
        let last = self.used.checked_sub(1)?;
        let drawn = self.dice.below(self.used as u32) as usize;
        let moves = *self.inmates.get(last)?;
        let leaves = core::mem::replace(self.inmates.get_mut(drawn)?, moves);
        self.used = last;
        self.bytes -= leaves.bytes;
        Some(leaves)
    }
}

impl Ward {
    /// Where it says how many bytes wait.
    pub const BYTES: usize = offset_of!(Ward, inner) + offset_of!(Inner, bytes);

    /// Nothing waits.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        const NOBODY: Inmate = Inmate {
            p: core::ptr::null_mut(),
            bytes: 0,
            way: os::guard::Guard::Noted,
        };
        Ward {
            lock: Lock::new(),
            inner: UnsafeCell::new(Inner {
                bytes: 0,
                used: 0,
                dice: Dice(0),
                inmates: [NOBODY; PLACES],
            }),
        }
    }

    fn locked<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held, and `f`, which is of this file, does not come back here.
        f(unsafe { &mut *self.inner.get() })
    }

    /// Has a freed object wait, whose pages are shut. The policy keeps objects of its size.
    pub fn put(&self, policy: &Policy, comes: Inmate) -> Put {
        self.locked(|inner| {
            if inner.kept().iter().any(|inmate| inmate.p == comes.p) {
                return Put::Twice;
            }
            if (inner.bytes + comes.bytes > policy.hardening.quarantine_large || inner.used == PLACES)
                && let Some(leaves) = inner.draw()
            {
                return Put::Leaves(leaves);
            }
            if let Some(place) = inner.inmates.get_mut(inner.used) {
                *place = comes;
                inner.used += 1;
                inner.bytes += comes.bytes;
            }
            Put::Kept
        })
    }

    /// Takes one of the objects out, whichever.
    pub fn take(&self) -> Option<Inmate> {
        self.locked(Inner::draw)
    }

    /// Whether an object that begins there waits.
    pub fn has(&self, p: *const u8) -> bool {
        self.locked(|inner| inner.kept().iter().any(|inmate| core::ptr::eq(inmate.p, p)))
    }

    /// Bytes of the objects that wait.
    pub fn bytes(&self) -> usize {
        self.locked(|inner| inner.bytes)
    }

    /// The object that waits around an address. Waits for nobody, as it is for the handler of a fault: None if somebody holds the lock.
    pub fn around(&self, p: *const u8) -> Option<Inmate> {
        let _guard = self.lock.try_lock()?;
        // SAFETY: the lock is held.
        let inner = unsafe { &*self.inner.get() };
        let holds = |inmate: &&Inmate| p.addr().wrapping_sub(inmate.p.addr()) < inmate.bytes;
        inner.kept().iter().find(holds).copied()
    }

    /// This is the child of a fork, which draws otherwise than its parent. The lock is free.
    pub fn reset(&self) {
        self.locked(|inner| inner.dice = Dice(0));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::os::PAGE;
    use std::collections::BTreeSet;

    fn policy(bytes: usize) -> Policy {
        let mut policy = Policy::default();
        policy.hardening.quarantine_large = bytes;
        policy
    }

    fn inmate(n: usize, pages: usize) -> Inmate {
        Inmate {
            p: ((n + 1) << 24) as *mut u8,
            bytes: pages * PAGE,
            way: os::guard::Guard::Noted,
        }
    }

    /// Puts an object in, and returns those that left for it.
    fn put(ward: &Ward, policy: &Policy, comes: Inmate) -> std::vec::Vec<Inmate> {
        let mut left = std::vec::Vec::new();
        loop {
            match ward.put(policy, comes) {
                Put::Kept => return left,
                Put::Leaves(inmate) => left.push(inmate),
                Put::Twice => panic!("it was not there"),
            }
        }
    }

    #[test]
    fn what_came_and_has_not_left_waits() {
        let (ward, policy) = (Ward::new(), policy(100 * PAGE));
        let mut model = BTreeSet::new();
        for n in 0..1000 {
            let comes = inmate(n, n * 7 % 25 + 1);
            assert!(policy.keeps_large(comes.bytes));
            for left in put(&ward, &policy, comes) {
                assert!(model.remove(&(left.p, left.bytes)), "it left twice, or never came");
            }
            model.insert((comes.p, comes.bytes));
            let bytes: usize = model.iter().map(|(_, bytes)| bytes).sum();
            assert_eq!(ward.bytes(), bytes);
            assert!(bytes <= 100 * PAGE && bytes > 50 * PAGE || n < 20);
            for (p, bytes) in &model {
                assert!(ward.has(*p) && !ward.has(p.wrapping_add(1)));
                let around = [0, 1, bytes - 1].map(|at| ward.around(p.wrapping_add(at)).map(|inmate| inmate.p));
                assert_eq!(around, [Some(*p); 3]);
                assert_eq!(ward.around(p.wrapping_add(*bytes)), None);
            }
        }
        while let Some(left) = ward.take() {
            assert!(model.remove(&(left.p, left.bytes)));
        }
        assert!(model.is_empty() && ward.bytes() == 0);
    }

    #[test]
    fn small_ones_are_bounded_by_number() {
        let (ward, policy) = (Ward::new(), policy(1 << 40));
        let left: usize = (0..3 * PLACES).map(|n| put(&ward, &policy, inmate(n, 1)).len()).sum();
        assert_eq!((left, ward.bytes()), (2 * PLACES, PLACES * PAGE));
    }

    #[test]
    fn nothing_waits_twice() {
        let (ward, policy) = (Ward::new(), policy(100 * PAGE));
        assert_eq!(ward.put(&policy, inmate(1, 2)), Put::Kept);
        assert_eq!(ward.put(&policy, inmate(1, 2)), Put::Twice);
    }

    #[test]
    fn without_the_key_nothing_is_kept() {
        assert!(!policy(0).keeps_large(PAGE));
        assert!(policy(4 * PAGE).keeps_large(PAGE) && !policy(4 * PAGE).keeps_large(2 * PAGE));
    }
}
