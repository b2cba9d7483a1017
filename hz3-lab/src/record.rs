//! One comparison as it is kept: everything that its verdicts rest on, samples included.

use crate::{commit::Commit, machine::Machine, rows::Metric, stats, stats::Verdict};
use hz3_project::Kind;
use serde::{Deserialize, Serialize};

/// Version of the form of [`Record`].
pub const FORMAT: u32 = 2;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this form.
    pub format: u32,
    /// Date and a hash: unique in a ledger.
    pub id: String,
    /// When it began, UTC.
    pub when: String,
    /// Version of the tool.
    pub tool: String,
    /// How it was asked for.
    pub command: Vec<String>,
    /// The commit of the project.
    #[serde(default)]
    pub commit: Option<Commit>,
    /// Where.
    pub machine: Machine,
    /// How it was judged.
    pub settings: Settings,
    /// The contenders; the base first.
    pub libraries: Vec<Contender>,
    /// What was found.
    pub rows: Vec<RowRecord>,
    /// Seconds that it took.
    pub seconds: f64,
    /// Whether it was cut short by hand.
    pub interrupted: bool,
}

/// How a comparison was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Probability of a wrong verdict of one contender on one row.
    pub alpha: f64,
    /// Blocks after which a row is looked at.
    pub looks: Vec<usize>,
    /// A row is done, undecided, when its effect is surely smaller than this log ratio.
    pub margin: f64,
    /// Seconds that were allowed.
    pub budget: f64,
    /// First seed.
    pub seed: u64,
    /// Whether the full sizes were measured.
    pub full: bool,
}

/// A contender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contender {
    /// What tables call it.
    pub label: String,
    /// Its kind: variant, peer, file or glibc.
    pub kind: Kind,
    /// File name, without its folder.
    pub file: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Hash of its instructions.
    pub text: String,
    /// Hash of its constants.
    pub data: String,
    /// SHA-256 of the file that was measured.
    #[serde(default)]
    pub sha256: String,
    /// Version: of a variant the generator's, of any other library what it says of itself.
    pub version: String,
    /// Hash of the sources that it was built from (variants).
    #[serde(default)]
    pub sources: String,
    /// Hash of the config (variants).
    pub hash: String,
    /// Hash of what reaches the code (variants).
    pub code_hash: String,
    /// The resolved config (variants).
    pub config: String,
    /// The beginnings of malloc and free, for people.
    #[serde(default)]
    pub hot: Vec<crate::disasm::HotPath>,
}

/// One row of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowRecord {
    /// Its name.
    pub name: String,
    /// One line for people.
    pub about: String,
    /// Program (without its folder) and arguments.
    pub command: Vec<String>,
    /// What is judged.
    pub metric: Metric,
    /// Base against itself: the pairs.
    pub null: Vec<[f64; 2]>,
    /// The floor, a log ratio; not finite if the base was not measured against itself often enough.
    #[serde(with = "maybe")]
    pub floor: f64,
    /// Looks that were taken.
    pub looks: usize,
    /// Whether there was no time for it.
    #[serde(default)]
    pub left_out: bool,
    /// The base, and the client alone on the empty allocator: pairs of one block.
    #[serde(default)]
    pub alone: Vec<[f64; 2]>,
    /// The client's own share of the base's value, in the same unit; rows of one thread have it.
    pub empty: Option<f64>,
    /// The contenders, the base first. Values of equal index are of one block; who is decided is not run any further, so
    /// that its arrays may be shorter than the base's.
    pub cells: Vec<Cell>,
}

