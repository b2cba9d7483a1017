//! Moving pages from one address to another without copying (`mremap`), where the kernel does that.

use super::memory::madvise;
use super::refuse;
use super::{Access, map, page, raw, unmap};
// The same for all that the process does, and no model's.
use core::sync::atomic::{AtomicU32, Ordering};

/// What became of pages that were to move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moved {
    /// They moved.
    Done,
    /// The kernel cannot (before Linux 5.7, or where a filter forbids it): nothing has changed.
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
    if refuse::this_one() {
        // The kernel at its worst.
        // SAFETY: both ranges are the caller's, and nobody wants what is in `to`.
        unsafe { unmap(to, bytes) };
        return Moved::Torn;
    }
    if !can_move(stays) {
        return Moved::Unable;
    }
    // SAFETY: both ranges are the caller's, and nobody wants what is in `to`.
    let p = unsafe { mremap(from, to, bytes, stays) };
    if !raw::failed(p) {
        return Moved::Done;
    }
    if EARLY.contains(&(-p as i32)) {
        // It could be done before: these pages are not to be moved, or no pages any more. What a kernel does first is its own
        // business: it may have unmapped the target before it looked at the source.
        MOVES[usize::from(stays)].store(NEVER, Ordering::Relaxed);
    }
    Moved::Torn
}

/// What the kernel says where it does not move pages at all: it does not know the flags, or a filter forbids the call.
const EARLY: [i32; 3] = [libc::EINVAL, libc::ENOSYS, libc::EPERM];

/// Whether the kernel moves pages whose mapping goes, and those whose mapping stays; 0 where that was not tried yet.
static MOVES: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
const ALWAYS: u32 = 1;
const NEVER: u32 = 2;

/// Whether the kernel moves pages at all: tried with pages that nobody has, because of an error one does not know whether it came
/// before anything was done.
fn can_move(stays: bool) -> bool {
    let known = &MOVES[usize::from(stays)];
    match known.load(Ordering::Relaxed) {
        0 => {}
        n => return n == ALWAYS,
    }
    let page = page();
    let from = map(0, 2 * page, Access::ReadWrite);
    if from.is_null() {
        return false;
    }
    // SAFETY: both pages were just mapped, and nobody knows them. They are unmapped as far as they are surely there.
    unsafe {
        let to = from.add(page);
        let p = mremap(from, to, page, stays);
        let moved = !raw::failed(p);
        if moved && stays && !is_purged_again(from, page) {
            unmap(from, page);
            unmap(to, page);
            known.store(NEVER, Ordering::Relaxed);
            return false;
        }
        if stays || !moved {
            unmap(from, page);
        }
        if moved || EARLY.contains(&(-p as i32)) {
            unmap(to, page);
            known.store(if moved { ALWAYS } else { NEVER }, Ordering::Relaxed);
        }
        moved
    }
}

/// Whether a page that has moved away, whose mapping stayed, is empty once it is given back. qemu-user (11.1) says that it is given back,
/// and it is not: who counts on it finds old contents in what is to be zero.
///
/// # Safety
/// The page is the caller's, who wants nothing that is in it.
unsafe fn is_purged_again(page: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller says. It is read as what the kernel made of it, whatever was written before.
    unsafe {
        page.write_volatile(1);
        !madvise(page, bytes, libc::MADV_DONTNEED) || page.read_volatile() == 0
    }
}

/// `mremap` to a given address. The address, or the negated `errno`.
///
/// # Safety
/// As for [`move_pages`].
unsafe fn mremap(from: *mut u8, to: *mut u8, bytes: usize, stays: bool) -> isize {
    const MREMAP_DONTUNMAP: i32 = 4;
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | if stays { MREMAP_DONTUNMAP } else { 0 };
    // SAFETY: both ranges are the caller's, who wants nothing that is in `to`.
    unsafe {
        raw::call(
            libc::SYS_mremap,
            [from as usize, bytes, bytes, flags as usize, to as usize, 0],
        )
    }
}
