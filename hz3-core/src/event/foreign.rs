//! Pointers whose page has no tag: null, large objects, objects outside of the arena, and what is not ours at all.

use super::stats::{Kind, Stats};
use crate::heap::large::Large;
use crate::heap::segment::LARGE;
use crate::hot::Route;
use crate::os;
use crate::statics::Shared;
use crate::sync::Ordering;
use crate::variant::{Foreign, Variant};

/// Frees `p`.
///
/// As `free`.
#[cold]
#[inline(never)]
pub unsafe fn free<V: Variant>(p: *mut u8) {
    if p.is_null() {
        return;
    }
    let _timer = V::Stats::time::<V>(Kind::Untagged);
    let heap = V::shared().heap();
    // SAFETY: the object, if it is one, is the caller's.
    unsafe {
        match heap.find_large(p) {
            Some(Large::Pages(run)) if (*run).pool != LARGE => by_pool::<V>(p, (*run).pool as usize),
            Some(what) => heap.give_large(&V::POLICY, p, what),
            None => not_ours::<V>(p),
        }
    }
}

/// Frees an object of a class that lies outside of the arena, so that its page has no tag.
unsafe fn by_pool<V: Variant>(p: *mut u8, pool: usize) {
    // SAFETY: the object is the caller's; this is the tag that its page would have.
    unsafe { V::Route::free::<V>(p, V::Route::tag::<V>(pool / V::CLASSES, pool % V::CLASSES)) }
}

unsafe fn not_ours<V: Variant>(p: *mut u8) {
    let inside = (p as usize).wrapping_sub(V::arena_base().load(Ordering::Relaxed)) / os::PAGE < V::ARENA_PAGES;
    match V::POLICY.foreign {
        Foreign::Ignore => {}
        // SAFETY: not ours and not null: it can only be the C library's, from before this library was there.
        Foreign::Libc if !inside && unsafe { os::libc_free(p) } => {}
        _ => os::die(b"free(): not an address that malloc gave"),
    }
}

/// Bytes that the object at `p` can hold; 0 if it is not ours.
///
/// `p` is null or an object of the caller's.
pub unsafe fn usable<V: Variant>(p: *mut u8) -> usize {
    // SAFETY: the object is the caller's.
    unsafe {
        match V::shared().heap().find_large(p) {
            Some(Large::Pages(run)) if (*run).pool != LARGE => {
                super::class::<V>((*run).pool as usize % V::CLASSES).size as usize
            }
            Some(what) => crate::heap::Heap::large_bytes(what),
            None => 0,
        }
    }
}
