//! The parts of a record's page that stand beside its verdicts: what configs are for, curves, single calls, counters.

use super::sections::{caption, figure, panels};
use super::svg::escape;
use super::{curves, plots};
use crate::figures;
use crate::ledger::{Tested, tested};
use crate::record::{Aspect, Candidate, Record};
use crate::table;
use std::fmt::Write;

/// What each config says that it is for, beside what was found of it.
pub fn claims(out: &mut String, record: &Record) {
    let claimed = || record.libraries.iter().skip(1).filter(|l| l.claim.is_some());
    if claimed().next().is_none() {
        return;
    }
    out.push_str(
        "<div class=\"scroll\"><table>\n<tr><th class=\"l\">contender</th><th class=\"l\">its hypothesis</th>\
         <th class=\"l\">speaks of</th><th class=\"l\">what was found of that</th></tr>\n",
    );
    for library in claimed() {
        let Some(claim) = &library.claim else { continue };
        let said = claim.hypothesis.as_deref().unwrap_or("none is written down");
        let found = table::found_of(record, &library.label, claim);
        let _ = writeln!(
            out,
            "<tr><td class=\"l\">{}</td><td class=\"l w\">{}</td><td class=\"l\">{}</td><td class=\"l w\">{}</td></tr>",
            escape(&library.title()),
            escape(said),
            escape(&claim.goal),
            escape(&found)
        );
    }
    out.push_str("</table></div>\n");
}

/// What fitted configs predicted, beside what was measured.
pub fn predictions(out: &mut String, record: &Record) {
    let all = tested(record);
    if all.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Predicted and measured</h2>\n<div class=\"scroll\"><table>\n<tr><th class=\"l\">config</th><th class=\"l\">row</th>\
         <th class=\"l\">change of</th><th>predicted</th><th>90 % interval</th><th>measured</th><th class=\"l\"></th></tr>\n",
    );
    for t in &all {
        let (peak, time) = (t.predicted.peak, t.predicted.time);
        for (what, unit, p, measured, holds) in [
            ("peak memory", "KiB", peak, t.peak, t.peak_holds),
            ("CPU time", "%", time, t.time, t.time_holds),
        ] {
            let (class, word) = if holds { ("go", "inside") } else { ("nogo", "outside") };
            let _ = writeln!(
                out,
                "<tr><td class=\"l\">{}</td><td class=\"l\">{}</td><td class=\"l\">{what}</td><td>{:+.1} {unit}</td>\
                 <td>[{:+.1}, {:+.1}]</td><td>{measured:+.1} {unit}</td><td class=\"l {class}\">{word}</td></tr>",
                escape(&t.config),
                escape(&t.row),
                p.at,
                p.low,
                p.high,
            );
        }
    }
    out.push_str("</table></div>\n");
    let holds = |t: &Tested| u32::from(t.peak_holds) + u32::from(t.time_holds);
    let text = format!(
        "{} of {} figures are inside of their intervals; nine of ten should be, over many programs. A prediction is of the \
         program that the config was fitted to.",
        all.iter().map(holds).sum::<u32>(),
        2 * all.len()
    );
    caption(out, &text);
}

/// Time beside memory, and the intervals of memory.
pub fn memory_verdicts(out: &mut String, record: &Record, path: &str) {
    if let Some(svg) = curves::value_by_memory(record) {
        out.push_str("<h2>Time and memory together</h2>\n");
        let text = format!(
            "A small dot each row, a large one the geometric mean of a contender's rows. Lower left is better in both. \
             From {path}.rows[*].cells[*].result and .result_rss_peak."
        );
        figure(out, &svg, &text);
    }
    for (of, array) in [(Aspect::Peak, "rss_peak"), (Aspect::Final, "rss_end")] {
        if record.results_of(of).next().is_none() {
            continue;
        }
        let _ = writeln!(out, "<h3>Verdicts on {}</h3>", of.title());
        let text = format!(
            "As above, of {} instead of the judged value. From {path}.rows[*].cells[*].{array}.",
            of.title()
        );
        figure(out, &plots::intervals(record, of), &text);
    }
}

/// Curves over threads.
pub fn scaling(out: &mut String, record: &Record, path: &str) {
    let curves = figures::curves(record);
    let labels: Vec<String> = record.libraries.iter().map(|l| l.label.clone()).collect();
    let drawings: Vec<String> = curves
        .iter()
        .flat_map(|curve| {
            curves::FIGURES
                .into_iter()
                .filter_map(|f| curves::scaling(curve, &labels, f))
        })
        .collect();
    if drawings.is_empty() {
        return;
    }
    out.push_str("<h2>More threads</h2>\n");
    panels(out, drawings.into_iter());
    let text = format!(
        "Steps of all threads in a second say what more cores bring; CPU time of a step says what sharing costs, however many \
         cores are free. Medians of the blocks, from {path}.rows[*].cells[*].rate, .cpu, .steps and .rss_peak."
    );
    caption(out, &text);
}

