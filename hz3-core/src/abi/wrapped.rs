//! The operations of [`object`] and of [`hot`], for objects that have something on: see [`crate::event::wrap`].

use super::object;
use crate::event;
use crate::event::foreign::Called;
use crate::event::wrap::{self, Body, Contents, Whose};
use crate::hot;
use crate::os;
use crate::policy::agreed::GRANULE;
use crate::variant::{Record, Variant};
use core::ptr;

/// Bytes to be allocated where `n` were asked for. (What is too much stays too much.)
#[inline(always)]
const fn needed<V: Variant>(n: usize) -> usize {
    n.saturating_add(V::POLICY.extra())
}

/// `n` bytes, with these contents; null with `errno` set without memory.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline(always)]
unsafe fn get<V: Variant>(n: usize, contents: Contents) -> *mut u8 {
    let need = needed::<V>(n);
    if need > V::LARGEST {
        // SAFETY: a power of two.
        return unsafe { large::<V>(n, GRANULE, contents) };
    }
    // SAFETY: the thread has its block.
    let guarded = unsafe { event::guard::in_turn::<V>(n) };
    if !guarded.is_null() {
        // SAFETY: it is new, and holds what was asked for. Its end is watched otherwise, and nothing is known of what it held.
        unsafe { wrap::hold::<V>(guarded, n, contents, 0) };
        return guarded;
    }
    loop {
        // SAFETY: the object is new, and holds what is needed.
        unsafe {
            let p = hot::malloc::<V>(need);
            if p.is_null() || wear::<V>(p, n, contents) {
                return p;
            }
        }
    }
}

/// Seals an object that was just allocated. False if it is not to be used.
///
/// # Safety
/// The object is the caller's and new; it holds what is needed for `n` bytes.
#[inline(always)]
unsafe fn wear<V: Variant>(p: *mut u8, n: usize, contents: Contents) -> bool {
    // SAFETY: the object is the caller's, so it is ours.
    unsafe {
        match wrap::body::<V>(p) {
            Some(body) => wrap::seal::<V>(p, body, n, contents),
            // A guarded one: its end is watched otherwise, and nothing is known of what it held.
            None => {
                wrap::hold::<V>(p, n, contents, 0);
                true
            }
        }
    }
}

/// The same of an object above the largest class, at a multiple of `align`.
///
/// # Safety
/// As for [`get`]; `align` is a power of two.
#[cold]
#[inline(never)]
unsafe fn large<V: Variant>(n: usize, align: usize, contents: Contents) -> *mut u8 {
    // SAFETY: the object is new, and holds what is needed.
    unsafe {
        let fresh = event::large::aligned::<V>(needed::<V>(n), align);
        let zero = contents == Contents::Zero || V::POLICY.zeroes();
        let contents = if zero && fresh.clean { Contents::Kept } else { contents };
        if !fresh.p.is_null() {
            // No class's: nothing is known of what it held.
            wear::<V>(fresh.p, n, contents);
        }
        fresh.p
    }
}

/// `malloc(n)`.
///
/// # Safety
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline(never)]
pub unsafe fn malloc<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: it asks for no more than this function.
    unsafe { get::<V>(n, Contents::New) }
}

/// `n` bytes of zeroes.
///
/// # Safety
/// As for [`malloc`].
#[inline(never)]
pub unsafe fn zeroed<V: Variant>(n: usize) -> *mut u8 {
    // SAFETY: it asks for no more than this function.
    unsafe { get::<V>(n, Contents::Zero) }
}

/// `n` bytes at a multiple of `align`, if this thread has such an object at hand; null if not.
///
/// # Safety
/// `align` is a power of two. The calling thread has its block: it is any thread of the C library's, not the helper.
#[inline(never)]
pub unsafe fn aligned_at_hand<V: Variant>(align: usize, n: usize) -> *mut u8 {
    loop {
        // SAFETY: the object is new, and holds what is needed.
        unsafe {
            let need = needed::<V>(n);
            if need > V::LARGEST {
                return ptr::null_mut();
            }
            let p = object::aligned_at_hand::<V>(align, need);
            if p.is_null() || wear::<V>(p, n, Contents::New) {
                return p;
            }
        }
    }
}

/// The same, where there is none at hand.
///
/// # Safety
/// As for [`aligned_at_hand`].
#[inline(never)]
pub unsafe fn aligned_elsewhere<V: Variant>(align: usize, n: usize) -> *mut u8 {
    let need = needed::<V>(n);
    if need > V::LARGEST {
        // SAFETY: a power of two.
        return unsafe { large::<V>(n, align.max(GRANULE), Contents::New) };
    }
    loop {
        // SAFETY: the object is new, and holds what is needed.
        unsafe {
            let p = object::aligned_elsewhere::<V>(align, need);
            if p.is_null() || wear::<V>(p, n, Contents::New) {
                return p;
            }
        }
    }
}

