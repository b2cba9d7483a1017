//! What the generator gives to the algorithms: one type a variant, made of consts, tables and associated types.

mod choice;
mod record;
mod room;
mod stats;

pub use choice::{Above, Miss, Operations, Prefetch, Route};
pub use record::{Made, Record};
pub use room::Room;
pub use stats::{Counter, KINDS, Kind, LENGTHS, STEPS, Stats};

use crate::heap::sample::Samples;
use crate::list::{Slot, SlotOffset};
use crate::policy::Shape;
use crate::statics::block::ThreadBlock;
use crate::statics::layout::Layout;
use crate::statics::{Sampler, Shared};

/// One generated allocator.
///
/// # Safety
/// The implementor (the generator) promises: `fine` answers every size `0..=FINE_MAX` and `coarse` every size up to
/// `LARGEST` with the slot offset of a class that holds it; slot offsets lie in the thread block's bank; the last of `classes` is of `LARGEST` bytes; the statics are used by this variant alone; `slot`
/// and `thread` point into this thread's block, which is zero when the thread starts.
pub unsafe trait Variant: Shape<Route: Route> + Operations {
    /// What a thread keeps for other owners; of the same name as its `Route`.
    type Room: Room;
    /// Prefetching in `malloc`.
    type Prefetch: Prefetch;
    /// Sizes above `FINE_MAX`.
    type Above: Above;
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
    /// Bytes by which a thread's magazines may grow beyond their first length, all together.
    const GROWTH: usize;
    /// Whether its `malloc` is the whole process's, that of the C library included.
    const INTERPOSES: bool;

    /// Slot offset of size class `[granule]`, granules of 16 bytes.
    ///
    /// # Safety
    /// `granule <= FINE_MAX / 16`.
    unsafe fn fine(granule: usize) -> SlotOffset;
    /// Slot offset from the coarse table.
    ///
    /// # Safety
    /// `index <= (LARGEST - 1) >> COARSE_SHIFT`.
    unsafe fn coarse(index: usize) -> SlotOffset;
    /// One counter for each event that has a name; empty where events are not counted.
    fn counters() -> &'static [Counter];
    /// What is kept for who is told of the program's calls.
    fn recorder() -> &'static <Self::Record as Record>::State;
    /// The sampled objects; `None` where nothing is sampled.
    fn samples() -> Option<&'static Samples>;
    /// What this thread has for sampling; null where nothing is sampled.
    fn sampler() -> *mut Sampler;
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
}
