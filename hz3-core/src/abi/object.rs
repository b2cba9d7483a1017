//! Allocation with more wishes than `malloc` has: alignment, zeroes, resizing.

use crate::heap::large::Large;
use crate::heap::run::LARGE;
use crate::heap::segment::SEGMENT;
use crate::list::SlotOffset;
use crate::os::{Moved, PAGE};
use crate::policy::agreed::GRANULE;
use crate::policy::{Naming, Pool, tag_of};
use crate::statics::Shared;
use crate::variant::{Sentry, Variant};
use crate::{event, hot};
use core::ptr;

/// Bytes up to which a huge object is copied, not moved, into memory that is backed.
const COPIED: usize = 8 << 20;

/// Allocates `n` bytes at a multiple of `align`, a power of two. Null with `errno = ENOMEM` when there is no memory.
///
/// # Safety
/// `align` is a power of two. The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn aligned<V: Variant>(align: usize, n: usize) -> *mut u8 {
    // SAFETY: it asks for no more than this function.
    unsafe {
        let p = aligned_at_hand::<V>(align, n);
        if p.is_null() {
            aligned_elsewhere::<V>(align, n)
        } else {
            p
        }
    }
}

/// The same, if this thread has such an object at hand; null if not.
///
/// The multiple of `align` above `n` is a class's size or close below one, as a rule, whose objects are all aligned. But it is
/// enough that the one that is at hand is.
///
/// # Safety
/// As for [`aligned`].
#[inline(always)]
pub unsafe fn aligned_at_hand<V: Variant>(align: usize, n: usize) -> *mut u8 {
    if align > PAGE || n > V::FINE_MAX {
        return ptr::null_mut();
    }
    let rounded = (n + align - 1) & !(align - 1);
    if rounded > V::FINE_MAX {
        return ptr::null_mut();
    }
    // SAFETY: the rounded size is in the fine table, which names a slot of this thread's for it.
    unsafe {
        hot::pop_aligned::<V>(
            V::slot_of_granule((rounded + V::GRANULE - 1) >> const { V::GRANULE.ilog2() }),
            align,
        )
    }
}

/// The same, where there is none at hand.
///
/// # Safety
/// As for [`aligned`].
#[inline(never)]
pub unsafe fn aligned_elsewhere<V: Variant>(align: usize, n: usize) -> *mut u8 {
    // SAFETY: an allocation has no further conditions.
    unsafe {
        if align <= V::GRANULE {
            return hot::malloc::<V>(n);
        }
        if align <= PAGE && n <= V::LARGEST {
            // A class whose size is a multiple of the alignment has every object aligned. The multiple of `align` above
            // `n` is often one; if not, one of the next few is.
            let rounded = (n.max(1) + align - 1) & !(align - 1);
            if rounded <= V::LARGEST {
                for id in event::class_for::<V>(rounded).and_larger() {
                    let row = id.row();
                    if row.align as usize >= align {
                        event::sample::asked_for::<V>(n, align);
                        let p = hot::malloc::<V>(row.size as usize);
                        event::sample::asked_for::<V>(0, 0);
                        if (p as usize).is_multiple_of(align) {
                            return p;
                        }
                        // Memory is so short that an object of a larger class stands in, which is aligned to less.
                        hot::free::<V>(p);
                    }
                }
            }
        }
        event::large::aligned::<V>(n, align).p
    }
}

/// Allocates `n` zero bytes.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn zeroed<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: a fresh object of at least `n` bytes is written.
    unsafe {
        if n <= V::LARGEST {
            let p = hot::malloc::<V>(n);
            if !p.is_null() {
                ptr::write_bytes(p, 0, n);
            }
            return p;
        }
        let fresh = event::large::aligned::<V>(n, GRANULE);
        if !fresh.p.is_null() && !fresh.clean {
            ptr::write_bytes(fresh.p, 0, n);
        }
        fresh.p
    }
}

/// Whether an object can be at `p`, of a page with this tag, as far as `free` looks; if not, that is reported. (It may have been freed
/// just now.)
///
/// # Safety
/// `p` is an object that nobody frees meanwhile, or, if the program is wrong, anything; the tag is that of its page. The calling
/// thread has its block.
#[inline(always)]
unsafe fn is_one<V: Variant>(p: *mut u8, tag: usize) -> bool {
    // SAFETY: a tag other than 0 names a pool. Where the pool is not of this thread's owner, its slot of the class is as good as any.
    unsafe {
        let class = V::Route::pool::<V>(tag).1;
        if V::Sentry::refuses::<V>(p, tag, V::slot(SlotOffset::of(class)), || class) {
            event::check::refused::<V>(p, tag);
            return false;
        }
    }
    true
}

