//! What is old and backed becomes huge pages (`arena.thp = "dense"`): segments of the heap that was young, those that the kernel refused
//! one, and parts of huge objects, which ask for none as nobody knows how much of them is used.
//!
//! Events walk through the segments of the arena, one after the other, and in each round they mark what is there. What a round finds that
//! the one before has marked is old. If it is in small pages, all of which have memory already, the kernel is asked to make one huge
//! page of them (`MADV_COLLAPSE`): that copies 2 MiB, and takes a millisecond or so. A table of which a part was never touched is never
//! filled up, but for a 64th of 2 MiB: so much of a segment's header may be untouched.
//!
//! A step asks for one huge page at most, and the next step waits four times as long as this one took. The heap is not locked while the
//! kernel is asked. Whoever has the range by then, if anybody does, finds in it what was there. If its owner gave it to the kernel in
//! that very moment it may have memory again, which goes when it is free the next time.

use super::arena::{Age, Kind};
use super::dense::{Luck, OLD};
use super::limit::Bounds;
use super::page::PAGES;
use super::segment::{SEGMENT, Segment};
use super::{Heap, PageHeap};
use crate::os;
use crate::sync::Ordering;

/// Segments that a step looks at while the heap is locked.
const AT_ONCE: usize = 256;
/// Pages that may be missing: a 64th.
const MISSING: usize = PAGES / 64;
/// Nanoseconds on a processor that are long for this: it takes a third of that, as a rule.
const LONG: u64 = 2_000_000;
/// How much longer than a step nobody takes the next one.
const PAUSE: u64 = 4;
/// How often the time between two rounds is doubled at the most, where there was nothing to be done.
const DOUBLED: u32 = 6;
/// Milliseconds after which a step that somebody has begun is not waited for: its thread is gone (in the child of a fork).
const GONE: u64 = 1000;

/// Where a round is. All of it belongs to the holder of the heap's lock.
pub(super) struct Walk {
    /// The next segment.
    next: usize,
    /// Something was new, or became a huge page.
    any: bool,
    /// Rounds in a row in which nothing did.
    idle: u32,
    /// Whether the kernel has any at hand.
    luck: Luck,
}

impl Walk {
    /// None yet: all zero, as it is a part of a static.
    pub const NONE: Walk = Walk {
        next: 0,
        any: false,
        idle: 0,
        luck: Luck::UNKNOWN,
    };
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// The kernel may be asked for this segment.
    Ask(usize),
    /// There are more segments to be looked at.
    On,
    /// The round is over. The next one begins so many doublings of the usual time later.
    Over(u32),
}

impl PageHeap {
    /// Goes on with a round.
    fn look_for_old(&mut self) -> Step {
        if self.taken() < OLD * SEGMENT || self.limits.now != Bounds::NONE || os::pages() > 1 {
            return Step::Over(0);
        }
        for _ in 0..AT_ONCE {
            let index = self.dense.walk.next;
            if index >= self.arena.high() {
                let walk = &mut self.dense.walk;
                walk.idle = if walk.any { 0 } else { (walk.idle + 1).min(DOUBLED) };
                (walk.next, walk.any) = (0, false);
                return Step::Over(walk.idle);
            }
            self.dense.walk.next += 1;
            let kind = self.arena.entry(index).kind;
            if !matches!(kind, Kind::Pages | Kind::Huge | Kind::Tail) {
                continue;
            }
            match self.arena.age(index) {
                Age::New => {
                    self.dense.walk.any = true;
                    self.arena.set_age(index, Age::Old);
                }
                Age::Old if self.may_be_huge(index, kind) && self.dense.walk.luck.asks() => {
                    return Step::Ask(index);
                }
                Age::Old | Age::Settled => {}
            }
        }
        Step::On
    }

    /// Whether an old segment is one that may become a huge page, as far as the heap knows.
    fn may_be_huge(&mut self, index: usize, kind: Kind) -> bool {
        if kind != Kind::Pages {
            return self.arena.opened(index) == PAGES;
        }
        let segment: *mut Segment = self.arena.address(index).cast();
        // SAFETY: a segment of pages is live, and the lock is held. What is lent is looked at when it is back.
        unsafe {
            if (*segment).is_huge() {
                self.arena.set_age(index, Age::Settled);
                return false;
            }
            (*segment).lot.load(Ordering::Relaxed) == 0 && (*segment).free_pages as usize <= MISSING
        }
    }

    /// The kernel was asked for a segment, which took so many nanoseconds on a processor, and so many in all.
    fn asked_for(&mut self, index: usize, huge: bool, spent: u64, passed: u64) {
        let dense = &mut self.dense;
        dense.walk.luck.took(huge, (spent, LONG), passed);
        // Whatever has come there since then is new.
        if !huge || self.arena.age(index) != Age::Old {
            return;
        }
        dense.walk.any = true;
        dense.counts.collapsed = dense.counts.collapsed.wrapping_add(1);
        self.arena.set_age(index, Age::Settled);
        if self.arena.entry(index).kind == Kind::Pages {
            let segment: *mut Segment = self.arena.address(index).cast();
            // SAFETY: a segment of pages is live, and the lock is held.
            unsafe { (*segment).tell_huge() };
        }
    }
}

impl Heap {
    /// Takes a step at the time `now`, in milliseconds, if it is time to. A round begins so many milliseconds after the one before, at the
    /// least.
    #[inline(never)]
    pub fn collapse_some(&self, now: u64, every: u64) {
        let (at, order) = (&self.pressure.collapse_at, Ordering::Relaxed);
        let seen = at.load(order);
        if now < seen || at.compare_exchange(seen, now + GONE, order, order).is_err() {
            return;
        }
        let next = match self.try_locked(PageHeap::look_for_old) {
            Ok(Step::Ask(index)) => now + self.collapse(index) * PAUSE / 1_000_000,
            Ok(Step::Over(doublings)) => now + (every << doublings),
            Ok(Step::On) | Err(_) => now,
        };
        at.store(next, order);
    }

    /// Asks the kernel to make a huge page of a segment, if that has memory. The nanoseconds that it took.
    fn collapse(&self, index: usize) -> u64 {
        // SAFETY: the base never changes once there are segments.
        let p = unsafe { (*self.unlocked()).arena.address(index) };
        if !os::is_own(p, PAGES, MISSING) {
            return 0;
        }
        let (began, had) = (os::now_ns(), os::spent_ns());
        // SAFETY: contents do not change, whoever has the range by now.
        let huge = unsafe { os::collapse(p, SEGMENT) };
        let (passed, spent) = (os::now_ns() - began, os::spent_ns().saturating_sub(had));
        self.locked(|h| h.asked_for(index, huge, spent, passed));
        passed
    }
}

#[cfg(all(test, not(loom)))]
#[path = "collapse_tests.rs"]
mod tests;
