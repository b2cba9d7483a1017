//! What the machine must be for a library that was built for another one to be right: asked once, before anything is served.

use super::PAGE;
// The same for all that the process does, and no model's.
use core::sync::atomic::{AtomicUsize, Ordering};

/// The largest page that any library can serve under: a segment has pages of its own enough.
const LARGEST: usize = 64 << 10;

/// Bytes of the kernel's page, as far as that is known: [`PAGE`] before anything is served.
static KERNEL: AtomicUsize = AtomicUsize::new(PAGE);

/// Bytes of a page as the kernel has it, and at least [`PAGE`]: what it is given, and what it takes, are whole ones of these.
#[inline]
pub fn page() -> usize {
    #[cfg(all(test, not(loom)))]
    if let Some(pretended) = pretend::page() {
        return pretended;
    }
    KERNEL.load(Ordering::Relaxed)
}

/// The first multiple of the kernel's page that is not below.
#[inline]
pub fn up(bytes: usize) -> usize {
    bytes.next_multiple_of(page())
}

/// The first multiple of the kernel's page that is not above.
#[inline]
pub fn down(bytes: usize) -> usize {
    bytes & !(page() - 1)
}

/// Pages of the heap's in one of the kernel's.
#[inline]
pub fn pages() -> usize {
    page() / PAGE
}

/// In tests: kernels with larger pages than this one's, or with other addresses.
#[cfg(all(test, not(loom)))]
pub mod pretend {
    use core::cell::Cell;

    std::thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
        static BITS: Cell<u32> = const { Cell::new(0) };
    }

    /// As long as this lives the kernel's pages have, to this thread, another length.
    pub struct Pages(());

    impl Pages {
        /// So many bytes; 0 is what they have.
        pub fn of(bytes: usize) -> Pages {
            BYTES.set(bytes);
            Pages(())
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            BYTES.set(0);
        }
    }

    /// As long as this lives addresses have, to this thread, so many bits: the kernel refuses places above, and what it chooses above is
    /// too high for a word that holds an address and a number.
    pub struct Addresses(());

    impl Addresses {
        /// Fewer than the kernel's have.
        pub fn of(bits: u32) -> Addresses {
            BITS.set(bits);
            Addresses(())
        }
    }

    impl Drop for Addresses {
        fn drop(&mut self) {
            BITS.set(0);
        }
    }

    pub(in crate::os) fn span() -> Option<usize> {
        Some(BITS.get()).filter(|bits| *bits != 0).map(|bits| 1 << bits)
    }

    pub(in crate::os) fn page() -> Option<usize> {
        Some(BYTES.get()).filter(|bytes| *bytes != 0)
    }
}

/// Bytes of a page as the kernel says; 0 if it does not.
fn kernel_page() -> usize {
    // SAFETY: always safe to call.
    unsafe { libc::getauxval(libc::AT_PAGESZ) as usize }
}

/// Why a library for pages of `most` bytes at most (0 is any) cannot serve under a kernel with pages of so many; None if it can.
///
/// A larger page of the kernel's holds several of ours. What is given back to the kernel, made accessible or taken away there
/// would be more than was meant, and somebody else's.
fn misfit(kernel_page: usize, most: usize) -> Option<&'static [u8]> {
    let most = if most == 0 { LARGEST } else { most };
    // A kernel that does not say is an old one, of a machine that knows pages of 4 KiB only.
    if kernel_page <= most {
        return None;
    }
    Some(match (most, kernel_page) {
        (PAGE, 0x4000) => b"this library was built for pages of 4 KiB, and this kernel's have 16 KiB",
        (PAGE, LARGEST) => b"this library was built for pages of 4 KiB, and this kernel's have 64 KiB",
        (PAGE, _) => b"this library was built for pages of 4 KiB, and this kernel's are larger",
        (_, LARGEST) => b"this library was built for smaller pages than this kernel's, which have 64 KiB",
        _ => b"this library was built for smaller pages than this kernel's",
    })
}

/// Ends the process with a message where a library for pages of `most` bytes at most (0 is any) cannot be right. Else it is known
/// from now on what the kernel's pages are.
pub fn check(most: usize) {
    let kernel_page = kernel_page();
    if let Some(why) = misfit(kernel_page, most) {
        super::die(why);
    }
    KERNEL.store(kernel_page.max(PAGE), Ordering::Relaxed);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn larger_pages_are_refused_and_named() {
        assert_eq!(misfit(kernel_page(), PAGE), None, "the tests run here");
        for page in [0, 512, 4096] {
            assert_eq!(misfit(page, PAGE), None);
        }
        for (page, most, said) in [
            (8 << 10, PAGE, "larger"),
            (16 << 10, PAGE, "16 KiB"),
            (64 << 10, PAGE, "64 KiB"),
            (2 << 20, PAGE, "larger"),
            (64 << 10, 16 << 10, "64 KiB"),
            (2 << 20, 0, "smaller"),
        ] {
            let why = misfit(page, most).expect("it does not fit");
            assert!(std::str::from_utf8(why).is_ok_and(|why| why.contains(said)), "{page}");
        }
        for (page, most) in [(16 << 10, 16 << 10), (16 << 10, 64 << 10), (64 << 10, 0), (16 << 10, 0)] {
            assert_eq!(misfit(page, most), None, "{page} {most}");
        }
    }

    #[test]
    fn sizes_are_rounded_to_the_page_that_there_is() {
        for (page, above, below) in [(0, 8192, 4096), (16 << 10, 16 << 10, 0), (64 << 10, 64 << 10, 0)] {
            let _page = pretend::Pages::of(page);
            assert_eq!((up(4097), down(8191)), (above, below));
        }
    }
}
