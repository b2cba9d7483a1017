//! Slots of processors (`cache.per = "cpu"`): a *row* of [slots](CpuSlot) for each, and what a thread knows of them.

use super::block::{Meta, ThreadBlock};
use super::cpu_slot::CpuSlot;
use crate::list::{BatchWord, Slot};
use crate::sync::{
    AtomicI32, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Lock, Ordering, const_but_in_models,
};

/// What stands in the place of the first slot of a row, whose word is always 0: the trap.
#[repr(C)]
pub struct Row {
    trap: AtomicU64,
    /// Bytes that the lists of the row may hold, all together.
    pub held: AtomicU32,
    /// Where the search for idle lists goes on.
    pub hand: AtomicU16,
    /// Not 0: nobody takes a list.
    pub stop: AtomicU8,
    /// Not 0: the row was used.
    pub seen: AtomicU8,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Row>() == size_of::<Slot>(), "the trap is as long as a slot");

impl Row {
    /// Byte offset of [`stop`](Self::stop).
    pub const STOP: usize = core::mem::offset_of!(Row, stop);
}

/// log2 of the bytes of a row of so many classes: its slots, the trap first, and a word for each of them.
pub const fn row_shift(classes: usize) -> u32 {
    ((classes + 1) * (size_of::<CpuSlot>() + size_of::<u64>()))
        .next_power_of_two()
        .ilog2()
}

/// What a thread that has not started writes and reads instead of an area: its number is 0, and that row is the trap.
#[repr(C)]
pub struct Idle {
    cs: AtomicU64,
    number: AtomicU32,
}

impl Idle {
    const_but_in_models! {
        /// The number is 0 for ever; nobody reads the other word.
        pub fn new() -> Self {
            Idle {
                cs: AtomicU64::new(0),
                number: AtomicU32::new(0),
            }
        }
    }
}

/// A thread's block where slots are processors'. Its first words are read by [`sequence`](crate::sequence).
#[repr(C, align(64))]
pub struct CpuBlock {
    /// Where the address of a sequence's descriptor goes: the thread's area, or nowhere.
    cs: *mut u64,
    /// The word of a thread whose sequences nobody interrupts.
    own: u64,
    place: Place,
    /// The number of a thread that has a row of its own: 0 for ever.
    zero: u32,
    /// Whether the thread has slots; if not, all of them are the trap.
    attached: bool,
    meta: Meta,
}

/// Where a thread's slots are. Both words change at once, as a signal handler may use them.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Place {
    number: *const u32,
    rows: *mut u8,
}

impl CpuBlock {
    /// Says where the area of the calling thread is, and where the rows of all processors begin.
    ///
    /// # Safety
    /// `this` is the calling thread's block, which is not attached. The kernel has been told of the area that holds `cs` and
    /// `number`, and each number that it writes has a row.
    pub(crate) unsafe fn attach(this: *mut Self, cs: *mut u64, number: *const u32, rows: *mut u8) {
        // SAFETY: the block is this thread's. A signal handler in between finds the trap with either word.
        unsafe {
            (&raw mut (*this).cs).write_volatile(cs);
            Self::put(&raw mut (*this).place, Place { number, rows });
            (*this).attached = true;
        }
    }

    /// Gives the calling thread a row of its own.
    ///
    /// # Safety
    /// As for [`attach`](Self::attach), but that the row is nobody else's.
    pub(crate) unsafe fn attach_own(this: *mut Self, row: *mut u8) {
        // SAFETY: the block is this thread's, and its own words are there as long as it is.
        unsafe { Self::attach(this, &raw mut (*this).own, &raw const (*this).zero, row) }
    }

    /// The thread has the trap from now on, as before it was attached.
    ///
    /// # Safety
    /// `this` is the calling thread's block; `trap` is a row of zeroes that nobody writes.
    pub(crate) unsafe fn detach(this: *mut Self, trap: *mut u8) {
        // SAFETY: the block is this thread's.
        unsafe {
            (*this).attached = false;
            let number = &raw const (*this).zero;
            Self::put(&raw mut (*this).place, Place { number, rows: trap });
        }
    }

    /// Whether the thread has slots.
    ///
    /// # Safety
    /// `this` is the calling thread's block.
    pub(crate) unsafe fn is_attached(this: *mut Self) -> bool {
        // SAFETY: the block is this thread's.
        unsafe { (*this).attached }
    }

    /// The row that the thread uses now, or used a moment ago.
    ///
    /// # Safety
    /// `this` is the calling thread's block; rows are `1 << shift` bytes apart.
    pub(crate) unsafe fn row(this: *mut Self, shift: u32) -> *mut u8 {
        // SAFETY: the block is this thread's, and says where its number is.
        unsafe {
            let number = (*this).place.number.read_volatile() as usize;
            (*this).place.rows.wrapping_add(number << shift)
        }
    }