/// How long single calls took.
pub fn calls(out: &mut String, record: &Record, path: &str) {
    let drawings: Vec<String> = record
        .rows
        .iter()
        .flat_map(|row| {
            ["malloc", "free", "realloc"]
                .into_iter()
                .filter_map(|call| curves::calls(row, call))
        })
        .collect();
    if drawings.is_empty() {
        return;
    }
    out.push_str("<h2>Single calls</h2>\n");
    panels(out, drawings.into_iter());
    let text = format!(
        "Half of the calls took at most what stands above 50 %, and so on to the longest one, at the right end. Both axes are \
         logarithmic. The dashed line is what the clock itself takes, in the same threads, under the base. Medians over executions; \
         calls in which the kernel took the processor away are in no line, where it tells. From {path}.rows[*].cells[*].calls."
    );
    caption(out, &text);
}

/// What the kernel and the processor counted.
pub fn counters(out: &mut String, record: &Record, path: &str) {
    let columns = figures::counters(record);
    let missing = figures::missing(record);
    if columns.is_empty() && missing.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Counters</h2>\n<div class=\"scroll\"><table>\n<tr><th class=\"l\">row</th><th class=\"l\">contender</th>",
    );
    for column in &columns {
        let _ = write!(out, "<th>{column}</th>");
    }
    out.push_str("</tr>\n");
    for row in &record.rows {
        let mut name = row.name.as_str();
        for cell in row.cells.iter().filter(|c| !c.counters.is_empty()) {
            let start = if name.is_empty() {
                "<tr>"
            } else {
                "<tr class=\"first\">"
            };
            let _ = write!(
                out,
                "{start}<td class=\"l\">{}</td><td class=\"l\">{}</td>",
                escape(std::mem::take(&mut name)),
                escape(&cell.label)
            );
            for column in &columns {
                let n = figures::counted(cell, column).map_or("–".into(), figures::short);
                let _ = write!(out, "<td>{n}</td>");
            }
            out.push_str("</tr>\n");
        }
    }
    out.push_str("</table></div>\n");
    let mut text = format!(
        "Of an execution: process, threads and children; medians of the blocks, from {path}.rows[*].cells[*].counters."
    );
    for reason in missing {
        let _ = write!(text, " Not counted: {reason}.");
    }
    caption(out, &text);
}

/// The search whose finalists these are: what was found over all rows, and who did not get so far.
pub fn search(out: &mut String, record: &Record) {
    let Some(search) = &record.search else { return };
    let best = match &search.best {
        Some(best) => format!("<b>{}</b> is recommended", escape(&best.label)),
        None => format!("none is recommended: keep {}", escape(&search.base)),
    };
    let _ = writeln!(
        out,
        "<h2>The search</h2>\n<p>Goal: {}. {} candidates raced, {} were judged in {} blocks of their own; {best}. The chance that any \
         verdict of a column here is wrong is {:.0} % at most.</p>\n<div class=\"scroll\"><table>\n<tr><th class=\"l\">candidate</th>\
         <th class=\"l\">from</th><th class=\"l\">sets</th><th>goal</th><th class=\"l\"></th><th>time or latency</th><th class=\"l\"></th>\
         <th>peak RSS</th><th class=\"l\"></th></tr>",
        escape(&search.goal),
        search.finalists.len() + search.dropped.len(),
        search.finalists.len(),
        search.blocks,
        search.alpha * 100.0
    );
    let who = |out: &mut String, candidate: &Candidate| {
        let settings = candidate.settings.iter().map(|(key, value)| format!("{key} = {value}"));
        let settings: Vec<String> = settings.collect();
        let _ = write!(
            out,
            "<tr><td class=\"l\">{}</td><td class=\"l\">{}</td><td class=\"l w\">{}</td>",
            escape(&candidate.label),
            escape(&candidate.from),
            escape(&settings.join("; "))
        );
    };
    for one in &search.finalists {
        who(out, &one.candidate);
        for outcome in [one.goal, one.value, one.peak] {
            let shown = outcome
                .and_then(|o| o.judged())
                .map_or_else(String::new, |(lo, hi)| format!(" [{lo:.3}, {hi:.3}]"));
            let (ratio, word) = outcome.map_or_else(Default::default, |o| (format!("{:.3}{shown}", o.ratio), o.word()));
            let _ = write!(out, "<td>{ratio}</td><td class=\"l\">{word}</td>");
        }
        out.push_str("</tr>\n");
    }
    for one in &search.dropped {
        who(out, &one.candidate);
        let median = |v: Option<f64>| v.map_or_else(String::new, |v| format!("{v:.3}"));
        let why = one.problem.as_deref().unwrap_or("dropped; medians of the race");
        let _ = writeln!(
            out,
            "<td>{}</td><td class=\"l\">{}</td><td>{}</td><td></td><td>{}</td><td></td></tr>",
            median(one.goal),
            escape(why),
            median(one.value),
            median(one.peak)
        );
    }
    out.push_str("</table></div>\n");
}
