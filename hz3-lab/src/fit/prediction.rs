//! What a fitted config is expected to change, with intervals, as a sentence that a config carries and a ledger keeps.
//!
//! The sentence is the config's hypothesis, so it goes wherever hypotheses go: into a library, into the record of a comparison.
//! There it is read again, and held against what was measured.

use super::search::{Figures, Found};
use std::fmt;

const KIB: f64 = 1024.0;
/// The model's own error: a share of what it says, and KiB or percent. Estimates, chosen wide after the model was held against
/// single keys of five programs; the ledger's calibration says how often the ranges hold.
const PEAK: (f64, f64) = (0.45, 192.0);
const TIME: (f64, f64) = (0.6, 1.5);

/// A figure and the range that holds it with a probability of 90 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Range {
    /// What is expected.
    pub at: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Range {
    /// Of what was found in all and in each trial, by a model with such errors.
    fn new(at: f64, trials: impl Iterator<Item = f64>, (share, more): (f64, f64)) -> Self {
        let (mut low, mut high) = (at, at);
        for one in trials {
            (low, high) = (low.min(one), high.max(one));
        }
        Self {
            at,
            low: low - share * low.abs() - more,
            high: high + share * high.abs() + more,
        }
    }

    /// Whether it holds a figure.
    pub fn holds(self, figure: f64) -> bool {
        self.low <= figure && figure <= self.high
    }
}

/// What a config is expected to change against another.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Prediction {
    /// Peak resident memory, in KiB.
    pub peak: Range,
    /// CPU time, in percent.
    pub time: Range,
}

impl Prediction {
    /// Of what a search found.
    pub fn of(found: &Found) -> Self {
        // The trials are parts of the recordings, so their times count for more.
        let percent = |figures: &Figures, part: f64| 100.0 * figures.nanoseconds / (found.nanoseconds * part).max(1.0);
        let part = 1.0 / found.elsewhere.len().max(1) as f64;
        Self {
            peak: Range::new(
                found.effect.peak / KIB,
                found.elsewhere.iter().map(|f| f.peak / KIB),
                PEAK,
            ),
            time: Range::new(
                percent(&found.effect, 1.0),
                found.elsewhere.iter().map(|f| percent(f, part)),
                TIME,
            ),
        }
    }

    /// The sentence that says so, for the hypothesis of a config.
    pub fn against(&self, base: &str) -> String {
        format!("Predicted against {base}: {self}.")
    }

    /// The prediction that a hypothesis makes, and against what, if it is one that [`Prediction::against`] wrote.
    pub fn read(hypothesis: &str) -> Option<(&str, Self)> {
        let (_, rest) = hypothesis.split_once("Predicted against ")?;
        let (base, rest) = rest.split_once(": peak memory ")?;
        let (peak, rest) = range(rest, " KiB")?;
        let (_, rest) = rest.split_once("CPU time ")?;
        let (time, _) = range(rest, " %")?;
        Some((base, Self { peak, time }))
    }
}

/// `-620 KiB (90 %: -950 to -250)` and what follows.
fn range<'a>(text: &'a str, unit: &str) -> Option<(Range, &'a str)> {
    let (at, rest) = text.split_once(unit)?;
    let (low, rest) = rest.strip_prefix(" (90 %: ")?.split_once(" to ")?;
    let (high, rest) = rest.split_once(')')?;
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
    Some((
        Range {
            at: number(at)?,
            low: number(low)?,
            high: number(high)?,
        },
        rest,
    ))
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peak, time) = (self.peak, self.time);
        write!(
            f,
            "peak memory {:+.0} KiB (90 %: {:+.0} to {:+.0}), CPU time {:+.2} % (90 %: {:+.2} to {:+.2})",
            peak.at, peak.low, peak.high, time.at, time.low, time.high
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let range = |at, low, high| Range { at, low, high };
        let prediction = Prediction {
            peak: range(-620.0, -950.0, 25.0),
            time: range(-0.25, -1.5, 1.0),
        };
        let text = prediction.against("default");
        assert_eq!(Prediction::read(&text), Some(("default", prediction)), "{text}");
        let more = format!("{text} And more.");
        assert_eq!(Prediction::read(&more), Some(("default", prediction)));
        for broken in [
            "",
            "Predicted against default: peak memory",
            &text.replace(" to ", " or "),
            &text.replace("-620", "x"),
        ] {
            assert_eq!(Prediction::read(broken), None);
        }
        assert!(prediction.peak.holds(-700.0) && !prediction.peak.holds(-1000.0));
    }

    #[test]
    fn a_range_holds_all_trials() {
        let range = Range::new(-100.0, [-50.0, -300.0].into_iter(), (0.5, 10.0));
        assert_eq!((range.at, range.low, range.high), (-100.0, -460.0, -15.0));
    }
}
