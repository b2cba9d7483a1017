//! Fuzz targets: everything of hz3 that reads what it did not write, and its allocators themselves.
//!
//! A target takes any bytes. It panics if what it looks at breaks a promise: not only where a reader panics, but also where
//! what was read is not what comes back when it is written and read again, or where an allocator hands out bytes that somebody
//! else has. Each target has an oracle of its own, which takes the code under test as an argument, so that a test can show that
//! it finds a fault that was planted.
//!
//! [`TARGETS`] lists them. `tests/targets.rs` runs each for a moment with the same inputs on every machine; `hz3-fuzz/run`
//! searches for as long as one likes, by coverage. What was found once lies in `corpus/`.

pub mod allocator;
mod config;
pub mod dice;
mod elf;
mod heap;
mod profile;
mod record;
mod trace;
pub mod variants;
mod workload;

use std::path::PathBuf;

/// Something that takes any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its program, and of its folder in `corpus/`.
    pub name: &'static str,
    /// What it looks at.
    pub about: &'static str,
    /// Panics if a promise is broken.
    pub run: fn(&[u8]),
    /// The same with a fault in what is looked at: some input must make it panic.
    pub planted: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    config::TARGET,
    trace::TARGET,
    profile::TARGET,
    record::TARGET,
    workload::TARGET,
    heap::TARGET,
    elf::TARGET,
    allocator::TARGET,
];

/// The target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs a target.
///
/// # Panics
///
/// If a promise is broken, or there is no such target.
pub fn run(name: &str, data: &[u8]) {
    (target(name).expect("a target").run)(data);
}

/// The folder of this crate in the checkout that it was compiled from.
pub fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

// What the heap's reader takes from the program that it belongs to.
#[allow(dead_code)]
#[path = "../../hz3-cli/src/style.rs"]
mod style;