/// A contender on a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Which contender.
    pub label: String,
    /// Judged value of each block.
    pub values: Vec<f64>,
    /// Peak resident bytes of each block.
    pub rss_peak: Vec<u64>,
    /// Page faults of each block.
    #[serde(default)]
    pub faults: Vec<u64>,
    /// Resident bytes at the end of each block, where the client says so.
    pub rss_end: Vec<u64>,
    /// CPU seconds of each block.
    pub cpu: Vec<f64>,
    /// Most live bytes as the client counts them, the last block's.
    pub live_peak: Option<u64>,
    /// Failed allocations, all blocks.
    pub failures: u64,
    /// Resident bytes over time in an execution of its own: microseconds, bytes.
    pub series: Vec<[u64; 2]>,
    /// Instructions of a short execution under callgrind.
    pub instructions: Option<u64>,
    /// Why there are no figures, if there are none.
    pub problem: Option<String>,
    /// Against the base; none for the base itself.
    pub result: Option<Outcome>,
}

/// A contender against the base, on one row. Ratios are `contender / base`; less is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Median ratio of the judged value.
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
    /// Median ratio of peak resident bytes.
    #[serde(with = "maybe")]
    pub rss: f64,
    /// Median ratio of CPU time.
    #[serde(with = "maybe")]
    pub cpu: f64,
}

impl Contender {
    /// What people call it: a variant by its name, any other by its label and version.
    pub fn title(&self) -> String {
        match (self.kind, self.version.as_str()) {
            (Kind::Variant, _) | (_, "") => self.label.clone(),
            (_, version) => format!("{} {version}", self.label),
        }
    }
}

impl Cell {
    /// A cell without figures yet.
    pub fn new(label: &str) -> Self {
        Self {
            label: label.into(),
            ..Self::default()
        }
    }
    /// Median judged value.
    pub fn value(&self) -> f64 {
        stats::median(&self.values)
    }
    /// Median peak resident bytes.
    pub fn rss_peak(&self) -> f64 {
        stats::median(&self.rss_peak.iter().map(|v| *v as f64).collect::<Vec<_>>())
    }
    /// Median of page faults; records from before 2026-11-25 have none.
    pub fn faults(&self) -> Option<f64> {
        let faults = self.faults.iter().map(|v| *v as f64).collect::<Vec<_>>();
        (!faults.is_empty()).then(|| stats::median(&faults))
    }
    /// Median resident bytes at the end.
    pub fn rss_end(&self) -> f64 {
        stats::median(&self.rss_end.iter().map(|v| *v as f64).collect::<Vec<_>>())
    }
}

impl Record {
    /// A record as it stands in a ledger. The intervals of form 1 were bootstraps, which cover less than they say: they are
    /// made anew from the samples; what was decided then stays.
    pub fn read(line: &str) -> std::result::Result<Self, String> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let form: Form = serde_json::from_str(line).map_err(|e| e.to_string())?;
        if form.format == 0 || form.format > FORMAT {
            return Err(format!(
                "its form is {}, and this hz3 reads forms up to {FORMAT}",
                form.format
            ));
        }
        let mut record: Self = serde_json::from_str(line).map_err(|e| e.to_string())?;
        if form.format < 2 {
            record.rows.iter_mut().for_each(RowRecord::renew);
        }
        Ok(record)
    }

    /// `b, c against a`.
    pub fn headline(&self) -> String {
        let labels: Vec<&str> = self.libraries.iter().skip(1).map(|l| l.label.as_str()).collect();
        let base = self.libraries.first().map_or("", |l| l.label.as_str());
        format!("{} against {base}", labels.join(", "))
    }

    /// Whether some contender had enough blocks on some row for the interval that judges.
    pub fn says_something(&self) -> bool {
        self.results().any(|(_, o)| o.judged().is_some())
    }

    /// What was found about contenders, row by row.
    pub fn results(&self) -> impl Iterator<Item = (&Cell, Outcome)> {
        let cells = self.rows.iter().flat_map(|r| &r.cells);
        cells.filter_map(|c| Some((c, c.result?)))
    }
}

impl RowRecord {
    /// The client's own share from the existing pairs.
    pub fn set_client_share(&mut self) {
        let ratios: Vec<f64> = self.alone.iter().map(|[base, alone]| alone / base).collect();
        let share = stats::median(&ratios) * self.cells[0].value();
        self.empty = share.is_finite().then_some(share);
    }

