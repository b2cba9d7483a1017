//! What a variant has found wrong, and whom it tells.

use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use core::ffi::{c_char, c_void};

/// What was found wrong. The numbers are those of `hz3.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Fault {
    /// A pointer that no malloc of this process gave.
    Foreign = 1,
    /// An object was freed that was free.
    DoubleFree = 2,
    /// A free object was written to: what it says of the next one cannot be.
    WrittenLink = 3,
    /// A pointer to something else than the beginning of an object.
    Interior = 4,
    /// Bytes behind an object were used.
    Overflow = 5,
    /// Bytes before an object were used.
    Underflow = 6,
    /// A freed object was read or written.
    UseAfterFree = 7,
    /// An object was freed with a size or an alignment that is not its own.
    WrongSize = 8,
    /// What the heap counts does not agree: an object was freed twice, or the heap's records were written to.
    Counts = 9,
}

impl Fault {
    /// Its name, with a zero at its end, as reports begin with it.
    pub const fn name(self) -> &'static core::ffi::CStr {
        match self {
            Fault::Foreign => c"foreign pointer",
            Fault::DoubleFree => c"double free",
            Fault::WrittenLink => c"write into a free object",
            Fault::Interior => c"pointer into an object",
            Fault::Overflow => c"overflow",
            Fault::Underflow => c"underflow",
            Fault::UseAfterFree => c"use after free",
            Fault::WrongSize => c"wrong size",
            Fault::Counts => c"counts that do not agree",
        }
    }
}

/// What a program's function is told: `struct hz3_error` of `hz3.h`.
#[repr(C)]
#[derive(Debug)]
pub struct Error {
    /// What was found.
    pub fault: Fault,
    /// Its name, which ends with a zero.
    pub name: *const c_char,
    /// The pointer that the program passed, or that was found.
    pub pointer: *const c_void,
    /// Where the object begins that `pointer` is in; null if that is not known.
    pub object: *const c_void,
    /// Bytes that the object can hold; 0 if that is not known.
    pub size: usize,
    /// The report: one line without its end, and a zero.
    pub text: *const c_char,
}

/// A program's function that is told of errors.
pub type OnError = extern "C" fn(&Error);

/// Who is told of errors, and how many there were. All zero at the beginning.
pub struct Errors {
    /// The function; 0 if there is none.
    hook: AtomicUsize,
    /// The thread that is telling.
    teller: AtomicU32,
    count: AtomicU64,
}

impl Errors {
    /// Nobody is told of anything yet.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Errors {
            hook: AtomicUsize::new(0),
            teller: AtomicU32::new(0),
            count: AtomicU64::new(0),
        }
    }

    /// Has a function told of errors from now on, or nobody.
    pub fn set_hook(&self, hook: Option<OnError>) {
        self.hook.store(hook.map_or(0, |hook| hook as usize), Ordering::Release);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts an error, and tells the program of it. `thread` is the calling thread's number. What is found while a thread
    /// tells, by the program's function perhaps, is counted and not told.
    pub fn tell(&self, error: &Error, thread: u32) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let hook = self.hook.load(Ordering::Acquire);
        if hook == 0 || self.teller.load(Ordering::Relaxed) == thread {
            return;
        }
        // SAFETY: the word is 0 or what `set_hook` put there, which is such a function.
        let hook = unsafe { core::mem::transmute::<usize, OnError>(hook) };
        let before = self.teller.swap(thread, Ordering::Relaxed);
        hook(error);
        self.teller.store(before, Ordering::Relaxed);
    }
}
