//! The names that a variant's library has for linkers: one place for all who make, check or install one.

/// Version of what a linked program relies on: the functions of `hz3.h`. It is raised when a program that was linked
/// against an older library would not work with a newer one, and only then.
pub const ABI: u32 = 0;

/// The name that a program asks the dynamic linker for, once it is linked against the library of this variant.
pub fn soname(variant: &str) -> String {
    format!("{}.{ABI}", link_name(variant))
}

/// The name that a linker looks for when it is told `-lhz3_<variant>`; also the file that `build` makes.
pub fn link_name(variant: &str) -> String {
    format!("libhz3_{variant}.so")
}
