//! What is known of an object while it exists.

use super::table::{Entry, mixed};
use crate::policy::agreed::ADDRESS_BITS;

/// Bits of an address, and of a size: as many as addresses have, so that no object is longer.
const LOW: u32 = 48;
const LOW_MASK: u64 = (1 << LOW) - 1;
/// The greatest number of a thread; later ones share it.
pub const THREADS_MAX: u32 = (1 << 24) - 1;

const _: () = assert!(ADDRESS_BITS <= LOW);

/// How an object came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Birth {
    /// Bytes that were asked for.
    pub bytes: u64,
    /// log2 of the alignment that was asked for, if it is more than every object has; 0 if not.
    pub align: u8,
    /// The thread that made it, counted from 1.
    pub thread: u32,
    /// Nanoseconds from the recorder's start.
    pub born: u64,
}

/// An object that exists: its address, and how it came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Object {
    /// Address; above it the thread's upper 8 bits, and 6 of the alignment.
    at: u64,
    /// Bytes; above them the thread's lower 16 bits.
    bytes: u64,
    born: u64,
}

impl Object {
    /// The object at an address.
    pub fn new(p: *mut u8, birth: Birth) -> Self {
        let thread = u64::from(birth.thread.min(THREADS_MAX));
        Object {
            at: p as u64 & LOW_MASK | thread >> 16 << LOW | u64::from(birth.align & 63) << (LOW + 8),
            bytes: birth.bytes.min(LOW_MASK) | (thread & 0xffff) << LOW,
            born: birth.born,
        }
    }

    /// The key of the object at an address.
    pub fn at(p: *mut u8) -> Self {
        Object {
            at: p as u64 & LOW_MASK,
            bytes: 0,
            born: 0,
        }
    }

    /// How it came to be.
    pub fn birth(&self) -> Birth {
        Birth {
            bytes: self.bytes & LOW_MASK,
            align: (self.at >> (LOW + 8)) as u8 & 63,
            thread: (self.bytes >> LOW) as u32 | ((self.at >> LOW & 0xff) as u32) << 16,
            born: self.born,
        }
    }
}

impl Entry for Object {
    fn is_empty(&self) -> bool {
        // No object lies at address 0.
        self.at == 0
    }

    fn hash(&self) -> u64 {
        mixed(self.at & LOW_MASK)
    }

    fn is_of(&self, key: &Self) -> bool {
        (self.at ^ key.at) & LOW_MASK == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_was_told() {
        for thread in [1, 255, 65_535, 65_536, THREADS_MAX] {
            for (bytes, align) in [(0, 0), (24, 0), (LOW_MASK, 47)] {
                let birth = Birth {
                    bytes,
                    align,
                    thread,
                    born: u64::MAX - 5,
                };
                let p = ((1usize << 47) - 16) as *mut u8;
                let object = Object::new(p, birth);
                assert_eq!(object.birth(), birth);
                assert!(object.is_of(&Object::at(p)) && !object.is_of(&Object::at((1usize << 40) as *mut u8)));
                assert_eq!(object.hash(), Object::at(p).hash());
            }
        }
    }
}
