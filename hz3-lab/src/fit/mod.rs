//! Size classes for one program: what it keeps alive, the classes that fit that best, and whether they fit what they were not
//! made from.
//!
//! Sizes are bytes. The unit of all costs is bytes of memory on average over time, where time is counted in events of a trace:
//! so a megabyte that is live for a tenth of a run counts as 100 KB.

mod bands;
mod choice;
mod demand;
mod strides;

pub use bands::{BLOCKS, Band, Fit, Judged, fit};
pub use choice::{Candidate, choose};
pub use demand::{Demand, GRANULE};
pub use strides::{Price, Strides, strides};
