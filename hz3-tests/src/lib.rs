//! Runs programs under the variants of hz3: builds the libraries and the C clients, starts a process with one of the
//! libraries preloaded, and says what came out.
//!
//! Layers, each knowing only those above it in this list: [`place`] (where things are), [`variant`] (builds a library),
//! [`client`] (builds a C program), [`plugin`] (builds a plugin in Rust), [`run`] (a process and its outcome).
//!
//! Nothing here is loaded into the test process: a variant lives in subprocesses only.

#![forbid(unsafe_code)]

pub mod client;
pub mod place;
pub mod plugin;
pub mod run;
pub mod variant;

pub use run::{Outcome, Run};
pub use variant::Allocator;
