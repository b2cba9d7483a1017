//! The objects of a list in an order that nobody can tell.

use super::{Batch, next, set_next};
use crate::policy::Shape;
use core::ptr;

/// Piles that a list is dealt on, as a power of two.
const PILES_LOG: u32 = 3;
const PILES: usize = 1 << PILES_LOG;
/// Draws that a word of random bits serves.
const DRAWS: u32 = u64::BITS / PILES_LOG;

/// Deals the objects of a list on piles at random, and lays these on each other: not all orders are equally likely, but of the next
/// object, and of the one after it, nobody knows more than that it is one of many. It takes one pass and no memory.
///
/// # Safety
/// The batch is the caller's, and a list of more than one object.
pub unsafe fn deal<S: Shape>(batch: Batch, mut bits: impl FnMut() -> u64) -> Batch {
    let mut piles = [(ptr::null_mut::<u8>(), ptr::null_mut::<u8>()); PILES];
    let (mut p, mut word, mut left) = (batch.head, 0, 0);
    for _ in 0..batch.count {
        if left == 0 {
            (word, left) = (bits(), DRAWS);
        }
        let number = word as usize % PILES;
        (word, left) = (word >> PILES_LOG, left - 1);
        // SAFETY: the list is the caller's, and has as many objects as the batch says.
        unsafe {
            let following = next::<S>(p);
            if let Some((top, bottom)) = piles.get_mut(number) {
                if top.is_null() {
                    *bottom = p;
                }
                set_next::<S>(p, *top);
                *top = p;
            }
            p = following;
        }
    }
    let mut head = ptr::null_mut();
    for (top, bottom) in piles {
        if !top.is_null() {
            // SAFETY: the bottom of a pile is an object of the caller's, and ends a list.
            unsafe { set_next::<S>(bottom, head) };
            head = top;
        }
    }
    Batch {
        head,
        count: batch.count,
    }
}
