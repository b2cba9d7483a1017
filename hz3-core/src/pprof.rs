//! pprof's format, `perftools.profiles.Profile` as a protobuf, written piece by piece: nothing is allocated, and nothing is kept
//! but a buffer of the caller's.
//!
//! Only what a heap profile takes is here. Strings are numbered in the order in which they are written; the first are those of
//! [`WORDS`].

mod message;
#[cfg(all(test, not(loom)))]
mod tests;

use crate::text::Text;
use message::{bytes, number, varint};

pub use message::{Part, Sink};

/// The strings that every profile has, in order. The first one has to be empty.
pub const WORDS: [&str; 18] = [
    "",
    "alloc_objects",
    "count",
    "alloc_space",
    "bytes",
    "inuse_objects",
    "inuse_space",
    "space",
    "align",
    "thread",
    "born",
    "nanoseconds",
    "lifetime",
    "samples",
    "freed_by",
    "same",
    "other",
    "lived",
];

const fn word(text: &str) -> u64 {
    let mut at = 0;
    while at < WORDS.len() {
        if crate::policy::agreed::same(WORDS[at], text) {
            return at as u64;
        }
        at += 1;
    }
    u64::MAX
}

const BYTES: u64 = word("bytes");
const NANOSECONDS: u64 = word("nanoseconds");

/// What is told of one row.
#[derive(Clone, Copy, Default)]
pub struct Row<'a> {
    /// Numbers of the stack's addresses, from 0, the innermost first.
    pub stack: &'a [u32],
    /// Objects, estimated.
    pub objects: f64,
    /// Their bytes, estimated.
    pub bytes: f64,
    /// Bytes of each.
    pub size: u64,
    /// Alignment, where it is more than every object has; else 0.
    pub align: u64,
    /// The thread that made them, from 1; 0 if it is not told.
    pub thread: u64,
    /// Nanoseconds from the start to their birth.
    pub born: Option<u64>,
    /// How they ended, if they did.
    pub ended: Option<Ended>,
    /// Sampled objects behind the row.
    pub samples: u64,
    /// Nanoseconds that the objects existed, all together, where that is known.
    pub lived: Option<u64>,
}

/// How objects ended.
#[derive(Clone, Copy)]
pub struct Ended {
    /// Nanoseconds that they lived, at least.
    pub lifetime: u64,
    /// Whether another thread than that which made them ended them.
    pub other: bool,
}

/// What is told of a profile as a whole.
#[derive(Clone, Copy)]
pub struct Head {
    /// Nanoseconds since 1970.
    pub time: u64,
    /// Nanoseconds since the start.
    pub duration: u64,
    /// Mean bytes between two samples.
    pub period: u64,
}

/// A mapping of code.
#[derive(Clone, Copy)]
pub struct Mapping<'a> {
    /// Its number, from 1.
    pub id: u64,
    /// First address.
    pub start: u64,
    /// The one after the last.
    pub limit: u64,
    /// Offset of the first in the file.
    pub offset: u64,
    /// The file.
    pub file: &'a [u8],
    /// Its build id, in hexadecimal; empty if it has none.
    pub build_id: &'a [u8],
}

/// Writes a profile.
pub struct Writer<S> {
    /// Where it goes.
    pub out: S,
    strings: u64,
    /// Objects that rows so far were told too few, by rounding; below 0 if too many.
    rest: f64,
}

impl<S: Sink> Writer<S> {
    /// Begins a profile.
    pub fn new(out: S, head: Head) -> Self {
        let mut this = Writer {
            out,
            strings: 0,
            rest: 0.0,
        };
        for text in WORDS {
            this.string(text.as_bytes());
        }
        for (kind, unit) in [
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ] {
            this.value_type(1, word(kind), word(unit));
        }
        this.value_type(11, word("space"), BYTES);
        number(&mut this.out, 9, head.time);
        number(&mut this.out, 10, head.duration);
        number(&mut this.out, 12, head.period);
        number(&mut this.out, 14, word("inuse_space"));
        this
    }

    /// Adds a string; returns its number.
    pub fn string(&mut self, text: &[u8]) -> u64 {
        bytes(&mut self.out, 6, text);
        self.strings += 1;
        self.strings - 1
    }

