//! One comparison as it is kept: everything that its verdicts rest on, samples included.

mod contender;
mod outcome;
mod row;
mod search;

use crate::{commit::Commit, machine::Machine};
pub use contender::{Claim, Contender};
pub use outcome::Outcome;
pub use row::{Aspect, Cell, RowRecord};
pub use search::{Candidate, Dropped, Finalist, Search};
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
    /// The search whose finalists these are, if they are of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
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
        let margin = record.settings.margin;
        record.rows.iter_mut().for_each(|row| row.judge_memory(margin));
        Ok(record)
    }

    /// As it stands in a ledger: one line of JSON, with its end.
    pub fn line(&self) -> hz3_project::Result<String> {
        let line =
            serde_json::to_string(self).map_err(|e| hz3_project::Error::failed(format!("record {}: {e}", self.id)))?;
        Ok(line + "\n")
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

    /// What was found about contenders, row by row: the judged values.
    pub fn results(&self) -> impl Iterator<Item = (&Cell, Outcome)> {
        self.results_of(Aspect::Value)
    }

    /// The same of any aspect.
    pub fn results_of(&self, of: Aspect) -> impl Iterator<Item = (&Cell, Outcome)> {
        let cells = self.rows.iter().flat_map(|r| &r.cells);
        cells.filter_map(move |c| Some((c, c.outcome(of)?)))
    }
}

/// UTC of now as `YYYY-MM-DDTHH:MM:SSZ`.
pub fn utc_now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

/// An id: the day, and a hash of what makes the record the only one.
pub fn new_id(when: &str, of: &[String]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (when, of).hash(&mut hasher);
    let day = when.get(..10).unwrap_or("").replace('-', "");
    format!("{day}-{:06x}", hasher.finish() & 0xff_ffff)
}
