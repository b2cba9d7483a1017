//! Every order in which threads can meet, within loom's model of memory.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p hz3-core --release --lib --target-dir target/loom loom`

use loom::model::Builder;

/// Explores with at most so many preemptions; three threads with three steps each have too many orders otherwise.
pub(crate) fn explore(preemptions: Option<usize>, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(f);
}