    /// Takes back what was said of where a sequence begins.
    ///
    /// # Safety
    /// `this` is the calling thread's block, and the thread is in no sequence.
    #[inline(always)]
    pub(crate) unsafe fn disarm(this: *mut Self) {
        // SAFETY: the block is this thread's.
        unsafe { (*this).cs.write_volatile(0) }
    }

    /// Writes both words by one instruction.
    ///
    /// # Safety
    /// `to` can be written.
    unsafe fn put(to: *mut Place, place: Place) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: it is aligned to 16.
        unsafe {
            use core::arch::x86_64::{__m128i, _mm_set_epi64x};
            let both: __m128i = _mm_set_epi64x(place.rows as i64, place.number as i64);
            core::arch::asm!("movdqa xmmword ptr [{}], {}", in(reg) to, in(xmm_reg) both, options(nostack));
        }
        #[cfg(not(target_arch = "x86_64"))]
        // SAFETY: as the caller says. (No thread of such a machine gets here.)
        unsafe {
            to.write_volatile(place);
        }
    }
}

impl ThreadBlock for CpuBlock {
    #[inline(always)]
    unsafe fn meta(this: *mut Self) -> *mut Meta {
        // SAFETY: the block exists; no reference to it is made.
        unsafe { &raw mut (*this).meta }
    }

    /// None: the caller gets what lies in the trap.
    #[inline]
    unsafe fn spares(_: *mut Self) -> *mut BatchWord {
        core::ptr::null_mut()
    }

    unsafe fn point(_: *mut Self, _: *mut Slot, _: *mut Slot) {}

    unsafe fn set_spares(_: *mut Self, _: *mut BatchWord) {}

    #[inline(always)]
    unsafe fn cpu(this: *mut Self) -> *mut CpuBlock {
        this
    }
}

/// The rows of a process, which begin as none.
pub struct Rows {
    /// The first row; null where threads have rows of their own.
    table: AtomicPtr<u8>,
    /// How many there are.
    count: AtomicU32,
    /// How many of them were ever used.
    used: AtomicU32,
    /// The first of those that were never used and behind which none was.
    high: AtomicU32,
    /// Bytes from the thread pointer to the word for descriptors.
    cs: AtomicI32,
    /// The same to the number of the processor.
    number: AtomicI32,
    /// Held by who empties rows of others.
    pub lock: Lock,
}

impl Rows {
    /// Byte offset of the pointer to the first row.
    pub(crate) const TABLE: usize = core::mem::offset_of!(Rows, table);
    /// Byte offset of the number of rows to look at.
    pub(crate) const HIGH: usize = core::mem::offset_of!(Rows, high);

    const_but_in_models! {
        /// None.
        pub fn new() -> Self {
            Rows {
                table: AtomicPtr::new(core::ptr::null_mut()),
                count: AtomicU32::new(0),
                used: AtomicU32::new(0),
                high: AtomicU32::new(0),
                cs: AtomicI32::new(0),
                number: AtomicI32::new(0),
                lock: Lock::new(),
            }
        }
    }

    /// Says where they are, and where a thread's word and number are, as distances from the thread pointer.
    pub(crate) fn set(&self, table: *mut u8, count: u32, cs: i32, number: i32) {
        self.count.store(count, Ordering::Relaxed);
        self.cs.store(cs, Ordering::Relaxed);
        self.number.store(number, Ordering::Relaxed);
        self.used.store(0, Ordering::Relaxed);
        self.high.store(0, Ordering::Relaxed);
        self.table.store(table, Ordering::Release);
    }

    /// Where they are, and how many; None where threads have rows of their own.
    #[inline]
    pub fn table(&self) -> Option<(*mut u8, u32)> {
        let table = self.table.load(Ordering::Acquire);
        (!table.is_null()).then(|| (table, self.count.load(Ordering::Relaxed)))
    }

    /// Forgets them.
    pub(crate) fn forget(&self) -> Option<(*mut u8, u32)> {
        let table = self.table();
        self.table.store(core::ptr::null_mut(), Ordering::Release);
        table
    }

    /// Distances from the thread pointer: of the word for descriptors, and of the processor's number.
    pub(crate) fn places(&self) -> (i32, i32) {
        (self.cs.load(Ordering::Relaxed), self.number.load(Ordering::Relaxed))
    }

    /// The row of this number is used for the first time.
    pub(crate) fn uses(&self, number: u32) {
        self.used.fetch_add(1, Ordering::Relaxed);
        self.high.fetch_max(number.saturating_add(1), Ordering::AcqRel);
    }

    /// Rows from here on were never used.
    pub(crate) fn high(&self) -> u32 {
        self.high.load(Ordering::Acquire)
    }

    /// How many rows are used.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed) as usize
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_slot_and_a_word_for_each_class_and_the_trap() {
        for (classes, shift) in [(1, 6), (84, 11), (85, 12), (335, 13)] {
            assert_eq!(row_shift(classes), shift, "{classes}");
            assert!((classes + 1) * 24 <= 1 << shift);
        }
    }
}
