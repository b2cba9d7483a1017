//! Address space and pages.
//!
//! Address space that is only held (no access, or a table that reads as zero) is not counted as memory by the kernel. What
//! can be written is: a request that the kernel's own judgement of free memory refuses is refused here, too.

use super::{PAGE, raw};
use core::ffi::CStr;
use core::ptr;

/// What a mapping may be used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: address space only.
    None,
    /// Reading: it is zero.
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Reading and writing, without being counted as memory before it is used.
    Uncounted,
}

impl Access {
    fn prot(self) -> i32 {
        match self {
            Access::None => libc::PROT_NONE,
            Access::Read => libc::PROT_READ,
            Access::ReadWrite | Access::Uncounted => libc::PROT_READ | libc::PROT_WRITE,
        }
    }

    fn flags(self) -> i32 {
        // What has no access is not counted either, until it gets some.
        let counted = match self {
            Access::None | Access::ReadWrite => 0,
            Access::Read | Access::Uncounted => libc::MAP_NORESERVE,
        };
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | counted
    }
}

/// In tests: makes calls of this thread to the kernel fail, as if memory were out.
#[cfg(all(test, not(loom)))]
pub mod refuse {
    use core::cell::Cell;

    std::thread_local! {
        static CALLS: Cell<u64> = const { Cell::new(0) };
        static FROM_TO: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }

    /// The calls `from..to`, counted from now on, fail.
    pub fn calls(from: u64, to: u64) {
        CALLS.set(0);
        FROM_TO.set((from, to));
    }

    /// How many calls there were since then.
    pub fn made() -> u64 {
        CALLS.get()
    }

    pub(super) fn this_one() -> bool {
        let n = CALLS.get();
        CALLS.set(n + 1);
        let (from, to) = FROM_TO.get();
        n >= from && n < to
    }
}

#[cfg(not(all(test, not(loom))))]
mod refuse {
    #[inline(always)]
    pub(super) fn this_one() -> bool {
        false
    }
}

/// `mmap` of fresh zero pages. The address, or the negated `errno`.
///
/// # Safety
/// With `MAP_FIXED` among the flags the whole range is the caller's, who wants nothing that is in it.
unsafe fn mmap(at: usize, bytes: usize, access: Access, also: i32) -> isize {
    let flags = access.flags() | also;
    // SAFETY: without `MAP_FIXED` an anonymous mapping touches no memory in use; with it, nobody wants what is there.
    unsafe {
        raw::call(
            libc::SYS_mmap,
            [at, bytes, access.prot() as usize, flags as usize, usize::MAX, 0],
        )
    }
}

/// Maps `bytes` of fresh zero pages, near `hint` if that is not 0. Null when the kernel refuses.
pub fn map(hint: usize, bytes: usize, access: Access) -> *mut u8 {
    if refuse::this_one() {
        return ptr::null_mut();
    }
    // SAFETY: nothing is replaced.
    let p = unsafe { mmap(hint, bytes, access, 0) };
    if raw::failed(p) { ptr::null_mut() } else { p as *mut u8 }
}

/// Maps `bytes` of zero pages whose address is a multiple of `align` (a power of two, at least a page). Null on refusal.
pub fn map_aligned(bytes: usize, align: usize, access: Access) -> *mut u8 {
    let Some(room) = bytes.checked_add(align) else {
        return ptr::null_mut();
    };
    // Only address space at first: what is cut off again must not count as memory, nor make the kernel refuse.
    let p = map(0, room, Access::None);
    if p.is_null() {
        return p;
    }
    let start = (p as usize + align - 1) & !(align - 1);
    let before = start - p as usize;
    let after = room - before - bytes;
    // SAFETY: both trims lie in the mapping just made and outside of what is returned; nobody else knows them.
    unsafe {
        if before > 0 {
            unmap(p, before);
        }
        if after > 0 {
            unmap((start + bytes) as *mut u8, after);
        }
    }
    // SAFETY: the range was just mapped, and is nobody else's.
    unsafe {
        if protect(start as *mut u8, bytes, access) {
            return start as *mut u8;
        }
        unmap(start as *mut u8, bytes);
    }
    ptr::null_mut()
}

/// What became of a mapping at a given address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placed {
    /// It is there.
    Done,
    /// Something else lies in that range.
    Taken,
    /// The kernel has no memory for it, or a limit is reached.
    Refused,
}

