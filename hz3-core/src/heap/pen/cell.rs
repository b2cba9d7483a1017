//! What is known of one place of the pen.

/// Where a place's object is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Life {
    /// None has been there.
    Never = 0,
    /// It exists.
    Live = 1,
    /// It was freed.
    Gone = 2,
}

/// Who did something, and how much of its call stack is known.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Calls {
    /// The thread's number, as the kernel counts.
    pub by: u32,
    /// Calls of the stack.
    pub count: u32,
}

/// What is known of a place's object, or of its last one. All zero where there was none.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Cell {
    /// Its address.
    pub at: *mut u8,
    /// Bytes that were asked for.
    pub asked: usize,
    /// How many guarded objects there had been, with it.
    pub number: u64,
    /// Its birth.
    pub born: Calls,
    /// Its end.
    pub ended: Calls,
    /// Whether it exists.
    pub life: Life,
    /// The program was let through the pages around.
    pub breached: bool,
}
