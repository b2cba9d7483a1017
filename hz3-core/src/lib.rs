//! The allocator's algorithms, written once and generic over [`Variant`]: the tables, statics and types that the
//! generator makes from one TOML.
//!
//! Folders say what their code may do; each layer knows only those below it:
//!
//! | folder | holds | may |
//! |---|---|---|
//! | [`abi`] | C ABI, `GlobalAlloc`, introspection | be thin |
//! | [`hot`] | `malloc`, `free` | no call, no read-modify-write, no syscall, no loop; every exit is a tail call into `event` |
//! | [`event`] | refill, overflow, thread start and exit, fork, foreign pointers | anything bounded |
//! | [`heap`] | arena, segments, runs, page heap, central, depot, large objects | know no thread |
//! | `os`, `glibc`, `sync`, `gate`, `forker`, `tls`, `list`, `text` | the only libc callers; atomics and the lock; where the helper can be kept out; the thread that forks; the TLS accessor; the only writer of links; text without allocation | — |

#![no_std]
#![allow(clippy::missing_safety_doc)] // Every unsafe fn says its contract in prose, under its first sentence.

#[cfg(any(test, loom))]
extern crate std;

pub mod abi;
pub mod event;
pub mod forker;
pub mod gate;
pub mod glibc;
pub mod heap;
pub mod hot;
pub mod list;
pub mod os;
mod statics;
pub mod sync;
pub mod text;
pub mod tls;
mod variant;

pub use statics::{Shared, Statics};
pub use variant::{Above, Body, Class, Foreign, NoPrefetch, Policy, Prefetch, PrefetchNext, Tag, Variant};
