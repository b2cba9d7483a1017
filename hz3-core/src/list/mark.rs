//! What a free object's second word says, where freed objects are filled (`hardening.fill_freed`): whether the object was filled
//! when it was freed, or was never handed out. Both words follow from the process's secret and the address, so that whatever else
//! is found there was written by somebody else.

use crate::policy::{Policy, Shape};

impl Policy {
    /// Whether free objects are marked. Then nothing but links and marks is written into them.
    pub const fn marks(&self) -> bool {
        !matches!(self.hardening.fill_freed, crate::policy::knobs::Fill::Off)
    }
}

/// What a mark says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// The object was never handed out since its run was opened.
    Fresh,
    /// It was filled when it was freed.
    Filled,
    /// It was written to.
    Written,
}

/// The place of the mark.
///
/// # Safety
/// `p` is a free object that the caller owns: of 16 bytes at least.
#[inline(always)]
unsafe fn word(p: *mut u8) -> *mut u64 {
    // SAFETY: the object has two words.
    unsafe { p.cast::<u64>().add(1) }
}

/// Marks an object that was never handed out, where objects are marked.
///
/// # Safety
/// `p` is a free object that the caller owns.
#[inline(always)]
pub unsafe fn fresh<S: Shape>(p: *mut u8) {
    if S::POLICY.marks() {
        // SAFETY: the caller's object.
        unsafe { *word(p) = !S::secret().of(p) }
    }
}

/// Marks an object that was filled; `value` is its own of the process's secret.
///
/// # Safety
/// As for [`fresh`].
#[inline(always)]
pub unsafe fn filled(p: *mut u8, value: u64) {
    // SAFETY: the caller's object.
    unsafe { *word(p) = value }
}

/// What the mark of an object says; `filled` is its value of the process's secret.
///
/// # Safety
/// `p` is a free object of a class that the caller owns, and objects are marked.
#[inline(always)]
pub unsafe fn read(p: *mut u8, filled: u64) -> Mark {
    // SAFETY: the caller's object.
    let found = unsafe { *word(p) };
    if found == filled {
        Mark::Filled
    } else if found == !filled {
        Mark::Fresh
    } else {
        Mark::Written
    }
}
