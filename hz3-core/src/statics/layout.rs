//! Where a variant's memory map lies in a process and how it is laid out: for a reader outside of the process.
//!
//! Each expansion has one [`Layout`] in the section [`SECTION`], set before the program starts. A reader finds the
//! section in the file of the library or program, adds where the file is mapped, and reads the process's memory from
//! there on; nothing of the process has to run for it, and nothing of it is stopped. Offsets are computed by the
//! compiler that made the structures, so they cannot be stale; what they mean can be, and [`VERSION`] stands for that.

use super::block::Meta;
use super::process::Statics;
use super::rows::{Rows, row_shift};
use super::threads::Threads;
use crate::heap::arena::Arena;
use crate::heap::holes::Holes;
use crate::heap::outside::{Cell, OutsideTable};
use crate::heap::page::PAGES;
use crate::heap::run::{GONE, HOLED, LARGE, Run};
use crate::heap::segment::{HEADER_PAGES, Segment};
use crate::heap::wall::Walls;
use crate::heap::ward::Ward;
use crate::heap::{Heap, PageHeap};
use crate::list::Slot;
use crate::os::PAGE;
use crate::policy::knobs::Guards;
use crate::policy::{Class, Shape};
use core::mem::offset_of;

/// The section of a file that holds the [`Layout`] of each variant in it, at multiples of 8 bytes.
pub const SECTION: &str = ".hz3.heap";

/// The first bytes of a [`Layout`].
pub const MAGIC: [u8; 16] = *b"hz3 heap layout\0";

/// What the fields mean. To be raised with every change of [`Layout`], and of what it leads to that is not a number in
/// it: how an entry of the arena or a batch is packed, what a run's counts say, what a page set's bits stand for.
pub const VERSION: usize = 6;

