//! A record as a plain text table.

use crate::{
    figures,
    record::{Aspect, Cell, Outcome, Record, RowRecord},
    stats,
    stats::Verdict,
};
use std::fmt::Write;

/// Widths of the first two columns.
fn widths(record: &Record) -> (usize, usize) {
    let names = record.rows.iter().map(|r| r.name.len()).max().unwrap_or(0).max(4);
    let labels = record.libraries.iter().map(|l| l.label.len()).max().unwrap_or(0).max(8);
    (names, labels)
}

/// One line a row and contender: value, ratio with both intervals, verdict, memory; then the verdicts of memory, and what
/// they do not show.
pub fn text(record: &Record) -> String {
    let mut out = String::new();
    let (names, width) = widths(record);
    let _ = writeln!(
        out,
        "{:names$}  {:width$}  {:>12}  {:>7}  {:^16}  {:^16}  {:<10}  {:>8}  {:>9}  {:>9}  {:>7}",
        "row", "", "median", "ratio", "95 % interval", "judged by", "verdict", "sees", "peak RSS", "end RSS", "CPU"
    );
    for row in &record.rows {
        for (i, cell) in row.cells.iter().enumerate() {
            if i > 0 && row.cells[0].problem.is_some() {
                break;
            }
            let _ = write!(
                out,
                "{:names$}  {:width$}  ",
                if i == 0 { row.name.as_str() } else { "" },
                cell.label
            );
            if let Some(problem) = &cell.problem {
                let _ = writeln!(out, "{problem}");
                continue;
            }
            if cell.values.is_empty() {
                let _ = writeln!(out, "no block was finished");
                continue;
            }
            let value = format!("{:.2} {}", row.metric.show(cell.value()), row.metric.unit());
            let _ = write!(out, "{value:>12}  ");
            match &cell.result {
                Some(o) => out.push_str(&found(o)),
                None => {
                    let what = floor(row.floor, cell.values.len());
                    let client = row.client_share().map_or(String::new(), |s| format!("client {s}"));
                    let _ = write!(out, "{what:>26}  {client:<37}  ");
                }
            }
            let cpu = cell
                .result
                .map_or(String::new(), |_| format!("{:.3}", cell.cpu_ratio(&row.cells[0])));
            let _ = write!(
                out,
                "  {:>9}  {:>9}  {cpu:>7}",
                mib(cell.rss_peak()),
                mib(cell.rss_end())
            );
            if let Some(n) = cell.instructions {
                let _ = write!(out, "  {:.2} M instructions", n as f64 / 1e6);
            }
            if cell.failures > 0 {
                let _ = write!(out, "  {} failed", cell.failures);
            }
            out.push('\n');
        }
    }
    out.push_str(&memory(record));
    out.push_str(&figures::text(record));
    if let Some(note) = small_heaps(record) {
        let _ = writeln!(out, "{note}");
    }
    out
}

/// The verdicts of memory: two lines a row and contender; nothing if no row has one.
fn memory(record: &Record) -> String {
    let (names, width) = widths(record);
    let mut out = String::new();
    for row in &record.rows {
        let mut name = row.name.as_str();
        for of in [Aspect::Peak, Aspect::Final] {
            if !row.cells.iter().any(|c| c.outcome(of).is_some()) {
                continue;
            }
            for (i, cell) in row.cells.iter().enumerate() {
                let samples = cell.samples(of);
                let found = match cell.outcome(of) {
                    Some(o) => found(&o),
                    None if i == 0 => format!("{:>26}", floor(row.floor_of(of), samples.len())),
                    None => continue,
                };
                let (name, title) = (std::mem::take(&mut name), if i == 0 { of.title() } else { "" });
                let median = mib(stats::median(&samples));
                let line = format!("{name:names$}  {title:<9}  {:width$}  {median:>9}  {found}", cell.label);
                let _ = writeln!(out, "{}", line.trim_end());
            }
        }
    }
    if out.is_empty() {
        return out;
    }
    format!(
        "\n{:names$}  {:<9}  {:width$}  {:>9}  {:>7}  {:^16}  {:^16}  {:<10}  {:>8}\n{out}",
        "row", "memory", "", "median", "ratio", "95 % interval", "judged by", "verdict", "sees"
    )
}

/// Ratio, both intervals, verdict and the smallest change that could be seen.
fn found(o: &Outcome) -> String {
    let sees = o.smallest_percent.map_or("-".into(), |p| format!("{p:.1} %"));
    let [shown, judged] = [o.shown(), o.judged()].map(|interval| match interval {
        Some((lo, hi)) => format!("[{lo:>6.3}, {hi:>6.3}]"),
        None => format!("{:^16}", "-"),
    });
    format!("{:>7.3}  {shown}  {judged}  {:<10}  {sees:>8}", o.ratio, o.word())
}

/// What the base shows against itself, and its blocks.
pub(crate) fn floor(floor: f64, blocks: usize) -> String {
    let floor = if floor.is_finite() {
        format!("floor {:.1} %, ", stats::percent(floor))
    } else {
        String::new()
    };
    format!("{floor}n {blocks}")
}

