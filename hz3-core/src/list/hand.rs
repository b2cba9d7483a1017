//! What `malloc` and `free` do to a slot, in the instructions that a machine has for it.
//!
//! x86-64 counts in memory: a slot's room is changed by one instruction. aarch64 loads, changes and stores. There a slot is two
//! words that one instruction loads and one stores: its head, and a word of which the room is the lower half. What else stands in
//! that word only events of the same thread write, so it is stored as it was loaded.

use super::{Slot, keep_order, set_next};
use crate::policy::Shape;

/// The two words of a slot, by one instruction. (The compiler would load the second one where it is used first.)
///
/// # Safety
/// The slot exists.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn words(slot: *mut Slot) -> (*mut u8, u64) {
    let (head, word): (*mut u8, u64);
    // SAFETY: a slot is two aligned words that nobody else writes.
    unsafe {
        core::arch::asm!(
            "ldp {head}, {word}, [{slot}]",
            slot = in(reg) slot,
            head = lateout(reg) head,
            word = lateout(reg) word,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    (head, word)
}

/// Sets both. A store in two halves, as the compiler joins them.
///
/// # Safety
/// The slot is the calling thread's.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn set_words(slot: *mut Slot, head: *mut u8, word: u64) {
    // SAFETY: a slot is two words.
    unsafe { *slot.cast::<(*mut u8, u64)>() = (head, word) }
}

#[cfg(target_arch = "aarch64")]
const _: () = assert!(
    core::mem::offset_of!(Slot, room) == 8 && cfg!(target_endian = "little"),
    "the room is the lower half of a slot's second word"
);

/// A slot that was looked at.
#[derive(Clone, Copy)]
pub struct Hand {
    slot: *mut Slot,
    /// Its first object, or null.
    pub head: *mut u8,
    #[cfg(target_arch = "aarch64")]
    word: u64,
}

impl Hand {
    /// Looks at a slot.
    ///
    /// # Safety
    /// The slot is the calling thread's.
    #[inline(always)]
    pub unsafe fn of(slot: *mut Slot) -> Hand {
        // SAFETY: as the caller says.
        unsafe {
            #[cfg(not(target_arch = "aarch64"))]
            let head = (*slot).head;
            #[cfg(target_arch = "aarch64")]
            let (head, word) = words(slot);
            Hand {
                slot,
                head,
                #[cfg(target_arch = "aarch64")]
                word,
            }
        }
    }

    /// Takes the first object out: `next` is the one behind it.
    ///
    /// # Safety
    /// The slot is the calling thread's, and as it was when it was looked at: with an object in it.
    #[inline(always)]
    pub unsafe fn take(self, next: *mut u8) {
        // SAFETY: as the caller says.
        unsafe {
            #[cfg(not(target_arch = "aarch64"))]
            {
                (*self.slot).head = next;
                (*self.slot).room = (*self.slot).room.wrapping_add(1);
            }
            // There is an object in the list, so the room is less than the slot may hold: nothing is carried.
            #[cfg(target_arch = "aarch64")]
            set_words(self.slot, next, self.word.wrapping_add(1));
            keep_order();
        }
    }

    /// Takes one of the room of a slot; None if there was none. Then the room may have wrapped around.
    ///
    /// # Safety
    /// The slot is the calling thread's, and is written.
    #[inline(always)]
    pub unsafe fn lowered(slot: *mut Slot) -> Option<Lowered> {
        // SAFETY: as the caller says.
        unsafe {
            #[cfg(not(target_arch = "aarch64"))]
            {
                let (room, full) = (*slot).room.overflowing_sub(1);
                (*slot).room = room;
                (!full).then_some(Lowered { slot })
            }
            #[cfg(target_arch = "aarch64")]
            Self::spared(slot)
        }
    }

    /// The same, of a slot that is not written where it has no room: it may be one that nobody may write.
    ///
    /// # Safety
    /// The slot is the calling thread's, or has no room.
    #[inline(always)]
    pub unsafe fn spared(slot: *mut Slot) -> Option<Lowered> {
        // SAFETY: as the caller says.
        unsafe {
            #[cfg(not(target_arch = "aarch64"))]
            {
                if (*slot).room == 0 {
                    return None;
                }
                // Looked at and changed in memory: a load, a test, a decrement and a store would be two instructions more.
                let slot = opaque(slot);
                (*slot).room -= 1;
                Some(Lowered { slot })
            }
            #[cfg(target_arch = "aarch64")]
            {
                let hand = Self::of(slot);
                (hand.word as u32 != 0).then_some(Lowered { hand })
            }
        }
    }
}

/// A slot with room for an object, which is about to come.
pub struct Lowered {
    #[cfg(not(target_arch = "aarch64"))]
    slot: *mut Slot,
    #[cfg(target_arch = "aarch64")]
    hand: Hand,
}

impl Lowered {
    /// Makes `p` the first object.
    ///
    /// # Safety
    /// The slot is the calling thread's, and as it was; `p` is an object of its class that nobody uses.
    #[inline(always)]
    pub unsafe fn put<S: Shape>(self, p: *mut u8) {
        // SAFETY: the slot is this thread's, and the object nobody's: the list owns it from now on.
        unsafe {
            #[cfg(not(target_arch = "aarch64"))]
            {
                set_next::<S>(p, (*self.slot).head);
                keep_order();
                (*self.slot).head = p;
            }
            #[cfg(target_arch = "aarch64")]
            {
                set_next::<S>(p, self.hand.head);
                keep_order();
                // There was room, so nothing is borrowed from what stands above it.
                set_words(self.hand.slot, p, self.hand.word.wrapping_sub(1));
            }
        }
    }
}

/// The same slot, of which the optimizer does not know that it has just looked at it. Emits nothing.
#[cfg(not(target_arch = "aarch64"))]
#[inline(always)]
fn opaque(slot: *mut Slot) -> *mut Slot {
    let mut address = slot.expose_provenance();
    // SAFETY: no instruction.
    unsafe { core::arch::asm!("/* {0} */", inout(reg) address, options(pure, nomem, nostack, preserves_flags)) };
    core::ptr::with_exposed_provenance_mut(address)
}
