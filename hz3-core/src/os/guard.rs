//! Pages in the middle of a mapping that nobody may touch.
//!
//! Since Linux 6.13 the kernel can note of a page that whoever touches it gets a fault (`MADV_GUARD_INSTALL`). That takes no
//! mapping of its own, it outlasts that pages are given back (`MADV_DONTNEED`), and the child of a fork has it, too. An older
//! kernel, and any for memory that is locked, can only take the access away from a page (`mprotect`), which makes three mappings
//! of one. A process has 65530 mappings at most. So there are at most [`SPLITS`] pages of that sort; where they are used up, no
//! more pages are guarded.

use super::memory::{Access, madvise, protect};
use super::raw;
// The same for all that the process does, and no model's.
use core::sync::atomic::{AtomicUsize, Ordering};

const MADV_GUARD_INSTALL: i32 = 102;
const MADV_GUARD_REMOVE: i32 = 103;

/// Most ranges of a process whose access is taken away. Each is two mappings more: a quarter of what a process may have.
pub const SPLITS: usize = 8192;

/// Ranges whose access was taken away.
static SPLIT: AtomicUsize = AtomicUsize::new(0);

/// How pages were made ones that nobody may touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guard {
    /// The kernel notes them.
    Noted,
    /// They are a mapping of their own.
    Split,
}

/// In tests: the kernel is an old one.
#[cfg(all(test, not(loom)))]
pub mod old_kernel {
    use core::cell::Cell;

    std::thread_local! {
        pub(super) static OLD: Cell<bool> = const { Cell::new(false) };
    }

    /// From now on this thread's kernel takes no notes of pages, or does.
    pub fn set(old: bool) {
        OLD.set(old);
    }
}

fn takes_notes() -> bool {
    #[cfg(all(test, not(loom)))]
    if old_kernel::OLD.get() {
        return false;
    }
    true
}

/// Has the kernel note that nobody may touch pages, and forgets what is in them. False where it cannot.
///
/// # Safety
/// The range is mapped and the caller's, who wants nothing that is in it, and nobody uses it until it is released.
pub unsafe fn note(p: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller says.
    takes_notes() && unsafe { madvise(p, bytes, MADV_GUARD_INSTALL) }
}

/// Makes pages that can be touched read as zero: the kernel takes them or, where it would not (of locked memory), they are cleared.
///
/// # Safety
/// The caller owns the range, and wants nothing that is in it.
pub unsafe fn clear(p: *mut u8, bytes: usize) {
    // SAFETY: as the caller says.
    unsafe {
        if !super::purge(p, bytes) {
            p.write_bytes(0, bytes);
        }
    }
}

/// Makes pages ones that nobody may touch, and forgets what is in them. None where the kernel cannot, or shall not: then they can be
/// touched as before.
///
/// # Safety
/// As for [`note`].
pub unsafe fn shut(p: *mut u8, bytes: usize) -> Option<Guard> {
    // SAFETY: as the caller says.
    unsafe {
        if note(p, bytes) {
            return Some(Guard::Noted);
        }
        if SPLIT.fetch_add(1, Ordering::Relaxed) < SPLITS {
            clear(p, bytes);
            if protect(p, bytes, Access::None) {
                return Some(Guard::Split);
            }
        }
    }
    SPLIT.fetch_sub(1, Ordering::Relaxed);
    None
}

/// Lets pages be touched that the kernel noted; others among them stay what they are.
///
/// # Safety
/// The range is mapped, and the caller's.
pub unsafe fn release_noted(p: *mut u8, bytes: usize) -> bool {
    // SAFETY: pages only get more access.
    unsafe { madvise(p, bytes, MADV_GUARD_REMOVE) }
}

/// Lets pages be touched, of which `split` ranges are mappings of their own. False when the kernel refuses: then nothing has changed.
///
/// # Safety
/// As for [`release_noted`].
pub unsafe fn release_split(p: *mut u8, bytes: usize, split: usize) -> bool {
    // SAFETY: pages only get more access.
    let done = unsafe { protect(p, bytes, Access::ReadWrite) };
    if done {
        forget_split(split);
    }
    done
}

