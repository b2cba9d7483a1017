//! What the tag table covers.

use crate::os::PAGE;
use crate::sync::Ordering;
use crate::variant::{Tag, Variant, tag_bytes};

/// What the tag table covers.
pub trait Space: 'static {
    /// The tag of `p`'s page; None if it has none.
    ///
    /// `p` is an address in user space.
    unsafe fn tag<V: Variant>(p: *mut u8) -> Option<usize>;

    /// The cell of the tag of `p`'s page; None if it has none. Cells of consecutive pages of a segment are consecutive.
    fn cell<V: Variant>(p: *mut u8) -> Option<*mut u8>;

    /// Bytes that must lie right below the arena.
    fn bytes_below<V: Variant>() -> usize;

    /// Bytes of a table that is mapped by itself; 0 if there is none.
    fn table_bytes<V: Variant>() -> usize;
}

/// The arena: the table ends where the arena begins, and `free` checks the range.
pub struct ArenaSpace;

impl Space for ArenaSpace {
    #[inline(always)]
    unsafe fn tag<V: Variant>(p: *mut u8) -> Option<usize> {
        let base = V::arena_base().load(Ordering::Relaxed);
        let page = opaque((p as usize).wrapping_sub(base) / PAGE);
        if page >= V::ARENA_PAGES {
            return None;
        }
        // SAFETY: the page is in the arena's range, and its cell in the table's place right below the arena. The cell is memory if
        // a segment up to this one was ever in use: so it is for whatever an allocation returned here. Only a pointer that
        // never was an object leads to a cell that is not there, which faults; `heap::reservation` keeps everything else out
        // of the table's place.
        Some(unsafe { V::Tag::load((base + page * V::Tag::BYTES - tag_bytes::<V>()) as *const u8) })
    }

    fn cell<V: Variant>(p: *mut u8) -> Option<*mut u8> {
        let base = V::arena_base().load(Ordering::Relaxed);
        let page = (p as usize).wrapping_sub(base) / PAGE;
        (page < V::ARENA_PAGES).then(|| (base - tag_bytes::<V>() + page * V::Tag::BYTES) as *mut u8)
    }

    fn bytes_below<V: Variant>() -> usize {
        tag_bytes::<V>()
    }

    fn table_bytes<V: Variant>() -> usize {
        0
    }
}

/// The whole address space of a process, 2^47 bytes: no range check, for 2^35 cells of address space, of which only those
/// are backed whose pages hold objects. Needs that much address space: no `ulimit -v`, no valgrind.
pub struct FlatSpace;

/// Pages of 47 bits of addresses.
const FLAT_PAGES: usize = 1 << 35;

/// What null's tag is before there is a table.
static NOTHING: u32 = 0;

impl FlatSpace {
    /// The first value of the variant's table word: a table of which only null's cell can be read. Nothing else can be
    /// freed before the program or library that holds the variant is loaded, when the table is mapped.
    pub const fn before() -> *const u32 {
        &raw const NOTHING
    }
}

impl Space for FlatSpace {
    #[inline(always)]
    unsafe fn tag<V: Variant>(p: *mut u8) -> Option<usize> {
        let table = V::flat_table().load(Ordering::Relaxed);
        // SAFETY: the table has a cell for every page of user space.
        Some(unsafe { V::Tag::load(table.cast::<u8>().add((p as usize / PAGE) * V::Tag::BYTES)) })
    }

    fn cell<V: Variant>(p: *mut u8) -> Option<*mut u8> {
        let table = V::flat_table().load(Ordering::Relaxed);
        // SAFETY: as in `tag`.
        Some(unsafe { table.cast::<u8>().add((p as usize / PAGE) * V::Tag::BYTES) })
    }

    fn bytes_below<V: Variant>() -> usize {
        0
    }

    fn table_bytes<V: Variant>() -> usize {
        FLAT_PAGES * V::Tag::BYTES
    }
}

/// The same number, of which the optimizer knows nothing. Left alone it derives the bound and the table's index from the
/// address separately, with two shifts and a mask instead of one shift. Emits nothing.
#[inline(always)]
fn opaque(page: usize) -> usize {
    let mut page = page;
    // SAFETY: no instruction.
    unsafe { core::arch::asm!("/* {0} */", inout(reg) page, options(pure, nomem, nostack, preserves_flags)) };
    page
}
