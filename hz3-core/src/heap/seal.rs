//! Seals: values that only the process knows, at the beginning, in the middle and at the end of each segment's header. Whoever
//! overwrites a header from elsewhere than its own objects, which guards are in the way of, breaks one of them. They are looked at before
//! pages of the segment change hands; and each time that pages are taken, those of a few segments of the arena more, in turn, so that a
//! header does not stay broken for long that nobody has to do with. (`hardening.guards`)

use super::PageHeap;
use super::arena::Kind;
use super::segment::Segment;
use crate::os;
use crate::text::Text;
// The same for all that the process does, and no model's.
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Segments that are looked at each time that pages are taken.
const ROUND: usize = 4;

/// Where the next ones are. Nothing hangs on its order.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// 0 before it was drawn. A copy of the process goes on with it.
static SECRET: AtomicU64 = AtomicU64::new(0);

fn secret() -> u64 {
    let seen = SECRET.load(Ordering::Relaxed);
    if seen != 0 {
        return seen;
    }
    let drawn = os::secret_bits() | 1;
    match SECRET.compare_exchange(0, drawn, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => drawn,
        Err(other) => other,
    }
}

/// The seals of a segment: those of another one are others.
fn seals(this: *const Segment) -> [u32; 3] {
    let bits = os::stir(secret() ^ this.addr() as u64);
    [bits as u32, (bits >> 32) as u32, os::stir(bits) as u32]
}

impl Segment {
    /// Seals the header of a segment.
    ///
    /// # Safety
    /// `this` is being made.
    pub(super) unsafe fn seal(this: *mut Segment) {
        // SAFETY: the segment is the caller's.
        unsafe { [(*this).front, (*this).middle, (*this).end] = seals(this) };
    }

    /// As [`see_seals`](Self::see_seals), if the segment has some.
    ///
    /// # Safety
    /// `this` is a live segment, and the caller holds the lock of whoever it belongs to.
    #[inline]
    pub(super) unsafe fn see_any_seals(this: *const Segment) {
        // SAFETY: as the caller says.
        unsafe {
            if Segment::has_walls(this) {
                Segment::see_seals(this);
            }
        }
    }

    /// Ends the process if a header's seals are not as they were: nothing that it says can be believed.
    ///
    /// # Safety
    /// `this` is a live segment that was sealed, and the caller holds the lock of whoever it belongs to.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn see_seals(this: *const Segment) {
        // SAFETY: the header of a live segment can be read.
        let found = unsafe { [(*this).front, (*this).middle, (*this).end] };
        if found != seals(this) {
            broken(this);
        }
    }
}

impl PageHeap {
    /// Looks at the seals of a few segments: where segments have some.
    #[cold]
    pub(super) fn see_some_seals(&self) {
        let (from, high) = (NEXT.load(Ordering::Relaxed), self.arena.high());
        for i in 0..ROUND.min(high) {
            let index = (from + i) % high;
            if self.arena.entry(index).kind == Kind::Pages {
                // SAFETY: it is live as long as the heap is locked. Whoever has it, its seals do not change.
                unsafe { Segment::see_seals(self.arena.address(index).cast()) };
            }
        }
        NEXT.store(from.wrapping_add(ROUND), Ordering::Relaxed);
    }
}

/// Locks are held, so nobody but standard error is told.
#[cold]
#[inline(never)]
fn broken(this: *const Segment) -> ! {
    let mut buffer = [0u8; 160];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(b"overwritten records: the header of the segment at ")
        .address(this.cast());
    text.push(b" is not as the heap wrote it");
    let length = text.finish();
    os::die(buffer.get(..length).unwrap_or(&buffer))
}
