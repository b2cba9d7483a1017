//! What configs were predicted to change beside what was measured of them: how well the model of `fit` does.

use crate::fit::Prediction;
use crate::record::Record;

/// A prediction that was measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Tested {
    /// The record.
    pub id: String,
    /// The row.
    pub row: String,
    /// The config.
    pub config: String,
    /// What was predicted.
    pub predicted: Prediction,
    /// Peak resident memory beyond that of the base, in KiB.
    pub peak: f64,
    /// Whether that lies in the range.
    pub peak_holds: bool,
    /// CPU time beyond that of the base, in percent.
    pub time: f64,
    /// Whether that lies in the range.
    pub time_holds: bool,
}

/// All predictions of a record's contenders against its base. A prediction against another config is none of them.
pub fn tested(record: &Record) -> Vec<Tested> {
    let mut all = Vec::new();
    for contender in &record.libraries {
        let hypothesis = contender.claim.as_ref().and_then(|claim| claim.hypothesis.as_deref());
        let Some((against, predicted)) = hypothesis.and_then(Prediction::read) else {
            continue;
        };
        for row in record.rows.iter().filter(|row| !row.left_out) {
            let cell = row.cells.iter().find(|cell| cell.label == contender.label);
            let (Some(base), Some(cell)) = (row.cells.first(), cell) else {
                continue;
            };
            if base.label != against || base.cpu.is_empty() || cell.cpu.is_empty() {
                continue;
            }
            let peak = (cell.rss_peak() - base.rss_peak()) / 1024.0;
            let time = 100.0 * (cell.cpu_ratio(base) - 1.0);
            all.push(Tested {
                id: record.id.clone(),
                row: row.name.clone(),
                config: contender.label.clone(),
                predicted,
                peak,
                peak_holds: predicted.peak.holds(peak),
                time,
                time_holds: predicted.time.holds(time),
            });
        }
    }
    all
}
