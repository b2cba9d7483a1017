//! What objects have in common that are counted together.

use super::object::Birth;
use super::table::{Entry, mixed};

/// How an object ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// Nanoseconds that it existed.
    pub lifetime: u64,
    /// Whether the thread that made it ended it.
    pub by_its_own: bool,
}

/// A power of two, at most as large as a number: the lower bound of its bucket. 0 and 1 share one.
fn bucket(n: u64) -> u64 {
    u64::from(n.max(1).ilog2())
}

/// Threads whose objects are counted apart; those of later threads are counted together.
const THREADS: u32 = 31;
/// What stands for a thread, or a time of birth, that is not told.
const ANY: u64 = 0xff;

/// Objects of one size, alignment, thread, time of birth, lifetime and relation of threads: how many there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Row {
    /// Bytes of an object (48 bits), log2 of its alignment (8), and what became of it (8).
    what: u64,
    /// Thread (8), and the logarithms of time of birth (8) and lifetime (8).
    when: u64,
    /// Objects.
    pub objects: u64,
    /// Nanoseconds that they existed, all together.
    pub lived: u64,
}

const LIVE: u64 = 1;
const SAME: u64 = 2;
const OTHER: u64 = 3;

impl Row {
    /// The row of an object that was made like this, and that exists or has ended. It counts none.
    pub fn of(birth: &Birth, end: Option<End>) -> Self {
        let (became, life) = match end {
            None => (LIVE, 0),
            Some(End {
                lifetime,
                by_its_own: true,
            }) => (SAME, bucket(lifetime)),
            Some(End { lifetime, .. }) => (OTHER, bucket(lifetime)),
        };
        let thread = if birth.thread < THREADS {
            u64::from(birth.thread)
        } else {
            ANY
        };
        Row {
            what: birth.bytes | u64::from(birth.align) << 48 | became << 56,
            when: thread | bucket(birth.born) << 8 | life << 16,
            objects: 0,
            lived: 0,
        }
    }

    /// The same without thread and time of birth, of which there are few.
    pub fn coarse(self) -> Self {
        Row {
            when: self.when | ANY | ANY << 8,
            ..self
        }
    }

    /// The same kind of objects, of which it counts none.
    pub fn kind(self) -> Self {
        Row {
            objects: 0,
            lived: 0,
            ..self
        }
    }

    /// Counts so many more, and how long they existed.
    pub fn add(&mut self, objects: u64, lived: u64) {
        self.objects += objects;
        self.lived = self.lived.saturating_add(lived);
    }

    /// Bytes of one object.
    pub fn bytes(&self) -> u64 {
        self.what & ((1 << 48) - 1)
    }

    /// Alignment, if it is more than every object has.
    pub fn align(&self) -> Option<u64> {
        match self.what >> 48 & 0xff {
            0 => None,
            log => Some(1 << log),
        }
    }

    /// The thread that made the objects, if it is told.
    pub fn thread(&self) -> Option<u64> {
        Some(self.when & ANY).filter(|thread| *thread != ANY)
    }

    /// Nanoseconds from the start to their birth, at least, if that is told.
    pub fn born(&self) -> Option<u64> {
        Some(self.when >> 8 & ANY).filter(|log| *log != ANY).map(|log| 1 << log)
    }

    /// How they ended; lifetimes are lower bounds. None if they exist.
    pub fn end(&self) -> Option<End> {
        let by_its_own = match self.what >> 56 {
            LIVE => return None,
            became => became == SAME,
        };
        Some(End {
            lifetime: 1 << (self.when >> 16 & 63),
            by_its_own,
        })
    }
}

impl Entry for Row {
    fn is_empty(&self) -> bool {
        self.what == 0
    }

    fn hash(&self) -> u64 {
        mixed(self.what ^ mixed(self.when).rotate_left(17))
    }

    fn is_of(&self, key: &Self) -> bool {
        self.what == key.what && self.when == key.when
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_was_made_of() {
        let birth = Birth {
            bytes: 0,
            align: 6,
            thread: 3,
            born: 1000,
        };
        let live = Row::of(&birth, None);
        assert!(!live.is_empty());
        assert_eq!((live.bytes(), live.align(), live.end()), (0, Some(64), None));
        assert_eq!((live.thread(), live.born()), (Some(3), Some(512)));
        assert_eq!((live.coarse().thread(), live.coarse().born()), (None, None));
        for (lifetime, lower) in [(0, 1), (1, 1), (2, 2), (4095, 2048), (u64::MAX, 1 << 63)] {
            for by_its_own in [false, true] {
                let end = End { lifetime, by_its_own };
                let row = Row::of(&birth, Some(end));
                let lifetime = lower;
                assert_eq!(row.end(), Some(End { lifetime, by_its_own }));
                assert!(!row.is_of(&live) && row.coarse().end() == row.end());
            }
        }
        let late = Row::of(
            &Birth {
                thread: 70_000,
                ..birth
            },
            None,
        );
        assert_eq!(late.thread(), None);
    }
}
