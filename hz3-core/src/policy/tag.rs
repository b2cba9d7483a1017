//! Page tags: the integer, and the table that it stands in.

/// The integer of a page tag.
pub trait Tag: 'static {
    /// Bytes a page.
    const BYTES: usize;

    /// The tag at an address.
    ///
    /// `at` is a cell of the tag table.
    unsafe fn load(at: *const u8) -> usize;

    /// Writes it.
    ///
    /// `at` is a cell of the tag table; its page belongs to the caller.
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
