//! Sorting the entries of a ring.

use crate::statics::Entry;
use core::ptr;

/// Heapsort by tag: in place, no recursion, no bad case, no panic. (`slice::sort_unstable_by_key` may panic.)
///
/// # Safety
/// `entries` are `n` entries at least, and nobody else looks at them meanwhile.
pub(super) unsafe fn sort(entries: *mut Entry, n: usize) {
    // SAFETY: all indexes stay below `n`.
    unsafe {
        for root in (0..n / 2).rev() {
            sift(entries, root, n);
        }
        for end in (1..n).rev() {
            ptr::swap(entries, entries.add(end));
            sift(entries, 0, end);
        }
    }
}

/// Lets the entry at `root` sink among the first `n` to where both below it are no larger.
///
/// # Safety
/// As for [`sort`].
unsafe fn sift(entries: *mut Entry, mut root: usize, n: usize) {
    // SAFETY: as in `sort`.
    unsafe {
        while root * 2 + 1 < n {
            let mut child = root * 2 + 1;
            if child + 1 < n && (*entries.add(child)).tag < (*entries.add(child + 1)).tag {
                child += 1;
            }
            if (*entries.add(root)).tag >= (*entries.add(child)).tag {
                return;
            }
            ptr::swap(entries.add(root), entries.add(child));
            root = child;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn sorts(tags in prop::collection::vec(0usize..50, 0..300)) {
            let mut entries: Vec<Entry> = tags.iter().map(|&tag| Entry { p: ptr::null_mut(), tag }).collect();
            // SAFETY: the entries are this vector's.
            unsafe { sort(entries.as_mut_ptr(), entries.len()) };
            let mut want = tags;
            want.sort_unstable();
            prop_assert_eq!(entries.iter().map(|e| e.tag).collect::<Vec<_>>(), want);
        }
    }
}
