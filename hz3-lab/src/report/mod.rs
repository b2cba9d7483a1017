//! One self-contained HTML page of one or more records: no network, no fonts, no libraries; the samples are in it.

mod configs;
mod curves;
mod misuse;
mod more;
mod plots;
mod sections;
mod svg;

use crate::misuse::Survey;
use crate::record::Record;
pub use misuse::misuse;
use std::fmt::Write;
pub use svg::escape;

const STYLE: &str = include_str!("style.css");

/// The most bytes that a page may have: what mail and issue trackers still take.
pub const LIMIT: usize = 2 << 20;

/// The page. Series are thinned out if it would become too large.
pub fn page(records: &[Record]) -> String {
    page_with(records, None)
}

/// The same, with a survey of misuse behind the records.
pub fn page_with(records: &[Record], survey: Option<&Survey>) -> String {
    let mut records = records.to_vec();
    loop {
        let text = render(&records, survey);
        let points = records
            .iter()
            .flat_map(|r| &r.rows)
            .flat_map(|r| &r.cells)
            .map(|c| c.series.len())
            .max()
            .unwrap_or(0);
        if text.len() <= LIMIT || points <= 8 {
            return text;
        }
        for cell in records.iter_mut().flat_map(|r| &mut r.rows).flat_map(|r| &mut r.cells) {
            cell.series = cell
                .series
                .chunks(2)
                .filter_map(|c| c.iter().max_by_key(|p| p[1]))
                .copied()
                .collect();
        }
    }
}

/// A page in the house style up to the beginning of its body. `style` is added to the rules that all pages have.
pub fn head(title: &str, style: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"hz3 {}\">\n<title>{}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n",
        env!("CARGO_PKG_VERSION"),
        escape(title)
    )
}

fn render(records: &[Record], survey: Option<&Survey>) -> String {
    let title = match records {
        [] => "Misuse".to_owned(),
        [one] => one.headline(),
        many => format!("{} comparisons", many.len()),
    };
    let mut out = head(&title, if survey.is_some() { misuse::STYLE } else { "" });
    if records.len() + usize::from(survey.is_some()) > 1 {
        out += "<nav>";
        for r in records {
            let _ = write!(out, "<a href=\"#{0}\">{1}</a>", escape(&r.id), escape(&r.headline()));
        }
        if survey.is_some() {
            out += "<a href=\"#misuse\">Misuse</a>";
        }
        out += "</nav>\n";
    }
    for (i, record) in records.iter().enumerate() {
        let _ = write!(
            out,
            "<section id=\"{}\">\n<h1>{}</h1>\n",
            escape(&record.id),
            escape(&record.headline())
        );
        sections::all(&mut out, record, &format!("records[{i}]"));
        out += "</section>\n";
    }
    if let Some(survey) = survey {
        out += "<section id=\"misuse\">\n<h1>Misuse</h1>\n";
        misuse::section(&mut out, survey);
        out += "</section>\n";
    }
    out += "<h2>Samples</h2>\n<p>Every figure above is made of the arrays below this line, which the page carries as JSON \
            (element <code>records</code>). <button id=\"save\">save them</button></p>\n<script type=\"application/json\" id=\"records\">";
    out += &embedded(&serde_json::to_string(records).unwrap_or_default());
    out += "</script>\n<script>document.getElementById('save').onclick=function(){var a=document.createElement('a');\
            a.href=URL.createObjectURL(new Blob([document.getElementById('records').textContent],{type:'application/json'}));\
            a.download='hz3-records.json';a.click();};</script>\n</body>\n</html>\n";
    out
}

/// JSON that may stand inside of a script element, and that is read as the same JSON. Not only `</script` ends the element
/// too early: after `<!--` and `<script` a browser looks for another end than the one that comes. So no `<` is left.
fn embedded(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_carries_its_samples() {
        let mut r = crate::ledger::tests::sample("20260101-aa", "2026-01-01T00:00:00Z");
        r.libraries[1].label = "b</script><b>".into();
        r.rows[0].cells[1].label = r.libraries[1].label.clone();
        r.rows[0].name = "<!-- <script> ' \" & -->".into();
        r.rows[0].cells[1].problem = Some("]]> <!--<SCRIPT>".into());
        r.command.push("<!--<script>".into());
        let page = page(&[r.clone()]);
        // The page has two script elements of its own, and no comment.
        let lower = page.to_lowercase();
        assert_eq!(
            (
                lower.matches("<script").count(),
                lower.matches("</script").count(),
                lower.matches("<!--").count()
            ),
            (2, 2, 0)
        );
        assert!(page.len() < LIMIT);
        assert!(!page.contains("http://") && !page.contains("https://"), "no network");
        let start = page.find("id=\"records\">").unwrap() + 13;
        let end = start + page[start..].find("</script>").unwrap();
        let back: Vec<Record> = serde_json::from_str(&page[start..end]).unwrap();
        assert_eq!(back, [r]);
        for tag in ["svg", "table", "figure", "section", "div", "pre"] {
            let count = |t: &str| page.matches(t).count();
            let opened = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
            assert_eq!(opened, count(&format!("</{tag}>")), "{tag}");
        }
    }

    #[test]
    fn misuse_stands_behind_the_records() {
        let r = crate::ledger::tests::sample("20260101-aa", "2026-01-01T00:00:00Z");
        let mut survey = crate::misuse::sample();
        survey.contenders[0].found[0].why = "</script><!--".into();
        let plain = page(std::slice::from_ref(&r));
        assert!(!plain.contains("id=\"misuse\"") && !plain.contains("id=\"survey\""));
        for records in [&[r.clone()][..], &[]] {
            let page = page_with(records, Some(&survey));
            assert!(page.contains("<section id=\"misuse\">") && page.contains("All misuse"));
            assert!(page.contains("instructions at"), "what it costs stands beside it");
            let start = page.find("id=\"survey\">").unwrap() + 12;
            let end = start + page[start..].find("</script>").unwrap();
            let back: Survey = serde_json::from_str(&page[start..end]).unwrap();
            assert_eq!(back, survey);
            assert_eq!(page.matches("<div").count(), page.matches("</div>").count());
        }
    }

    #[test]
    fn predictions_stand_beside_what_was_measured() {
        let mut r = crate::ledger::tests::sample("20260101-aa", "2026-01-01T00:00:00Z");
        let range = |at: f64| crate::fit::Range {
            at,
            low: at - 10.0,
            high: at + 10.0,
        };
        let prediction = crate::fit::Prediction {
            peak: range(0.0),
            time: range(-50.0),
        };
        r.libraries[1].claim = Some(crate::record::Claim {
            hypothesis: Some(prediction.against("a")),
            goal: "rss".into(),
        });
        let page = page(&[r]);
        assert!(page.contains("1 of 2 figures are inside"), "{page}");
    }

    #[test]
    fn a_page_that_is_too_large_loses_series_first() {
        let mut r = crate::ledger::tests::sample("20260101-aa", "2026-01-01T00:00:00Z");
        let row = r.rows[0].clone();
        r.rows = (0..60)
            .map(|i| {
                let mut row = row.clone();
                row.name = format!("row{i}");
                for c in &mut row.cells {
                    c.series = (0..2000).map(|k| [k * 5000, 1_000_000 + k]).collect();
                }
                row
            })
            .collect();
        let page = page(&[r]);
        assert!(page.len() <= LIMIT, "{}", page.len());
    }
}
