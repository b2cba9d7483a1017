//! Limits: how many bytes the heap may have.
//!
//! What counts is what the heap has *committed*: every page that may hold something, by what the heap knows. These are the
//! headers of segments, the pages of runs and of large objects, touched or not, and free pages that are still backed. Pages
//! that were never used, or that the kernel got back, do not count, nor do tables, blocks of threads, or what the program has
//! by other ways.
//!
//! Above the soft limit requests first go through all that [pressure](super::pressure) does, and when it is near nothing that is
//! free stays backed. Above the hard limit there is no memory. Both are asked where pages are taken, for the holder of the
//! heap's lock.

use super::segment::{HEADER_PAGES, SEGMENT};
use super::{Heap, PageHeap, Reach, Reliefs, Waiting};
use crate::os::{PAGE, cgroup::Group};
use crate::policy::Policy;
use crate::sync::Ordering;
use core::num::NonZeroUsize;

/// What part of the soft limit is near it.
const NEAR: usize = 16;
/// What part of a limit is made free at once, at least, where it was hit.
const STEP: usize = 64;
/// Backed free pages that stay all the same: giving back fewer costs more than they are.
const FEW: usize = 16;

/// A soft limit and a hard one, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Where requests become slower.
    pub soft: Limit,
    /// Where they fail.
    pub hard: Limit,
}

/// Bytes, or no limit, which is all zero.
pub type Limit = Option<NonZeroUsize>;

/// What is reached first.
fn narrower(one: Limit, other: Limit) -> Limit {
    [one, other].into_iter().flatten().min()
}

impl Bounds {
    /// None.
    pub const NONE: Bounds = Bounds { soft: None, hard: None };

    /// Of two numbers of which 0 is none.
    pub const fn of(soft: usize, hard: usize) -> Bounds {
        Bounds {
            soft: NonZeroUsize::new(soft),
            hard: NonZeroUsize::new(hard),
        }
    }

    /// Those of a control group. The group has more than this heap: a sixteenth is left for that, and as much again for the soft
    /// limit.
    pub fn of_group(group: Group) -> Bounds {
        // A limit of nothing is one all the same.
        let limit = |bytes: u64| NonZeroUsize::new(usize::try_from(bytes).unwrap_or(usize::MAX).max(1));
        let less = |part: u64| group.max.and_then(|bytes| limit(bytes - bytes / part));
        Bounds {
            soft: narrower(group.high.and_then(limit), less(NEAR as u64 / 2)),
            hard: less(NEAR as u64),
        }
    }

    fn narrower(self, other: Bounds) -> Bounds {
        Bounds {
            soft: narrower(self.soft, other.soft),
            hard: narrower(self.hard, other.hard),
        }
    }

    /// What a request may reach that goes so far.
    fn cap(self, reach: Reach) -> Limit {
        match reach {
            Reach::Held | Reach::Segments | Reach::Budget => narrower(self.soft, self.hard),
            Reach::Arena | Reach::System => self.hard,
        }
    }
}

/// The limits of a heap.
pub struct Limits {
    /// What the policy or the program says.
    fixed: Bounds,
    /// What the control group says.
    group: Bounds,
    /// What holds.
    pub now: Bounds,
    /// What holds for the request that is served.
    cap: Limit,
    /// A request was refused for it.
    refused: bool,
}

impl Limits {
    /// None.
    pub const NONE: Limits = Limits {
        fixed: Bounds::NONE,
        group: Bounds::NONE,
        now: Bounds::NONE,
        cap: None,
        refused: false,
    };
}

impl PageHeap {
    /// Bytes that count.
    pub fn committed(&self) -> usize {
        let pages = self.segments * SEGMENT - (self.free_pages - self.dirty_pages) * PAGE;
        pages + self.huge_bytes + self.huge_dirty + self.outside_huge
    }

    /// How many bytes are missing below a limit for a request of so many; 0 if there is room.
    fn missing(&self, reach: Reach, bytes: usize) -> usize {
        let wanted = self.committed().saturating_add(bytes);
        self.limits
            .now
            .cap(reach)
            .map_or(0, |cap| wanted.saturating_sub(cap.get()))
    }

    /// From here on pages are taken for a request that goes so far.
    #[inline]
    pub(super) fn request(&mut self, reach: Reach) {
        self.limits.cap = self.limits.now.cap(reach);
        self.limits.refused = false;
    }

    /// Whether so many bytes more may be committed for it.
    #[inline]
    pub(super) fn allows(&mut self, bytes: usize) -> bool {
        match self.limits.cap {
            Some(cap) if bytes > 0 => self.fits(bytes, cap.get()),
            _ => true,
        }
    }

    #[cold]
    fn fits(&mut self, bytes: usize, cap: usize) -> bool {
        let fits = self.committed().saturating_add(bytes) <= cap;
        self.limits.refused |= !fits;
        fits
    }

    /// Whether something was refused since the request began.
    #[inline]
    pub(super) fn was_refused(&self) -> bool {
        self.limits.refused
    }

    /// Whether nothing that is free had better stay backed.
    #[inline]
    pub(super) fn is_near_limit(&self) -> bool {
        let limit = self.limits.now.cap(Reach::Budget).map(NonZeroUsize::get);
        limit.is_some_and(|limit| self.committed() > limit - limit / NEAR)
    }

