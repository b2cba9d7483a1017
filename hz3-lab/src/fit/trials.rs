//! What is fitted to and what judges: stretches of recordings, and which of them belong to which trial.

/// Stretches into which a trace is cut, each of which judges or is fitted to.
pub const BLOCKS: usize = 16;
/// Parts of a stretch, of which is known what is live in them.
pub const PARTS: usize = 8;

/// Which stretch of which trace.
pub type Unit = (usize, usize);

/// All stretches of so many traces.
pub fn units(traces: usize) -> Vec<Unit> {
    (0..traces)
        .flat_map(|trace| (0..BLOCKS).map(move |block| (trace, block)))
        .collect()
}

/// In which trial a stretch is judged: the halves of one trace judge each other, and of several each is judged by itself.
pub fn fold(traces: usize, (trace, block): Unit) -> usize {
    if traces > 1 {
        trace
    } else {
        usize::from(block >= BLOCKS / 2)
    }
}

/// Trials.
pub fn folds(traces: usize) -> usize {
    traces.max(2)
}
