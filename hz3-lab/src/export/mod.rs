//! A record for other programs: as CSV, and as tables in Markdown. And a survey of misuse.

mod misuse;

use crate::{
    record::{Aspect, Cell, Outcome, Record, RowRecord},
    stats,
    table::mib,
};
use hz3_project::{Error, Result};
pub use misuse::{misuse_csv, misuse_markdown};
use std::fmt::Write;

/// The columns of [`csv()`].
const COLUMNS: &[&str] = &[
    "record",
    "when",
    "machine",
    "row",
    "aspect",
    "unit",
    "contender",
    "version",
    "base",
    "blocks",
    "median",
    "base_median",
    "ratio",
    "lo",
    "hi",
    "judged_lo",
    "judged_hi",
    "verdict",
    "negligible",
    "sees_percent",
    "floor_percent",
    "cpu_ratio",
    "faults",
    "instructions",
    "failures",
    "problem",
];

/// Records as CSV (RFC 4180): a line for each row, contender and aspect, the base's included. A field without a value is
/// empty. Bytes are bytes and times are in the unit that is said.
pub fn csv(records: &[&Record]) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(fault)?;
    for (record, row, cell) in records.iter().flat_map(|record| {
        let rows = record.rows.iter();
        rows.flat_map(move |row| row.cells.iter().map(move |cell| (*record, row, cell)))
    }) {
        for of in Aspect::ALL {
            let samples = cell.samples(of);
            if of != Aspect::Value && (samples.is_empty() || !row.judges(of)) {
                continue;
            }
            writer.write_record(fields(record, row, cell, of)).map_err(fault)?;
        }
    }
    finished(writer)
}

fn fault(e: csv::Error) -> Error {
    Error::failed(format!("cannot write CSV: {e}"))
}

/// What was written.
fn finished(writer: csv::Writer<Vec<u8>>) -> Result<String> {
    let bytes = writer.into_inner().map_err(|e| fault(e.into_error().into()))?;
    String::from_utf8(bytes).map_err(|e| Error::failed(format!("cannot write CSV: {e}")))
}

fn number(v: f64) -> String {
    if v.is_finite() { format!("{v}") } else { String::new() }
}

fn fields(record: &Record, row: &RowRecord, cell: &Cell, of: Aspect) -> Vec<String> {
    let base = &row.cells[0];
    let library = record.libraries.iter().find(|l| l.label == cell.label);
    let own = of == Aspect::Value;
    let (aspect, unit) = match of {
        Aspect::Value => ("judged", bytes_or(row.metric.unit())),
        Aspect::Peak => ("peak", "bytes"),
        Aspect::Final => ("final", "bytes"),
    };
    let found = cell.outcome(of);
    let from = |f: fn(&Outcome) -> f64| found.as_ref().map_or(String::new(), |o| number(f(o)));
    let judged = found.and_then(|o| o.judged());
    let optional = |v: Option<f64>| v.map_or(String::new(), number);
    let samples = cell.samples(of);
    vec![
        record.id.clone(),
        record.when.clone(),
        record.machine.fingerprint(),
        row.name.clone(),
        aspect.into(),
        unit.into(),
        cell.label.clone(),
        library.map_or(String::new(), |l| l.version.clone()),
        base.label.clone(),
        samples.len().to_string(),
        number(stats::median(&samples)),
        number(stats::median(&base.samples(of))),
        from(|o| o.ratio),
        from(|o| o.lo),
        from(|o| o.hi),
        optional(judged.map(|j| j.0)),
        optional(judged.map(|j| j.1)),
        found.map_or(String::new(), |o| o.verdict.to_string()),
        found.map_or(String::new(), |o| o.negligible.to_string()),
        optional(found.and_then(|o| o.smallest_percent)),
        number(stats::percent(row.floor_of(of))),
        if own && found.is_some() {
            number(cell.cpu_ratio(base))
        } else {
            String::new()
        },
        if own { optional(cell.faults()) } else { String::new() },
        match (own, cell.instructions) {
            (true, Some(n)) => n.to_string(),
            _ => String::new(),
        },
        if own { cell.failures.to_string() } else { String::new() },
        cell.problem.clone().unwrap_or_default(),
    ]
}

