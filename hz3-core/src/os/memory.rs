//! Address space and pages.
//!
//! Address space that is only held (no access, or a table that reads as zero) is not counted as memory by the kernel. What
//! can be written is: a request that the kernel's own judgement of free memory refuses is refused here, too.

use super::{PAGE, raw, refuse};
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

/// In tests: what a kernel with larger pages would refuse is a fault.
#[cfg(all(test, not(loom)))]
fn is_whole(at: usize) {
    assert!(
        at.is_multiple_of(super::page()),
        "{at:x} is within a page of the kernel's"
    );
}

#[cfg(not(all(test, not(loom))))]
#[inline(always)]
fn is_whole(_: usize) {}

/// `mmap` of fresh zero pages. The address, or the negated `errno`.
///
/// # Safety
/// With `MAP_FIXED` among the flags the whole range is the caller's, who wants nothing that is in it.
unsafe fn mmap(at: usize, bytes: usize, access: Access, also: i32) -> isize {
    let flags = access.flags() | also;
    #[cfg(all(test, not(loom)))]
    let bytes = super::up(bytes); // As the kernel does that a test pretends.
    #[cfg(all(test, not(loom)))]
    if at.saturating_add(bytes) > super::machine::pretend::span().unwrap_or(usize::MAX) {
        return -(libc::ENOMEM as isize);
    }
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
    #[cfg(all(test, not(loom)))]
    if super::machine::pretend::page().is_some() {
        return map_pretended(bytes, access);
    }
    // SAFETY: nothing is replaced.
    let p = unsafe { mmap(hint, bytes, access, 0) };
    if raw::failed(p) {
        return ptr::null_mut();
    }
    #[cfg(any(not(target_arch = "x86_64"), all(test, not(loom))))]
    if p as usize > span() - bytes.min(span()) {
        // SAFETY: the mapping was just made, and nobody knows it.
        unsafe { unmap(p as *mut u8, bytes) };
        static BELOW: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
        return super::low::map(&BELOW, span(), bytes, access);
    }
    p as *mut u8
}

/// As [`map`], where a test pretends that pages are larger.
#[cfg(all(test, not(loom)))]
fn map_pretended(bytes: usize, access: Access) -> *mut u8 {
    let (page, bytes) = (super::page(), super::up(bytes));
    // SAFETY: nothing is replaced, and what is cut off was just mapped.
    unsafe {
        let p = mmap(0, bytes + page, access, 0);
        if raw::failed(p) {
            return ptr::null_mut();
        }
        let at = super::up(p as usize);
        raw::call(libc::SYS_munmap, [p as usize, at - p as usize, 0, 0, 0, 0]);
        raw::call(libc::SYS_munmap, [at + bytes, p as usize + page - at, 0, 0, 0, 0]);
        at as *mut u8
    }
}

/// One past the highest address that can be ours: words that hold an address and a number have so many bits for the address.
/// x86-64's kernel gives no higher ones unless it is asked for them, whatever the processor can do; others do.
#[cfg(any(not(target_arch = "x86_64"), all(test, not(loom))))]
fn span() -> usize {
    #[cfg(all(test, not(loom)))]
    if let Some(pretended) = super::machine::pretend::span() {
        return pretended;
    }
    1 << super::ADDRESS_BITS
}

/// Maps `bytes` of zero pages whose address is a multiple of `align` (a power of two, at least a page). Null on refusal.
pub fn map_aligned(bytes: usize, align: usize, access: Access) -> *mut u8 {
    let (Some(bytes), align) = (bytes.checked_next_multiple_of(super::page()), align.max(super::page())) else {
        return ptr::null_mut();
    };
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
    is_whole(at);
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
    is_whole(p as usize);
    // SAFETY: nobody wants what is in the range.
    !raw::failed(unsafe { mmap(p as usize, bytes, Access::ReadWrite, libc::MAP_FIXED) })
}

/// Gives a mapping back. The kernel takes the last page whole of which the range has a part.
///
/// # Safety
/// The caller owns the whole range, and nothing refers to it any more; nor to the rest of that page.
pub unsafe fn unmap(p: *mut u8, bytes: usize) {
    is_whole(p as usize);
    #[cfg(all(test, not(loom)))]
    let bytes = super::up(bytes); // As in `mmap`.
    // SAFETY: nothing refers to the range any more.
    unsafe { raw::call(libc::SYS_munmap, [p as usize, bytes, 0, 0, 0, 0]) };
}