/// Maps fresh zero pages at `at`, where nothing may lie so far.
pub fn map_at(at: usize, bytes: usize, access: Access) -> Placed {
    if refuse::this_one() {
        return Placed::Refused;
    }
    // SAFETY: nothing is replaced.
    let p = unsafe { mmap(at, bytes, access, libc::MAP_FIXED_NOREPLACE) };
    if p == at as isize {
        return Placed::Done;
    }
    if raw::failed(p) {
        return if p == -(libc::EEXIST as isize) {
            Placed::Taken
        } else {
            Placed::Refused
        };
    }
    // Linux before 4.17 takes the address for a hint.
    // SAFETY: the mapping was just made, and nobody knows it.
    unsafe { unmap(p as *mut u8, bytes) };
    Placed::Taken
}

/// Replaces a range by fresh zero pages in one mapping, so that it merges with its neighbours again. False when the kernel
/// refuses: then nothing may be left of the range, and somebody else may have got it.
///
/// # Safety
/// The whole range is the caller's, who wants nothing that is in it.
pub unsafe fn map_over(p: *mut u8, bytes: usize) -> bool {
    if refuse::this_one() {
        // The kernel at its worst.
        // SAFETY: nobody wants what is in the range.
        unsafe { unmap(p, bytes) };
        return false;
    }
    // SAFETY: nobody wants what is in the range.
    !raw::failed(unsafe { mmap(p as usize, bytes, Access::ReadWrite, libc::MAP_FIXED) })
}

/// Gives a mapping back.
///
/// # Safety
/// The caller owns the whole range, and nothing refers to it any more.
pub unsafe fn unmap(p: *mut u8, bytes: usize) {
    // SAFETY: nothing refers to the range any more.
    unsafe { raw::call(libc::SYS_munmap, [p as usize, bytes, 0, 0, 0, 0]) };
}

/// Changes what a mapped range may be used for. False when the kernel refuses (memory accounting, limits, map count): then
/// nothing has changed.
///
/// # Safety
/// The caller owns the range, and nobody uses it in a way that is forbidden from now on.
pub unsafe fn protect(p: *mut u8, bytes: usize, access: Access) -> bool {
    if refuse::this_one() {
        return false;
    }
    // SAFETY: nobody uses the range in a way that is forbidden from now on.
    unsafe { raw::call(libc::SYS_mprotect, [p as usize, bytes, access.prot() as usize, 0, 0, 0]) == 0 }
}

/// Gives the pages of a range back to the kernel; they read as zero afterwards. False when the kernel refuses (locked
/// pages, before Linux 5.18): then the contents stay.
///
/// # Safety
/// The caller owns the range, and wants nothing that is in it.
pub unsafe fn purge(p: *mut u8, bytes: usize) -> bool {
    if refuse::this_one() {
        return false;
    }
    // SAFETY: nobody wants what is in the range.
    unsafe { madvise(p, bytes, libc::MADV_DONTNEED) || madvise(p, bytes, libc::MADV_DONTNEED_LOCKED) }
}

/// `madvise`. True where the kernel accepts.
///
/// # Safety
/// The caller owns the range and can do without what the advice takes away.
unsafe fn madvise(p: *mut u8, bytes: usize, advice: i32) -> bool {
    // SAFETY: nobody needs what the advice takes away.
    unsafe { raw::call(libc::SYS_madvise, [p as usize, bytes, advice as usize, 0, 0, 0]) == 0 }
}

/// What became of pages that were to move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moved {
    /// They moved.
    Done,
    /// The kernel cannot (before Linux 5.7): nothing has changed.
    Unable,
    /// The kernel refused half-way. The source is as it was, but of what was mapped at the target nothing may be left, and
    /// somebody else may have got it.
    Torn,
}

/// Moves the pages of `from` to `to` without copying. If the source `stays` it is mapped afterwards as before, and reads as
/// zero; else nothing is mapped there.
///
/// # Safety
/// Both ranges are `bytes` long, do not overlap and belong to the caller, who wants nothing that is in `to`.
pub unsafe fn move_pages(from: *mut u8, to: *mut u8, bytes: usize, stays: bool) -> Moved {
    const MREMAP_DONTUNMAP: i32 = 4;
    if refuse::this_one() {
        // The kernel at its worst.
        // SAFETY: both ranges are the caller's, and nobody wants what is in `to`.
        unsafe { unmap(to, bytes) };
        return Moved::Torn;
    }
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | if stays { MREMAP_DONTUNMAP } else { 0 };
    // SAFETY: both ranges are the caller's, and nobody wants what is in `to`.
    let p = unsafe {
        raw::call(
            libc::SYS_mremap,
            [from as usize, bytes, bytes, flags as usize, to as usize, 0],
        )
    };
    // Unknown flags, and calls that a filter forbids, are refused before anything is done.
    const EARLY: [i32; 3] = [libc::EINVAL, libc::ENOSYS, libc::EPERM];
    match p {
        p if !raw::failed(p) => Moved::Done,
        p if EARLY.contains(&(-p as i32)) => Moved::Unable,
        _ => Moved::Torn,
    }
}

