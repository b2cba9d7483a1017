//! A thread's block.

use crate::heap::depot::Home;
use crate::heap::lot::Seat;
use crate::list::{BatchWord, Slot};

/// What a thread is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum State {
    /// It has done nothing yet.
    New = 0,
    /// It has caches.
    Running = 1,
    /// Its exit was reported, or nobody will report it: every operation goes to central, so that nothing is left behind.
    Uncached = 2,
}

/// One object on its way to its owner.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Entry {
    /// The object.
    pub p: *mut u8,
    /// The tag of its page.
    pub tag: usize,
}

/// The part of a block that only events use, but for `base`.
#[repr(C)]
pub struct Meta {
    /// The tag of the first slot of this thread's slot array (`OwnerRing`); 0 before it starts.
    pub base: usize,
    /// What the thread is.
    pub state: State,
    /// Times that its exit was reported.
    pub exits: u8,
    /// The number of the round in which it last looked at what it keeps, modulo 256.
    pub round: u8,
    /// Owners that lost their last threads, modulo 65536, when this thread last looked.
    pub desertions: u16,
    /// The owner that it is one of.
    pub shard: u16,
    /// The shelf of depots that it looks into first.
    pub home: Home,
    /// Entries of the ring in use.
    pub ring_used: u32,
    /// The ring (`OwnerRing`).
    pub ring: *mut Entry,
    /// What is mapped for the thread outside of the block.
    pub body: *mut u8,
    /// Bytes that the magazines of a thread that is alone might hold beyond what these hold, all together.
    pub growth: u32,
    /// Bytes that the classes which are closed would open with.
    pub closed: u32,
    /// The epoch of pressure that this thread has answered.
    pub epoch: u32,
    /// Events so far, where time matters.
    pub events: u32,
    /// Where the thread stands among those that take large objects.
    pub seat: Seat,
    /// Where the search for idle magazines goes on.
    pub hand: u32,
    /// Neighbours in the list of threads with caches.
    pub next: *mut Meta,
    /// The one before.
    pub prev: *mut Meta,
    /// The thread's own slot array, for the child of a fork.
    pub bank: *mut Slot,
    /// Its spares, likewise.
    pub spares: *mut BatchWord,
}

/// A thread block with its slots inside: `SLOTS` is the number of classes and one for the trap. All zero in a new thread.
#[repr(C, align(64))]
pub struct Block<const SLOTS: usize> {
    bank: [Slot; SLOTS],
    spares: [BatchWord; SLOTS],
    meta: Meta,
}

/// A thread block whose slot arrays lie outside of it, one for each owner. In a new thread both pointers lead to the
/// trap, a bank of zeroes that nobody writes, and all else is zero.
#[repr(C, align(64))]
pub struct RowsBlock {
    own: *mut Slot,
    rows: *mut Slot,
    spares: *mut BatchWord,
    meta: Meta,
}

impl RowsBlock {
    /// Byte offset of the pointer to the thread's own slot array.
    pub const OWN: usize = core::mem::offset_of!(RowsBlock, own);
    /// Byte offset of the pointer to the first slot array.
    pub const ROWS: usize = core::mem::offset_of!(RowsBlock, rows);
}

/// A thread block, whatever its shape. Pointers in, pointers out: the block is never borrowed.
pub trait ThreadBlock: 'static {
    /// Events' part.
    ///
    /// # Safety
    /// `this` is a block that exists, of a thread or of a copy of one.
    unsafe fn meta(this: *mut Self) -> *mut Meta;

    /// The spare magazines; the one of class `c` is number `c + 1`, like its slot.
    ///
    /// # Safety
    /// As for [`meta`](Self::meta).
    unsafe fn spares(this: *mut Self) -> *mut BatchWord;

    /// Says where the thread's own slot array and its first one are, where they are outside.
    ///
    /// # Safety
    /// `this` is the calling thread's block; both arrays are there, or are the trap, until it is called again.
    unsafe fn point(this: *mut Self, own: *mut Slot, rows: *mut Slot);

    /// Says where its spares are, where they are outside.
    ///
    /// # Safety
    /// `this` is the calling thread's block; the spares are there until the thread ends.
    unsafe fn set_spares(this: *mut Self, spares: *mut BatchWord);

    /// The block of a thread whose slots are processors'; null where they are its own.
    ///
    /// # Safety
    /// As for [`meta`](Self::meta).
    #[inline(always)]
    unsafe fn cpu(_: *mut Self) -> *mut super::CpuBlock {
        core::ptr::null_mut()
    }

    /// The recorder's word: the thread's number, and whether it is in there. Null where no calls are told.
    ///
    /// # Safety
    /// As for [`meta`](Self::meta).
    unsafe fn record(_: *mut Self) -> *mut u32 {
        core::ptr::null_mut()
    }
}

/// A thread block of a variant whose calls are told to a recorder.
#[repr(C, align(64))]
pub struct Recorded<B> {
    block: B,
    record: u32,
}

impl<B: ThreadBlock> ThreadBlock for Recorded<B> {
    #[inline(always)]
    unsafe fn meta(this: *mut Self) -> *mut Meta {
        // SAFETY: the block exists, and begins with the other one.
        unsafe { B::meta(this.cast()) }
    }

    #[inline]
    unsafe fn spares(this: *mut Self) -> *mut BatchWord {
        // SAFETY: as in `meta`.
        unsafe { B::spares(this.cast()) }
    }

    unsafe fn point(this: *mut Self, own: *mut Slot, rows: *mut Slot) {
        // SAFETY: as in `meta`; the arrays are as the caller says.
        unsafe { B::point(this.cast(), own, rows) }
    }

    unsafe fn set_spares(this: *mut Self, spares: *mut BatchWord) {
        // SAFETY: as in `meta`; the spares are as the caller says.
        unsafe { B::set_spares(this.cast(), spares) }
    }

    #[inline]
    unsafe fn record(this: *mut Self) -> *mut u32 {
        // SAFETY: the block exists; no reference to it is made.
        unsafe { &raw mut (*this).record }
    }
}

impl<const SLOTS: usize> ThreadBlock for Block<SLOTS> {
    #[inline(always)]
    unsafe fn meta(this: *mut Self) -> *mut Meta {
        // SAFETY: the block exists; no reference to it is made.
        unsafe { &raw mut (*this).meta }
    }

    #[inline]
    unsafe fn spares(this: *mut Self) -> *mut BatchWord {
        // SAFETY: the block exists; no reference to it is made.
        unsafe { (&raw mut (*this).spares).cast() }
    }

    unsafe fn point(_: *mut Self, _: *mut Slot, _: *mut Slot) {}

    unsafe fn set_spares(_: *mut Self, _: *mut BatchWord) {}
}

impl ThreadBlock for RowsBlock {
    #[inline(always)]
    unsafe fn meta(this: *mut Self) -> *mut Meta {
        // SAFETY: the block exists; no reference to it is made.
        unsafe { &raw mut (*this).meta }
    }

    #[inline]
    unsafe fn spares(this: *mut Self) -> *mut BatchWord {
        // SAFETY: the block exists; no reference to it is made.
        unsafe { (*this).spares }
    }

    unsafe fn point(this: *mut Self, own: *mut Slot, rows: *mut Slot) {
        // SAFETY: the block is this thread's.
        unsafe {
            (*this).own = own;
            (*this).rows = rows;
        }
    }

    unsafe fn set_spares(this: *mut Self, spares: *mut BatchWord) {
        // SAFETY: the block is this thread's.
        unsafe { (*this).spares = spares }
    }
}
