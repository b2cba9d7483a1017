//! Who owns which bytes, and what stands in them.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Objects up to so many bytes are written as a whole; of larger ones the ends, and some of each page.
const WHOLE: usize = 512;
/// Bytes of an end.
const END: usize = 64;
/// The most places between the ends.
const PLACES: usize = 64;

/// How an object was made, which says how it may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By `malloc`, `calloc` or `realloc`.
    Plain,
    /// By `aligned_alloc`, with this alignment.
    AlignedAlloc(usize),
    /// By another function of C that aligns.
    Aligned,
    New,
    NewArray,
    NewAligned(usize),
    /// By Rust, with this alignment.
    Rust(usize),
}

/// An object that a program has.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    pub at: usize,
    /// As it was asked for.
    pub size: usize,
    /// What stands in it follows from this.
    pub seed: u8,
    pub how: How,
}

/// The byte at an offset.
fn byte(seed: u8, offset: usize) -> u8 {
    seed ^ (offset as u8).wrapping_mul(37) ^ (offset >> 8) as u8
}

/// The offsets that are looked at, as ranges.
fn marks(size: usize) -> impl Iterator<Item = Range<usize>> {
    let stride = (size / PLACES).next_multiple_of(4096).max(4096);
    let middle = if size > WHOLE { END..size - END } else { 0..0 };
    let ends = if size > WHOLE {
        [0..END, size - END..size]
    } else {
        [0..size, 0..0]
    };
    let places = middle.step_by(stride).skip(1).map(|at| at..at + 8);
    ends.into_iter()
        .chain(places.take(PLACES))
        .filter(|range| !range.is_empty())
}

impl Object {
    /// Writes it.
    ///
    /// # Safety
    /// The object is the caller's, so large as it says, and nobody else uses it.
    pub unsafe fn fill(&self) {
        for at in marks(self.size).flatten() {
            // SAFETY: `marks` gives offsets below the size.
            unsafe { (self.at as *mut u8).add(at).write(byte(self.seed, at)) };
        }
    }

    /// Whether the first `kept` bytes are as they were written when it was as large as it says. Panics if not.
    ///
    /// # Safety
    /// As for [`Object::fill`]; of the object at least `kept` bytes, and no more than its size.
    pub unsafe fn verify(&self, at: usize, kept: usize, when: &str) {
        for offset in marks(self.size).flatten().filter(|offset| *offset < kept) {
            // SAFETY: the offset is below `kept`.
            let found = unsafe { (at as *const u8).add(offset).read() };
            let wanted = byte(self.seed, offset);
            assert!(
                found == wanted,
                "{when}: byte {offset} of {self:x?} is {found:#x}, not {wanted:#x}"
            );
        }
    }
}

/// Panics unless the bytes are zero: all of a small object, and many of a large one.
///
/// # Safety
/// So many bytes can be read at `at`, and nobody writes them.
pub unsafe fn verify_zero(at: usize, size: usize) {
    let many = if size <= 64 << 10 { 0..size } else { 0..0 };
    for offset in many.chain(marks(size).flatten()) {
        // SAFETY: the offset is below the size.
        let found = unsafe { (at as *const u8).add(offset).read() };
        assert!(found == 0, "byte {offset} of {size} zeroed ones is {found:#x}");
    }
}

/// The ranges of all objects, in order.
#[derive(Debug, Default)]
pub struct Owners(Mutex<Vec<(usize, usize)>>);

impl Owners {
    fn lock(&self) -> MutexGuard<'_, Vec<(usize, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody got these bytes: nobody may have them.
    pub fn takes(&self, at: usize, bytes: usize, what: &str) {
        let (mut all, end) = (self.lock(), at.saturating_add(bytes.max(1)));
        let place = all.partition_point(|(start, _)| *start < at);
        let near = [place.checked_sub(1), Some(place)];
        for (start, stop) in near.into_iter().flatten().filter_map(|near| all.get(near)) {
            assert!(
                *stop <= at || end <= *start,
                "{what} of {bytes} bytes is {at:#x}..{end:#x}, where somebody has {start:#x}..{stop:#x}"
            );
        }
        all.insert(place, (at, end));
    }

    /// Somebody gives up the bytes from `at` on.
    pub fn gives(&self, at: usize) {
        let mut all = self.lock();
        let place = all.partition_point(|(start, _)| *start < at);
        assert!(
            all.get(place).is_some_and(|range| range.0 == at),
            "the model lost {at:#x}"
        );
        all.remove(place);
    }

    /// Whether nobody has anything.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}