/// Bytes of address space that this process may have (`RLIMIT_AS`); None if that is not limited.
pub fn address_space_limit() -> Option<usize> {
    limit(libc::RLIMIT_AS as usize)
}

fn limit(of: usize) -> Option<usize> {
    let mut limit = [0u64; 2];
    // SAFETY: `limit` outlives the call, and is what the kernel calls `struct rlimit64`.
    let r = unsafe { raw::call(libc::SYS_prlimit64, [0, of, 0, &raw mut limit as usize, 0, 0]) };
    (r == 0 && limit[0] != u64::MAX).then_some(limit[0] as usize)
}

/// Bytes that no single request can exceed where the kernel refuses at all: those that this process may have, or all memory
/// and swap.
pub fn most_memory() -> usize {
    // SAFETY: plain numbers.
    let mut system: libc::sysinfo = unsafe { core::mem::zeroed() };
    // SAFETY: the structure is the kernel's, and outlives the call.
    let r = unsafe { raw::call(libc::SYS_sysinfo, [&raw mut system as usize, 0, 0, 0, 0, 0]) };
    let all = match r {
        0 => (system.totalram + system.totalswap) as usize * system.mem_unit as usize,
        _ => usize::MAX,
    };
    [libc::RLIMIT_AS, libc::RLIMIT_DATA]
        .into_iter()
        .filter_map(|of| limit(of as usize))
        .fold(all, usize::min)
}

/// Huge-page advice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HugePages {
    /// Never.
    Never,
    /// Wherever the kernel can.
    Wanted,
}

/// Advises the kernel about huge pages in a range; a refusal changes nothing.
///
/// # Safety
/// The caller owns the range.
pub unsafe fn advise(p: *mut u8, bytes: usize, huge: HugePages) {
    let advice = match huge {
        HugePages::Never => libc::MADV_NOHUGEPAGE,
        HugePages::Wanted => libc::MADV_HUGEPAGE,
    };
    // SAFETY: advice does not change contents.
    unsafe { madvise(p, bytes, advice) };
}

/// Leaves a range out of core dumps.
///
/// # Safety
/// The caller owns the range.
pub unsafe fn leave_out_of_dumps(p: *mut u8, bytes: usize) {
    // SAFETY: advice does not change contents.
    unsafe { madvise(p, bytes, libc::MADV_DONTDUMP) };
}

/// Gives a range a name, which `/proc/PID/maps` shows (Linux 5.17, where it is configured). A refusal changes nothing. To be
/// called while the process starts only: a program may end itself later for calls like this one (seccomp).
///
/// # Safety
/// The caller owns the range.
pub unsafe fn name(p: *mut u8, bytes: usize, name: &'static CStr) {
    const PR_SET_VMA: usize = 0x5356_4d41;
    const PR_SET_VMA_ANON_NAME: usize = 0;
    // SAFETY: the kernel copies the name, which ends with a zero.
    unsafe {
        raw::call(
            libc::SYS_prctl,
            [
                PR_SET_VMA,
                PR_SET_VMA_ANON_NAME,
                p as usize,
                bytes,
                name.as_ptr() as usize,
                0,
            ],
        )
    };
}

/// Random bits from the kernel, for where memory lies; 0 where addresses are not to be random (debuggers ask for that).
pub fn random_bits() -> u64 {
    const ASK: usize = 0xffff_ffff;
    let mut bits = 0u64;
    // SAFETY: neither call touches other memory than `bits`, which outlives it.
    unsafe {
        let personality = raw::call(libc::SYS_personality, [ASK, 0, 0, 0, 0, 0]);
        if !raw::failed(personality) && personality as i32 & libc::ADDR_NO_RANDOMIZE != 0 {
            return 0;
        }
        let bytes = size_of::<u64>();
        let flags = libc::GRND_NONBLOCK as usize;
        let got = raw::call(libc::SYS_getrandom, [&raw mut bits as usize, bytes, flags, 0, 0, 0]);
        if got != bytes as isize {
            // Early in the system's start, or forbidden: what the kernel chose for the stack is random, too.
            bits = (&raw const bits as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
    bits
}

const _: () = assert!(PAGE == 4096, "page numbers and sizes of the kernel's calls");
