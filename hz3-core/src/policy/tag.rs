//! Page tags: the integer, and where it stands in a table.

use crate::os::PAGE;

/// A page that may have a tag: by its number, from an address on where the table begins to say something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct PageIndex(usize);

impl PageIndex {
    /// The page of an address, from `base` on. Of an address below that the number is as large as can be.
    #[inline(always)]
    pub const fn of(base: usize, address: usize) -> Self {
        PageIndex(address.wrapping_sub(base) / PAGE)
    }

    /// The same, of a base whose page number was turned around.
    #[inline(always)]
    pub const fn turned(base: usize, address: usize) -> Self {
        PageIndex((address / PAGE).wrapping_add(base))
    }

    /// The same number, of which the optimizer knows nothing. Left alone it derives a bound and the table's index from the
    /// address separately, with two shifts and a mask instead of one shift. Emits nothing.
    #[inline(always)]
    pub fn opaque(self) -> Self {
        let mut page = self.0;
        // SAFETY: no instruction.
        unsafe { core::arch::asm!("/* {0} */", inout(reg) page, options(pure, nomem, nostack, preserves_flags)) };
        PageIndex(page)
    }

    /// Its number.
    #[inline(always)]
    pub const fn number(self) -> usize {
        self.0
    }

    /// Bytes from the beginning of the table, whose tags are of so many bytes, to its cell.
    #[inline(always)]
    pub const fn cell(self, tag_bytes: usize) -> usize {
        self.0 * tag_bytes
    }
}

/// The integer of a page tag.
pub trait Tag: 'static {
    /// Bytes a page.
    const BYTES: usize;

    /// The tag at an address.
    ///
    /// # Safety
    /// `at` is a cell of the tag table that is memory; nobody writes it meanwhile: the page belongs to somebody who knows
    /// the caller, or to nobody.
    unsafe fn load(at: *const u8) -> usize;

    /// Writes it.
    ///
    /// # Safety
    /// `at` is a cell of the tag table that is memory, and its page belongs to the caller: nobody reads or writes its tag
    /// meanwhile.
    unsafe fn store(at: *mut u8, value: usize);
}

macro_rules! tag {
    ($int:ty) => {
        impl Tag for $int {
            const BYTES: usize = core::mem::size_of::<$int>();

            #[inline(always)]
            unsafe fn load(at: *const u8) -> usize {
                // SAFETY: the caller passes a cell of the table, which lives as long as the process. A page's tag is
                // written before any object of its run is handed out and not again before all of them are back, so that
                // nobody writes the cell of an object's page while the object exists: a plain load does not race. (An
                // atomic one would cost `free` an instruction: LLVM extends a 16-bit atomic load twice.)
                unsafe { *at.cast::<$int>() as usize }
            }

            #[inline]
            unsafe fn store(at: *mut u8, value: usize) {
                // SAFETY: the page is the caller's: nobody reads its tag.
                unsafe { *at.cast::<$int>() = value as $int }
            }
        }
    };
}
tag!(u16);
tag!(u32);
