//! What the generator gives to the algorithms: one type a variant, made of consts, tables and associated types.

use crate::abi::layout::Layout;
use crate::event::block::ThreadBlock;
use crate::event::stats::{Counter, Stats};
use crate::hot::{Miss, Route, Slot, Space};
use crate::statics::Shared;
use crate::sync::{AtomicPtr, AtomicUsize};

/// One size class, as the events need it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Class {
    /// Bytes of an object.
    pub size: u32,
    /// Alignment of every object, bytes.
    pub align: u32,
    /// Pages of a run.
    pub run_pages: u16,
    /// Objects of a full-length run.
    pub objects: u16,
    /// Objects of a full batch.
    pub batch: u16,
    /// Objects of a new thread's first batch.
    pub batch_first: u16,
    /// Objects that one trip to the runs carves at most.
    pub batch_carve: u16,
    /// Next larger classes that may serve before the heap grows.
    pub borrow: u16,
    /// Colours: a run's first object is shifted by 64 × (0..colors) bytes.
    pub colors: u16,
    /// Batches that the depot of this class may hold.
    pub depot: u16,
}

/// What `free` does with a pointer that is not ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreign {
    /// Hand it to the C library.
    Libc,
    /// Abort with a message.
    Abort,
    /// Leave it alone.
    Ignore,
}

/// What a thread keeps outside of its block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// Nothing.
    None,
    /// A ring of objects that belong to other owners.
    Ring,
    /// Rows of slots, one for each owner, and the spare magazines.
    Rows,
}

/// Numbers and choices that only events read.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Bytes of the arena to reserve.
    pub arena_bytes: usize,
    /// Wanted address, 0 for any.
    pub arena_base: usize,
    /// Reserve readable and writable at once, instead of opening segment by segment.
    pub commit_whole: bool,
    /// Map segments outside of the arena when it is used up.
    pub grow_outside: bool,
    /// `MADV_NOHUGEPAGE` on the arena.
    pub thp_never: bool,
    /// `MADV_HUGEPAGE` on objects of a segment or more.
    pub thp_large: bool,
    /// `MADV_HUGEPAGE` on the whole arena.
    pub thp_always: bool,
    /// Magazines a bin: 1 or 2.
    pub magazines: u32,
    /// Objects that a thread keeps for another owner before it hands them over (`OwnerBank`).
    pub remote_batch: u32,
    /// Entries of a thread's ring (`OwnerRing`).
    pub ring: u32,
    /// Bytes by which a thread's magazines may grow beyond their first length, all together.
    pub growth: usize,
    /// Bytes that the magazines of a thread may hold if it is alone, and that threads share otherwise.
    pub thread_bytes: usize,
    /// Bytes that they may hold in any case; `thread_bytes` if threads do not share.
    pub thread_floor: usize,
    /// Empty runs kept a class.
    pub empty_runs: u32,
    /// Bytes of freed whole-segment objects kept with their pages.
    pub large_cache: usize,
    /// Milliseconds after which they go to the kernel; 0 for never.
    pub large_age: u64,
    /// Free backed bytes kept by the page heap.
    pub dirty_bytes: usize,
    /// Milliseconds after which free backed bytes go to the kernel; 0 for never.
    pub purge_delay: u64,
    /// An exiting thread purges.
    pub purge_at_exit: bool,
    /// A helper thread purges when no other thread has events.
    pub purge_helper: bool,
    /// Threads are asked for their caches when memory is short.
    pub pressure: bool,
    /// Bytes of segments and huge objects above which memory counts as short; 0 for no such bound.
    pub budget: usize,
    /// Free bytes below which a successful relief still asks the other threads.
    pub reclaim: usize,
    /// Relief tries one segment first: see [`crate::event::relief::drain`].
    pub relief_segment: bool,
    /// Pages come from the segment at the lowest address, not from the fullest.
    pub lowest: bool,
    /// Segments that a search looks at for the tightest hole; 0 where tightness does not count.
    pub pack_tries: u32,
    /// Requests for pages during which none are taken from the segment that is drained; 0 where it is not spared.
    pub quarantine_events: u32,
    /// Pointers that are not ours.
    pub foreign: Foreign,
}

impl Policy {
    /// Milliseconds within which free pages that were given back should not have been: after that they go anyhow.
    pub const fn window(&self) -> u64 {
        if self.purge_delay > 0 { self.purge_delay } else { 1000 }
    }

    /// The same of freed huge objects.
    pub const fn huge_window(&self) -> u64 {
        if self.large_age > 0 { self.large_age } else { 1000 }
    }

    /// Whether pages are placed without any of the choices of [`crate::heap::placement`].
    pub const fn places_plainly(&self) -> bool {
        !self.lowest && self.pack_tries == 0 && self.quarantine_events == 0
    }
}

/// The integer of a page tag.
pub trait Tag: 'static {
    /// Bytes a page.
    const BYTES: usize;

    /// The tag at an address.
    ///
    /// `at` is a cell of the tag table.
    unsafe fn load(at: *const u8) -> usize;

    /// Writes it.
    ///
    /// `at` is a cell of the tag table; its page belongs to the caller.
    unsafe fn store(at: *mut u8, value: usize);
}

