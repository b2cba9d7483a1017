//! An allocator with a fault, of which the player must tell: the C library's, but for one thing.

use super::entries::Entries;
use super::player::Promise;
use std::ffi::c_int;
use std::ptr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Now and then an object begins within the one before it.
    Overlap,
    /// An object is handed out twice.
    Twice,
    /// `calloc` leaves a byte as it was.
    Dirty,
    /// `realloc` loses the last byte when it moves.
    Short,
    /// Alignments above 64 bytes are 64.
    Misaligned,
    /// `malloc_usable_size` tells 16 bytes too many.
    Usable,
    /// Requests of some sizes are refused.
    Refused,
    /// A product that overflows is served.
    Overflow,
    /// `free` writes into another object.
    Stray,
    /// In a child of `fork`, `malloc` writes into what its parent had.
    Child,
    /// A failed `realloc` frees the object, and hands it out again.
    Gone,
}

/// All faults.
pub const FAULTS: [Fault; 11] = [
    Fault::Overlap,
    Fault::Twice,
    Fault::Dirty,
    Fault::Short,
    Fault::Misaligned,
    Fault::Usable,
    Fault::Refused,
    Fault::Overflow,
    Fault::Stray,
    Fault::Child,
    Fault::Gone,
];

static PLANTED: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// The object that was made last, and its size.
static LAST: AtomicUsize = AtomicUsize::new(0);
static LAST_SIZE: AtomicUsize = AtomicUsize::new(0);
static PROCESS: AtomicUsize = AtomicUsize::new(0);
static GIVEN: LazyLock<Entries> = LazyLock::new(Entries::of_process);

/// Plants a fault into the allocator of [`entries`], instead of the one that it has.
pub fn plant(fault: Fault) {
    PLANTED.store(fault as usize, Relaxed);
    PROCESS.store(std::process::id() as usize, Relaxed);
    LAST.store(0, Relaxed);
}

/// What the faulty allocator promises: as much as the C library.
pub fn promise() -> Promise {
    Promise::plain()
}

fn is(fault: Fault) -> bool {
    PLANTED.load(Relaxed) == fault as usize
}

/// Every so often.
fn now_and_then() -> bool {
    CALLS.fetch_add(1, Relaxed) % 64 == 63
}

/// The allocator.
pub fn entries() -> Entries {
    Entries {
        malloc,
        calloc,
        realloc,
        aligned_alloc: aligned,
        memalign: aligned,
        posix_memalign,
        free,
        usable,
        cxx: None,
        free_sized: None,
        free_aligned_sized: None,
        ..*GIVEN
    }
}

/// # Safety
/// As for the C function: none.
unsafe extern "C" fn malloc(n: usize) -> *mut u8 {
    let (last, size) = (LAST.load(Relaxed) as *mut u8, LAST_SIZE.load(Relaxed));
    if is(Fault::Overlap) && now_and_then() && size >= n + 32 && !last.is_null() {
        return last.wrapping_add(16);
    }
    if (is(Fault::Twice) || is(Fault::Gone)) && now_and_then() && size >= n && !last.is_null() {
        return last;
    }
    if is(Fault::Refused) && (5000..6000).contains(&n) {
        return ptr::null_mut();
    }
    if is(Fault::Child) && PROCESS.load(Relaxed) != std::process::id() as usize && size > 0 {
        // SAFETY: the object was there at the fork, and a child has what its parent had.
        unsafe { last.write(last.read() ^ 1) };
    }
    // SAFETY: asks for nothing.
    let p = unsafe { (GIVEN.malloc)(n) };
    if !is(Fault::Gone) {
        LAST.store(p as usize, Relaxed);
        LAST_SIZE.store(n, Relaxed);
    }
    p
}

/// # Safety
/// As for the C function: none.
unsafe extern "C" fn calloc(count: usize, n: usize) -> *mut u8 {
    if is(Fault::Overflow) && count.checked_mul(n).is_none() {
        // SAFETY: asks for nothing.
        return unsafe { (GIVEN.malloc)(1 << 20) };
    }
    // SAFETY: asks for nothing; the last byte of an object of more than 100 is its own.
    unsafe {
        let p = (GIVEN.calloc)(count, n);
        if is(Fault::Dirty) && !p.is_null() && count * n > 100 {
            p.add(count * n - 1).write(1);
        }
        p
    }
}

/// # Safety
/// As for the C function: `p` is null or the caller's.
unsafe extern "C" fn realloc(p: *mut u8, n: usize) -> *mut u8 {
    // SAFETY: as the caller says; what is written is the new object's.
    unsafe {
        let q = (GIVEN.realloc)(p, n);
        if is(Fault::Gone) && q.is_null() && n > 0 && !p.is_null() {
            LAST_SIZE.store((GIVEN.usable)(p), Relaxed);
            LAST.store(p as usize, Relaxed);
        }
        if is(Fault::Short) && q != p && !p.is_null() && !q.is_null() && n > 0 {
            q.write(q.read().wrapping_add(1));
        }
        q
    }
}

/// # Safety
/// As for the C function: none.
unsafe extern "C" fn aligned(align: usize, n: usize) -> *mut u8 {
    if is(Fault::Misaligned) && align > 64 {
        // SAFETY: asks for nothing. It is never freed under this address.
        return unsafe { (GIVEN.memalign)(align, n.saturating_add(64)).wrapping_add(64) };
    }
    // SAFETY: asks for nothing.
    unsafe { (GIVEN.memalign)(align, n) }
}

/// # Safety
/// As for the C function: `out` can be written.
unsafe extern "C" fn posix_memalign(out: *mut *mut u8, align: usize, n: usize) -> c_int {
    // SAFETY: as the caller says.
    unsafe { (GIVEN.posix_memalign)(out, align, n) }
}

/// # Safety
/// As for the C function: `p` is null or the caller's, who gives it away.
unsafe extern "C" fn free(p: *mut u8) {
    let last = LAST.load(Relaxed) as *mut u8;
    if is(Fault::Stray) && now_and_then() && !last.is_null() && last != p && LAST_SIZE.load(Relaxed) > 0 {
        // SAFETY: it was made, and if it is gone by now, its first byte is still mapped, as it was small enough for the heap.
        unsafe { last.write(last.read() ^ 0x40) };
    }
    if last == p {
        LAST.store(0, Relaxed);
    }
    // SAFETY: as the caller says.
    unsafe { (GIVEN.free)(p) }
}

/// # Safety
/// As for the C function: `p` is null or the caller's.
unsafe extern "C" fn usable(p: *mut u8) -> usize {
    // SAFETY: as the caller says.
    unsafe { (GIVEN.usable)(p) + if is(Fault::Usable) { 4096 } else { 0 } }
}