    /// The client's own share for tables.
    pub fn client_share(&self) -> Option<String> {
        let share = self.empty?;
        Some(if share < self.cells.first()?.value() {
            format!("{:.2}", self.metric.show(share))
        } else {
            "all of it".into()
        })
    }

    /// Turns a row of form 1 into one of today's form.
    fn renew(&mut self) {
        // The share of several threads counted how they waited for each other.
        if self.command.first().is_some_and(|c| c == "ring") {
            self.empty = None;
        }
        let Some((base, others)) = self.cells.split_first_mut() else {
            return;
        };
        for cell in others {
            let new = Outcome::of(cell, base, self.floor, 0.0);
            if let Some(old) = &mut cell.result {
                (old.lo, old.hi, old.judged_lo, old.judged_hi) = (new.lo, new.hi, new.judged_lo, new.judged_hi);
            }
        }
    }
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
    /// Judges `cell` against `base` with a floor.
    pub fn of(cell: &Cell, base: &Cell, floor: f64, margin: f64) -> Self {
        let l = stats::look(&stats::log_ratios(&cell.values, &base.values), floor);
        // The zip ends with the shorter of two arrays.
        let ratio = |a: Vec<f64>, b: Vec<f64>| stats::median(&stats::log_ratios(&a, &b)).exp();
        let bytes = |v: &[u64]| v.iter().map(|b| *b as f64).collect::<Vec<_>>();
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
            rss: ratio(bytes(&cell.rss_peak), bytes(&base.rss_peak)),
            cpu: ratio(cell.cpu.clone(), base.cpu.clone()),
        }
    }
}

/// JSON has no infinity: what is not finite is written as `null` and read as NaN.
mod maybe {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(v: &f64, s: S) -> Result<S::Ok, S::Error> {
        v.is_finite().then_some(*v).serialize(s)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::NAN))
    }
}

/// UTC of now as `YYYY-MM-DDTHH:MM:SSZ`.
pub fn utc_now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_clear_and_of_few_samples() {
        let mut base = Cell::new("a");
        let mut cell = Cell::new("b");
        for i in 0..12 {
            let drift = 1.0 + f64::from(i) * 0.1;
            base.values.push(10.0 * drift);
            cell.values.push(9.0 * drift * (1.0 + f64::from(i % 3) * 0.001));
            base.rss_peak.push(1000);
            cell.rss_peak.push(1500);
            base.cpu.push(1.0);
            cell.cpu.push(0.9);
        }
        let o = Outcome::of(&cell, &base, 0.01, 0.01);
        assert_eq!(o.verdict, Verdict::Go);
        assert!(
            (o.ratio - 0.9009).abs() < 1e-3 && o.lo <= o.ratio && o.ratio <= o.hi,
            "{o:?}"
        );
        assert!((o.rss - 1.5).abs() < 1e-9);
        cell.values.truncate(5);
        let few = Outcome::of(&cell, &base, 0.01, 0.01);
        assert_eq!(
            (few.verdict, few.smallest_percent, few.judged_hi),
            (Verdict::Undecided, None, None)
        );
    }

    #[test]
    fn what_is_not_finite_survives_json() {
        let (mut base, mut cell) = (Cell::new("a"), Cell::new("b"));
        base.values.push(1.0);
        cell.values.push(2.0);
        let o = Outcome::of(&cell, &base, f64::INFINITY, 0.01);
        let text = serde_json::to_string(&o).unwrap();
        let back: Outcome = serde_json::from_str(&text).unwrap();
        assert!(
            (back.ratio - 2.0).abs() < 1e-12 && back.hi.is_nan() && back.rss.is_nan(),
            "{text}"
        );
        assert_eq!(back.verdict, Verdict::Undecided);
    }
}