/// Bytes that the object at `p` can hold; 0 if it is null. What is not ours: see [`event::foreign::usable`].
///
/// # Safety
/// `p` is null or an object that nobody frees meanwhile.
#[inline]
pub unsafe fn usable<V: Variant>(p: *mut u8) -> usize {
    let tag = tag_of::<V>(p);
    if tag == 0 {
        return if p.is_null() {
            0
        } else {
            // SAFETY: the object is not freed meanwhile, or not ours.
            unsafe { event::foreign::usable::<V>(p) }
        };
    }
    // SAFETY: a tag other than 0 names a pool.
    unsafe {
        if !is_one::<V>(p, tag) {
            return 0;
        }
        V::Route::pool::<V>(tag).1.row().size as usize
    }
}

/// Makes the object at `p` hold `n` bytes, in place, by moving pages or by copying. Null when there is no memory; then
/// the object is as it was. What is not ours: see [`event::foreign::resize`].
///
/// # Safety
/// `p` is an object of the caller's, of at least `known` bytes, not null; it is gone if the result is not null. `n` is not
/// 0. The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline]
pub unsafe fn resize<V: Variant>(p: *mut u8, n: usize, known: usize) -> *mut u8 {
    let tag = tag_of::<V>(p);
    if tag == 0 {
        // SAFETY: the object is only the caller's, and holds so many bytes.
        return unsafe { resize_untagged::<V>(p, n, known) };
    }
    // SAFETY: as in `usable`.
    if !unsafe { is_one::<V>(p, tag) } {
        return ptr::null_mut();
    }
    // SAFETY: as in `usable`.
    let have = unsafe { V::Route::pool::<V>(tag) }.1.row().size as usize;
    // In place while at least half of the object stays in use: shrinking step by step must not copy each time.
    if n <= have && n > have / 2 {
        return p;
    }
    // SAFETY: the object is only the caller's, and holds so many bytes.
    unsafe { replace::<V>(p, have, n) }
}

/// # Safety
/// As for [`resize`], where the page of `p` has no tag.
#[cold]
#[inline(never)]
unsafe fn resize_untagged<V: Variant>(p: *mut u8, n: usize, known: usize) -> *mut u8 {
    if let Some(have) = event::guard::asked::<V>(p) {
        // One of these is watched to the byte.
        if n == have {
            return p;
        }
        // SAFETY: the object is the caller's, and holds so many bytes.
        return unsafe { replace::<V>(p, have, n) };
    }
    let heap = V::shared().heap();
    // SAFETY: the object is the caller's.
    unsafe {
        let Some(what) = event::ward::find::<V>(p) else {
            return event::foreign::resize::<V>(p, n, known);
        };
        if let Large::Pages(run) = what
            && (*run).pool != LARGE
        {
            let have = Pool::<V>::new((*run).pool as usize).row().size as usize;
            return if n <= have && n > have / 2 {
                p
            } else {
                replace::<V>(p, have, n)
            };
        }
        if let Some(have) = event::sample::class_bytes::<V>(p) {
            if n <= have && n > have / 2 {
                event::sample::stays::<V>(p, n);
                return p;
            }
            return replace::<V>(p, have, n);
        }
        let have = crate::heap::Heap::large_bytes(what);
        if n > V::LARGEST {
            if have.div_ceil(PAGE) == n.div_ceil(PAGE) {
                event::sample::stays::<V>(p, n);
                return p;
            }
            if heap.resize_large(&V::POLICY, p, what, n) {
                event::sample::resized::<V>(p, n);
                return p;
            }
            if matches!(what, Large::Huge(..)) && n > have {
                let fresh = event::large::aligned::<V>(n, GRANULE);
                if fresh.p.is_null() {
                    return fresh.p;
                }
                // Into pages that are there already a copy is as fast as moving, and loses none of them.
                if fresh.clean || have > COPIED {
                    event::sample::moves::<V>(p);
                    match heap.move_huge(&V::POLICY, p, fresh.p, have) {
                        Moved::Done => return fresh.p,
                        Moved::Unable => {}
                        // The new object is gone; another one is filled by copying.
                        Moved::Torn => return replace::<V>(p, have, n),
                    }
                }
                ptr::copy_nonoverlapping(p, fresh.p, have);
                event::wrap::left::<V>(p, have);
                hot::free::<V>(p);
                return fresh.p;
            }
        }
        replace::<V>(p, have, n)
    }
}

/// A new object, the contents of the old one, and the old one freed.
///
/// # Safety
/// `p` is an object of the caller's that holds `have` bytes; it is gone if the result is not null. The calling thread has
/// its block: it is any thread of the C library's, not the helper.
#[inline]
unsafe fn replace<V: Variant>(p: *mut u8, have: usize, n: usize) -> *mut u8 {
    // SAFETY: both objects are the caller's, and do not overlap.
    unsafe {
        let q = hot::malloc::<V>(n);
        if !q.is_null() {
            ptr::copy_nonoverlapping(p, q, have.min(n));
            event::wrap::left::<V>(p, have);
            hot::free::<V>(p);
        }
        q
    }
}

