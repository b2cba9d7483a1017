//! Free objects: the only code that writes into freed memory.
//!
//! A free object's first word says which is the next one (null ends a list), in the encoding that the variant chooses. A
//! [`Batch`] is such a list with its length; a [`BatchWord`] is a batch packed into 64 bits so that one atomic can hold it; a
//! [`Slot`] is a list that a thread takes from and puts to.

use crate::policy::agreed::{ADDRESS_BITS, BATCH_MAX, GRANULE};
use crate::policy::{ClassId, Link, Owner, Shape};
#[cfg(not(loom))]
use crate::sync::Ordering;
use core::ptr;
#[cfg(not(loom))]
use core::sync::atomic::compiler_fence;

pub mod chart;
mod deal;
mod hand;
pub mod mark;
mod tide;

pub use deal::deal;
pub use hand::{Hand, Lowered};
pub use tide::Tide;

/// The object after `p`.
///
/// # Safety
/// `p` is a free object in a list that the caller owns: of 16 bytes at least, aligned to 16, and its first word was written by
/// [`set_next`] of the same variant.
#[inline(always)]
pub unsafe fn next<S: Shape>(p: *mut u8) -> *mut u8 {
    // SAFETY: the caller's object; nobody else reads or writes it.
    S::Link::next::<S>(p, unsafe { *p.cast::<*mut u8>() })
}

/// Makes `to` the object after `p`.
///
/// # Safety
/// `p` is a free object that the caller owns: of 16 bytes at least, and aligned to 16. `to` is null, or a free object that the
/// caller owns.
#[inline(always)]
pub unsafe fn set_next<S: Shape>(p: *mut u8, to: *mut u8) {
    // SAFETY: the caller's object; nobody else reads or writes it.
    unsafe { *p.cast::<*mut u8>() = S::Link::word::<S>(p, to) }
}

/// What the second word of a free object says that came home to its run at this generation of the run's list: no address of the
/// program's, and nothing that a program writes by accident.
#[inline]
fn home_mark(p: *mut u8, generation: u32) -> usize {
    (p as usize ^ 0xa5c3_0f96_d1e8_7b24_u64 as usize).wrapping_add((generation as usize) << 46)
}

/// Writes behind an object's link that it is in its run's list. Whoever takes it out again says so, by [`set_out`] or by the next
/// generation.
///
/// # Safety
/// As for [`set_next`].
#[inline]
pub unsafe fn set_home(p: *mut u8, generation: u32) {
    // SAFETY: the caller's object, which has two words at least.
    unsafe { *p.cast::<usize>().add(1) = home_mark(p, generation) }
}

/// Says of an object that it is in no list of a run.
///
/// # Safety
/// As for [`set_next`].
#[inline]
pub unsafe fn set_out(p: *mut u8) {
    // SAFETY: the caller's object, which has two words at least.
    unsafe { *p.cast::<usize>().add(1) = 0 }
}

/// Whether an object says that it is in its run's list.
///
/// # Safety
/// `p` is the place of an object of a class.
#[inline]
pub unsafe fn says_home(p: *mut u8, generation: u32) -> bool {
    // SAFETY: an object has two words at least, and can be read.
    unsafe { *p.cast::<usize>().add(1) == home_mark(p, generation) }
}

/// Keeps the compiler from moving stores across: the child of a fork reads other threads' lists, and must find every
/// list complete at every instruction. Emits nothing.
#[inline(always)]
pub fn keep_order() {
    #[cfg(not(loom))]
    compiler_fence(Ordering::SeqCst);
}

/// A list of `count` free objects of one class; it owns them.
#[derive(Clone, Copy)]
pub struct Batch {
    /// First object, or null.
    pub head: *mut u8,
    /// Objects.
    pub count: u32,
}

impl Batch {
    /// No objects.
    pub const EMPTY: Batch = Batch {
        head: ptr::null_mut(),
        count: 0,
    };

    /// Takes the first object out. The last one is not looked at: it may lie in a page that nobody has touched yet.
    ///
    /// # Safety
    /// The batch holds at least one object.
    #[inline]
    pub unsafe fn pop<S: Shape>(&mut self) -> *mut u8 {
        let p = self.head;
        self.count -= 1;
        self.head = match self.count {
            0 => ptr::null_mut(),
            // SAFETY: `p` is the head of a list that this batch owns, and not its end.
            _ => unsafe { next::<S>(p) },
        };
        p
    }

    /// Puts `p` in front.
    ///
    /// # Safety
    /// `p` is a free object of the batch's class that the caller owns and now gives away.
    #[inline]
    pub unsafe fn push<S: Shape>(&mut self, p: *mut u8) {
        // SAFETY: the caller owns `p`.
        unsafe { set_next::<S>(p, self.head) };
        self.head = p;
        self.count += 1;
    }

