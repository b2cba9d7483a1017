//! Places in the address space that are drawn at random.
//!
//! What the kernel places by itself lies next to the libraries, at distances that are the same in each process: one address of
//! either tells all others. So an arena draws where it lies, far from there. Where the policy says so
//! (`hardening.spread`), all else that the heap maps for itself does, too, in a part of the address space where
//! neither arenas nor the kernel's own choices are.

use super::arena::NO_BASE;
use super::page::SEGMENT;
use crate::os::{self, Access, Placed};
use crate::policy::Policy;
use crate::policy::agreed::ADDRESS_BITS;

/// Places that are tried.
pub(super) const PLACES: u64 = 8;

/// Where an arena may lie: above all that is chosen by hand as a rule (programs, their heaps, other runtimes' arenas), and far
/// below where the kernel maps libraries, files and stacks.
const ARENAS: (usize, usize) = (0x1000_0000_0000, 0x5000_0000_0000);
/// Where all else may: above programs that lie where the kernel likes, and their heaps.
const OTHERS: (usize, usize) = (0x6000_0000_0000, 0x7000_0000_0000);
const _: () = assert!(
    OTHERS.1 <= 1 << ADDRESS_BITS,
    "a kernel with more levels of tables gives what is asked of it"
);

/// The `n`th place for an arena of so many bytes, with so many right below them: where its slot of the address space begins,
/// and its base. A slot is at least twice as long as what lies in it.
pub(super) fn place(policy: &Policy, random: u64, n: u64, front: usize, bytes: usize) -> (usize, usize) {
    let all = ARENAS.1 - ARENAS.0;
    let window = match policy.hardening.spread {
        0 => all,
        spread => spread.min(all),
    };
    let first = (os::page() + front).next_multiple_of(SEGMENT);
    let length = ((first + bytes) * 2).next_power_of_two().max(SEGMENT);
    let slots = (window / length).max(1) as u64;
    let shifts = (length.min(window).saturating_sub(first + bytes) / SEGMENT).max(1) as u64;
    let slot = ARENAS.0 + ((random % slots + n) % slots) as usize * length;
    (slot, slot + first + (random / slots % shifts) as usize * SEGMENT)
}

/// Maps `bytes` of zero pages at a multiple of `align` (a power of two, at least a page): at a place that is drawn, if the policy
/// says so and there is one, or where the kernel likes. Null on refusal.
pub fn map(policy: &Policy, bytes: usize, align: usize, access: Access) -> *mut u8 {
    if policy.hardening.spread > 0 {
        let p = map_drawn(policy, bytes, align, access);
        if !p.is_null() {
            return p;
        }
    }
    if align > os::page() {
        os::map_aligned(bytes, align, access)
    } else {
        os::map(0, bytes, access)
    }
}

#[cold]
fn map_drawn(policy: &Policy, bytes: usize, align: usize, access: Access) -> *mut u8 {
    let align = align.max(os::page());
    let (from, to) = (OTHERS.0.next_multiple_of(align), OTHERS.1);
    let room = policy.hardening.spread.min(to.saturating_sub(from));
    let random = os::random_bits();
    // (A debugger wants no random places.)
    if random != 0 && bytes <= room {
        let places = (room - bytes) / align + 1;
        for n in 0..PLACES {
            let at = from + os::stir(random.wrapping_add(n)) as usize % places.max(1) * align;
            match os::map_at(at, bytes, access) {
                Placed::Done => return at as *mut u8,
                Placed::Taken => {}
                Placed::Refused => break,
            }
        }
    }
    core::ptr::null_mut()
}

const _: () = assert!(NO_BASE > ARENAS.1 && ARENAS.1 <= OTHERS.0);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::os::PAGE;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn spread(bytes: usize) -> Policy {
        let mut policy = Policy::default();
        policy.hardening.spread = bytes;
        policy
    }

    #[test]
    fn places_differ_and_slots_do_not_overlap() {
        let (front, bytes) = ((32 << 20) + (256 << 10), 64 << 30);
        for policy in [spread(0), spread(64 << 40)] {
            let mut slots = Vec::new();
            for random in [0, 1, 77, u64::MAX / 3, u64::MAX] {
                for n in 0..PLACES {
                    let (slot, base) = place(&policy, random, n, front, bytes);
                    assert!(slot >= ARENAS.0 && base + bytes <= ARENAS.1 && base.is_multiple_of(SEGMENT));
                    assert!(slot + PAGE + front <= base && slot.is_multiple_of(128 << 30));
                    assert!(base + bytes <= slot + (256 << 30));
                    slots.push((random, slot));
                }
            }
            slots.dedup();
            assert_eq!(slots.len(), 5 * PLACES as usize);
        }
    }

    #[test]
    fn an_arena_of_any_size_has_24_bits_of_places() {
        for bytes in [(8 << 20).max(4 * SEGMENT), 1 << 30, 64 << 30, 1 << 40, 8 << 40] {
            for front in [PAGE, bytes / 1024] {
                let first = (PAGE + front).next_multiple_of(SEGMENT);
                let length = ((first + bytes) * 2).next_power_of_two();
                let places = (ARENAS.1 - ARENAS.0) / length * ((length - first - bytes) / SEGMENT);
                // (One bit less each time that segments are twice as long.)
                assert!(
                    places > (2 << 44) / SEGMENT.max(2 << 20),
                    "{places} places for {bytes} bytes"
                );
                // Each number below that is another place.
                let drawn = |n: u64| place(&spread(0), n, 0, front, bytes).1;
                let some: BTreeSet<usize> = (0..4096).map(|i| drawn(i * (places as u64 / 4096))).collect();
                assert_eq!(some.len(), 4096);
            }
        }
    }

    #[test]
    fn a_small_window_is_kept() {
        let (front, bytes) = (1 << 20, 1 << 30);
        let policy = spread(3 << 30);
        for random in [0, 5, u64::MAX / 7, u64::MAX] {
            for n in 0..PLACES {
                let (slot, base) = place(&policy, random, n, front, bytes);
                assert!(slot == ARENAS.0 && base > slot && base + bytes <= ARENAS.0 + (3 << 30));
            }
        }
    }

    #[test]
    fn what_is_mapped_is_spread_and_aligned() {
        let policy = spread(16 << 40);
        let mut places = BTreeSet::new();
        for i in 0..64 {
            let align = if i % 2 == 0 { PAGE } else { SEGMENT };
            let p = map(&policy, 3 * PAGE, align, Access::ReadWrite);
            let at = p as usize;
            assert!(at.is_multiple_of(align) && (OTHERS.0..OTHERS.1).contains(&at), "{p:?}");
            places.insert(at >> 36);
            // SAFETY: the pages were mapped just now.
            unsafe {
                p.add(2 * PAGE).write(1);
                os::unmap(p, 3 * PAGE);
            }
        }
        // 256 parts; 64 draws meet 57 of them in the mean, and hardly ever fewer than 40.
        assert!(places.len() >= 40, "{} parts", places.len());
    }

    #[test]
    fn what_finds_no_place_of_its_own_lies_where_the_kernel_likes() {
        let p = map(&spread(1 << 20), 2 << 20, SEGMENT, Access::None);
        assert!(!p.is_null() && !(OTHERS.0..OTHERS.1).contains(&(p as usize)));
        assert!((p as usize).is_multiple_of(SEGMENT));
        // SAFETY: the pages were mapped just now.
        unsafe { os::unmap(p, 2 << 20) };
    }
}
