//! Where the objects of a batch lie, written into its first one.
//!
//! Whoever takes a batch that another thread made has to fetch the line of each object from that thread's cache: one after the
//! other, as only each object says where the next one is. But objects that were handed out side by side are freed side by side,
//! where one thread hands them to another in order: a batch then is a few rows, upwards or downwards. Who gives such a batch
//! away has its lines at hand, and draws the rows into the first object, behind its link. Who takes it asks for all the lines at
//! once.
//!
//! Nothing but time depends on a chart.

use super::{Batch, next};
use crate::os;
use crate::policy::Shape;
use crate::policy::agreed::ADDRESS_BITS;

/// Objects below which a batch has no chart.
const LEAST: u32 = 16;
/// Rows of a chart, at most.
const ROWS: usize = 31;
/// Objects that rows have on average, at least: shorter ones are not worth looking for. Two may be short: the ends of rows.
const SHORT: u32 = 4;
/// Lines that are asked for at once, at most: half of what a small first cache holds.
const LINES: usize = 256;
/// Bytes of an object up to which all of its lines are asked for. Processors fetch lines in pairs, so the other line of a pair
/// went to the other thread with the first one.
const PAIR: usize = 2 * LINE;

const LINE: usize = 64;
const WORD: usize = size_of::<u64>();

/// Objects that follow each other in a list and in memory. As a word: the address of the first one, above it how many there are,
/// and [`DOWN`](Row::DOWN).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
struct Row(u64);

impl Row {
    const END: Row = Row(0);
    /// Set where a row goes downwards.
    const DOWN: u64 = 1 << 63;
    /// The most objects that a row can have.
    const LONG: u32 = (1 << (63 - ADDRESS_BITS)) - 1;

    fn new(first: *mut u8, count: u32, down: bool) -> Self {
        let word = first as u64 | u64::from(count.min(Self::LONG)) << ADDRESS_BITS;
        Row(if down { word | Self::DOWN } else { word })
    }

    fn first(self) -> *mut u8 {
        (self.0 & ((1 << ADDRESS_BITS) - 1)) as *mut u8
    }

    fn count(self) -> u32 {
        (self.0 >> ADDRESS_BITS) as u32 & Self::LONG
    }

    fn is_down(self) -> bool {
        self.0 & Self::DOWN != 0
    }
}

/// How many rows an object of so many bytes has place for.
fn places(size: u32) -> usize {
    (size as usize / WORD).saturating_sub(1).min(ROWS)
}

/// The place of a row in the first object.
///
/// # Safety
/// The object at `p` is the caller's, and `row` below [`places`] of its size.
unsafe fn place(p: *mut u8, row: usize) -> *mut Row {
    // SAFETY: the object has so many words behind its link.
    unsafe { p.cast::<Row>().add(1 + row) }
}

/// What lies `bytes` from `p` in a row's direction.
fn step(p: *mut u8, bytes: usize, down: bool) -> *mut u8 {
    if down {
        p.wrapping_sub(bytes)
    } else {
        p.wrapping_add(bytes)
    }
}

/// Says of a batch that nothing is known about it.
///
/// # Safety
/// The batch is the caller's and not empty; its objects have two words at least.
#[inline]
pub unsafe fn erase(batch: Batch) {
    if batch.count >= LEAST {
        // SAFETY: the first object has the place.
        unsafe { *place(batch.head, 0) = Row::END };
    }
}

/// Writes down where the objects of a batch lie, each of `size` bytes, if they lie in few rows.
///
/// # Safety
/// The batch is the caller's, and `size` that of its class.
#[inline]
pub unsafe fn draw<S: Shape>(batch: Batch, size: u32) {
    if batch.count >= LEAST {
        // SAFETY: as the caller says; it is asked for the links of objects of the batch only.
        unsafe { draw_by(batch, size, |p| next::<S>(p)) };
    }
}

/// # Safety
/// As for [`draw`]. `next` says which object of the batch comes after one of it.
unsafe fn draw_by(batch: Batch, size: u32, next: impl Fn(*mut u8) -> *mut u8) {
    let bytes = size as usize;
    let (mut p, mut done, mut rows) = (batch.head, 0, 0);
    while done < batch.count && rows < places(size) {
        if (rows as u32).saturating_sub(2) * SHORT > done {
            // SAFETY: the caller's batch.
            return unsafe { erase(batch) };
        }
        let left = batch.count - done;
        let first = p;
        let down = left > 1 && next(p) == step(p, bytes, true);
        let mut count = 1;
        // The link is compared with a guess, and the guess is followed: so the processor need not wait for the link.
        while count < left && next(p) == step(p, bytes, down) {
            p = step(p, bytes, down);
            count += 1;
        }
        done += count;
        // SAFETY: the place is in the first object. Links are in front of all places.
        unsafe { *place(batch.head, rows) = Row::new(first, count, down) };
        rows += 1;
        if done < batch.count {
            p = next(p);
        }
    }
    if rows < places(size) {
        // SAFETY: as above.
        unsafe { *place(batch.head, rows) = Row::END };
    }
}