    /// The first `keep` objects, one at least, and the others.
    ///
    /// # Safety
    /// The batch is the caller's, its links are whole, and it is longer than `keep`, which is at least 1.
    pub unsafe fn split<S: Shape>(self, keep: u32) -> (Batch, Batch) {
        let mut last = self.head;
        // SAFETY: none of these objects is the batch's last one.
        unsafe {
            for _ in 1..keep {
                last = next::<S>(last);
            }
            let rest = Batch {
                head: next::<S>(last),
                count: self.count - keep,
            };
            set_next::<S>(last, ptr::null_mut());
            let mine = Batch {
                head: self.head,
                count: keep,
            };
            (mine, rest)
        }
    }
}

/// A thread's free list of one bin. `room` + the length of the list = `cap`.
#[repr(C)]
pub struct Slot {
    /// First free object.
    pub head: *mut u8,
    /// How many more objects the list may take.
    pub room: u32,
    /// How many objects the list may hold: a batch's length, or less where the thread has had little use for more.
    pub cap: u16,
    /// An event of this slot happened since the thread last looked for magazines that lie idle.
    pub recent: bool,
    /// How the objects of the class come and go in this thread.
    pub tide: Tide,
}

impl Slot {
    /// Objects in the list, as far as its counts tell: never more than the list may hold.
    #[inline]
    pub const fn length(&self) -> u32 {
        (self.cap as u32).saturating_sub(self.room)
    }
}

const _: () = assert!(size_of::<Slot>() == 16, "page tags are byte offsets in units of 16");
const _: () = assert!(size_of::<*mut u8>() <= GRANULE, "the smallest object holds a link");

/// Where a slot is: bytes from the first one of a slot array, which is the trap, or from the first one of a bank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct SlotOffset(usize);

impl SlotOffset {
    /// The trap, whose room is always 0.
    pub const TRAP: SlotOffset = SlotOffset(0);

    /// An offset that a table or a tag holds.
    #[inline(always)]
    pub const fn new(bytes: usize) -> Self {
        SlotOffset(bytes)
    }

    /// A class's, in a slot array.
    #[inline(always)]
    pub const fn of<S: Shape>(class: ClassId<S>) -> Self {
        SlotOffset(class.place() * size_of::<Slot>())
    }

    /// An owner's slot array, in a bank.
    #[inline(always)]
    pub const fn of_row<S: Shape>(owner: Owner<S>) -> Self {
        SlotOffset(owner.shifted())
    }

    /// The slot of a class in an owner's slot array of a bank.
    #[inline(always)]
    pub const fn in_bank<S: Shape>(owner: Owner<S>, class: ClassId<S>) -> Self {
        SlotOffset(Self::of_row(owner).0 + Self::of(class).0)
    }

    /// How far a slot is from the first one.
    #[inline(always)]
    pub fn between(first: *mut Slot, slot: *mut Slot) -> Self {
        SlotOffset(slot as usize - first as usize)
    }

    /// Bytes.
    #[inline(always)]
    pub const fn bytes(self) -> usize {
        self.0
    }

    /// The class whose slot is there in a slot array.
    ///
    /// # Safety
    /// It is a class's: neither the trap nor beyond the array.
    #[inline(always)]
    pub const unsafe fn class<S: Shape>(self) -> ClassId<S> {
        // SAFETY: slots after the trap are the classes', in order.
        unsafe { ClassId::at(self.0 / size_of::<Slot>()) }
    }
}

/// A batch in one word: address in the low 48 bits, count in the others. Zero is "no batch".
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BatchWord(pub u64);

/// Bits of the address.
const AT: u32 = 48;
const ADDRESS: u64 = (1 << AT) - 1;

const _: () = assert!(
    ADDRESS_BITS <= AT && BATCH_MAX as u64 <= u64::MAX >> AT,
    "a word holds every batch"
);

impl BatchWord {
    /// No batch.
    pub const NONE: BatchWord = BatchWord(0);

    /// Packs a batch; its count is at most [`BATCH_MAX`] (the plan bounds batch lengths).
    #[inline]
    pub fn pack(batch: Batch) -> Self {
        debug_assert!(batch.count <= BATCH_MAX && batch.head as u64 & !ADDRESS == 0);
        BatchWord(batch.head as u64 | (u64::from(batch.count) << AT))
    }

    /// Unpacks it.
    #[inline]
    pub fn unpack(self) -> Batch {
        Batch {
            head: (self.0 & ADDRESS) as *mut u8,
            count: (self.0 >> AT) as u32,
        }
    }

    /// Whether there is no batch.
    #[inline]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}
