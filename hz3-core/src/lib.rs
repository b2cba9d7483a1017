//! The allocator's algorithms, written once and generic over [`Variant`]: the tables, statics and types that the
//! generator makes from one TOML.
//!
//! Modules say what their code may do; each knows only those below it:
//!
//! | module | holds | may |
//! |---|---|---|
//! | [`abi`] | C ABI, `GlobalAlloc`, introspection | be thin |
//! | [`hot`] | `malloc`, `free` | no call, no read-modify-write, no syscall, no loop; every exit is a tail call into `event` |
//! | [`event`] | refill, overflow, thread start and exit, fork, foreign pointers | anything bounded |
//! | [`variant`] | the trait of a generated allocator, and those of its choices | hold no code |
//! | [`statics`] | a variant's memory: statics of the process, a block for each thread | know no variant |
//! | [`heap`] | arena, segments, runs, page heap, central, depot, large objects | know no thread |
//! | [`record`] | what recorders keep | know no heap |
//! | [`list`], `tls`, `sequence`, [`pprof`] | the only writer of links; the TLS accessor; restartable sequences; pprof's format | — |
//! | [`policy`] | classes, numbers, page tags: all that the heap knows of a variant | hold no state |
//! | [`sync`] | atomics, the lock, the thread that forks, the helper's gate | — |
//! | [`os`], [`text`] | the only libc callers; text without allocation | — |

#![no_std]

#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    target_endian = "little",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!(
    "hz3 runs on 64-bit Linux on x86-64 and aarch64 only: docs/platforms.md says what another system or machine needs"
);

#[cfg(any(test, loom))]
extern crate std;

pub mod abi;
pub mod event;
pub mod heap;
pub mod hot;
pub mod list;
pub mod os;
pub mod policy;
pub mod pprof;
pub mod record;
pub mod sequence;
pub mod statics;
pub mod sync;
pub mod text;
pub mod tls;
pub mod variant;

pub use policy::{Class, Policy, Shape};
pub use statics::{Shared, Statics};
pub use variant::Variant;
