//! What a thread has for sampling, in variants that sample.

use crate::heap::chance::Dice;
use crate::heap::sample::pace::{MOST, Pace};

/// Words of [`Sampler::armed`].
const ARMED: usize = 24;
/// Classes of a word: four bits each.
const CLASSES: usize = 16;

/// What a thread has for sampling. All zero in a new thread.
#[repr(C)]
pub struct Sampler {
    /// Bytes until the next sample. `malloc` counts it down where the variant counts bytes.
    pub left: usize,
    /// Chance.
    pub dice: Dice,
    /// The thread's number, from 1; 0 before it has one.
    pub number: u32,
    /// It is reading a stack: what is allocated meanwhile is not sampled.
    pub busy: bool,
    /// Samples in a row of which each took the place of one that had ended.
    pub heirs: u8,
    /// Bytes that the caller of `malloc` was itself asked for; 0 where that is what `malloc` is asked for.
    pub asked: usize,
    /// The alignment that it was asked for.
    pub align: usize,
    /// The thread's stack.
    pub stack: (usize, usize),
    /// How often it samples.
    pub pace: Pace,
    /// Classes of which the next object that is taken from an empty list is sampled: four bits a class, which are one more
    /// than the doublings of the mean that this sample was drawn with, or 0.
    armed: [u64; ARMED],
}

/// Byte offset of [`Sampler::left`], which `malloc` takes for granted.
const _: () = assert!(core::mem::offset_of!(Sampler, left) == 0);

/// The bits hold one more than any number of doublings.
const _: () = assert!(MOST < 15);

impl Sampler {
    /// The next object of the class that is taken from an empty list is to be sampled, with so many doublings of the mean.
    pub fn arm(&mut self, class: usize, level: u8) {
        self.disarm(class);
        if let Some(word) = self.armed.get_mut(class / CLASSES) {
            *word |= u64::from(level.min(MOST) + 1) << (class % CLASSES * 4);
        }
    }

    /// Whether it is, and with how many doublings; it is not from now on.
    pub fn disarm(&mut self, class: usize) -> Option<u8> {
        let word = self.armed.get_mut(class / CLASSES)?;
        let shift = class % CLASSES * 4;
        let was = *word >> shift & 15;
        *word &= !(15 << shift);
        (was as u8).checked_sub(1)
    }

    /// It is not from now on, whether it was or not.
    #[cold]
    #[inline(never)]
    pub fn forget(&mut self, class: usize) {
        let _ = self.disarm(class);
    }

    /// Whether it is. Classes that are seldom asked for stay armed for long, so this is asked of one class: or every event of the
    /// thread would be taken for one that makes a sample.
    #[inline(always)]
    pub fn is_armed(&self, class: usize) -> bool {
        let word = self.armed.get(class / CLASSES);
        word.is_some_and(|word| word >> (class % CLASSES * 4) & 15 != 0)
    }

    /// So many bytes leave, more than none. False if a sample falls among them, or the thread has not begun to sample: then
    /// nothing has changed.
    #[inline(always)]
    pub fn passes(&mut self, bytes: usize) -> bool {
        let passes = self.left >= bytes;
        if passes {
            self.left -= bytes;
        }
        passes
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn classes_are_armed_one_by_one() {
        // SAFETY: all zero is a new thread's.
        let mut sampler: Sampler = unsafe { core::mem::zeroed() };
        for class in [0, 15, 16, 63, 64, 335] {
            assert_eq!(sampler.disarm(class), None);
            sampler.arm(class, 1);
            sampler.arm(class, class as u8 % 9);
        }
        for class in [0, 15, 16, 63, 64, 335] {
            assert!(sampler.is_armed(class) && !sampler.is_armed(7));
            assert_eq!(sampler.disarm(class), Some(class as u8 % 9));
            assert_eq!(sampler.disarm(class), None);
            assert!(!sampler.is_armed(class));
        }
        sampler.arm(ARMED * CLASSES, 0);
        assert!(!sampler.is_armed(ARMED * CLASSES));
        assert_eq!(sampler.disarm(ARMED * CLASSES), None);
    }

    #[test]
    fn bytes_pass_until_a_sample_falls_among_them() {
        // SAFETY: all zero is a new thread's.
        let mut sampler: Sampler = unsafe { core::mem::zeroed() };
        assert!(!sampler.passes(1), "it has not begun");
        sampler.left = 100;
        assert!(sampler.passes(60) && !sampler.passes(41) && sampler.passes(40) && !sampler.passes(16));
    }
}
