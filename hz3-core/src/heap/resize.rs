//! Large objects become longer or shorter where they are, or move without being copied.

use super::Heap;
use super::arena::{Arena, Entry, Kind, Left};
use super::hold::Hold;
use super::large::{HUGE_PAGES, Large};
use super::page::Span;
use super::run::Run;
use super::segment::Segment;
use crate::os::{self, PAGE};
use crate::policy::Policy;

impl Heap {
    /// Makes a large object `bytes` long without moving it. False if there is no room; then nothing has changed.
    ///
    /// # Safety
    /// `what` is what `find_large` said of `p`, an object that only the caller uses; `bytes` still make a large object.
    pub unsafe fn resize_large(&self, policy: &Policy, p: *mut u8, what: Large, bytes: usize) -> bool {
        let pages = bytes.div_ceil(PAGE);
        match what {
            // SAFETY: the caller owns the object.
            Large::Pages(run) => unsafe { self.resize_pages(policy, run, pages) },
            Large::Huge(index, old) => {
                let (have, want) = (policy.segments(old), policy.segments(pages));
                if pages <= HUGE_PAGES {
                    return false;
                }
                let (open, hold) = self.locked(|h| (h.arena.opened_bytes(index, have), h.arena.hold()));
                // (What is asked for may be more than all addresses, in bytes; what is shorter than an object is not.)
                let used = if pages < old { os::up(pages * PAGE) } else { open };
                let left = match open > used {
                    // SAFETY: the tail is ours, to the end of what is open of the last segment (see `give_huge`).
                    true => unsafe { Self::cut(policy, hold, p.add(used), open - used) },
                    false => Left::Something,
                };
                self.locked(|h| h.resize_huge(index, (old, have), (pages, want), left, policy))
            }
            Large::Outside(have) => bytes <= have && bytes > have / 2,
        }
    }

    /// Gives the end of a huge object to the kernel: with its addresses where these are claimed, and without access where there
    /// are guards.
    ///
    /// # Safety
    /// The range is open and the caller's, who wants nothing that is in it, and reaches to the end of what is open there.
    unsafe fn cut(policy: &Policy, hold: Hold, p: *mut u8, bytes: usize) -> Left {
        // SAFETY: the range is open up to its end, and nobody wants what is in it.
        unsafe {
            match hold {
                Hold::Claimed => {
                    os::unmap(p, bytes);
                    Left::Closed
                }
                _ if policy.has_walls() && Arena::shut(hold, p, bytes) => Left::Closed,
                _ if os::purge(p, bytes) => Left::Zero,
                _ => Left::Something,
            }
        }
    }

    /// # Safety
    /// `run` is that of a large object that only the caller uses; `pages` still make a large object.
    unsafe fn resize_pages(&self, policy: &Policy, run: *mut Run, pages: usize) -> bool {
        let segment = Segment::of(run.cast());
        // SAFETY: the caller owns the object, hence the run and its descriptor.
        unsafe {
            let span = Run::span(run);
            let guards = usize::from(policy.encloses());
            if pages > HUGE_PAGES {
                return false;
            }
            if pages > span.len {
                let more = pages - span.len;
                let all = Span {
                    len: span.len + guards,
                    ..span
                };
                if !self.extend(policy, segment, all, more) {
                    return false;
                }
                // Only the first page of a large object is ever looked up, so the new pages need no entry.
            } else if pages < span.len {
                // The guard moves to the new end, and what was one is free with the pages before it.
                let rest = Span {
                    first: span.first.plus(pages + guards),
                    len: span.len - pages,
                };
                if policy.encloses() {
                    self.held(segment, |_| Segment::fence_off(segment, span.first.plus(pages)));
                }
                self.give(segment, rest, rest.len);
            }
            (*run).pages = pages as u16;
        }
        if pages > 0 {
            self.purge_excess(policy);
        }
        true
    }

    /// Moves the contents of one huge object into another without copying, and frees the first. If the kernel cannot, or if
    /// either is not huge, nothing has changed. If it fails half-way the second object is gone, and the first is as it was.
    ///
    /// # Safety
    /// `from` and `to` are objects that only the caller uses, and each holds `bytes` at least.
    pub unsafe fn move_huge(&self, policy: &Policy, from: *mut u8, to: *mut u8, bytes: usize) -> os::Moved {
        let (Some(Large::Huge(source, had)), Some(Large::Huge(index, pages))) =
            (self.find_large(from), self.find_large(to))
        else {
            return os::Moved::Unable;
        };
        let hold = self.locked(|h| h.arena.hold());
        // In a claimed range the source may go with its addresses.
        let stays = hold != Hold::Claimed;
        // SAFETY: whole pages of two objects of the caller's.
        let moved = unsafe { os::move_pages(from, to, os::up(bytes), stays) };
        if moved == os::Moved::Torn {
            let segments = policy.segments(pages);
            // What is left there is found out when it is to be opened, where that can be found out.
            let left = if stays { Left::Nothing } else { Left::Closed };
            self.locked(|h| h.disown_huge(index, segments, pages, left, false, 0));
        }
        if moved != os::Moved::Done {
            return moved;
        }
        let segments = policy.segments(had);
        // Behind the object may still lie what a longer one left in its last segment.
        let (end, open) = (os::up(bytes), self.locked(|h| h.arena.opened_bytes(source, segments)));
        let left = match end < open {
            // SAFETY: the rest of the source's segments, as far as they are open.
            true => unsafe { Self::cut(policy, hold, from.add(end), open - end) },
            false if stays => Left::Zero,
            false => Left::Closed,
        };
        let stamp = Self::stamp(policy);
        self.locked(|h| {
            h.arena.set(
                index,
                Entry {
                    kind: Kind::Huge,
                    dirty: false,
                    moved: true,
                    pages: pages as u32,
                },
            );
            let moved = h.arena.entry(source).moved;
            h.disown_huge(source, segments, had, left, moved, stamp);
        });
        os::Moved::Done
    }
}
