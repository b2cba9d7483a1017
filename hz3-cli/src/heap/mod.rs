//! The map of a heap: read out of a running process, kept in a file, added up, drawn.
//!
//! [`process`] finds a variant in a process, [`decode`] reads its segments through [`memory`], what comes out is a
//! [`snapshot`]; [`summary`] adds it up, [`terminal`] and [`page`] draw it, [`change`] compares two.

pub mod change;
pub mod decode;
#[cfg(test)]
mod decode_tests;
pub mod memory;
pub mod page;
pub mod process;
pub mod segment;
pub mod snapshot;
pub mod summary;
pub mod terminal;
#[cfg(test)]
mod world;
