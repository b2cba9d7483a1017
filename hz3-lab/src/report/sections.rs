//! The parts of a record's page.

use super::svg::escape;
use super::{configs, more, plots};
use crate::record::{Aspect, Cell, Record, RowRecord};
use crate::stats;
use std::fmt::Write;

/// Everything about one record. `path` is where the samples of this record stand in the page's JSON.
pub fn all(out: &mut String, record: &Record, path: &str) {
    lead(out, record);
    key(out, record);
    let _ = write!(
        out,
        "<h2>Verdicts</h2>\n<pre>{}</pre>\n",
        escape(crate::table::summary(record).trim_end())
    );
    more::claims(out, record);
    let alpha = record.settings.alpha * 100.0;
    figure(
        out,
        &plots::intervals(record, Aspect::Value),
        &format!(
            "Dot: median of the paired ratios; thick line: its 95 % interval; thin line with ends: the interval that judges; \
             grey band: the floor, which is what the base shows against itself. A verdict needs the thin line beyond the \
             floor; its chance of being wrong is at most {alpha:.0} % a row and contender. From {path}.rows[*].cells[*].values."
        ),
    );
    out.push_str("<h2>All rows</h2>\n");
    table(out, record);
    out.push_str("<h2>Samples of each row</h2>\n");
    panels(out, record.rows.iter().filter_map(plots::distribution));
    caption(
        out,
        &format!(
            "Each dot is the ratio of one block, the bar its median. From {path}.rows[*].null and .cells[*].values."
        ),
    );
    more::search(out, record);
    more::predictions(out, record);
    more::memory_verdicts(out, record, path);
    memory(out, record, path);
    more::scaling(out, record, path);
    more::calls(out, record, path);
    more::counters(out, record, path);
    if let Some(svg) = plots::bars(
        record,
        "Instructions",
        |c| c.instructions.map(|n| n as f64),
        |v| format!("{:.2} M", v / 1e6),
    ) {
        out.push_str("<h2>Instructions</h2>\n");
        figure(
            out,
            &svg,
            &format!(
                "Instructions of a whole short execution under callgrind, the client's own included. From {path}.rows[*].cells[*].instructions."
            ),
        );
    }
    configs_section(out, record);
    hot(out, record);
    environment(out, record);
}

pub(super) fn figure(out: &mut String, svg: &str, text: &str) {
    let _ = write!(
        out,
        "<figure>\n{svg}<figcaption>{}</figcaption>\n</figure>\n",
        escape(text)
    );
}

pub(super) fn panels(out: &mut String, drawings: impl Iterator<Item = String>) {
    out.push_str("<div class=\"panels\">\n");
    for d in drawings {
        let _ = writeln!(out, "<div>{d}</div>");
    }
    out.push_str("</div>\n");
}

pub(super) fn caption(out: &mut String, text: &str) {
    let _ = writeln!(out, "<p class=\"lead\"><small>{}</small></p>", escape(text));
}

fn lead(out: &mut String, r: &Record) {
    let _ = write!(
        out,
        "<p class=\"lead\">{} · {} · record {} · took {}{}</p>\n<p class=\"lead\"><code>cargo hz3 {}</code></p>\n",
        escape(&r.when.replace('T', " ").replace('Z', " UTC")),
        escape(&r.machine.fingerprint()),
        escape(&r.id),
        crate::compare::minutes(r.seconds),
        if r.interrupted { ", stopped by hand" } else { "" },
        escape(&r.command.join(" ")),
    );
}

fn key(out: &mut String, r: &Record) {
    out.push_str("<p class=\"key\">");
    for (i, l) in r.libraries.iter().enumerate() {
        let base = if i == 0 { " (base)" } else { "" };
        let _ = write!(
            out,
            "<span><i class=\"{}\"></i>{}{base}</span>",
            plots::hue(i),
            escape(&l.title())
        );
    }
    out.push_str("</p>\n");
}

