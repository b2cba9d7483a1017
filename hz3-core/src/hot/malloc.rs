//! `malloc`.

use crate::event;
use crate::list::{self, Hand, Slot, SlotOffset};
use crate::policy::Link;
use crate::variant::{Above, Cache, Miss, Prefetch, Variant};
use core::marker::PhantomData;
use core::ptr;

/// Allocates `n` bytes, aligned to the variant's granule, which is 16 unless all callers name their alignment; null with `errno = ENOMEM` when the kernel refuses memory.
///
/// # Safety
/// Callable from any thread at any time, the first instruction of the process included.
#[inline(always)]
pub unsafe fn malloc<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: the thread has its block.
    unsafe { malloc_or::<V, Null>(n) }
}

/// [`malloc`], with another ending where there is no object at hand.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline(always)]
pub unsafe fn malloc_or<V: Variant, M: Miss>(n: usize) -> *mut u8 {
    if V::is_due(n) {
        // SAFETY: only a variant that counts bytes says so.
        return unsafe { M::due::<V>(n) };
    }
    // SAFETY: the thread has its block.
    unsafe { uncounted::<V, M>(n) }
}

/// [`malloc_or`], behind what it counts.
///
/// # Safety
/// As for [`malloc_or`].
#[inline(always)]
pub(super) unsafe fn uncounted<V: Variant, M: Miss>(n: usize) -> *mut u8 {
    if const { V::TURNED } {
        // SAFETY: as the caller says.
        return unsafe { turned::<V, M>(n) };
    }
    if n > V::FINE_MAX {
        // SAFETY: the size is above the fine table.
        return unsafe { V::Above::malloc::<V, M>(n) };
    }
    // SAFETY: `n <= FINE_MAX`, so the sum cannot wrap and the granule is in the table.
    unsafe {
        pop::<V, M>(
            V::slot_of_granule((n + V::GRANULE - 1) >> const { V::GRANULE.ilog2() }),
            n,
        )
    }
}

/// The same by the table that begins at its end. What is above the fine table, and no bytes at all, lead to the trap, whose list is
/// always empty: so there is one branch for both.
///
/// # Safety
/// As for [`malloc_or`].
#[inline(always)]
unsafe fn turned<V: Variant, M: Miss>(n: usize) -> *mut u8 {
    let (offset, beyond) = V::turned(n);
    // SAFETY: the slot is the one of `n`, or the trap.
    unsafe { V::Cache::pop::<V, Turned<M>>(V::slot(offset), beyond) }
}

/// `M`, for who has only kept how many bytes more than [`Variant::FINE_MAX`] are wanted.
struct Turned<M>(PhantomData<M>);

impl<M: Miss> Turned<M> {
    /// How many are wanted.
    #[inline(always)]
    fn size<V: Variant>(beyond: usize) -> usize {
        beyond.wrapping_add(V::FINE_MAX)
    }
}

impl<M: Miss> Miss for Turned<M> {
    #[inline(always)]
    unsafe fn refill<V: Variant>(beyond: usize, slot: *mut Slot) -> *mut u8 {
        // SAFETY: the slot's list is empty, as `pop` has seen.
        unsafe { missed::<V, M>(Self::size::<V>(beyond), slot) }
    }

    #[inline(always)]
    unsafe fn torn<V: Variant>(beyond: usize, slot: *mut Slot) -> *mut u8 {
        // SAFETY: the slot's list is not empty, as `pop` has seen.
        unsafe { M::torn::<V>(Self::size::<V>(beyond), slot) }
    }

    #[inline(always)]
    unsafe fn large<V: Variant>(n: usize) -> *mut u8 {
        // SAFETY: the thread has its block.
        unsafe { M::large::<V>(n) }
    }

    #[inline(always)]
    unsafe fn due<V: Variant>(n: usize) -> *mut u8 {
        // SAFETY: the thread has its block, and the variant counts.
        unsafe { M::due::<V>(n) }
    }
}

/// There was no object at hand: because the list is empty, or because it is the trap's.
///
/// # Safety
/// As for [`Miss::refill`], or the slot is the trap, and the size above the fine table or 0.
#[cold]
#[inline(never)]
unsafe fn missed<V: Variant, M: Miss>(n: usize, slot: *mut Slot) -> *mut u8 {
    // SAFETY: as the caller says; 0 bytes have a slot in the fine table.
    unsafe {
        if slot != V::slot(SlotOffset::TRAP) {
            M::refill::<V>(n, slot)
        } else if n > V::FINE_MAX {
            V::Above::malloc::<V, M>(n)
        } else {
            pop::<V, M>(V::slot_of_granule(0), n)
        }
    }
}

/// As C wants it.
pub struct Null;

impl Miss for Null {
    #[inline(always)]
    unsafe fn refill<V: Variant>(n: usize, slot: *mut Slot) -> *mut u8 {
        // SAFETY: the slot's list is empty, as `pop` has seen.
        unsafe { event::refill::refill::<V>(n, slot) }
    }

    #[inline(always)]
    unsafe fn torn<V: Variant>(n: usize, slot: *mut Slot) -> *mut u8 {
        // SAFETY: the slot's list is not empty, as `pop` has seen.
        unsafe { event::check::torn_list::<V>(n, slot) }
    }

    #[inline(always)]
    unsafe fn large<V: Variant>(n: usize) -> *mut u8 {
        // SAFETY: the thread has its block.
        unsafe { event::large::malloc::<V>(n) }
    }

