//! hz3: a malloc made at build time from one TOML.
//!
//! ```
//! hz3::variant!(
//!     /// This program's allocator.
//!     pub Alloc = "configs/default.toml"
//! );
//!
//! #[global_allocator]
//! static GLOBAL: Alloc = Alloc;
//!
//! fn main() {
//!     assert_eq!((0..1000).collect::<Vec<_>>().len(), 1000);
//! }
//! ```
#![no_std]

pub use hz3_core as core;
pub use hz3_macros::variant;