    /// Pages that are to go for that; None where no limit is near.
    #[inline]
    pub(super) fn excess_near_limit(&self) -> Option<usize> {
        (self.is_near_limit() && self.dirty_pages >= FEW).then_some(self.dirty_pages)
    }
}

impl Heap {
    /// Sets what the program or the policy says, or what the control group says; what is None stays. Returns what holds now.
    pub fn set_limits(&self, fixed: Option<Bounds>, group: Option<Bounds>) -> Bounds {
        let now = self.locked(|h| {
            let limits = &mut h.limits;
            limits.fixed = fixed.unwrap_or(limits.fixed);
            limits.group = group.unwrap_or(limits.group);
            limits.now = limits.fixed.narrower(limits.group);
            limits.now
        });
        self.pressure
            .limited
            .store(u32::from(now != Bounds::NONE), Ordering::Relaxed);
        now
    }

    /// Whether there is a limit, as of a moment ago.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.pressure.limited.load(Ordering::Relaxed) != 0
    }

    /// Whether nothing that is free had better stay backed, as far as that can be told without waiting.
    pub(super) fn is_pressed(&self) -> bool {
        self.is_limited() && self.try_locked(|h| h.is_near_limit()).unwrap_or(false)
    }

    /// Whether so many bytes are more than the hard limit, whatever is given back.
    pub fn is_beyond_limit(&self, bytes: usize) -> bool {
        self.locked(|h| h.limits.now.hard.is_some_and(|hard| bytes > hard.get()))
    }

    /// How many bytes are missing below a limit for a request of so many; 0 if there is room.
    pub fn missing(&self, reach: Reach, bytes: usize) -> usize {
        self.locked(|h| h.missing(reach, bytes))
    }

    /// A request of so many bytes found nothing. If that was for a limit, gives free pages back to the kernel, as many as are
    /// missing and some more. Returns whether any went.
    #[cold]
    pub(super) fn makes_room(&self, policy: &Policy, reach: Reach, bytes: usize) -> bool {
        // A new segment has a header besides.
        let bytes = bytes.saturating_add(HEADER_PAGES * PAGE);
        if !self.is_limited() || self.missing(reach, bytes) == 0 {
            return false;
        }
        let soft = !matches!(reach, Reach::Arena | Reach::System);
        self.pressure.count(Reliefs {
            soft_limits: u64::from(soft),
            hard_limits: u64::from(!soft),
            ..Reliefs::default()
        });
        let recalled = self.recall_all();
        self.locked(|h| h.spare_nothing(policy));
        let over = |h: &mut PageHeap| {
            let step = h.limits.now.cap(reach).map_or(0, |cap| cap.get() / STEP);
            h.missing(reach, bytes.saturating_add(step))
        };
        let given = self.purge_while(&Waiting, policy, u64::MAX, false, &mut |h| over(h).div_ceil(PAGE));
        let more = if self.locked(over) > 0 {
            self.purge_huge(None)
        } else {
            0
        };
        recalled || given + more > 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn bytes(bounds: Bounds) -> (usize, usize) {
        let number = |limit: Limit| limit.map_or(0, NonZeroUsize::get) / MIB as usize;
        (number(bounds.soft), number(bounds.hard))
    }

    #[test]
    fn a_group_leaves_room_for_what_is_not_of_the_heap() {
        let group = |high: Option<u64>, max: Option<u64>| {
            let [high, max] = [high, max].map(|n| n.map(|n| n * MIB));
            let group = Group {
                high,
                max,
                stalls: false,
            };
            bytes(Bounds::of_group(group))
        };
        assert_eq!(group(None, None), (0, 0));
        assert_eq!(group(None, Some(256)), (224, 240));
        assert_eq!(group(Some(200), Some(256)), (200, 240));
        assert_eq!(group(Some(250), Some(256)), (224, 240));
        assert_eq!(group(Some(200), None), (200, 0));
    }

    #[test]
    fn a_group_of_nothing_has_a_limit() {
        let none = Group {
            high: Some(0),
            max: Some(0),
            stalls: false,
        };
        assert!(Bounds::of_group(none).hard.is_some());
    }

    #[test]
    fn what_is_narrower_holds() {
        let heap = Heap::new();
        let of = |soft: usize, hard: usize| Bounds::of(soft << 20, hard << 20);
        assert_eq!(bytes(heap.set_limits(Some(of(100, 0)), None)), (100, 0));
        assert_eq!(bytes(heap.set_limits(None, Some(of(120, 200)))), (100, 200));
        assert_eq!(bytes(heap.set_limits(Some(of(150, 180)), None)), (120, 180));
        assert!(heap.is_limited() && heap.is_beyond_limit(181 << 20) && !heap.is_beyond_limit(180 << 20));
        assert_eq!(heap.missing(Reach::Budget, 130 << 20), 10 << 20);
        assert_eq!(heap.missing(Reach::System, 130 << 20), 0);
        assert_eq!(bytes(heap.set_limits(Some(Bounds::NONE), Some(Bounds::NONE))), (0, 0));
        assert!(!heap.is_limited());
    }
}
