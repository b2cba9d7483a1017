//! A program: what is called, by which thread, with what. Any bytes are one.

/// Objects that a program can hold at a time.
pub const SLOTS: usize = 1024;
/// The most threads at a time.
pub const THREADS: usize = 4;
/// Bytes of an operation.
pub const OP: usize = 6;
/// The most operations that are executed.
const MOST: usize = 2000;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // Named after the functions.
pub enum Kind {
    Malloc,
    Calloc,
    Realloc,
    Reallocarray,
    AlignedAlloc,
    PosixMemalign,
    Memalign,
    Valloc,
    Pvalloc,
    New,
    NewArray,
    NewNothrow,
    NewAligned,
    RustAlloc,
    RustZeroed,
    RustRealloc,
    /// By whichever function fits how the object was made.
    Free,
    /// `malloc_usable_size`, and all of it is written.
    Usable,
    /// The object is as it was written.
    Check,
    /// Objects that are made and freed at once, in turn.
    Churn,
    Trim,
    /// `mallinfo`, `mallopt` and the variant's own statistics.
    Info,
    /// A profile is written, and must be one.
    Dump,
    /// The thread ends, and another one goes on.
    ThreadEnds,
    Fork,
}

/// Kinds by the first byte of an operation: those that allocate and free are the most frequent.
const KINDS: [Kind; 64] = {
    use Kind::*;
    let mut all = [Malloc; 64];
    let some = [
        (Malloc, 12),
        (Calloc, 4),
        (Realloc, 7),
        (Reallocarray, 2),
        (AlignedAlloc, 2),
        (PosixMemalign, 2),
        (Memalign, 2),
        (Valloc, 1),
        (Pvalloc, 1),
        (New, 1),
        (NewArray, 1),
        (NewNothrow, 1),
        (NewAligned, 1),
        (RustAlloc, 1),
        (RustZeroed, 1),
        (RustRealloc, 1),
        (Free, 12),
        (Usable, 2),
        (Check, 2),
        (Churn, 3),
        (Trim, 1),
        (Info, 1),
        (ThreadEnds, 1),
        (Fork, 1),
        (Dump, 1),
    ];
    let (mut at, mut which) = (0, 0);
    while which < some.len() {
        let mut left = some[which].1;
        while left > 0 {
            all[at] = some[which].0;
            at += 1;
            left -= 1;
        }
        which += 1;
    }
    assert!(at == 64);
    all
};

/// Bytes of the objects of one operation, if they are several.
const AT_ONCE: usize = 4 << 20;
/// How often an operation is repeated, with the slots that follow: often enough to fill and to empty any cache.
const REPEATS: [usize; 8] = [1, 1, 1, 2, 8, 33, 130, 300];

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// What.
    pub kind: Kind,
    /// Whose.
    pub thread: usize,
    /// The first slot.
    pub slot: usize,
    /// How many slots.
    pub count: usize,
    /// Bytes.
    pub size: usize,
    /// The alignment, where one is asked for; not always one.
    pub align: usize,
    /// Two bits that choose among forms of one thing.
    pub form: u8,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Whether threads go on without waiting for each other. Otherwise one does at a time what the program says.
    pub free: bool,
    /// Threads.
    pub threads: usize,
    /// What they do.
    pub ops: Vec<Op>,
}

impl Program {
    /// The program of some bytes.
    pub fn decode(data: &[u8]) -> Self {
        let Some((head, rest)) = data.split_first() else {
            return Self {
                free: false,
                threads: 1,
                ops: Vec::new(),
            };
        };
        let threads = 1 + usize::from(head >> 1) % THREADS;
        let ops = rest.chunks_exact(OP).take(MOST).map(|bytes| op(bytes, threads));
        Self {
            free: head & 1 != 0 && threads > 1,
            threads,
            ops: ops.collect(),
        }
    }
}

fn op(bytes: &[u8], threads: usize) -> Op {
    let who = usize::from(bytes[1]);
    let where_ = u16::from_le_bytes([bytes[2], bytes[3]]);
    let size = size(u16::from_le_bytes([bytes[4], bytes[5]]));
    Op {
        kind: KINDS[usize::from(bytes[0] & 63)],
        thread: (who & 3) % threads,
        slot: usize::from(where_) % SLOTS,
        count: REPEATS[who >> 2 & 7].min((AT_ONCE / size.max(1)).max(1)),
        size,
        align: align(usize::from(where_) >> 10 & 7 | who >> 5 << 3 & 8),
        form: (who >> 6) as u8,
    }
}

/// Sizes: each doubling is as likely as any other; and those where something changes.
fn size(word: u16) -> usize {
    let (kind, rest) = (word >> 11, usize::from(word & 0x7ff));
    match kind {
        0..=23 => (1 << kind) + ((rest << kind) >> 11),
        24 => rest,
        25 => rest * 16,
        26 => (rest >> 2) * 4096 + [0, 1, 4095, 16][rest & 3],
        27 => (32 << 10) + rest,
        // Only these are so large that nobody has them.
        28 => usize::MAX - rest,
        29 => (isize::MAX as usize - 1024) + rest,
        30 => (1 << 47) + rest,
        _ => (2 << 20) - 1024 + rest,
    }
}

fn align(which: usize) -> usize {
    match which {
        0..=13 => 1 << which,
        14 => 2 << 20,
        // None at all.
        _ => 48,
    }
}
