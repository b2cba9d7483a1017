//! What the generator gives to the algorithms: one type a variant, made of consts, tables and associated types.

mod choice;
mod record;
mod room;
mod stats;
mod token;

pub use choice::{Above, Cache, Miss, Operations, Prefetch, Route, Sentry};
pub use record::{Made, Record};
pub use room::Room;
pub use stats::{Counter, KINDS, Kind, LENGTHS, STEPS, Stats};
pub use token::Token;

use crate::heap::in_use::InUse;
use crate::heap::pen::Pen;
use crate::heap::sample::Samples;
use crate::heap::ward::Ward;
use crate::list::{Slot, SlotOffset};
use crate::policy::Shape;
use crate::statics::block::ThreadBlock;
use crate::statics::layout::Layout;
use crate::statics::{Sampler, Shared, Vacant, Warden, Watch};

/// One generated allocator.
///
/// # Safety
/// The implementor (the generator) promises: `fine` answers every size `0..=FINE_MAX` and `coarse` every size up to
/// `LARGEST` with the slot offset of a class that holds it; slot offsets lie in the thread block's bank; the last of `classes` is of `LARGEST` bytes; the statics are used by this variant alone; `slot`
/// and `thread` point into this thread's block, which is zero when the thread starts.
pub unsafe trait Variant: Shape<Route: Route> + Operations {
    /// What a thread keeps for other owners; of the same name as its `Route`.
    type Room: Room;
    /// What `free` looks at.
    type Sentry: Sentry;
    /// Prefetching in `malloc`.
    type Prefetch: Prefetch;
    /// Sizes above `FINE_MAX`.
    type Above: Above;
    /// Whose slots there are.
    type Cache: Cache;
    /// Whether events are counted.
    type Stats: Stats;
    /// Who is told of the program's calls.
    type Record: Record;
    /// This variant's statics.
    type Shared: Shared;
    /// This variant's thread block.
    type Thread: ThreadBlock;

    /// The resolved config.
    const CONFIG: &'static core::ffi::CStr;
    /// The hash of the config.
    const CONFIG_HASH: &'static str;
    /// The path that profiles are written to, with `%p` for the process's number.
    const PROFILE: &'static core::ffi::CStr;
    /// The name, for C.
    const NAME_C: &'static core::ffi::CStr;
    /// Largest size of the fine table, bytes.
    const FINE_MAX: usize;
    /// Largest size of any class, bytes.
    const LARGEST: usize;
    /// log2 of the coarse table's granule.
    const COARSE_SHIFT: u32;
    /// Bytes that the magazines of a thread that is alone may hold, all together.
    const BUDGET: u32;
    /// Bytes that they may hold when each class has its first length.
    const FIRST: u32;
    /// Whether its `malloc` is the whole process's, that of the C library included.
    const INTERPOSES: bool;

    /// Slot offset of the class of so many granules of the variant's.
    ///
    /// # Safety
    /// `granule <= FINE_MAX / GRANULE`.
    unsafe fn fine(granule: usize) -> SlotOffset;
    /// Slot offset from the coarse table.
    ///
    /// # Safety
    /// `index <= (LARGEST - 1) >> COARSE_SHIFT`.
    unsafe fn coarse(index: usize) -> SlotOffset;
    /// Whether [`turned`](Self::turned) is what `malloc` asks.
    const TURNED: bool = false;
    /// The slot offset of the class of a size, the trap's for 0 and for more than `FINE_MAX`; and how many bytes the size is more
    /// than `FINE_MAX`, wrapped around.
    #[inline(always)]
    fn turned(n: usize) -> (SlotOffset, usize) {
        (SlotOffset::TRAP, n.wrapping_sub(Self::FINE_MAX))
    }
    /// This thread's slot of size class `[granule]`: see [`fine`](Self::fine).
    ///
    /// # Safety
    /// As for [`fine`](Self::fine).
    #[inline(always)]
    unsafe fn slot_of_granule(granule: usize) -> *mut Slot {
        // SAFETY: as the caller says.
        Self::slot(unsafe { Self::fine(granule) })
    }
    /// The same by the coarse table.
    ///
    /// # Safety
    /// As for [`coarse`](Self::coarse).
    #[inline(always)]
    unsafe fn slot_of_index(index: usize) -> *mut Slot {
        // SAFETY: as the caller says.
        Self::slot(unsafe { Self::coarse(index) })
    }
    /// One counter for each event that has a name; empty where events are not counted.
    fn counters() -> &'static [Counter];
    /// What is kept for who is told of the program's calls.
    fn recorder() -> &'static <Self::Record as Record>::State;
    /// The sampled objects; `None` where nothing is sampled.
    fn samples() -> Option<&'static Samples>;
    /// Which objects the program has; `None` where that is not known exactly.
    #[inline(always)]
    fn in_use() -> Option<&'static InUse> {
        None
    }
    /// What this thread has for sampling; null where nothing is sampled.
    fn sampler() -> *mut Sampler;
    /// The freed objects above the largest class that wait; `None` where none do.
    #[inline(always)]
    fn ward() -> Option<&'static Ward> {
        None
    }
    /// What a thread that has ended had outside of its block, for the next one; `None` where none is kept.
    #[inline(always)]
    fn vacant() -> Option<&'static Vacant> {
        None
    }
    /// Who handles faults; `None` where none are told.
    #[inline(always)]
    fn watch() -> Option<&'static Watch> {
        None
    }
    /// The guarded objects; `None` where there are none.
    fn pen() -> Option<&'static Pen>;
    /// What this thread has for guarded objects; null where there are none.
    fn warden() -> *mut Warden;
    /// Counts `n` bytes towards the next sample, where `malloc` does. Whether it is due.
    fn is_due(n: usize) -> bool;
    /// Where everything lies, for a reader outside of the process.
    fn layout() -> &'static Layout;
    /// The statics.
    fn shared() -> &'static Self::Shared;
    /// This thread's slot at an offset in its own slot array.
    fn slot(offset: SlotOffset) -> *mut Slot;
    /// This thread's slot at an offset in its bank of slot arrays; the same where there is one array.
    fn bank_slot(offset: SlotOffset) -> *mut Slot;
    /// The bank of threads that have none: zeroes that nobody writes. Null where banks are inside of blocks.
    fn trap() -> *mut Slot;
    /// This thread's block.
    fn thread() -> *mut Self::Thread;
    /// Takes the first object of this processor's slot at an offset in its row; null if it has none. Only where slots are
    /// processors', as the next two.
    ///
    /// # Safety
    /// It is the offset of a slot. The calling thread has its block.
    #[inline(always)]
    unsafe fn cpu_pop(_: usize) -> *mut u8 {
        core::ptr::null_mut()
    }
    /// Makes an object the first one of this processor's slot. False if it has no room.
    ///
    /// # Safety
    /// As for [`cpu_pop`](Self::cpu_pop); the object is of the slot's class, and nobody uses it.
    #[inline(always)]
    unsafe fn cpu_push(_: usize, _: *mut u8) -> bool {
        false
    }
    /// Takes the list of this processor's slot as a whole: the row, and the slot's word. The word is 0, and nothing was taken, if
    /// the slot is closed or taken, or if lists of the row must not be taken now.
    ///
    /// # Safety
    /// As for [`cpu_pop`](Self::cpu_pop). Whoever has taken a list puts another word there.
    #[inline(always)]
    unsafe fn cpu_take(_: usize) -> (*mut u8, u64) {
        (core::ptr::null_mut(), 0)
    }
}
