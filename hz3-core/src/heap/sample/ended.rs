//! Sampled objects that have ended, summed up: by where they were made, what they were, how long they lived, and who ended
//! them.

use super::Birth;
use super::index::{Index, mixed};

/// Stands for what is not told, where there was no room for so many kinds.
pub const ANY: u8 = 0xff;

/// Rows that are left for objects of which not even the stack can be told: one for each lifetime, and who ended them.
const LAST: usize = 128;

/// Objects that have these things in common.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(C)]
pub struct Row {
    /// Bytes that were asked for.
    pub asked: u64,
    /// Objects, estimated.
    pub objects: f64,
    /// Bytes of them, estimated.
    pub bytes: f64,
    /// The stack at birth, by its number.
    pub stack: u32,
    /// The thread that made them; 0 if that is not told.
    pub thread: u32,
    /// Sampled objects behind the row.
    pub samples: u32,
    /// log2 of the alignment asked for, if that was more than every object has; 0 if not.
    pub align: u8,
    /// log2 of the nanoseconds from the start to the birth, or [`ANY`].
    pub born: u8,
    /// log2 of the nanoseconds that they lived.
    pub life: u8,
    /// Whether another thread ended them.
    pub other: bool,
}

impl Row {
    fn of(birth: &Birth, life: u64, other: bool) -> Row {
        Row {
            asked: birth.asked,
            objects: 0.0,
            bytes: 0.0,
            stack: birth.stack,
            thread: birth.thread,
            samples: 0,
            align: birth.align,
            born: log2(birth.born),
            life: log2(life),
            other,
        }
    }

    /// The same of a wider kind: the thread and the time of birth are not told, and the size is one of eight for each power of
    /// two.
    fn wider(self) -> Row {
        let step = (self.asked.max(1).ilog2()).saturating_sub(3);
        Row {
            asked: self.asked >> step << step,
            thread: 0,
            born: ANY,
            ..self
        }
    }

    /// The same of the widest kind: all sizes of a stack, of which only the mean can be told, by how long they lived and who
    /// ended them.
    fn widest(self) -> Row {
        Row {
            asked: 0,
            align: 0,
            ..self.wider()
        }
    }

    /// Bytes of an object, or their mean where that is all that is known.
    pub fn size(&self) -> u64 {
        if self.asked == 0 && self.objects > 0.0 {
            (self.bytes / self.objects) as u64
        } else {
            self.asked
        }
    }

    fn hash(&self) -> u64 {
        let what = [self.align, self.born, self.life, u8::from(self.other)].map(u64::from);
        let what = what.into_iter().fold(0, |sum, byte| sum << 8 | byte);
        mixed(mixed(self.asked ^ u64::from(self.stack) << 32) ^ u64::from(self.thread) << 32 ^ what)
    }

    fn is_of(&self, other: &Row) -> bool {
        let sums = Row {
            objects: other.objects,
            bytes: other.bytes,
            samples: other.samples,
            ..*self
        };
        sums == *other
    }
}

/// The bucket of a time.
fn log2(ns: u64) -> u8 {
    ns.max(1).ilog2() as u8
}

/// The rows.
pub(super) struct Ended {
    rows: *mut Row,
    index: Index,
    /// Rows that there is memory for.
    room: usize,
}

impl Ended {
    pub(super) const NONE: Ended = Ended {
        rows: core::ptr::null_mut(),
        index: Index::NONE,
        room: 0,
    };

    /// No rows yet.
    ///
    /// # Safety
    /// `rows` has memory for `room` rows, which is this table's alone, as is the index's.
    pub(super) unsafe fn new(rows: *mut Row, room: usize, index: Index) -> Ended {
        Ended { rows, index, room }
    }

    /// All rows.
    pub(super) fn rows(&self) -> &[Row] {
        if self.rows.is_null() {
            return &[];
        }
        // SAFETY: so many rows were written.
        unsafe { core::slice::from_raw_parts(self.rows, self.index.len()) }
    }

    /// Counts an object that has ended. False if there is no room even for the widest kind.
    pub(super) fn count(&mut self, birth: &Birth, life: u64, other: bool) -> bool {
        let row = Row::of(birth, life, other);
        // Each kind may fill the table up to a bound, so that there is always room for wider ones.
        let any = Row {
            stack: 0,
            ..row.widest()
        };
        let kinds = [
            (row, self.room / 2),
            (row.wider(), self.room / 4 * 3),
            (row.widest(), self.room - LAST.min(self.room / 8)),
            (any, self.room),
        ];
        kinds.into_iter().any(|(kind, bound)| self.add(&kind, bound, birth))
    }

    fn add(&mut self, kind: &Row, bound: usize, birth: &Birth) -> bool {
        let rows = self.rows;
        let hash = kind.hash();
        // SAFETY: the index has numbers of rows that were written.
        let known = self.index.find(hash, |n| unsafe { (*rows.add(n)).is_of(kind) });
        let at = match known {
            Some(at) => at,
            None => {
                let at = self.index.len();
                // SAFETY: as above.
                if at >= bound || !self.index.add(hash, |n| unsafe { (*rows.add(n)).hash() }) {
                    return false;
                }
                // SAFETY: the row is within the memory, as the bound is.
                unsafe { rows.add(at).write(*kind) };
                at
            }
        };
        // SAFETY: the row was written.
        let row = unsafe { &mut *rows.add(at) };
        row.objects += birth.weight;
        row.bytes += birth.weight * birth.asked as f64;
        row.samples = row.samples.saturating_add(1);
        true
    }
}
