//! What every tool of hz3 stands on: the command line, the lab and the tests have one answer each to where things are, what
//! a name stands for, what a library says of itself, and how a command ends.
//!
//! Layers, each knowing only those above it in this list: [`error`], [`hash`], [`program`], [`file`](mod@file), [`place`] (the
//! project's root and folders), [`sources`] (what variants are built from), [`library`] (an ELF file and its note), [`archive`]
//! (the static one), [`build`] (from a plan to both), [`code`] (its instructions), [`bindings`] (what the dynamic linker says it bound), [`clients`] (C
//! programs), [`current`] (whether a library is what its config says now), [`peers`] and [`name`] (what a word stands for),
//! [`revision`] (a variant at a commit).

#![forbid(unsafe_code)]

pub mod archive;
pub mod bindings;
pub mod build;
pub mod clients;
pub mod code;
pub mod current;
pub mod error;
pub mod file;
pub mod hash;
pub mod library;
pub mod name;
pub mod peers;
pub mod place;
pub mod program;
pub mod revision;
pub mod sources;

pub use error::{Code, Error, OnPath, Outcome, Result};
pub use library::{Library, Note};
pub use name::{Allocator, Kind};
pub use place::Place;
