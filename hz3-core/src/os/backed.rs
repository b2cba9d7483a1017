//! Which pages of a range the process has for itself, as the kernel's table of pages says (`/proc/self/pagemap`).

use super::PAGE;
use super::file::File;

/// A word of the table says of a page that it is there …
const PRESENT: u64 = 1 << 63;
/// … and that nobody else has it. Pages that were only read are there, but everybody's: they are all the same zeroes.
const OWN: u64 = 1 << 56;
/// Words that are read at once.
const SOME: usize = 64;

/// Whether of so many pages of a range all but `few` at the most are backed by memory of this process's alone. Those that a child has,
/// too, are not, nor those that were only read. Where the kernel does not tell, none is.
pub fn is_own(p: *const u8, pages: usize, few: usize) -> bool {
    let Some(file) = File::open(c"/proc/self/pagemap") else {
        return false;
    };
    let (mut at, mut missing, mut buffer) = (0, 0, [0u8; SOME * 8]);
    while at < pages && missing <= few {
        let wanted = buffer.get_mut(..(pages - at).min(SOME) * 8).unwrap_or_default();
        let offset = (p as usize / PAGE + at) * 8;
        if file.read_at(offset as u64, wanted) < wanted.len() {
            return false;
        }
        let (words, _) = wanted.as_chunks::<8>();
        at += words.len();
        missing += words
            .iter()
            .filter(|word| u64::from_ne_bytes(**word) & (PRESENT | OWN) != PRESENT | OWN)
            .count();
    }
    missing <= few
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::{Access, map, unmap};
    use super::*;

    #[test]
    fn tells_what_was_written() {
        const PAGES: usize = 512;
        let p = map(0, PAGES * PAGE, Access::ReadWrite);
        assert!(!p.is_null());
        assert!(!is_own(p, PAGES, PAGES - 1), "nobody has touched it");
        // SAFETY: the range was just mapped, and is this test's.
        unsafe {
            let mut read = 0;
            for page in 0..PAGES {
                read += usize::from(p.add(page * PAGE).read_volatile());
            }
            assert_eq!(read, 0);
            assert!(!is_own(p, PAGES, PAGES - 1), "it was only read");
            for page in (0..PAGES).filter(|page| page % 100 != 7) {
                p.add(page * PAGE).write(1);
            }
            if !is_own(p, 1, 0) {
                return; // An emulator tells of other addresses.
            }
            assert!(!is_own(p, PAGES, 5), "six pages were not written");
            assert!(is_own(p, PAGES, 6));
            for page in 0..PAGES {
                p.add(page * PAGE).write(1);
            }
            assert!(is_own(p, PAGES, 0));
            unmap(p, PAGES * PAGE);
        }
        assert!(!is_own(p, PAGES, 0), "it is gone");
    }
}