fn table(out: &mut String, r: &Record) {
    out.push_str(
        "<div class=\"scroll\"><table>\n<tr><th class=\"l\">row</th><th class=\"l\">contender</th><th>median</th><th>ratio</th>\
         <th>95 % interval</th><th>judged by</th><th class=\"l\">verdict</th><th>could see</th><th>blocks</th><th>peak RSS</th><th>end RSS</th>\
         <th>live peak</th><th>faults</th><th>CPU</th></tr>\n",
    );
    for row in &r.rows {
        for (i, cell) in row.cells.iter().enumerate() {
            if i > 0 && row.cells[0].problem.is_some() {
                break;
            }
            line(out, row, cell, i == 0);
        }
    }
    out.push_str("</table></div>\n");
    caption(
        out,
        "“Could see” is the smallest change that this run could have told from nothing. CPU and ratio are contender / base. \
         The base's line holds the floor and, where the row has one thread and can run on an empty allocator, the \
         client's own share.",
    );
    if let Some(note) = crate::table::small_heaps(r) {
        caption(out, &note);
    }
}

fn mib(v: f64) -> String {
    if v.is_finite() {
        format!("{:.1} MiB", v / 1048576.0)
    } else {
        "–".into()
    }
}

fn line(out: &mut String, row: &RowRecord, cell: &Cell, first: bool) {
    let name = if first {
        format!("<span title=\"{}\">{}</span>", escape(&row.about), escape(&row.name))
    } else {
        String::new()
    };
    let start = if first { "<tr class=\"first\">" } else { "<tr>" };
    let _ = write!(
        out,
        "{start}<td class=\"l\">{name}</td><td class=\"l\">{}</td>",
        escape(&cell.label)
    );
    if cell.problem.is_none() && cell.values.is_empty() {
        let _ = writeln!(out, "<td class=\"l\" colspan=\"12\">no block was finished</td></tr>");
        return;
    }
    if let Some(problem) = &cell.problem {
        let _ = writeln!(out, "<td class=\"l w\" colspan=\"12\">{}</td></tr>", escape(problem));
        return;
    }
    let _ = write!(
        out,
        "<td>{:.2} {}</td>",
        row.metric.show(cell.value()),
        row.metric.unit()
    );
    match &cell.result {
        Some(o) => {
            let sees = o.smallest_percent.map_or("–".into(), |p| format!("{p:.1} %"));
            let small = if o.negligible { " (surely small)" } else { "" };
            let _ = write!(
                out,
                "<td>{:.3}</td><td>{}</td><td>{}</td><td class=\"l {}\">{}{small}</td><td>{sees}</td>",
                o.ratio,
                plots::between(o.shown()),
                plots::between(o.judged()),
                plots::class(o.verdict),
                o.verdict
            );
        }
        None => {
            let floor = if row.floor.is_finite() {
                format!("floor {:.1} %", stats::percent(row.floor))
            } else {
                String::new()
            };
            let client = row
                .client_share()
                .map_or(String::new(), |s| format!("client alone {s}"));
            let _ = write!(
                out,
                "<td></td><td>{floor}</td><td></td><td class=\"l\">{client}</td><td></td>"
            );
        }
    }
    let live = cell.live_peak.map_or("–".into(), |b| mib(b as f64));
    let cpu = cell
        .result
        .map_or(String::new(), |_| format!("{:.3}", cell.cpu_ratio(&row.cells[0])));
    let failed = if cell.failures > 0 {
        format!(" ({} failed)", cell.failures)
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "<td>{}{failed}</td><td>{}</td><td>{}</td><td>{live}</td><td>{}</td><td>{cpu}</td></tr>",
        cell.values.len(),
        mib(cell.rss_peak()),
        mib(cell.rss_end()),
        cell.faults().map_or("–".into(), |n| format!("{n:.0}"))
    );
}

fn memory(out: &mut String, r: &Record, path: &str) {
    out.push_str("<h2>Memory</h2>\n");
    if let Some(svg) = plots::bars(r, "Peak resident memory", |c| Some(c.rss_peak()), mib) {
        figure(
            out,
            &svg,
            &format!(
                "Peak resident bytes of the process, median of the blocks; each row has its own scale. From {path}.rows[*].cells[*].rss_peak."
            ),
        );
    }
    if let Some(note) = crate::table::small_heaps(r) {
        caption(out, &note);
    }
    let drawings: Vec<String> = r.rows.iter().filter_map(plots::memory_over_time).collect();
    if !drawings.is_empty() {
        out.push_str("<h3>Over time</h3>\n");
        panels(out, drawings.into_iter());
        caption(
            out,
            &format!(
                "Resident bytes, read every 5 ms in an execution of its own. From {path}.rows[*].cells[*].series."
            ),
        );
    }
}

