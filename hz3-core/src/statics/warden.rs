//! What a thread has for guarded objects, in variants that have them.

use crate::heap::chance::Dice;

/// Words of [`Warden::armed`]: a bit a class.
const ARMED: usize = 6;

/// What a thread has for guarded objects. All zero in a new thread.
#[repr(C)]
pub struct Warden {
    /// Bytes until the next one.
    pub left: u64,
    /// Chance.
    pub dice: Dice,
    /// It has drawn its first gap.
    pub started: bool,
    /// It is reading a stack: what is allocated meanwhile is not guarded.
    pub busy: bool,
    /// The thread's stack.
    pub stack: (usize, usize),
    /// Classes of which the next object that is taken from an empty list is guarded.
    armed: [u64; ARMED],
}

impl Warden {
    /// The next object of the class that is taken from an empty list is to be guarded.
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
        let bit = 1 << (class % 64);
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn classes_are_armed_one_by_one() {
        // SAFETY: all zero is a new thread's.
        let mut warden: Warden = unsafe { core::mem::zeroed() };
        for class in [0, 63, 64, 335] {
            assert!(!warden.disarm(class));
            warden.arm(class);
        }
        for class in [335, 64, 63, 0] {
            assert!(warden.disarm(class) && !warden.disarm(class));
        }
        warden.arm(ARMED * 64);
        assert!(!warden.disarm(ARMED * 64));
    }
}