/// Tables show bytes as MiB; here they stay bytes.
fn bytes_or(unit: &'static str) -> &'static str {
    if unit == "MiB" { "bytes" } else { unit }
}

/// A record as Markdown: what was measured, a table of what the rows are judged by, one of memory, and the summary.
pub fn markdown(record: &Record) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "**{}**, record `{}`, {}, {}\n\n`cargo hz3 {}`\n",
        cell_text(&record.headline()),
        record.id,
        record.when.replace('T', " ").replace('Z', " UTC"),
        cell_text(&record.machine.fingerprint()),
        record.command.join(" ").replace('`', "'")
    );
    for (title, aspects) in [
        ("Judged", &[Aspect::Value][..]),
        ("Memory", &[Aspect::Peak, Aspect::Final]),
    ] {
        let lines = lines(record, aspects);
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "| row | {} | contender | median | ratio | 95 % interval | judged by | verdict | sees |\n\
             |---|---|---|--:|--:|--:|--:|---|--:|\n{lines}",
            title.to_lowercase()
        );
    }
    for line in crate::table::summary(record).lines() {
        let _ = writeln!(
            out,
            "{}{}",
            if line.starts_with(' ') { "  - " } else { "- " },
            cell_text(line.trim())
        );
    }
    out
}

/// Nothing in a cell ends it.
fn cell_text(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn lines(record: &Record, aspects: &[Aspect]) -> String {
    let mut out = String::new();
    for (row, of) in record.rows.iter().flat_map(|r| aspects.iter().map(move |of| (r, *of))) {
        if !row.judges(of) {
            continue;
        }
        for cell in &row.cells {
            let samples = cell.samples(of);
            let _ = match (&cell.problem, of) {
                (Some(problem), Aspect::Value) => {
                    let (name, label, problem) = (cell_text(&row.name), cell_text(&cell.label), cell_text(problem));
                    writeln!(out, "| {name} | | {label} | {problem} | | | | | |")
                }
                (Some(_), _) => continue,
                _ if samples.is_empty() => continue,
                _ => writeln!(out, "{}", line(row, cell, of, &samples)),
            };
        }
    }
    out
}

fn line(row: &RowRecord, cell: &Cell, of: Aspect, samples: &[f64]) -> String {
    let median = stats::median(samples);
    let (what, value) = match of {
        Aspect::Value => (row.metric.unit().to_owned(), format!("{:.2}", row.metric.show(median))),
        of => (of.title().to_owned(), mib(median)),
    };
    let interval = |i: Option<(f64, f64)>| i.map_or(String::new(), |(lo, hi)| format!("{lo:.3} to {hi:.3}"));
    let rest = match cell.outcome(of) {
        Some(o) => format!(
            "{:.3} | {} | {} | {} | {}",
            o.ratio,
            interval(o.shown()),
            interval(o.judged()),
            o.word(),
            o.smallest_percent.map_or(String::new(), |p| format!("{p:.1} %"))
        ),
        None => format!(" | | | {} | ", crate::table::floor(row.floor_of(of), samples.len())),
    };
    let (name, label) = (cell_text(&row.name), cell_text(&cell.label));
    format!("| {name} | {what} | {label} | {value} | {rest} |")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::sample;

    #[test]
    fn csv_has_one_line_for_each_verdict_and_survives_odd_names() {
        let mut record = sample("a1", "2026-01-01T00:00:00Z");
        record.rows[0].name = "small ws=1,\"x\"".into();
        let text = csv(&[&record]).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().len(), COLUMNS.len());
        let lines: Vec<csv::StringRecord> = reader.records().map(|r| r.unwrap()).collect();
        // Two contenders in three aspects.
        assert_eq!(lines.len(), 6, "{text}");
        let at = |line: usize, column: &str| {
            let i = COLUMNS.iter().position(|c| *c == column).unwrap();
            lines[line].get(i).unwrap().to_owned()
        };
        assert_eq!(at(3, "row"), "small ws=1,\"x\"");
        assert_eq!((at(3, "contender"), at(3, "base")), ("b".into(), "a".into()));
        assert_eq!(at(3, "verdict"), "GO");
        assert!((at(3, "ratio").parse::<f64>().unwrap() - 0.8).abs() < 1e-9);
        assert_eq!((at(0, "ratio"), at(0, "verdict")), (String::new(), String::new()));
        assert_eq!((at(4, "aspect"), at(4, "unit")), ("peak".into(), "bytes".into()));
        assert_eq!(at(4, "median"), (4u64 << 20).to_string());
    }

    #[test]
    fn markdown_has_tables_whose_cells_hold() {
        let mut record = sample("a1", "2026-01-01T00:00:00Z");
        record.rows[0].name = "a|b".into();
        let text = markdown(&record);
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let lines: Vec<&str> = text.lines().filter(|l| l.starts_with('|')).collect();
        // Two heads of two lines, two contenders of one aspect and of two.
        assert_eq!(lines.len(), 4 + 6, "{text}");
        assert!(lines.iter().all(|l| cells(l) == 10), "{text}");
        assert!(text.contains("| a\\|b | ns/op | b | 11.20 | 0.800 |"), "{text}");
        assert!(text.contains("- b against a: 1 GO, 0 NO-GO, 0 UNDECIDED; geometric mean 0.800\n"));
    }
}