fn configs_section(out: &mut String, r: &Record) {
    let curves: Vec<(usize, String, Vec<f64>)> = r
        .libraries
        .iter()
        .enumerate()
        .filter_map(|(i, l)| Some((i, l.label.clone(), configs::waste(&configs::plan(&l.config)?))))
        .collect();
    if let Some(svg) = plots::waste(&curves) {
        out.push_str("<h2>Waste by size</h2>\n");
        figure(
            out,
            &svg,
            "Computed from the tables of the configs that the contenders carry; nothing measured.",
        );
    }
    let (names, rows) = configs::differences(r);
    if names.len() > 1 && !rows.is_empty() {
        out.push_str("<h2>Configs: what differs</h2>\n<div class=\"scroll\"><table>\n<tr><th class=\"l\">key</th>");
        for n in names {
            let _ = write!(out, "<th class=\"l\">{}</th>", escape(n));
        }
        out.push_str("</tr>\n");
        for (key, values) in rows {
            let _ = write!(out, "<tr><td class=\"l\"><code>{}</code></td>", escape(&key));
            for v in values {
                let _ = write!(out, "<td class=\"l w\">{}</td>", escape(&v));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</table></div>\n");
    }
}

fn hot(out: &mut String, r: &Record) {
    for name in ["malloc", "free"] {
        let found: Vec<_> = r
            .libraries
            .iter()
            .filter_map(|l| Some((l, l.hot.iter().find(|h| h.name == name)?)))
            .collect();
        if found.is_empty() {
            continue;
        }
        let _ = write!(out, "<h2>Hot path of {name}</h2>\n<div class=\"columns\">\n");
        for (library, path) in found {
            let more = if path.cut { "\n      …" } else { "" };
            let _ = writeln!(
                out,
                "<div><h3>{}</h3><pre>{}{more}</pre></div>",
                escape(&library.label),
                escape(&path.lines.join("\n"))
            );
        }
        out.push_str("</div>\n");
    }
}

fn environment(out: &mut String, r: &Record) {
    let m = &r.machine;
    out.push_str("<h2>Environment</h2>\n<div class=\"scroll\"><table>\n");
    let mut row = |key: &str, value: String| {
        let _ = writeln!(
            out,
            "<tr><td class=\"l\">{}</td><td class=\"l w\">{}</td></tr>",
            escape(key),
            escape(&value)
        );
    };
    row("processor", format!("{}, {} cores", m.cpu, m.cores));
    row("memory", format!("{} MiB", m.memory_mib));
    row("system", format!("Linux {}, {}", m.kernel, m.libc));
    row("huge pages, overcommit", format!("{}, {}", m.thp, m.overcommit));
    if let Some(commit) = &r.commit {
        row("commit", commit.to_string());
    }
    row("load at the start", format!("{:.2}", m.load));
    let looks: Vec<String> = r.settings.looks.iter().map(ToString::to_string).collect();
    row(
        "judged after",
        format!(
            "{} blocks, α = {} for all looks of a row together",
            looks.join(", "),
            r.settings.alpha
        ),
    );
    row(
        "margin, budget, seed",
        format!(
            "{:.1} %, {}, {}",
            stats::percent(r.settings.margin),
            crate::compare::minutes(r.settings.budget),
            r.settings.seed
        ),
    );
    for l in &r.libraries {
        let mut what = if l.file.is_empty() {
            "the C library's own malloc".to_string()
        } else {
            format!("{}, {} bytes, code {}", l.file, l.bytes, l.text)
        };
        if !l.hash.is_empty() {
            let _ = write!(
                what,
                ", config {}, code hash {}, sources {}, generator {}",
                l.hash, l.code_hash, l.sources, l.version
            );
        }
        if !l.sha256.is_empty() {
            let _ = write!(what, ", SHA-256 {}", l.sha256);
        }
        row(&l.title(), what);
    }
    for c in &r.rows {
        row(&c.name, format!("{}: {}", c.about, c.command.join(" ")));
    }
    out.push_str("</table></div>\n");
}
