//! The figures of a record besides its verdicts: curves over threads, single calls, counters. As data for pages, and as text.

use crate::counters::{NAMES, reasons};
use crate::record::{Cell, Record, RowRecord};
use crate::stats;
use crate::tails::{CALLS, Together};
use std::fmt::Write;

/// A row with several numbers of threads.
pub struct Curve<'a> {
    /// The row.
    pub row: &'a str,
    /// Threads, and what was measured with so many; by threads.
    pub points: Vec<(u64, &'a RowRecord)>,
}

impl Curve<'_> {
    /// What a contender did with each number of threads; those without figures are left out.
    pub fn of(&self, contender: usize) -> Vec<Scaled> {
        let cells = self.points.iter().filter_map(|(threads, row)| {
            let cell = row.cells.get(contender)?;
            let steps = cell.steps.filter(|s| *s > 0)? as f64;
            (!cell.rate.is_empty() && cell.problem.is_none()).then(|| Scaled {
                threads: *threads,
                rate: stats::median(&cell.rate),
                cpu_ns: stats::median(&cell.cpu) * 1e9 / steps,
                rss_peak: cell.rss_peak(),
            })
        });
        cells.collect()
    }
}

/// One point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaled {
    /// Threads.
    pub threads: u64,
    /// Steps of all threads in a second.
    pub rate: f64,
    /// CPU nanoseconds of a step: of the whole process, so that its start is in it.
    pub cpu_ns: f64,
    /// Peak resident bytes.
    pub rss_peak: f64,
}

/// The curves of a record.
pub fn curves(record: &Record) -> Vec<Curve<'_>> {
    let mut curves: Vec<Curve<'_>> = Vec::new();
    for row in &record.rows {
        let Some(point) = &row.point else { continue };
        match curves.iter_mut().find(|c| c.row == point.row) {
            Some(curve) => curve.points.push((point.threads, row)),
            None => curves.push(Curve {
                row: &point.row,
                points: vec![(point.threads, row)],
            }),
        }
    }
    curves.iter_mut().for_each(|c| c.points.sort_by_key(|p| p.0));
    curves
}

/// Median of a counter of a contender.
pub fn counted(cell: &Cell, name: &str) -> Option<f64> {
    let values = cell.counters.get(name).filter(|v| !v.is_empty())?;
    Some(stats::median(values))
}

/// The counters that some contender has, as tables have them.
pub fn counters(record: &Record) -> Vec<&'static str> {
    let cells = || record.rows.iter().flat_map(|r| &r.cells);
    NAMES
        .into_iter()
        .filter(|name| cells().any(|c| counted(c, name).is_some()))
        .collect()
}

/// Whether counters were asked for, and which are missing, with reasons.
pub fn missing(record: &Record) -> Vec<String> {
    let all = record.rows.iter().flat_map(|r| r.missing.clone()).collect();
    reasons(&all)
}

/// A count for tables: three digits that count, and a unit.
pub fn short(n: f64) -> String {
    let (unit, by) = match n.abs() {
        a if a >= 1e9 => (" G", 1e9),
        a if a >= 1e6 => (" M", 1e6),
        a if a >= 1e4 => (" k", 1e3),
        _ => ("", 1.0),
    };
    let v = n / by;
    match v.abs() {
        a if a >= 100.0 || (unit.is_empty() && v.fract() == 0.0) => format!("{v:.0}{unit}"),
        a if a >= 10.0 => format!("{v:.1}{unit}"),
        _ => format!("{v:.2}{unit}"),
    }
}

/// Everything as text below a comparison's table; nothing if there is nothing.
pub fn text(record: &Record) -> String {
    let names = record.rows.iter().map(|r| r.name.len()).max().unwrap_or(0).max(4);
    let width = record.libraries.iter().map(|l| l.label.len()).max().unwrap_or(0).max(8);
    [
        scaling(record, names, width),
        calls(record, names, width),
        counts(record, names, width),
    ]
    .concat()
}

