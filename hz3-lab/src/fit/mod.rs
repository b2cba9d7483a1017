//! A config for one program: what it keeps alive, the plan that serves it best, and whether that serves what it was not made
//! from.
//!
//! Sizes are bytes. The unit of memory is bytes on average over time, or at most; time is counted in events of a trace: so a
//! megabyte that is live for a tenth of a run counts as 100 KB.
//!
//! Size classes come from dynamic programming over what is live (modules `demand`, `choice`, `ladder`). All other keys, and which
//! of several sets of classes is best, come from a [`model`] of the allocator, which runs the recording under each plan
//! ([`search`]). What a profile can tell is less: it knows no order of calls, so only classes are fitted to it.

mod bands;
mod candidates;
mod choice;
mod demand;
mod ladder;
pub mod model;
mod prediction;
pub mod search;
mod strides;
mod trials;

pub use bands::{Band, Fit, Judged, Point, fit};
pub use choice::{Candidate, choose};
pub use demand::{Demand, GRANULE, granule};
pub use ladder::{Weight, band_slack, rungs, slack};
pub use prediction::{Prediction, Range};
pub use strides::{Price, Strides, strides};
pub use trials::{BLOCKS, PARTS, Unit};