/// `n` bytes at a multiple of `align`.
///
/// # Safety
/// As for [`aligned_at_hand`].
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

/// `free(p)`, told of where calls are told.
///
/// # Safety
/// `p` is null, or an object of the program's that nobody uses any more, or a pointer that is not ours. The calling thread has its
/// block: it is any thread of the C library's, not the helper.
#[inline(never)]
pub unsafe fn free<V: Variant>(p: *mut u8) {
    if p.is_null() {
        return;
    }
    // SAFETY: the object is the caller's, who gives it away.
    unsafe {
        match wrap::open::<V>(p, Called::Free) {
            Whose::Its(body, _) => {
                if V::Record::CALLS {
                    V::Record::ends::<V>(p);
                }
                wrap::take_back::<V>(p, body);
            }
            Whose::Foreign => {
                if V::Record::CALLS {
                    V::Record::ends::<V>(p);
                }
                hot::free::<V>(p);
            }
            Whose::Wrong => {}
        }
    }
}

/// Bytes of the object at `p` that the program may use: as many as it has asked for, where that is known; 0 if it is null.
///
/// # Safety
/// `p` is null or an object that nobody frees meanwhile.
#[inline(never)]
pub unsafe fn usable<V: Variant>(p: *mut u8) -> usize {
    if p.is_null() {
        return 0;
    }
    // SAFETY: the object is the caller's.
    unsafe {
        match wrap::open::<V>(p, Called::Usable) {
            Whose::Its(_, asked) => asked,
            Whose::Foreign => event::guard::asked::<V>(p).unwrap_or_else(|| object::usable::<V>(p)),
            Whose::Wrong => 0,
        }
    }
}

/// A new object, for what another one holds.
///
/// # Safety
/// As for [`aligned_at_hand`].
unsafe fn another<V: Variant>(n: usize, align: usize) -> *mut u8 {
    // SAFETY: neither asks for more than this function.
    unsafe {
        if align <= V::GRANULE {
            get::<V>(n, Contents::New)
        } else {
            aligned::<V>(align, n)
        }
    }
}

/// Makes the object at `p` hold `n` bytes, at a multiple of `align`; null with `errno` set if there is no memory, or if it is no object
/// of the program's.
///
/// # Safety
/// As for [`object::resize`]. `align` is a power of two, and `p` a multiple of it.
#[inline(never)]
pub unsafe fn resize<V: Variant>(p: *mut u8, n: usize, known: usize, align: usize) -> *mut u8 {
    // SAFETY: the object is only the caller's.
    unsafe {
        let (body, old) = match wrap::open::<V>(p, Called::Realloc) {
            Whose::Its(body, old) => (body, old),
            Whose::Foreign => {
                let Some(old) = event::guard::asked::<V>(p) else {
                    return object::resize::<V>(p, n, known);
                };
                let q = another::<V>(n, align);
                if !q.is_null() {
                    ptr::copy_nonoverlapping(p, q, old.min(n));
                    hot::free::<V>(p);
                }
                return q;
            }
            Whose::Wrong => {
                os::set_errno(os::ENOMEM);
                return ptr::null_mut();
            }
        };
        let (need, have) = (needed::<V>(n), body.bytes);
        // In place while at least half of the object stays in use: shrinking step by step must not copy each time.
        if need <= have && need > have / 2 {
            wrap::begin::<V>(p, body, n);
            if n > old {
                // What it gets more is new, too.
                wrap::fill::new::<V>(p, old, n, 0);
            }
            return p;
        }
        if !body.class && need > V::LARGEST && align <= GRANULE {
            return resize_large::<V>(p, body, old, n);
        }
        let q = another::<V>(n, align);
        if !q.is_null() {
            ptr::copy_nonoverlapping(p, q, old.min(n));
            if let Some(in_use) = V::in_use() {
                in_use.ends(p);
            }
            wrap::take_back::<V>(p, body);
        }
        q
    }
}

/// An object above the largest class stays one: in place, by moving pages, or by copying.
///
/// # Safety
/// As for [`resize`]; the object has `old` bytes in use by the program.
#[cold]
#[inline(never)]
unsafe fn resize_large<V: Variant>(p: *mut u8, body: Body, old: usize, n: usize) -> *mut u8 {
    // SAFETY: the object is the caller's. Its bit goes before it does: another thread may be given its address at once.
    unsafe {
        if V::POLICY.hardening.canary {
            wrap::canary::erase(p, body.bytes, old);
        }
        if let Some(in_use) = V::in_use() {
            in_use.ends(p);
        }
        let q = object::resize::<V>(p, needed::<V>(n), 0);
        if q.is_null() {
            wrap::begin::<V>(p, body, old);
        } else if let Some(body) = wrap::body::<V>(q) {
            wrap::begin::<V>(q, body, n);
        }
        q
    }
}