fn scaling(record: &Record, names: usize, width: usize) -> String {
    let mut out = String::new();
    for curve in curves(record) {
        let mut name = curve.row;
        for (i, library) in record.libraries.iter().enumerate() {
            let points = curve.of(i);
            for (k, p) in points.iter().enumerate() {
                let label = if k == 0 { library.label.as_str() } else { "" };
                let _ = writeln!(
                    out,
                    "{:names$}  {label:width$}  {:>7}  {:>12}  {:>8.2}  {:>9.1} ns  {:>8.2}  {:>9}",
                    std::mem::take(&mut name),
                    p.threads,
                    format!("{:.2} M/s", p.rate / 1e6),
                    p.rate / points[0].rate,
                    p.cpu_ns,
                    p.cpu_ns / points[0].cpu_ns,
                    format!("{:.1} M", p.rss_peak / 1048576.0)
                );
            }
        }
    }
    if out.is_empty() {
        return out;
    }
    format!(
        "\n{:names$}  {:width$}  {:>7}  {:>12}  {:>8}  {:>12}  {:>8}  {:>9}\n{out}",
        "scaling", "", "threads", "steps", "of first", "CPU a step", "of first", "peak RSS"
    )
}

fn calls(record: &Record, names: usize, width: usize) -> String {
    let mut out = String::new();
    let mut unit = "";
    for row in &record.rows {
        let mut name = row.name.as_str();
        for cell in &row.cells {
            let Some(calls) = &cell.calls else { continue };
            unit = &calls.unit;
            let mut label = cell.label.as_str();
            for call in CALLS {
                let Some(Together { median, range }) = calls.calls.get(call) else {
                    continue;
                };
                let ns = |ticks: u64| format!("{:.0}", calls.ns(ticks));
                let _ = writeln!(
                    out,
                    "{:names$}  {:width$}  {call:<8}  {:>8}  {:>8}  {:>8}  {:>19}  {:>9}  {:>9}",
                    std::mem::take(&mut name),
                    std::mem::take(&mut label),
                    ns(median.p50),
                    ns(median.p99),
                    ns(median.p999),
                    format!("{} to {}", ns(range.0), ns(range.1)),
                    ns(median.p9999),
                    ns(median.max),
                );
            }
        }
    }
    if out.is_empty() {
        return out;
    }
    format!(
        "\n{:names$}  {:width$}  {:<8}  {:>8}  {:>8}  {:>8}  {:>19}  {:>9}  {:>9}\n{out}\
         in nanoseconds, by the clock of {unit}; `clock` is what the clock itself takes\n",
        "calls", "", "", "p50", "p99", "p99.9", "of executions", "p99.99", "longest"
    )
}

fn counts(record: &Record, names: usize, width: usize) -> String {
    let columns = counters(record);
    let missing = missing(record);
    let mut out = String::new();
    if !columns.is_empty() {
        let _ = write!(out, "\n{:names$}  {:width$}", "counters", "");
        columns.iter().for_each(|c| {
            let _ = write!(out, "  {c:>16}");
        });
        out.push('\n');
        for row in &record.rows {
            let mut name = row.name.as_str();
            for cell in row.cells.iter().filter(|c| !c.counters.is_empty()) {
                let _ = write!(out, "{:names$}  {:width$}", std::mem::take(&mut name), cell.label);
                for column in &columns {
                    let n = counted(cell, column).map_or("-".into(), short);
                    let _ = write!(out, "  {n:>16}");
                }
                out.push('\n');
            }
        }
    }
    for reason in missing {
        let _ = writeln!(out, "not counted: {reason}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        let shown = [0.0, 7.0, 0.25, 9999.0, 12_345.0, 3.2e6, 45e9].map(short);
        assert_eq!(shown, ["0", "7", "0.25", "9999", "12.3 k", "3.20 M", "45.0 G"]);
    }
}