/// So many ranges are no mappings of their own any more, as all around them was unmapped or mapped anew.
pub fn forget_split(split: usize) {
    SPLIT.fetch_sub(split, Ordering::Relaxed);
}

/// Unmaps a range. False when the kernel refuses.
///
/// # Safety
/// The caller owns the whole range, and nothing refers to it any more.
pub unsafe fn close(p: *mut u8, bytes: usize) -> bool {
    // SAFETY: nothing refers to the range any more.
    unsafe { raw::call(libc::SYS_munmap, [p as usize, bytes, 0, 0, 0, 0]) == 0 }
}

/// In tests: whether eight bytes can be read there.
#[cfg(all(test, not(loom)))]
pub fn reachable(p: *const u8) -> bool {
    const NO_WAY: usize = 99;
    // SAFETY: the kernel reads a set of signals before it finds that it does not know what to do with it. Where it cannot read,
    // it says so.
    let result = unsafe { raw::call(libc::SYS_rt_sigprocmask, [NO_WAY, p as usize, 0, 8, 0, 0]) };
    result != -(libc::EFAULT as isize)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::os::{PAGE, map, unmap};
    use std::vec::Vec;

    #[test]
    fn guarded_pages_cannot_be_touched_until_they_are_released() {
        for old in [false, true] {
            old_kernel::set(old);
            let p = map(0, 8 * PAGE, Access::ReadWrite);
            // SAFETY: the pages are this test's, and unmapped at its end.
            unsafe {
                p.write_bytes(7, 8 * PAGE);
                let ways: Vec<_> = [1, 2, 5].into_iter().map(|n| shut(p.add(n * PAGE), PAGE)).collect();
                let way = ways[0].expect("a guard");
                assert!(ways.iter().all(|w| *w == Some(way)));
                assert!(!old || way == Guard::Split);
                let seen = || (0..8).map(|n| reachable(p.add(n * PAGE + 9))).collect::<Vec<_>>();
                let guarded = [true, false, false, true, true, false, true, true];
                assert_eq!(seen(), guarded);
                // What is given back stays guarded.
                crate::os::purge(p, 8 * PAGE);
                assert_eq!(seen(), guarded);
                assert!(match way {
                    Guard::Noted => release_noted(p.add(PAGE), 2 * PAGE),
                    Guard::Split => release_split(p.add(PAGE), 2 * PAGE, 2),
                });
                assert_eq!(seen(), [true, true, true, true, true, false, true, true]);
                assert_eq!((p.add(PAGE).read(), p.add(2 * PAGE).read()), (0, 0));
                if way == Guard::Split {
                    forget_split(1);
                }
                unmap(p, 8 * PAGE);
            }
            old_kernel::set(false);
        }
    }

    #[test]
    fn a_page_that_cannot_be_guarded_can_be_touched_as_before() {
        old_kernel::set(true);
        let p = map(0, PAGE, Access::ReadWrite);
        // SAFETY: the page is this test's.
        unsafe {
            p.write(5);
            crate::os::refuse::calls(0, 9);
            assert_eq!(shut(p, PAGE), None);
            crate::os::refuse::calls(0, 0);
            p.write(6);
            assert_eq!(p.read(), 6);
            unmap(p, PAGE);
        }
        old_kernel::set(false);
    }

    #[test]
    fn what_is_guarded_is_zero_when_it_is_released_even_if_the_kernel_does_not_take_it() {
        old_kernel::set(true);
        let p = map(0, PAGE, Access::ReadWrite);
        // SAFETY: the page is this test's.
        unsafe {
            p.write_bytes(5, PAGE);
            crate::os::refuse::calls(0, 1);
            assert_eq!(shut(p, PAGE), Some(Guard::Split));
            crate::os::refuse::calls(0, 0);
            assert!(!reachable(p));
            assert!(release_split(p, PAGE, 1));
            assert!((0..PAGE).all(|i| p.add(i).read() == 0));
            unmap(p, PAGE);
        }
        old_kernel::set(false);
    }
}
