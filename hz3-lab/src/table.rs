//! A record as a plain text table.

use crate::{
    record::{Record, RowRecord},
    stats,
    stats::Verdict,
};
use std::fmt::Write;

/// One line a row and contender: value, ratio with both intervals, verdict, memory; then what the memory does not show.
pub fn text(record: &Record) -> String {
    let mut out = String::new();
    let width = record.libraries.iter().map(|l| l.label.len()).max().unwrap_or(0).max(8);
    let names = record.rows.iter().map(|r| r.name.len()).max().unwrap_or(0).max(4);
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
                Some(o) => {
                    let sees = o.smallest_percent.map_or("-".into(), |p| format!("{p:.1} %"));
                    let verdict = match (o.verdict, o.negligible) {
                        (Verdict::Undecided, true) => "UNDECIDED=".to_string(),
                        (v, _) => v.to_string(),
                    };
                    let [shown, judged] = [o.shown(), o.judged()].map(|interval| match interval {
                        Some((lo, hi)) => format!("[{lo:>6.3}, {hi:>6.3}]"),
                        None => format!("{:^16}", "-"),
                    });
                    let _ = write!(out, "{:>7.3}  {shown}  {judged}  {verdict:<10}  {sees:>8}", o.ratio);
                }
                None => {
                    let floor = if row.floor.is_finite() {
                        format!("floor {:.1} %, ", stats::percent(row.floor))
                    } else {
                        String::new()
                    };
                    let what = format!("{floor}n {}", cell.values.len());
                    let client = row.client_share().map_or(String::new(), |s| format!("client {s}"));
                    let _ = write!(out, "{what:>26}  {client:<37}  ");
                }
            }
            let mib = |v: f64| {
                if v.is_finite() {
                    format!("{:.1} M", v / 1048576.0)
                } else {
                    "-".into()
                }
            };
            let cpu = cell.result.map_or(String::new(), |o| format!("{:.3}", o.cpu));
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
    if let Some(note) = small_heaps(record) {
        let _ = writeln!(out, "{note}");
    }
    out
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

/// A sentence a contender: verdicts, and the geometric mean of its ratios.
pub fn summary(record: &Record) -> String {
    let mut out = String::new();
    let base = record.libraries.first().map_or("", |l| l.label.as_str());
    for library in record.libraries.iter().skip(1) {
        let own = record.results().filter(|(c, _)| c.label == library.label);
        let results: Vec<_> = own.map(|(_, o)| o).collect();
        if results.is_empty() {
            continue;
        }
        let count = |v| results.iter().filter(|o| o.verdict == v).count();
        let mean = |f: fn(&crate::record::Outcome) -> f64| {
            let logs: Vec<f64> = results.iter().map(|o| f(o).ln()).filter(|l| l.is_finite()).collect();
            (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp()
        };
        let _ = writeln!(
            out,
            "{} against {base}: {} GO, {} NO-GO, {} UNDECIDED; geometric mean {:.3}, of peak RSS {:.3}",
            library.title(),
            count(Verdict::Go),
            count(Verdict::NoGo),
            count(Verdict::Undecided),
            mean(|o| o.ratio),
            mean(|o| o.rss),
        );
    }
    out
}
