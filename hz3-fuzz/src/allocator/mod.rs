//! Allocators: programs that call every entry point from several threads, held against a model.
//!
//! Bytes become a [`Program`]. A player calls the entry points that it asks for, and the model knows who owns which
//! bytes: no object may lie where another one is, each keeps what was written into it until it goes, through `realloc`, in
//! other threads and in a forked child, and each is as aligned, as large and as zero as was asked for.

mod entries;
pub mod faulty;
mod model;
mod of_process;
mod of_variant;
mod player;
mod program;

pub use entries::{Cxx, Entries, Own, Rust};
pub use player::{Promise, play};
pub use program::{Kind, Op, Program};

use crate::Target;
use std::sync::LazyLock;

pub(crate) const TARGET: Target = Target {
    name: "allocator",
    about: "allocators: programs of several threads against a model",
    run: |data| {
        let tables = &*TABLES;
        let Some((first, rest)) = data.split_first() else {
            return;
        };
        let (entries, promise) = &tables[usize::from(*first) % tables.len()];
        play(&Program::decode(rest), entries, *promise);
    },
    planted: |data| {
        faulty::plant(faulty::Fault::Overlap);
        play(&Program::decode(data), &faulty::entries(), Promise::plain());
    },
};

/// The allocators of this process, each with what it promises. Their code is searched by coverage, as it is part of this
/// program.
static TABLES: LazyLock<Vec<(Entries, Promise)>> = LazyLock::new(|| {
    let mut tables = vec![
        (Entries::of_variant::<hz3::Hz3>(), Promise::of_variant()),
        // The control: what fails here, too, is a fault of the model.
        (Entries::of_process(), Promise::plain()),
    ];
    tables.extend(of_variant::more());
    tables
});
