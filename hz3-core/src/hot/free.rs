//! `free`.

use crate::event;
use crate::list;
use crate::os::PAGE;
use crate::sync::Ordering;
use crate::variant::{Tag, Variant, tag_bytes};

/// Frees an object; null is nothing.
///
/// `p` is null or an object of this variant that nobody uses any more.
#[inline(always)]
pub unsafe fn free<V: Variant>(p: *mut u8) {
    let base = V::arena_base().load(Ordering::Relaxed);
    let page = opaque((p as usize).wrapping_sub(base) / PAGE);
    if page >= V::ARENA_PAGES {
        // SAFETY: the caller's contract.
        return unsafe { event::foreign::free::<V>(p) };
    }
    // SAFETY: the page is in the arena's range, so it has a tag; a tag is the offset of a slot of the bank (tag 0: the
    // trap, whose room is always 0). With room, the object goes to this thread's list, which owns it from now on.
    unsafe {
        let slot = V::slot(tag_at::<V>(base, page));
        let (room, full) = (*slot).room.overflowing_sub(1);
        (*slot).room = room;
        if full {
            return event::overflow::overflow::<V>(p, slot);
        }
        list::set_next(p, (*slot).head);
        list::keep_order();
        (*slot).head = p;
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

#[inline(always)]
unsafe fn tag_at<V: Variant>(base: usize, page: usize) -> usize {
    // SAFETY: the caller checked the page; the table lies below the arena, at full size.
    unsafe { V::Tag::load((base + page * V::Tag::BYTES - tag_bytes::<V>()) as *const u8) }
}

/// The tag of `p`'s page; 0 for everything that is not an object of a class inside the arena.
#[inline]
pub fn tag_of<V: Variant>(p: *const u8) -> usize {
    let base = V::arena_base().load(Ordering::Relaxed);
    let page = (p as usize).wrapping_sub(base) / PAGE;
    if page >= V::ARENA_PAGES {
        return 0;
    }
    // SAFETY: the page was checked.
    unsafe { tag_at::<V>(base, page) }
}