macro_rules! layout {
    ($($(#[$doc:meta])+ $field:ident: $kind:ty,)*) => {
        /// What a reader has to know of one variant. Every field takes eight bytes.
        #[repr(C)]
        pub struct Layout {
            magic: [u8; MAGIC.len()],
            version: usize,
            bytes: usize,
            this: *const Layout,
            $($field: $kind,)*
        }

        /// A [`Layout`] as a reader has it. Addresses are those of the process that was read, offsets are bytes.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Numbers {
            /// [`VERSION`] of the library that wrote it.
            pub version: u64,
            /// Bytes of the layout.
            pub bytes: u64,
            /// Its own address.
            pub this: u64,
            $($(#[$doc])+ pub $field: u64,)*
        }

        impl Numbers {
            /// The numbers of a layout. None if `bytes` do not begin with a whole one; of another version only the first
            /// three fields are read.
            pub fn read(bytes: &[u8]) -> Option<Numbers> {
                let mut rest = bytes.strip_prefix(&MAGIC)?;
                let mut next = || {
                    let (word, behind) = rest.split_first_chunk::<8>()?;
                    rest = behind;
                    Some(u64::from_ne_bytes(*word))
                };
                let mut numbers = Numbers {
                    version: next()?,
                    bytes: next()?,
                    this: next()?,
                    ..Numbers::default()
                };
                if numbers.version == VERSION as u64 {
                    $(numbers.$field = next()?;)*
                }
                Some(numbers)
            }
        }
    };
}

layout! {
    /// Address of the variant's name.
    name: *const u8,
    /// Its length.
    name_bytes: usize,
    /// Bytes of a page.
    page_bytes: usize,
    /// Pages of a segment.
    segment_pages: usize,
    /// Pages of a segment's header.
    header_pages: usize,
    /// Bytes of a segment's header that are used.
    segment_bytes: usize,
    /// Pool of a run that holds one large object.
    large: usize,
    /// Pool of a range that waits for the lot that its segment belongs to.
    gone: usize,
    /// Size classes.
    class_count: usize,
    /// Owners of runs.
    shards: usize,
    /// Words of a depot.
    depot_words: usize,
    /// Address of the class table.
    classes: *const u8,
    /// Address of the page heap.
    page_heap: *const u8,
    /// Address of the pointer to the first thread with caches.
    threads: *const u8,
    /// Address of the depots.
    depots: *const u8,
    /// Address of the bytes of freed large objects that wait; null where none do.
    ward: *const u8,
    /// In the page heap: the arena's base.
    arena_base: usize,
    /// In the page heap: segments of the arena.
    arena_segments: usize,
    /// In the page heap: segments from here on were never used.
    arena_high: usize,
    /// In the page heap: pointer to the arena's entries, a word a segment.
    arena_entries: usize,
    /// In the page heap: pointer to the cells of the outside table.
    outside_cells: usize,
    /// In the page heap: how many cells there are.
    outside_capacity: usize,
    /// Bytes of a cell.
    cell_bytes: usize,
    /// In a cell: number of the segment.
    cell_key: usize,
    /// In a cell: bytes of a huge object.
    cell_size: usize,
    /// In a segment: set of free pages.
    segment_free: usize,
    /// In a segment: set of pages that may hold something.
    segment_dirty: usize,
    /// In a segment: set of pages that are being purged.
    segment_out: usize,
    /// In a segment: set of guards; 0 where there are none.
    segment_guards: usize,
    /// In a segment: for every page of a run the run's first page, two bytes each.
    segment_first: usize,
    /// In a segment: descriptors of runs, from the first page after the header on.
    segment_runs: usize,
    /// In a segment: for every page of a run with holes a byte, 1 if the page was given back.
    segment_given: usize,
    /// Bytes of a descriptor.
    run_bytes: usize,
    /// In a descriptor: four bytes of which one bit says that the run has holes.
    run_head: usize,
    /// That bit.
    run_holed: usize,
    /// In a descriptor: free objects of the run that were ever carved, two bytes.
    run_free: usize,
    /// In a descriptor: objects ever carved, two bytes.
    run_carved: usize,
    /// In a descriptor: objects that fit, two bytes.
    run_capacity: usize,
    /// In a descriptor: the pool, two bytes.
    run_pool: usize,
    /// In a descriptor: pages, two bytes.
    run_pages: usize,
    /// Bytes of a class's entry.
    class_bytes: usize,
    /// In an entry: bytes of an object, four bytes.
    class_size: usize,
    /// In an entry: pages of a run, two bytes.
    class_run_pages: usize,
    /// In an entry: objects of a run of that length, two bytes.
    class_objects: usize,
    /// Bytes of what a thread is.
    meta_bytes: usize,
    /// In a thread: pointer to the next.
    meta_next: usize,
    /// In a thread: pointer to its slot array, the trap first.
    meta_bank: usize,
    /// In a thread: pointer to its spares, a word a slot.
    meta_spares: usize,
    /// In a thread: objects in its ring, four bytes.
    meta_ring_used: usize,
    /// In a thread: pointer to what it has outside of its block.
    meta_body: usize,
    /// In that: bytes of freed objects that the thread keeps from being served again; all ones where there are none.
    body_quarantine: usize,
    /// Bytes of a row of slots that are a processor's; 0 where slots are threads'.
    row_bytes: usize,
    /// Address of the rows.
    rows: *const u8,
    /// In the rows: pointer to the first; null where threads have rows of their own.
    rows_table: usize,
    /// In the rows: how many there are to look at, four bytes.
    rows_high: usize,
    /// Bytes of a slot, of a thread's or of a row.
    slot_bytes: usize,
    /// In a slot: how many more objects it may take, four bytes.
    slot_room: usize,
    /// In a slot: how many objects it may hold, two bytes.
    slot_cap: usize,
}

// SAFETY: addresses and numbers that nobody changes.
unsafe impl Sync for Layout {}

impl Layout {
    /// The layout of `P`, whose statics and class table these are. `this` is where it will stand. A thread's quarantine lies so many
    /// bytes into what it has outside of its block, if it has one.
    pub const fn new<S: Shape, const POOLS: usize, const DEPOT: usize>(
        shared: &'static Statics<POOLS, DEPOT>,
        classes: &'static [Class],
        this: *const Layout,
        quarantine: Option<usize>,
        ward: Option<&'static Ward>,
    ) -> Layout {
        let arena = offset_of!(PageHeap, arena);
        let outside = offset_of!(PageHeap, outside);
        Layout {
            magic: MAGIC,
            version: VERSION,
            bytes: size_of::<Layout>(),
            this,
            name: S::NAME.as_ptr(),
            name_bytes: S::NAME.len(),
            page_bytes: PAGE,
            segment_pages: PAGES,
            header_pages: HEADER_PAGES,
            segment_bytes: size_of::<Segment>(),
            large: LARGE as usize,
            gone: GONE as usize,
            class_count: classes.len(),
            shards: S::SHARDS,
            depot_words: DEPOT,
            classes: classes.as_ptr().cast(),
            page_heap: (&raw const shared.heap)
                .cast::<u8>()
                .wrapping_add(offset_of!(Heap, inner)),
            threads: (&raw const shared.threads).cast::<u8>().wrapping_add(Threads::FIRST),
            depots: (&raw const shared.depots).cast(),
            ward: match ward {
                Some(ward) => (&raw const *ward).cast::<u8>().wrapping_add(Ward::BYTES),
                None => core::ptr::null(),
            },
            arena_base: arena + offset_of!(Arena, base),
            arena_segments: arena + offset_of!(Arena, segments),
            arena_high: arena + offset_of!(Arena, high),
            arena_entries: arena + offset_of!(Arena, entries),
            outside_cells: outside + offset_of!(OutsideTable, cells),
            outside_capacity: outside + offset_of!(OutsideTable, capacity),
            cell_bytes: size_of::<Cell>(),
            cell_key: offset_of!(Cell, key),
            cell_size: offset_of!(Cell, bytes),
            segment_free: offset_of!(Segment, free),
            segment_dirty: offset_of!(Segment, dirty),
            segment_out: offset_of!(Segment, out),
            segment_guards: match S::POLICY.hardening.guards {
                Guards::Off => 0,
                Guards::Tables | Guards::Large | Guards::Runs => offset_of!(Segment, walls) + offset_of!(Walls, guards),
            },
            segment_first: offset_of!(Segment, first),
            segment_runs: offset_of!(Segment, runs),
            segment_given: offset_of!(Segment, holes) + offset_of!(Holes, given),
            run_bytes: size_of::<Run>(),
            run_head: offset_of!(Run, head),
            run_holed: HOLED as usize,
            run_free: offset_of!(Run, free),
            run_carved: offset_of!(Run, carved),
            run_capacity: offset_of!(Run, capacity),
            run_pool: offset_of!(Run, pool),
            run_pages: offset_of!(Run, pages),
            class_bytes: size_of::<Class>(),
            class_size: offset_of!(Class, size),
            class_run_pages: offset_of!(Class, run_pages),
            class_objects: offset_of!(Class, objects),
            meta_bytes: size_of::<Meta>(),
            meta_next: offset_of!(Meta, next),
            meta_bank: offset_of!(Meta, bank),
            meta_spares: offset_of!(Meta, spares),
            meta_ring_used: offset_of!(Meta, ring_used),
            meta_body: offset_of!(Meta, body),
            body_quarantine: match quarantine {
                Some(at) => at,
                None => usize::MAX,
            },
            row_bytes: match S::POLICY.per_cpu() {
                true => 1 << row_shift(S::CLASSES),
                false => 0,
            },
            rows: (&raw const shared.rows).cast(),
            rows_table: Rows::TABLE,
            rows_high: Rows::HIGH,
            slot_bytes: size_of::<Slot>(),
            slot_room: offset_of!(Slot, room),
            slot_cap: offset_of!(Slot, cap),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn bytes(version: u64, words: usize) -> std::vec::Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(version.to_ne_bytes());
        for word in 1..words as u64 {
            bytes.extend(word.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn numbers_are_the_fields_in_their_order() {
        let words = (size_of::<Layout>() - MAGIC.len()) / 8;
        let whole = bytes(VERSION as u64, words);
        assert_eq!(whole.len(), size_of::<Layout>());
        let numbers = Numbers::read(&whole).expect("a layout");
        assert_eq!((numbers.bytes, numbers.this, numbers.name), (1, 2, 3));
        assert_eq!(numbers.slot_cap, words as u64 - 1);
        assert_eq!(offset_of!(Layout, slot_cap), size_of::<Layout>() - 8);
        assert!(Numbers::read(&whole[..whole.len() - 1]).is_none());
        assert!(Numbers::read(&whole[1..]).is_none());
        assert!(Numbers::read(&[]).is_none());
    }

    #[test]
    fn of_another_version_only_the_head_is_read() {
        let numbers = Numbers::read(&bytes(VERSION as u64 + 1, 3)).expect("a head");
        assert_eq!(numbers.version, VERSION as u64 + 1);
        assert_eq!((numbers.bytes, numbers.name), (1, 0));
    }
}