pub(crate) fn mib(v: f64) -> String {
    if v.is_finite() {
        format!("{:.1} M", v / 1048576.0)
    } else {
        "-".into()
    }
}

/// What peak memory says of the rows on which most of it is no object of the program, if there are such rows. A config
/// that saves memory an object may well show more there: what it pays once is all that such a row can see.
pub fn small_heaps(record: &Record) -> Option<String> {
    let small = |row: &&RowRecord| {
        let Some(base) = row.cells.first() else { return false };
        base.live_peak.is_some_and(|live| live as f64 * 2.0 < base.rss_peak())
    };
    let names: Vec<&str> = record.rows.iter().filter(small).map(|r| r.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "Peak RSS of {}: live objects are less than half of it. It shows what starting and caches take, not what an \
             object costs; for that, give the row more objects (ROW:ws=20000).",
            names.join(", ")
        )
    })
}

/// What was found of some cells in one aspect, counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// Verdicts GO.
    pub go: usize,
    /// Verdicts NO-GO.
    pub no_go: usize,
    /// All other ones.
    pub undecided: usize,
    /// Geometric mean of the ratios.
    pub mean: f64,
}

impl Counted {
    /// Counts; nothing if there is nothing.
    pub fn of<'a>(found: impl Iterator<Item = (&'a Cell, Outcome)>) -> Option<Self> {
        let results: Vec<Outcome> = found.map(|(_, o)| o).collect();
        let count = |v| results.iter().filter(|o| o.verdict == v).count();
        let logs: Vec<f64> = results.iter().map(|o| o.ratio.ln()).filter(|l| l.is_finite()).collect();
        (!results.is_empty()).then(|| Self {
            go: count(Verdict::Go),
            no_go: count(Verdict::NoGo),
            undecided: count(Verdict::Undecided),
            mean: (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp(),
        })
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            go,
            no_go,
            undecided,
            mean,
        } = self;
        write!(
            f,
            "{go} GO, {no_go} NO-GO, {undecided} UNDECIDED; geometric mean {mean:.3}"
        )
    }
}

/// The columns of [`by_contender`].
pub const BY_CONTENDER: [&str; 10] = [
    "config",
    "judged",
    "GO",
    "NO-GO",
    "peak RSS",
    "GO",
    "NO-GO",
    "final RSS",
    "GO",
    "NO-GO",
];

/// A line a contender: its label, and for each aspect the geometric mean of its ratios, GO and NO-GO.
pub fn by_contender(record: &Record) -> Vec<Vec<String>> {
    let line = |label: &String| {
        let found = Aspect::ALL.map(|of| Counted::of(record.results_of(of).filter(|(c, _)| c.label == *label)));
        let cells = found.into_iter().flat_map(|counted| match counted {
            Some(c) => [format!("{:.3}", c.mean), c.go.to_string(), c.no_go.to_string()],
            None => ["-".into(), "-".into(), "-".into()],
        });
        [label.clone()].into_iter().chain(cells).collect()
    };
    record.libraries.iter().skip(1).map(|l| line(&l.label)).collect()
}

/// A few lines a contender: its verdicts with the geometric mean of its ratios, and what its config is for.
pub fn summary(record: &Record) -> String {
    let mut out = String::new();
    let base = record.libraries.first().map_or("", |l| l.label.as_str());
    for library in record.libraries.iter().skip(1) {
        let own = |of| record.results_of(of).filter(|(c, _)| c.label == library.label);
        let Some(judged) = Counted::of(own(Aspect::Value)) else {
            continue;
        };
        let _ = writeln!(out, "{} against {base}: {judged}", library.title());
        for of in [Aspect::Peak, Aspect::Final] {
            if let Some(counted) = Counted::of(own(of)) {
                let _ = writeln!(out, "  {}: {counted}", of.title());
            }
        }
        if let Some(claim) = &library.claim {
            let said = claim.hypothesis.as_deref().unwrap_or("no hypothesis is written down");
            let _ = writeln!(out, "  its goal, {}: {said}", claimed(record, &library.label, claim));
        }
    }
    out
}

/// What was found of the aspect that a config's goal speaks of.
pub fn found_of(record: &Record, label: &str, claim: &crate::record::Claim) -> String {
    let found = record.rows.iter().filter_map(|row| {
        let of = Aspect::of(claim.goal()?, row.metric)?;
        let cell = row.cells.iter().find(|c| c.label == label)?;
        Some((cell, cell.outcome(of)?))
    });
    Counted::of(found).map_or("no row of this comparison shows it".into(), |c| c.to_string())
}

/// What was found of a goal: `rss (2 GO, 0 NO-GO, 1 UNDECIDED; geometric mean 0.91)`.
fn claimed(record: &Record, label: &str, claim: &crate::record::Claim) -> String {
    format!("{} ({})", claim.goal, found_of(record, label, claim))
}