/// Changes what a mapped range may be used for. False when the kernel refuses (memory accounting, limits, map count): then
/// nothing has changed. Where the kernel's pages are larger than the heap's, access is given to all pages of which the range has a
/// part, and taken from those that lie in it.
///
/// # Safety
/// The caller owns the range, and nobody uses it in a way that is forbidden from now on.
pub unsafe fn protect(p: *mut u8, bytes: usize, access: Access) -> bool {
    if refuse::this_one() {
        return false;
    }
    let (from, to) = match access {
        Access::None => inner(p, bytes),
        _ => (super::down(p as usize), super::up(p as usize + bytes)),
    };
    if to <= from {
        return true;
    }
    // SAFETY: nobody uses the range in a way that is forbidden from now on.
    unsafe { raw::call(libc::SYS_mprotect, [from, to - from, access.prot() as usize, 0, 0, 0]) == 0 }
}

/// The pages of the kernel's that lie in a range as a whole: where they begin and end. None do if the end is not above.
fn inner(p: *mut u8, bytes: usize) -> (usize, usize) {
    (super::up(p as usize), super::down(p as usize + bytes))
}

/// Gives the pages of a range back to the kernel; they read as zero afterwards. False when the kernel refuses (locked
/// pages, before Linux 5.18): then the contents stay. What lies beside the pages that the kernel can take, where its pages are
/// larger than the heap's, is cleared by hand.
///
/// # Safety
/// The caller owns the range, and wants nothing that is in it.
pub unsafe fn purge(p: *mut u8, bytes: usize) -> bool {
    if refuse::this_one() {
        return false;
    }
    #[cfg(all(test, loom))]
    super::watch::purged(p, bytes);
    let (from, to) = inner(p, bytes);
    if from >= to {
        // SAFETY: the range is the caller's, who wants nothing that is in it.
        unsafe { p.write_bytes(0, bytes) };
        return true;
    }
    let (whole, before) = (p.with_addr(from), from - p as usize);
    let after = bytes - before - (to - from);
    // SAFETY: nobody wants what is in the range, of which these are parts.
    unsafe {
        if !madvise(whole, to - from, libc::MADV_DONTNEED) && !madvise(whole, to - from, libc::MADV_DONTNEED_LOCKED) {
            return false;
        }
        p.write_bytes(0, before);
        whole.add(to - from).write_bytes(0, after);
    }
    true
}

/// `madvise`. True where the kernel accepts.
///
/// # Safety
/// The caller owns the range and can do without what the advice takes away.
pub(super) unsafe fn madvise(p: *mut u8, bytes: usize, advice: i32) -> bool {
    // SAFETY: nobody needs what the advice takes away.
    unsafe { raw::call(libc::SYS_madvise, [p as usize, bytes, advice as usize, 0, 0, 0]) == 0 }
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

/// Asks the kernel to make one huge page of so many bytes that are small pages so far (Linux 6.1). Their contents stay. False where it
/// refuses: then nothing has changed, or the same is there in small pages.
///
/// # Safety
/// None of contents: whoever has the range, if anybody does, finds it as it was. The range takes memory as a whole afterwards.
pub unsafe fn collapse(p: *mut u8, bytes: usize) -> bool {
    if refuse::this_one() {
        return false;
    }
    // SAFETY: the advice takes nothing away, and the kernel looks itself for what is mapped there.
    unsafe { madvise(p, bytes, libc::MADV_COLLAPSE) }
}

/// Whether a page is backed by memory.
///
/// # Safety
/// `p` is the address of a page that is mapped.
pub unsafe fn is_backed(p: *const u8) -> bool {
    let mut state = 0u8;
    // SAFETY: the kernel writes one byte for one page.
    let r = unsafe {
        raw::call(
            libc::SYS_mincore,
            [p as usize, super::PAGE, &raw mut state as usize, 0, 0, 0],
        )
    };
    r == 0 && state & 1 != 0
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

const _: () = assert!(PAGE == 4096, "page numbers and sizes of the kernel's calls");