    #[inline(always)]
    unsafe fn due<V: Variant>(n: usize) -> *mut u8 {
        // SAFETY: the thread has its block, and the variant counts.
        unsafe { event::sample::due::<V>(n) }
    }
}

/// Takes the first object of a slot.
///
/// # Safety
/// `slot` is the calling thread's slot that the lookup names for `n`.
#[inline(always)]
unsafe fn pop<V: Variant, M: Miss>(slot: *mut Slot, n: usize) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe { V::Cache::pop::<V, M>(slot, n) }
}

/// See [`ThreadSlots`].
///
/// # Safety
/// As for [`pop`].
#[inline(always)]
unsafe fn pop_of_thread<V: Variant, M: Miss>(slot: *mut Slot, n: usize) -> *mut u8 {
    // SAFETY: `slot` is a slot of this thread's bank (the contract of `Variant::slot`); its list is this thread's.
    unsafe {
        let hand = Hand::of(slot);
        let p = hand.head;
        if p.is_null() {
            return M::refill::<V>(n, slot);
        }
        let next = list::next::<V>(p);
        if !V::Link::sound::<V>(next) {
            return M::torn::<V>(n, slot);
        }
        V::Prefetch::next(next);
        hand.take(next);
        p
    }
}

/// Takes the first object of a slot if there is one and it lies at a multiple of `align`, a power of two; null if not.
///
/// # Safety
/// `slot` is a slot of the calling thread's own slot array, not the trap.
#[inline(always)]
pub unsafe fn pop_aligned<V: Variant>(slot: *mut Slot, align: usize) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe { V::Cache::pop_aligned::<V>(slot, align) }
}

/// Slots are the thread's own.
pub struct ThreadSlots;

impl Cache for ThreadSlots {
    #[inline(always)]
    unsafe fn pop<V: Variant, M: Miss>(slot: *mut Slot, n: usize) -> *mut u8 {
        // SAFETY: as the caller says.
        unsafe { pop_of_thread::<V, M>(slot, n) }
    }

    #[inline(always)]
    unsafe fn pop_aligned<V: Variant>(slot: *mut Slot, align: usize) -> *mut u8 {
        // SAFETY: the slot is this thread's. An object of a class is as long as any other of it, wherever it lies.
        unsafe {
            let at = (*slot).head as usize;
            if at == 0 || at & (align - 1) != 0 {
                return ptr::null_mut();
            }
            pop::<V, AtHand>(slot, 0)
        }
    }
}

/// Slots are processors': a slot's address is its offset in a row.
pub struct CpuSlots;

impl Cache for CpuSlots {
    #[inline(always)]
    unsafe fn pop<V: Variant, M: Miss>(slot: *mut Slot, n: usize) -> *mut u8 {
        // SAFETY: the offset is that of a slot of a row.
        unsafe {
            let p = V::cpu_pop(slot.addr());
            if p.is_null() {
                return M::refill::<V>(n, slot);
            }
            p
        }
    }

    /// None: what is the first object now may be another's before it is taken.
    #[inline(always)]
    unsafe fn pop_aligned<V: Variant>(_: *mut Slot, _: usize) -> *mut u8 {
        ptr::null_mut()
    }
}

/// Null where there is no object at hand.
struct AtHand;

impl Miss for AtHand {
    #[inline(always)]
    unsafe fn refill<V: Variant>(_: usize, _: *mut Slot) -> *mut u8 {
        ptr::null_mut()
    }

    #[inline(always)]
    unsafe fn torn<V: Variant>(_: usize, slot: *mut Slot) -> *mut u8 {
        // SAFETY: the slot's list is not empty, as `pop` has seen.
        unsafe { event::check::broken::<V>(slot) };
        ptr::null_mut()
    }

    #[inline(always)]
    unsafe fn large<V: Variant>(_: usize) -> *mut u8 {
        ptr::null_mut()
    }

    #[inline(always)]
    unsafe fn due<V: Variant>(_: usize) -> *mut u8 {
        ptr::null_mut()
    }
}

/// There are classes above the fine table: a second table finds them.
pub struct Coarse;

impl Above for Coarse {
    #[inline(always)]
    unsafe fn malloc<V: Variant, M: Miss>(n: usize) -> *mut u8 {
        // SAFETY: the thread has its block.
        unsafe { coarse::<V, M>(n) }
    }
}

/// # Safety
/// `n > V::FINE_MAX`. The calling thread has its block: it is any thread of the C library's, not the helper.
// Out of line, so that the two lookups are not merged into one with conditional moves.
#[inline(never)]
unsafe fn coarse<V: Variant, M: Miss>(n: usize) -> *mut u8 {
    if n > V::LARGEST {
        // SAFETY: the size is above every class.
        return unsafe { M::large::<V>(n) };
    }
    // SAFETY: `0 < n <= LARGEST`, so the index is in the table.
    unsafe { pop::<V, M>(V::slot_of_index((n - 1) >> V::COARSE_SHIFT), n) }
}

/// The fine table reaches to the largest class.
pub struct FineOnly;

impl Above for FineOnly {
    #[inline(always)]
    unsafe fn malloc<V: Variant, M: Miss>(n: usize) -> *mut u8 {
        // SAFETY: the size is above every class.
        unsafe { M::large::<V>(n) }
    }
}
