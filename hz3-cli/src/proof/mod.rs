//! Whether a program's malloc is a library's: what the dynamic linker did, and what a file says beforehand.

pub mod program;
pub mod trial;
