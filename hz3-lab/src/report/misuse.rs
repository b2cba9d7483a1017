//! The page of a survey of misuse.

use super::{embedded, escape, head};
use crate::misuse::{Survey, Table, Verdict};
use std::fmt::Write;

/// Rules beside those of all pages.
pub(super) const STYLE: &str =
    ".misuse td { text-align: left; }\n.misuse td.fam { font-weight: 600; padding-top: .7rem; }\n";

/// Tables of all kinds, families, totals and costs, and why each verdict is what it is, as the text of each cell's tip. The
/// page carries all of it as JSON.
pub fn misuse(survey: &Survey) -> String {
    let labels: Vec<&str> = survey.contenders.iter().map(|c| c.label.as_str()).collect();
    let title = format!("Misuse: {}", labels.join(", "));
    let mut out = head(&title, STYLE);
    let _ = writeln!(out, "<h1>{}</h1>", escape(&title));
    section(&mut out, survey);
    out += "</body>\n</html>\n";
    out
}

/// What the page of a survey has below its title.
pub(super) fn section(out: &mut String, survey: &Survey) {
    let kinds: usize = survey.families.iter().map(|f| f.kinds.len()).sum();
    let _ = write!(
        out,
        "<div class=\"misuse\">\n<p class=\"lead\">{kinds} kinds, each in a process of its own, {} times; the weakest verdict counts.</p>\n\
         <p><b>detected</b>: a message of the allocator, an abort, or a request that was refused. <b>fault</b>: the read or write \
         that is the misuse faulted, and did not happen. <b>crash</b>: a fault without a message in the allocator or later. \
         <b>HARM</b>: the program proved it: live objects overlap or change, malloc gives an address of the writer's choice, the \
         heap loops. <b>nothing</b>: no harm was seen.</p>\n",
        survey.rounds
    );
    // Totals and costs first: each kind is for those who want to know.
    let mut tables = survey.tables();
    tables.rotate_left(1);
    for table in &tables {
        whole(out, survey, table);
    }
    out.push_str("<h2>Kinds</h2>\n<div class=\"scroll\"><table>\n");
    for (_, kind) in survey.kinds() {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"w\">{}</td></tr>",
            escape(&kind.name),
            escape(&kind.says)
        );
    }
    out.push_str("</table></div>\n<script type=\"application/json\" id=\"survey\">");
    out.push_str(&embedded(&serde_json::to_string(survey).unwrap_or_default()));
    out.push_str("</script>\n</div>\n");
}

/// One table. Cells of kinds have a colour, and say why.
fn whole(out: &mut String, survey: &Survey, table: &Table) {
    let _ = write!(
        out,
        "<h2>{}</h2>\n<div class=\"scroll\"><table>\n<tr>",
        escape(table.title)
    );
    for name in &table.header {
        let _ = write!(out, "<th class=\"l\">{}</th>", escape(name));
    }
    out.push_str("</tr>\n");
    let kinds: Vec<&str> = survey.kinds().map(|(_, kind)| kind.name.as_str()).collect();
    for line in &table.lines {
        out.push_str("<tr>");
        if let [title] = line.as_slice() {
            let _ = writeln!(
                out,
                "<td class=\"fam\" colspan=\"{}\">{}</td></tr>",
                table.header.len(),
                escape(title)
            );
            continue;
        }
        let at = kinds
            .iter()
            .position(|kind| line.first().is_some_and(|first| first == kind));
        for (i, text) in line.iter().enumerate() {
            let contender = i.checked_sub(1).and_then(|c| survey.contenders.get(c));
            match at.and_then(|at| contender?.found.get(at)) {
                Some(found) => {
                    let class = match found.verdict {
                        Verdict::Detected | Verdict::Fault => "go",
                        Verdict::Harm | Verdict::Broken => "nogo",
                        _ => "open",
                    };
                    let _ = write!(
                        out,
                        "<td class=\"{class}\" title=\"{}\">{}</td>",
                        escape(&found.why),
                        escape(text)
                    );
                }
                None => {
                    let _ = write!(out, "<td>{}</td>", escape(text));
                }
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::misuse::sample;

    #[test]
    fn the_page_is_whole_and_carries_the_survey() {
        let mut survey = sample();
        survey.contenders[0].found[0].why = "</script><!-- \" -->".into();
        let page = misuse(&survey);
        assert!(!page.contains("http://") && !page.contains("https://"), "no network");
        assert!(!page.contains("<!--"), "{page}");
        let start = page.find("id=\"survey\">").unwrap() + 12;
        let end = start + page[start..].find("</script>").unwrap();
        let back: Survey = serde_json::from_str(&page[start..end]).unwrap();
        assert_eq!(back, survey);
        for tag in ["table", "tr", "td", "div"] {
            let count = |t: &str| page.matches(t).count();
            let opened = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
            assert_eq!(opened, count(&format!("</{tag}>")), "{tag}");
        }
        assert!(
            page.contains("<td class=\"go\" title=\"a|b, c\">fault 1/2</td>"),
            "{page}"
        );
    }
}
