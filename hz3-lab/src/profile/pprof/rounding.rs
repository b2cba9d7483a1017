//! What is lost in a file of whole numbers and lower bounds, as far as it can be had back.

use crate::profile::{Ended, Row};
use std::collections::HashMap;

/// Gives back what rounding took. A sampled object stands for 4.49 others, and a row of it alone says 4; a thousand such rows
/// would be 490 objects short. Their bytes say it exactly. So of all rows of one size the fractions are carried on from row to
/// row, and only whole objects are left to each.
pub(super) fn whole(rows: &mut [Row]) {
    let mut left: HashMap<(u64, bool), f64> = HashMap::new();
    for row in rows.iter_mut().filter(|row| row.size > 0) {
        let exact = row.bytes as f64 / row.size as f64;
        if (exact - row.objects as f64).abs() >= 1.0 {
            // Something else than rounding.
            continue;
        }
        let left = left.entry((row.size, row.live())).or_insert(0.0);
        *left += exact;
        // Sums of fractions may miss a whole number by a hair.
        row.objects = (*left + 1e-6).floor().max(0.0) as u64;
        *left -= row.objects as f64;
    }
}

/// How long the objects of a row lived together, if only bounds are known.
pub(super) fn lived(row: &Row, end: u64) -> f64 {
    let each = match row.ended {
        None => (end - row.born) as f64,
        // One object's own time, but for bad luck.
        Some(Ended { lifetime, .. }) if !lifetime.is_power_of_two() => lifetime as f64,
        // The middle of a bucket.
        Some(Ended { lifetime, .. }) => 1.5 * lifetime as f64,
    };
    // A whole number, as files have it.
    (row.objects as f64 * each).floor()
}