/// Asks for the lines of a batch's objects, as far as it is known where they are.
///
/// # Safety
/// The batch is the caller's, `size` that of its class, and it was passed to [`erase`] or [`draw`] as it is.
#[inline]
pub unsafe fn follow(batch: Batch, size: u32) {
    if batch.count >= LEAST {
        // SAFETY: as the caller says.
        unsafe { each_line(batch, size, os::fetch) };
    }
}

/// # Safety
/// As for [`follow`].
unsafe fn each_line(batch: Batch, size: u32, mut ask: impl FnMut(*mut u8)) {
    let apart = if size as usize <= PAIR { LINE } else { size as usize };
    let mut left = LINES;
    for i in 0..places(size) {
        // SAFETY: the first object has the place, and whoever made the batch has written there, or at an earlier one that there
        // are no more.
        let row = unsafe { *place(batch.head, i) };
        if row == Row::END {
            return;
        }
        let (bytes, mut at) = (row.count() as usize * size as usize, 0);
        let mut first = row.first();
        if row.is_down() && apart == LINE {
            first = first.wrapping_add(size as usize - 1); // From the last line of the topmost object.
        }
        while at < bytes && left > 0 {
            ask(step(first, at, row.is_down()));
            at += apart;
            left -= 1;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Objects of `size` bytes, so many.
    struct Memory {
        words: Vec<u64>,
        size: u32,
    }

    impl Memory {
        fn new(size: u32, objects: usize) -> Self {
            Memory {
                words: std::vec![7; objects * size as usize / WORD],
                size,
            }
        }

        fn at(&mut self, i: usize) -> *mut u8 {
            self.words
                .as_mut_ptr()
                .cast::<u8>()
                .wrapping_add(i * self.size as usize)
        }

        /// Draws the chart of a list of objects. Returns which of them are asked for.
        fn asked(&mut self, list: &[usize]) -> Vec<usize> {
            let objects: Vec<*mut u8> = list.iter().map(|&i| self.at(i)).collect();
            for (i, &p) in objects.iter().enumerate() {
                let next = objects.get(i + 1).copied().unwrap_or_default();
                // SAFETY: an object of the memory, which is aligned to words.
                unsafe { *p.cast::<*mut u8>() = next };
            }
            let batch = Batch {
                head: objects[0],
                count: list.len() as u32,
            };
            let (base, size) = (self.at(0) as usize, self.size as usize);
            let mut asked = Vec::new();
            // SAFETY: the objects are the test's, and linked.
            unsafe {
                draw_by(batch, self.size, |p| *p.cast::<*mut u8>());
                each_line(batch, self.size, |p| asked.push((p as usize - base) / size));
            }
            asked
        }
    }

    #[test]
    fn rows_are_asked_for_in_their_order() {
        let rows = |n: usize| -> Vec<usize> { (0..n).chain((200..240).rev()).chain(100..130).collect() };
        for size in [64, 144, 256, 1024] {
            let list = rows(40);
            assert_eq!(Memory::new(size, 256).asked(&list), list, "{size}");
        }
        let twice: Vec<usize> = rows(40).into_iter().flat_map(|i| [i, i]).collect();
        assert_eq!(Memory::new(128, 256).asked(&rows(40)), twice);
        // Four objects of 16 bytes are on a line, and there is place for one row.
        assert_eq!(
            Memory::new(16, 256).asked(&rows(40)),
            [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]
        );
        // Objects that stand alone are rows, too, as long as there are not many of them.
        let list: Vec<usize> = (0..60).chain([90, 80, 70]).chain(100..120).collect();
        assert_eq!(Memory::new(64, 256).asked(&list), list);
    }

    #[test]
    fn no_more_is_asked_for_than_is_worth_it() {
        let list: Vec<usize> = (0..1000).collect();
        assert_eq!(Memory::new(64, 1000).asked(&list), list[..LINES]);
        let scattered: Vec<usize> = (0..128).map(|i| i * 37 % 128).collect();
        assert!(Memory::new(64, 128).asked(&scattered).is_empty());
        let pairs: Vec<usize> = (0..128).map(|i| i / 2 * 37 % 64 * 2 + i % 2).collect();
        assert!(Memory::new(256, 128).asked(&pairs).is_empty());
    }

    #[test]
    fn what_is_erased_is_not_followed() {
        let mut memory = Memory::new(64, 32);
        let batch = Batch {
            head: memory.at(0),
            count: 32,
        };
        assert_eq!(memory.asked(&(0..32).collect::<Vec<_>>()).len(), 32);
        // SAFETY: the memory is the test's.
        unsafe {
            erase(batch);
            each_line(batch, 64, |_| panic!("nothing is known"));
        }
    }

    #[test]
    fn a_row_says_what_it_was_told() {
        let top = ((1_u64 << ADDRESS_BITS) - 16) as *mut u8;
        for (count, down) in [(1, false), (128, true), (Row::LONG, true)] {
            let row = Row::new(top, count, down);
            assert_eq!((row.first(), row.count(), row.is_down()), (top, count, down));
        }
        assert_eq!(Row::new(top, u32::MAX, false).count(), Row::LONG);
    }
}
