//! Freed objects above the largest class that wait before they are served again, in variants that want it
//! (`hardening.quarantine_large`): see [`Ward`](crate::heap::ward::Ward). In all others nothing of this is left.

use super::{large, report, wrap};
use crate::heap::Heap;
use crate::heap::large::Large;
use crate::heap::ward::{Inmate, Put};
use crate::os;
use crate::os::guard::{self, Guard};
use crate::statics::Shared;
use crate::statics::errors::Fault;
use crate::variant::Variant;

/// What the object at `p` is, whose page has no tag; None if it is not one of ours, or one that was freed. `p` need not be valid: see
/// [`Heap::find_large`].
#[inline]
pub fn find<V: Variant>(p: *mut u8) -> Option<Large> {
    if V::ward().is_some_and(|ward| ward.has(p)) {
        return None;
    }
    V::shared().heap().find_large(p)
}

/// Has an object wait that is freed, if there is a place for it. If not, it is still the caller's.
///
/// # Safety
/// `what` is what [`find`] said of `p`, an object above the largest class that nobody uses any more. The calling thread has its block.
#[inline]
pub(super) unsafe fn keep<V: Variant>(p: *mut u8, what: Large) -> bool {
    // SAFETY: the object is the caller's.
    V::ward().is_some() && unsafe { keep_there::<V>(p, Heap::large_bytes(what)) }
}

/// # Safety
/// As for [`keep`]; the object has so many bytes.
#[cold]
#[inline(never)]
unsafe fn keep_there<V: Variant>(p: *mut u8, bytes: usize) -> bool {
    let Some(ward) = V::ward().filter(|_| V::POLICY.keeps_large(bytes)) else {
        return false;
    };
    // SAFETY: the pages are the object's, which is the caller's; what leaves the ward is given back once.
    unsafe {
        let Some(way) = guard::shut(p, bytes) else {
            wrap::emptied::<V>(p, bytes);
            return false;
        };
        loop {
            match ward.put(&V::POLICY, Inmate { p, bytes, way }) {
                Put::Kept => return true,
                Put::Leaves(other) => release::<V>(other),
                Put::Twice => {
                    report::found::<V>(Fault::DoubleFree, p, &|text| {
                        text.push(b", an object of ").number(bytes as u64);
                        text.push(b" bytes that was freed before");
                    });
                    return true;
                }
            }
        }
    }
}

/// Gives an object back that waits no more.
///
/// # Safety
/// It is the caller's. The calling thread has its block.
unsafe fn release<V: Variant>(Inmate { p, bytes, way }: Inmate) {
    let heap = V::shared().heap();
    // SAFETY: the object is the caller's, and so are its pages, which hold nothing that anybody wants.
    unsafe {
        let open = match way {
            Guard::Noted => guard::release_noted(p, bytes),
            Guard::Split => guard::release_split(p, bytes, 1),
        };
        if !open {
            // Where a program has forbidden itself all calls but the mapping of memory. If not even that is left, it stays as it is for good.
            if !os::map_over(p, bytes) {
                return;
            }
            if way == Guard::Split {
                guard::forget_split(1);
            }
        }
        if let Some(what) = heap.find_large(p) {
            // What is split off may be locked, and then still there.
            let something = open && way == Guard::Split;
            heap.give_holding(&V::POLICY, p, what, something, large::seat::<V>());
        }
    }
}

/// Gives all objects back that wait. Returns their bytes.
///
/// # Safety
/// The calling thread has its block.
pub(super) unsafe fn flush<V: Variant>() -> usize {
    let Some(ward) = V::ward() else { return 0 };
    let mut bytes = 0;
    while let Some(inmate) = ward.take() {
        bytes += inmate.bytes;
        // SAFETY: it was just taken out.
        unsafe { release::<V>(inmate) };
    }
    bytes
}
