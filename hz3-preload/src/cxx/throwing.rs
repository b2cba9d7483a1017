//! What `operator new` comes to where no object is at hand: the new-handler, then an exception, or null.

hz3_core::__cxx_new!(
    "__hz3_new",
    "__hz3_new_aligned",
    "__hz3_nothrow",
    "__hz3_nothrow_aligned",
    "__hz3_replaced",
    super::plain,
    super::aligned
);

// The functions of the macro above. `new` and `new_aligned` may throw: then they leave through their caller, whose frame
// must not be one of Rust's with anything left to do. A caller makes them the last thing that it does.
unsafe extern "C" {
    /// `operator new` without an object at hand.
    ///
    /// # Safety
    /// The call is the last thing that its caller does: nothing is left to be dropped when it throws.
    #[link_name = "__hz3_new"]
    pub fn new(n: usize) -> *mut u8;
    /// The same for an alignment.
    ///
    /// # Safety
    /// As [`new`]; `align` is a power of two.
    #[link_name = "__hz3_new_aligned"]
    pub fn new_aligned(n: usize, align: usize) -> *mut u8;
    /// The nothrow form of [`new`].
    ///
    /// # Safety
    /// Nothing is asked of the caller: it throws nothing.
    #[link_name = "__hz3_nothrow"]
    pub fn nothrow(n: usize) -> *mut u8;
    /// The nothrow form of [`new_aligned`].
    ///
    /// # Safety
    /// `align` is a power of two.
    #[link_name = "__hz3_nothrow_aligned"]
    pub fn nothrow_aligned(n: usize, align: usize) -> *mut u8;
}