macro_rules! tag {
    ($int:ty) => {
        impl Tag for $int {
            const BYTES: usize = core::mem::size_of::<$int>();

            #[inline(always)]
            unsafe fn load(at: *const u8) -> usize {
                // SAFETY: the caller passes a cell of the table, which lives as long as the process. A page's tag is
                // written before any object of its run is handed out and not again before all of them are back, so that
                // nobody writes the cell of an object's page while the object exists: a plain load does not race. (An
                // atomic one would cost `free` an instruction: LLVM extends a 16-bit atomic load twice.)
                unsafe { *at.cast::<$int>() as usize }
            }

            #[inline]
            unsafe fn store(at: *mut u8, value: usize) {
                // SAFETY: the page is the caller's: nobody reads its tag.
                unsafe { *at.cast::<$int>() = value as $int }
            }
        }
    };
}
tag!(u16);
tag!(u32);

/// What `malloc` does about the next object of the list.
pub trait Prefetch: 'static {
    /// Called with the new head of the list, which may be null.
    fn next(p: *mut u8);
}

/// Nothing is prefetched.
pub struct NoPrefetch;

impl Prefetch for NoPrefetch {
    #[inline(always)]
    fn next(_: *mut u8) {}
}

/// The next object's first line is fetched, so that the next `malloc` finds its link.
pub struct PrefetchNext;

impl Prefetch for PrefetchNext {
    #[inline(always)]
    fn next(p: *mut u8) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch of any address, null included, has no effect that a program can see.
        unsafe {
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(p.cast())
        };
        #[cfg(not(target_arch = "x86_64"))]
        let _ = p;
    }
}

/// What `malloc` does with a size above [`Variant::FINE_MAX`].
pub trait Above: 'static {
    /// Allocates `n > V::FINE_MAX` bytes.
    ///
    /// As `malloc`.
    unsafe fn malloc<V: Variant, M: Miss>(n: usize) -> *mut u8;
}

/// One generated allocator.
///
/// # Safety
/// The implementor (the generator) promises: `fine` answers every size `0..=FINE_MAX` and `coarse` every size up to
/// `LARGEST` with the slot offset of a class that holds it; slot offsets are `(class + 1) * size_of::<Slot>()` and lie in
/// the thread block's bank; `classes` has `CLASSES` rows by rising size, whose last is `LARGEST`; `ARENA_PAGES` pages
/// of tags and the arena fit the reservation that `POLICY` asks for; the statics are used by this variant alone; `slot`
/// and `thread` point into this thread's block, which is zero when the thread starts.
pub unsafe trait Variant: Sized + 'static {
    /// Page tags.
    type Tag: Tag;
    /// What the tag table covers.
    type Space: Space;
    /// Whose a freed object is.
    type Route: Route;
    /// Prefetching in `malloc`.
    type Prefetch: Prefetch;
    /// Sizes above `FINE_MAX`.
    type Above: Above;
    /// Whether events are counted.
    type Stats: Stats;
    /// This variant's statics.
    type Shared: Shared;
    /// This variant's thread block.
    type Thread: ThreadBlock;

    /// The variant's name.
    const NAME: &'static str;
    /// The resolved config.
    const CONFIG: &'static core::ffi::CStr;
    /// The name, for C.
    const NAME_C: &'static core::ffi::CStr;
    /// Largest size of the fine table, bytes.
    const FINE_MAX: usize;
    /// Largest size of any class, bytes.
    const LARGEST: usize;
    /// log2 of the coarse table's granule.
    const COARSE_SHIFT: u32;
    /// Pages of the arena as configured; the bound that `free` compares with.
    const ARENA_PAGES: usize;
    /// Classes.
    const CLASSES: usize;
    /// Owners of runs; 1 where they belong to nobody in particular.
    const SHARDS: usize;
    /// Bits of a tag below the owner's.
    const BIN_BITS: u32;
    /// What a thread keeps outside of its block; follows from `Route`.
    const BODY: Body;
    /// Whether its `malloc` is the whole process's, that of the C library included.
    const INTERPOSES: bool;
    /// What events read.
    const POLICY: Policy;

    /// Slot offset of size class `[granule]`, granules of 16 bytes.
    ///
    /// `granule <= FINE_MAX / 16`.
    unsafe fn fine(granule: usize) -> usize;
    /// Slot offset from the coarse table.
    ///
    /// `index <= (LARGEST - 1) >> COARSE_SHIFT`.
    unsafe fn coarse(index: usize) -> usize;
    /// The class table.
    fn classes() -> &'static [Class];
    /// The word that holds the arena's base.
    fn arena_base() -> &'static AtomicUsize;
    /// The word that holds the flat tag table's address; only read where tags cover the whole address space.
    fn flat_table() -> &'static AtomicPtr<u32>;
    /// One counter for each kind of event; empty where events are not counted.
    fn counters() -> &'static [Counter];
    /// Where everything lies, for a reader outside of the process.
    fn layout() -> &'static Layout;
    /// The statics.
    fn shared() -> &'static Self::Shared;
    /// This thread's slot at a byte offset of its own row.
    fn slot(offset: usize) -> *mut Slot;
    /// This thread's slot at a byte offset of its bank of all rows; the same where there is one row.
    fn bank_slot(offset: usize) -> *mut Slot;
    /// The bank of threads that have none: zeroes that nobody writes. Null where banks are inside of blocks.
    fn trap() -> *mut Slot;
    /// This thread's block.
    fn thread() -> *mut Self::Thread;
}

/// Bytes of the tag table, rounded up to pages: it ends where the arena begins.
pub const fn tag_bytes<V: Variant>() -> usize {
    (V::ARENA_PAGES * <V::Tag as Tag>::BYTES).next_multiple_of(crate::os::PAGE)
}
