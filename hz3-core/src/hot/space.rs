//! What the tag table covers: two answers, one type each.

use crate::os::PAGE;
use crate::policy::agreed::ADDRESS_BITS;
use crate::policy::{PageIndex, Shape, Space, Tag, pair_in, tag_bytes};
use crate::sync::Ordering;

/// The page of an address in the arena, and where the table of tags begins. x86-64 subtracts the base, and has the table's distance
/// in the address of the load.
#[cfg(not(target_arch = "aarch64"))]
#[inline(always)]
fn page_and_table<S: Shape>(address: usize, _: impl FnOnce() -> (usize, usize)) -> (PageIndex, usize) {
    let base = S::arena_base().load(Ordering::Relaxed);
    (
        PageIndex::of(base, address).opaque(),
        base.wrapping_sub(tag_bytes::<S>()),
    )
}

/// The same on aarch64, which shifts what it adds, but takes no distance beside an index.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn page_and_table<S: Shape>(address: usize, words: impl FnOnce() -> (usize, usize)) -> (PageIndex, usize) {
    let (turned, table) = words();
    (PageIndex::turned(turned, address).opaque(), table)
}

/// The tag of an address's page by these words.
///
/// # Safety
/// As for [`Space::tag`]; the words are the arena's, or older ones.
#[inline(always)]
unsafe fn tag_by<S: Shape>(p: *mut u8, words: impl FnOnce() -> (usize, usize)) -> Option<usize> {
    let (page, table) = page_and_table::<S>(p as usize, words);
    if page.number() >= S::ARENA_PAGES {
        return None;
    }
    // SAFETY: the page is in the arena's range, and its cell in the table's place right below the arena. The cell is memory if
    // a segment up to this one was ever in use: so it is for whatever an allocation returned here. Only a pointer that
    // never was an object leads to a cell that is not there, which faults; `heap::reservation` keeps everything else out
    // of the table's place.
    Some(unsafe { S::Tag::load((table.wrapping_add(page.cell(S::Tag::BYTES))) as *const u8) })
}

/// The arena: the table ends where the arena begins, and `free` checks the range.
pub struct ArenaSpace;

impl Space for ArenaSpace {
    #[inline(always)]
    unsafe fn tag<S: Shape>(p: *mut u8) -> Option<usize> {
        // SAFETY: as the caller says.
        unsafe { tag_by::<S>(p, || pair_in(S::arena_words())) }
    }

    #[inline(always)]
    unsafe fn tag_at_hand<S: Shape>(p: *mut u8) -> Option<usize> {
        // SAFETY: as the caller says.
        unsafe { tag_by::<S>(p, S::arena_pair) }
    }

    fn cell<S: Shape>(p: *mut u8) -> Option<*mut u8> {
        let base = S::arena_base().load(Ordering::Relaxed);
        let page = PageIndex::of(base, p as usize);
        (page.number() < S::ARENA_PAGES).then(|| (base - tag_bytes::<S>() + page.cell(S::Tag::BYTES)) as *mut u8)
    }

    fn bytes_below<S: Shape>() -> usize {
        tag_bytes::<S>()
    }

    fn table_bytes<S: Shape>() -> usize {
        0
    }
}

/// The whole address space of a process, 2^47 bytes: no range check, for 2^35 cells of address space, of which only those
/// are backed whose pages hold objects. Needs that much address space: no `ulimit -v`, no valgrind.
pub struct FlatSpace;

/// Pages of all addresses.
pub const FLAT_PAGES: usize = (1 << ADDRESS_BITS) / PAGE;

impl Space for FlatSpace {
    #[inline(always)]
    unsafe fn tag<S: Shape>(p: *mut u8) -> Option<usize> {
        let table = S::flat_table().load(Ordering::Relaxed);
        // SAFETY: the table has a cell for every page of user space.
        Some(unsafe { S::Tag::load(table.cast::<u8>().add(PageIndex::of(0, p as usize).cell(S::Tag::BYTES))) })
    }

    fn cell<S: Shape>(p: *mut u8) -> Option<*mut u8> {
        let table = S::flat_table().load(Ordering::Relaxed);
        // SAFETY: as in `tag`.
        Some(unsafe { table.cast::<u8>().add(PageIndex::of(0, p as usize).cell(S::Tag::BYTES)) })
    }

    fn bytes_below<S: Shape>() -> usize {
        0
    }

    fn table_bytes<S: Shape>() -> usize {
        const {
            assert!(
                cfg!(target_arch = "x86_64"),
                "`tag.space = \"flat\"` covers addresses of 47 bits, and this machine's programs have longer ones: choose `\"arena\"`"
            );
        }
        FLAT_PAGES * S::Tag::BYTES
    }
}
