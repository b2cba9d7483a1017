//! A survey of misuse for other programs.

use super::{cell_text, fault, finished};
use crate::misuse::{Survey, Verdict};
use hz3_project::Result;
use std::fmt::Write;

/// All tables in Markdown.
pub fn misuse_markdown(survey: &Survey) -> String {
    let mut out = String::new();
    for table in survey.tables() {
        let _ = writeln!(out, "**{}**\n", table.title);
        let _ = writeln!(
            out,
            "| {} |",
            table
                .header
                .iter()
                .map(|h| cell_text(h))
                .collect::<Vec<_>>()
                .join(" | ")
        );
        let _ = writeln!(out, "|{}", "---|".repeat(table.header.len()));
        for line in &table.lines {
            let mut cells: Vec<String> = line.iter().map(|c| cell_text(c)).collect();
            if let [title] = cells.as_mut_slice() {
                *title = format!("*{title}*");
            }
            cells.resize(table.header.len(), String::new());
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        out.push('\n');
    }
    out
}

/// The columns of [`misuse_csv()`].
const COLUMNS: [&str; 11] = [
    "family",
    "kind",
    "property",
    "says",
    "contender",
    "library",
    "version",
    "verdict",
    "rounds",
    "stage",
    "why",
];

/// A line for each kind and contender (RFC 4180). `rounds` has the verdict of each round.
pub fn misuse_csv(survey: &Survey) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let word = |v: Verdict| match v {
        Verdict::Absent => "absent".to_owned(),
        v => v.word().to_lowercase(),
    };
    writer.write_record(COLUMNS).map_err(fault)?;
    for contender in &survey.contenders {
        for ((family, kind), found) in survey.kinds().zip(&contender.found) {
            let rounds: Vec<String> = found.rounds.iter().map(|v| word(*v)).collect();
            let stage = format!("{:?}", found.stage).to_lowercase();
            let fields = [
                family.name.as_str(),
                &kind.name,
                if family.property { "1" } else { "0" },
                &kind.says,
                &contender.label,
                contender.library.as_deref().unwrap_or_default(),
                &contender.version,
                &word(found.verdict),
                &rounds.join(" "),
                &stage,
                &found.why,
            ];
            writer.write_record(fields).map_err(fault)?;
        }
    }
    finished(writer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::misuse::sample;

    #[test]
    fn markdown_and_csv_have_all_of_it() {
        let survey = sample();
        let text = misuse_markdown(&survey);
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(
            text.lines().filter(|l| l.starts_with('|')).all(|l| cells(l) == 4),
            "{text}"
        );
        assert!(text.contains("| *STALE* |  |  |"), "{text}");
        let text = misuse_csv(&survey).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().collect::<std::result::Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 6);
        assert_eq!(
            (&rows[0][1], &rows[0][7], &rows[3][8]),
            ("stale-a", "detected", "harm detected")
        );
        let back: Survey = serde_json::from_str(&serde_json::to_string(&survey).unwrap()).unwrap();
        assert_eq!(back, survey);
    }
}
