//! One figure of a contender against the base's: intervals and a verdict.

use crate::{stats, stats::Verdict};
use serde::{Deserialize, Serialize};

/// A contender against the base, on one row and in one aspect. Ratios are `contender / base`; less is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Median ratio.
    #[serde(with = "maybe")]
    pub ratio: f64,
    /// Lower end of its 95 % interval.
    #[serde(with = "maybe")]
    pub lo: f64,
    /// Upper end.
    #[serde(with = "maybe")]
    pub hi: f64,
    /// Lower end of the interval that the verdict rests on, which holds the other; 0 if there were too few blocks.
    #[serde(with = "maybe")]
    pub judged_lo: f64,
    /// Upper end; none if there were too few blocks.
    pub judged_hi: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
    /// The smallest change in percent that this comparison could have told from nothing; none if there were too few blocks.
    pub smallest_percent: Option<f64>,
    /// True if the effect is surely smaller than the margin: undecided for good.
    pub negligible: bool,
}

impl Outcome {
    /// The 95 % interval, if there were enough blocks for one.
    pub fn shown(&self) -> Option<(f64, f64)> {
        (self.lo > 0.0 && self.hi.is_finite()).then_some((self.lo, self.hi))
    }

    /// The interval that the verdict rests on, likewise.
    pub fn judged(&self) -> Option<(f64, f64)> {
        let hi = self.judged_hi.filter(|_| self.judged_lo > 0.0)?;
        Some((self.judged_lo, hi))
    }

    /// Whether a verdict was found.
    pub fn decided(&self) -> bool {
        self.verdict != Verdict::Undecided
    }

    /// Whether more blocks would change nothing: a verdict was found, or the effect is surely small.
    pub fn settled(&self) -> bool {
        self.decided() || self.negligible
    }

    /// The verdict for tables; `=` says that the effect is surely small.
    pub fn word(&self) -> String {
        match (self.verdict, self.negligible) {
            (Verdict::Undecided, true) => "UNDECIDED=".to_string(),
            (v, _) => v.to_string(),
        }
    }

    /// Judges values against those of the base in the same blocks, with a floor. The longer of the two is cut.
    pub fn of(values: &[f64], base: &[f64], floor: f64, margin: f64) -> Self {
        Self::at(&stats::log_ratios(values, base), floor, margin, stats::Looks::alpha())
    }

    /// Judges log ratios at the error that a look may have.
    pub fn at(samples: &[f64], floor: f64, margin: f64, alpha: f64) -> Self {
        let l = stats::look_at(samples, floor, alpha);
        let finite = |v: f64| v.is_finite().then_some(v);
        Self {
            ratio: l.effect.exp(),
            lo: l.shown.lo.exp(),
            hi: l.shown.hi.exp(),
            judged_lo: l.judged.lo.exp(),
            judged_hi: finite(l.judged.hi.exp()),
            verdict: l.verdict,
            smallest_percent: finite(stats::percent(l.smallest)),
            negligible: l.verdict == Verdict::Undecided && l.judged.lo > -margin && l.judged.hi < margin,
        }
    }
}

/// JSON has no infinity: what is not finite is written as `null` and read as NaN.
pub(super) mod maybe {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(v: &f64, s: S) -> Result<S::Ok, S::Error> {
        v.is_finite().then_some(*v).serialize(s)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_clear_and_of_few_samples() {
        let (mut base, mut values) = (Vec::new(), Vec::new());
        for i in 0..12 {
            let drift = 1.0 + f64::from(i) * 0.1;
            base.push(10.0 * drift);
            values.push(9.0 * drift * (1.0 + f64::from(i % 3) * 0.001));
        }
        let o = Outcome::of(&values, &base, 0.01, 0.01);
        assert_eq!(o.verdict, Verdict::Go);
        assert!(
            (o.ratio - 0.9009).abs() < 1e-3 && o.lo <= o.ratio && o.ratio <= o.hi,
            "{o:?}"
        );
        let few = Outcome::of(&values[..5], &base, 0.01, 0.01);
        assert_eq!(
            (few.verdict, few.smallest_percent, few.judged_hi),
            (Verdict::Undecided, None, None)
        );
    }

    #[test]
    fn bytes_that_are_all_the_same_are_judged_too() {
        // Nine blocks of the same bytes: all pairs agree, and the interval has no width.
        let o = Outcome::of(&[4096.0 * 70.0; 9], &[4096.0 * 100.0; 9], 0.0025, 0.01);
        assert_eq!((o.verdict, o.judged()), (Verdict::Go, Some((o.ratio, o.ratio))));
        let same = Outcome::of(&[4096.0; 9], &[4096.0; 9], 0.0025, 0.01);
        assert!(!same.decided() && same.settled(), "{same:?}");
        assert_eq!(same.word(), "UNDECIDED=");
    }

    #[test]
    fn what_is_not_finite_survives_json() {
        let o = Outcome::of(&[2.0], &[1.0], f64::INFINITY, 0.01);
        let text = serde_json::to_string(&o).unwrap();
        let back: Outcome = serde_json::from_str(&text).unwrap();
        assert!((back.ratio - 2.0).abs() < 1e-12 && back.hi.is_nan(), "{text}");
        assert_eq!(back.verdict, Verdict::Undecided);
    }
}