/// Whether the object at `p` can be one that was asked for as so many bytes at a multiple of `align`; if not, that is reported.
///
/// The class must be the one that such a request gets. An object that was resized in place may be up to twice as large as it is said
/// to be (`exactly` is false then), and where memory was short once, objects of larger classes may have served.
///
/// # Safety
/// `p` is an object of the caller's, or, if the program is wrong, anything but null.
#[inline(never)]
pub unsafe fn was_asked_for<V: Variant>(p: *mut u8, n: usize, align: usize, exactly: bool) -> bool {
    let tag = tag_of::<V>(p);
    // SAFETY: a tag other than 0 names a pool; what has none is looked up.
    let fits = unsafe {
        let class = if tag != 0 {
            Some(V::Route::pool::<V>(tag).1)
        } else if let Some(have) = event::guard::asked::<V>(p) {
            return guarded_was_asked_for::<V>(p, n, align, have);
        } else {
            match event::ward::find::<V>(p) {
                Some(Large::Pages(run)) if (*run).pool != LARGE => Some(Pool::<V>::new((*run).pool as usize).class()),
                Some(what) => match event::sample::class_bytes::<V>(p) {
                    Some(have) => return fits_or_told::<V>(n <= have, p, n, align, have),
                    None => {
                        let have = crate::heap::Heap::large_bytes(what);
                        let more = have.wrapping_sub(n.max(1));
                        let spare = if matches!(what, Large::Outside(_)) {
                            SEGMENT
                        } else {
                            PAGE
                        };
                        let resized = !exactly && n <= have && n.max(align) > have / 2;
                        return fits_or_told::<V>(more < spare || resized, p, n, align, have);
                    }
                },
                // Not ours: it goes where such pointers go.
                None => return true,
            }
        };
        let Some(class) = class else { return true };
        let have = class.row().size as usize;
        let short = V::shared().heap().pressure.counts();
        let lent = short.borrowed + short.larger > 0;
        let resized = !exactly && n.max(align) > have / 2;
        let own = if align > V::GRANULE {
            serves::<V>(class.in_row(), n, align)
        } else {
            n <= V::LARGEST && event::class_for::<V>(n).in_row() == class.in_row()
        };
        let aligned = align == 0 || (p as usize).is_multiple_of(align);
        (n <= have && (own || lent || resized) && aligned, have)
    };
    fits_or_told::<V>(fits.0, p, n, align, fits.1)
}

/// The same of a guarded object for which `have` bytes were asked: exactly as many, unless an aligned request has asked for a whole
/// object of its class.
#[cold]
#[inline(never)]
fn guarded_was_asked_for<V: Variant>(p: *mut u8, n: usize, align: usize, have: usize) -> bool {
    // What has a canary where it is not guarded has none here.
    let n = n.saturating_sub(V::POLICY.extra());
    let aligned = align == 0 || (p as usize).is_multiple_of(align);
    // SAFETY: guarded objects are of sizes that classes have.
    let class = || unsafe { event::class_for::<V>(have) }.in_row();
    let fits = n == have || align > V::GRANULE && n <= have && serves::<V>(class(), n, align);
    fits_or_told::<V>(fits && aligned, p, n, align, have)
}

/// Whether `p` lies at a multiple of `align`; if not, that is reported.
#[inline]
pub fn is_aligned_to<V: Variant>(p: *mut u8, align: usize) -> bool {
    // (A multiple of nothing is one of everything.)
    let fits = align == 0 || (p as usize).is_multiple_of(align);
    fits_or_told::<V>(fits, p, 0, align, 0)
}

/// Whether an aligned request may get the class of this number: see [`aligned`].
fn serves<V: Variant>(class: usize, n: usize, align: usize) -> bool {
    // From the class on that `aligned_at_hand` looks at: where nothing was asked for it is the smallest one.
    let rounded = n.saturating_add(align - 1) & !(align - 1);
    if rounded > V::LARGEST {
        return false;
    }
    // SAFETY: the size is at most that of the largest class.
    let first = unsafe { event::class_for::<V>(rounded) };
    let last = first.and_larger().find(|id| id.row().align as usize >= align);
    (first.in_row()..=last.unwrap_or(first).in_row()).contains(&class)
}

/// Reports a size that does not fit.
fn fits_or_told<V: Variant>(fits: bool, p: *mut u8, n: usize, align: usize, have: usize) -> bool {
    if !fits {
        event::check::wrong_size::<V>(p, n, align, have);
    }
    fits
}
