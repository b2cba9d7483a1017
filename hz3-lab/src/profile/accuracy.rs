//! How far a sampled profile is from the exact one of the same run.

use super::{Estimate, Profile, Which, distance};

/// One kind of rows.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Apart {
    /// Bytes that were estimated.
    pub bytes: Estimate,
    /// Bytes that there were.
    pub exact_bytes: f64,
    /// How much more was estimated, as a share of what there was.
    pub apart: f64,
    /// Kolmogorov distance of objects by size.
    pub distance: f64,
}

/// A profile beside the exact one.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Accuracy {
    /// What is in use.
    pub in_use: Apart,
    /// All that was allocated.
    pub allocated: Apart,
}

impl Profile {
    /// Compares this profile with the exact one of the same run, taken at the same moment.
    pub fn against(&self, exact: &Profile) -> Accuracy {
        let of = |which| {
            let bytes = self.estimate(self.rows(which), |row| row.bytes as f64);
            let exact_bytes: f64 = exact.rows(which).map(|row| row.bytes as f64).sum();
            let float = |profile: &Profile| {
                let sizes = profile.sizes(which).into_iter();
                sizes.map(|(size, n)| (size, n as f64)).collect()
            };
            Apart {
                bytes,
                exact_bytes,
                apart: if exact_bytes > 0.0 {
                    bytes.value / exact_bytes - 1.0
                } else {
                    0.0
                },
                distance: distance(&float(self), &float(exact)),
            }
        };
        Accuracy {
            in_use: of(Which::InUse),
            allocated: of(Which::Allocated),
        }
    }
}