    fn value_type(&mut self, field: u64, kind: u64, unit: u64) {
        let mut part = Part::<8>::default();
        number(&mut part, 1, kind);
        number(&mut part, 2, unit);
        bytes(&mut self.out, field, part.bytes());
    }

    /// Adds a comment.
    pub fn comment(&mut self, text: &[u8]) {
        let number = self.string(text);
        varint(&mut self.out, 13 << 3);
        varint(&mut self.out, number);
    }

    /// Adds a comment `key=value`, where the value is a text, then a number if there is one.
    pub fn property(&mut self, key: &[u8], value: &[u8], number: Option<u64>) {
        let mut buffer = [0u8; 128];
        // SAFETY: the buffer is as long as it says.
        let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
        text.push(key).push(b"=").push(value);
        if let Some(n) = number {
            text.number(n);
        }
        let length = text.finish();
        self.comment(buffer.get(..length).unwrap_or_default());
    }

    /// Adds a mapping.
    pub fn mapping(&mut self, mapping: &Mapping<'_>) {
        let file = self.string(mapping.file);
        let build_id = if mapping.build_id.is_empty() {
            0
        } else {
            self.string(mapping.build_id)
        };
        let mut part = Part::<80>::default();
        let fields = [mapping.id, mapping.start, mapping.limit, mapping.offset, file, build_id];
        for (field, value) in (1..).zip(fields) {
            number(&mut part, field, value);
        }
        bytes(&mut self.out, 3, part.bytes());
    }

    /// Adds an address: the one of this number, from 0, in the mapping of that number, or 0.
    pub fn location(&mut self, id: u64, mapping: u64, address: u64) {
        let mut part = Part::<40>::default();
        number(&mut part, 1, id + 1);
        number(&mut part, 2, mapping);
        number(&mut part, 3, address);
        bytes(&mut self.out, 4, part.bytes());
    }

    /// Adds a row.
    pub fn row(&mut self, row: &Row<'_>) {
        // 64 addresses of at most 5 bytes, four values of 10, and nine labels of at most 18: never full.
        let mut sample = Part::<640>::default();
        let mut numbers = Part::<400>::default();
        for address in row.stack {
            varint(&mut numbers, u64::from(*address) + 1);
        }
        bytes(&mut sample, 1, numbers.bytes());
        let mut values = Part::<40>::default();
        // Casts of floating-point numbers end at the largest, and an estimate is rounded. What rounding takes from the objects of
        // a row goes to the next: many rows of 4.49 objects are not 4 each.
        let exact = row.objects + self.rest;
        let (objects, all) = ((exact + 0.5) as i64, (row.bytes + 0.5) as i64 as u64);
        // Of what no number can say nothing is carried on.
        let rest = exact - objects as f64;
        self.rest = if rest.abs() <= 0.5 { rest } else { 0.0 };
        let objects = objects as u64;
        let live = row.ended.is_none();
        for value in [objects, all, if live { objects } else { 0 }, if live { all } else { 0 }] {
            varint(&mut values, value);
        }
        bytes(&mut sample, 2, values.bytes());
        let label = |sample: &mut Part<640>, key: u64, text: u64, n: u64, unit: u64| {
            let mut part = Part::<24>::default();
            number(&mut part, 1, key);
            number(&mut part, 2, text);
            number(&mut part, 3, n);
            number(&mut part, 4, unit);
            bytes(sample, 3, part.bytes());
        };
        label(&mut sample, BYTES, 0, row.size, BYTES);
        if row.align > 0 {
            label(&mut sample, const { word("align") }, 0, row.align, BYTES);
        }
        if row.thread > 0 {
            label(&mut sample, const { word("thread") }, 0, row.thread, 0);
        }
        if let Some(born) = row.born {
            label(&mut sample, const { word("born") }, 0, born, NANOSECONDS);
        }
        if let Some(ended) = row.ended {
            label(&mut sample, const { word("lifetime") }, 0, ended.lifetime, NANOSECONDS);
            let by = const { [word("same"), word("other")] }[usize::from(ended.other)];
            label(&mut sample, const { word("freed_by") }, by, 0, 0);
        }
        label(&mut sample, const { word("samples") }, 0, row.samples, 0);
        if let Some(lived) = row.lived {
            label(&mut sample, const { word("lived") }, 0, lived, NANOSECONDS);
        }
        bytes(&mut self.out, 2, sample.bytes());
    }
}
