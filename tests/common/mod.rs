//! What several tests share.
#![allow(dead_code, unused_macros, unused_imports)] // Every test binary takes what it needs.

pub mod blessed;
pub mod fork;
pub mod shipped;

use std::path::PathBuf;

/// The project's root: configs, fixtures and snapshots are named from there.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The plan of a config of the project, which must be sound.
pub fn plan(file: &str) -> hz3_config::Plan {
    hz3_config::load(&root().join(file)).unwrap_or_else(|faults| panic!("{faults}"))
}
