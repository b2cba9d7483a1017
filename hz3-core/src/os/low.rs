//! Mappings below a bound, where the kernel chooses addresses above it.

use super::{Access, Placed, map_at, random_bits};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Places that are tried. Between what lies at two of them is far more room than any process maps in one piece.
const TRIES: usize = 256;
/// How far below a place that is taken the next one lies.
const STEP: usize = 4 << 30;
/// Nothing is tried below: programs lie there.
const LOWEST: usize = 1 << 36;
/// Places are multiples of the largest page that a kernel has.
const GRAIN: usize = 64 << 10;

/// As [`map`](super::map()), below `bound`. Places go down from mapping to mapping, and begin anew at the top. `below` is the
/// lowest address of the last one, and 0 before the first.
pub fn map(below: &AtomicUsize, bound: usize, bytes: usize, access: Access) -> *mut u8 {
    for _ in 0..TRIES {
        let top = match below.load(Ordering::Relaxed) {
            // A sixteenth of the range is drawn from, so that little is lost.
            0 => bound - (random_bits() as usize & (bound / 16 - 1)),
            top => top,
        };
        let place = top.checked_sub(bytes).map(|at| at & !(GRAIN - 1));
        let Some(at) = place.filter(|at| *at >= LOWEST) else {
            if bytes > bound - LOWEST {
                break;
            }
            below.store(bound, Ordering::Relaxed);
            continue;
        };
        let (next, placed) = match map_at(at, bytes, access) {
            Placed::Done => (at, true),
            Placed::Taken => (at.saturating_sub(STEP).max(LOWEST), false),
            Placed::Refused => break,
        };
        // Where others map at the same time some of these are lost: then a place is tried that is taken.
        below.store(next, Ordering::Relaxed);
        if placed {
            return at as *mut u8;
        }
    }
    ptr::null_mut()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::{PAGE, unmap};
    use super::*;

    #[test]
    fn mappings_lie_below_the_bound_and_apart() {
        let bound = 1 << 44;
        let below = AtomicUsize::new(0);
        let mut all: std::vec::Vec<usize> = (1..200)
            .map(|n| map(&below, bound, n * PAGE, Access::ReadWrite) as usize)
            .collect();
        assert!(
            all.iter().all(|&p| p > LOWEST && p < bound && p.is_multiple_of(GRAIN)),
            "{all:x?}"
        );
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 199);
        // What is taken is stepped over, and after the lowest comes the highest again.
        below.store(LOWEST + 3 * PAGE, Ordering::Relaxed);
        let again = map(&below, bound, 8 * PAGE, Access::ReadWrite) as usize;
        assert!(again > bound / 2, "{again:x}");
        below.store(again + 8 * PAGE, Ordering::Relaxed);
        let next = map(&below, bound, 8 * PAGE, Access::ReadWrite) as usize;
        assert!(next != 0 && next + 8 * PAGE <= again, "{next:x}");
        assert!(map(&below, bound, bound, Access::None).is_null());
        for p in all.into_iter().chain([again, next]) {
            // SAFETY: mapped here; pages that are not there do no harm.
            unsafe { unmap(p as *mut u8, PAGE) };
        }
    }
}
