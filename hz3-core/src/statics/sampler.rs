//! What a thread has for sampling, in variants that sample.

use crate::heap::sample::chance::Dice;

/// Words of [`Sampler::armed`]: a bit a class.
const ARMED: usize = 6;

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
    /// Classes of which the next object that is taken from an empty list is sampled.
    armed: [u64; ARMED],
}

/// Byte offset of [`Sampler::left`], which `malloc` takes for granted.
const _: () = assert!(core::mem::offset_of!(Sampler, left) == 0);

impl Sampler {
    /// The next object of the class that is taken from an empty list is to be sampled.
    pub fn arm(&mut self, class: usize) {
        if let Some(word) = self.armed.get_mut(class / 64) {
            *word |= 1 << (class % 64);
        }
    }

    /// Whether it is; it is not from now on.
    pub fn disarm(&mut self, class: usize) -> bool {
        let Some(word) = self.armed.get_mut(class / 64) else {
            return false;
        };
        let was = *word & 1 << (class % 64);
        *word &= !was;
        was != 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn classes_are_armed_one_by_one() {
        // SAFETY: all zero is a new thread's.
        let mut sampler: Sampler = unsafe { core::mem::zeroed() };
        for class in [0, 63, 64, 335] {
            assert!(!sampler.disarm(class));
            sampler.arm(class);
        }
        for class in [0, 63, 64, 335] {
            assert!(sampler.disarm(class) && !sampler.disarm(class));
        }
        sampler.arm(ARMED * 64);
        assert!(!sampler.disarm(ARMED * 64));
    }
}
