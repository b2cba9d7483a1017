//! The plots of one record. Every figure comes from arrays that stand in the page.

use super::svg::{Svg, ticks};
use crate::record::{Aspect, Cell, Outcome, Record, RowRecord};
use crate::stats::{self, Verdict};

/// Class of a contender's colour: the base is grey, the others have hues in the record's order.
pub fn hue(index: usize) -> String {
    format!("h{}", index.min(8))
}

/// Class of a verdict's colour.
pub fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Go => "go",
        Verdict::NoGo => "nogo",
        Verdict::Undecided => "open",
    }
}

pub(super) fn position(v: f64, lo: f64, hi: f64, from: f64, to: f64) -> f64 {
    from + (v - lo) / (hi - lo) * (to - from)
}

/// `[0.97, 1.02]`.
pub fn between(interval: Option<(f64, f64)>) -> String {
    interval.map_or("–".into(), |(lo, hi)| format!("[{lo:.3}, {hi:.3}]"))
}

/// Contenders against the base in one aspect: a dot each, its 95 % interval and the one that judges, rows below each other, the floor
/// as a band.
pub fn intervals(record: &Record, of: Aspect) -> String {
    const LEFT: f64 = 130.0;
    const RIGHT: f64 = 830.0;
    const STEP: f64 = 15.0;
    let result = |cell: &Cell| -> Option<Outcome> { cell.outcome(of).filter(|o| o.ratio.is_finite()) };
    let others = |row: &RowRecord| row.cells.iter().skip(1).filter(|c| result(c).is_some()).count();
    let rows: Vec<&RowRecord> = record.rows.iter().filter(|r| others(r) > 0).collect();
    let height: f64 = rows.iter().map(|r| others(r) as f64 * STEP + 10.0).sum();
    let ends = rows
        .iter()
        .flat_map(|r| &r.cells)
        .filter_map(result)
        .flat_map(|o| [o.lo, o.hi, o.judged_lo, o.judged_hi.unwrap_or(f64::NAN)]);
    let reach = ends
        .filter(|v| v.is_finite() && *v > 0.0)
        .map(|v| v.ln().abs())
        .fold(0.1, f64::max)
        .min(3f64.ln())
        * 1.05;
    let x = |ratio: f64| position(ratio.ln().clamp(-reach, reach), -reach, reach, LEFT, RIGHT);
    let mut svg = Svg::new(980.0, height + 46.0);
    for ratio in [
        0.33, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 2.5, 3.0,
    ] {
        let l: f64 = f64::ln(ratio);
        if l.abs() > reach || (reach > 0.5 && (ratio == 0.95 || ratio == 1.05)) {
            continue;
        }
        svg.line(
            x(ratio),
            8.0,
            x(ratio),
            height + 8.0,
            if ratio == 1.0 { "one" } else { "grid" },
        );
        svg.text(x(ratio), height + 22.0, "middle", "tick", &format!("{ratio}"));
    }
    svg.text(
        (LEFT + RIGHT) / 2.0,
        height + 40.0,
        "middle",
        "axis",
        "contender / base: left of 1 is better",
    );
    let mut y = 8.0;
    for row in rows {
        let tall = others(row) as f64 * STEP + 10.0;
        svg.line(LEFT, y, 970.0, y, "rule");
        let floor = row.floor_of(of);
        if floor.is_finite() {
            let (a, b) = (x((-floor).exp()), x(floor.exp()));
            let tip = format!(
                "{}: base against itself, floor {:.1} %",
                row.name,
                stats::percent(floor)
            );
            svg.rect(a, y + 1.0, b - a, tall - 2.0, "floor", &tip);
        }
        svg.text(LEFT - 8.0, y + tall / 2.0 + 4.0, "end", "label", &row.name);
        let mut at = y + 5.0 + STEP / 2.0;
        for (i, cell) in row.cells.iter().enumerate().skip(1) {
            let Some(o) = result(cell) else { continue };
            let color = hue(i);
            let tip = format!(
                "{} {}: {:.3} {}, judged by {}, {} blocks, {}",
                row.name,
                cell.label,
                o.ratio,
                between(o.shown()),
                between(o.judged()),
                cell.values.len(),
                o.verdict
            );
            if let Some((lo, hi)) = o.judged() {
                let thin = format!("stroke thin {color}");
                svg.line(x(lo), at, x(hi), at, &thin);
                for end in [lo, hi] {
                    svg.line(x(end), at - 3.0, x(end), at + 3.0, &thin);
                }
            }
            if let Some((lo, hi)) = o.shown() {
                svg.line(x(lo), at, x(hi), at, &format!("stroke {color}"));
            }
            svg.dot(x(o.ratio), at, 4.0, &format!("fill {color}"), &tip);
            let off = if o.ratio.ln() > reach {
                " ▸"
            } else if o.ratio.ln() < -reach {
                " ◂"
            } else {
                ""
            };
            svg.text(
                RIGHT + 14.0,
                at + 4.0,
                "start",
                &format!("verdict {}", class(o.verdict)),
                &format!("{:.3}{off}  {}", o.ratio, o.verdict),
            );
            at += STEP;
        }
        y += tall;
    }
    svg.finish("Ratios to the base with the intervals that are shown and that judge, by row")
}

/// A small panel with a title; returns the drawing and the inner left, top, right and bottom.
pub(super) fn panel(title: &str) -> (Svg, f64, f64, f64, f64) {
    let mut svg = Svg::new(320.0, 190.0);
    svg.text(8.0, 15.0, "start", "label", title);
    (svg, 48.0, 28.0, 310.0, 160.0)
}

/// The lines of a vertical axis, each with its figure.
pub(super) fn scale(svg: &mut Svg, ticks: Vec<f64>, (left, right): (f64, f64), y: impl Fn(f64) -> f64) {
    for t in ticks {
        svg.line(left, y(t), right, y(t), "grid");
        let figure = (t * 1000.0).round() / 1000.0;
        svg.text(left - 6.0, y(t) + 4.0, "end", "tick", &figure.to_string());
    }
}

/// Each block's ratio as a dot, contender by contender; the base against itself first.
pub fn distribution(row: &RowRecord) -> Option<String> {
    let base = row.cells.first()?;
    let mut groups: Vec<(String, usize, Vec<f64>)> =
        vec![("itself".into(), 0, row.null.iter().map(|[a, b]| b / a).collect())];
    for (i, cell) in row.cells.iter().enumerate().skip(1) {
        let ratios = stats::log_ratios(&cell.values, &base.values)
            .iter()
            .map(|d| d.exp())
            .collect();
        groups.push((cell.label.clone(), i, ratios));
    }
    groups.retain(|g| !g.2.is_empty());
    let all = || groups.iter().flat_map(|g| &g.2).copied().filter(|v| v.is_finite());
    let (lo, hi) = (all().fold(0.95, f64::min), all().fold(1.05, f64::max));
    if groups.len() < 2 {
        return None;
    }
    let (mut svg, left, top, right, bottom) = panel(&row.name);
    let pad = (hi - lo) * 0.05;
    let y = |v: f64| position(v, lo - pad, hi + pad, bottom, top);
    scale(&mut svg, ticks(lo - pad, hi + pad, 4), (left, right), y);
    svg.line(left, y(1.0), right, y(1.0), "one");
    let wide = (right - left) / groups.len() as f64;
    for (k, (label, i, ratios)) in groups.iter().enumerate() {
        let centre = left + wide * (k as f64 + 0.5);
        for (n, v) in ratios.iter().enumerate() {
            // Spread by the golden ratio: no two neighbours on one another, and the same picture every time.
            let jitter = (n as f64 * 0.618_034).fract() - 0.5;
            let tip = format!("{label}, block {}: {v:.3}", n + 1);
            svg.dot(
                centre + jitter * wide * 0.6,
                y(*v),
                2.2,
                &format!("fill soft {}", hue(*i)),
                &tip,
            );
        }
        let m = stats::median(ratios);
        svg.line(
            centre - wide * 0.36,
            y(m),
            centre + wide * 0.36,
            y(m),
            &format!("stroke {}", hue(*i)),
        );
        let short: String = label.chars().take((wide / 6.0) as usize).collect();
        svg.text(centre, bottom + 16.0, "middle", "tick", &short);
    }
    Some(svg.finish(&format!("Ratio of each block, row {}", row.name)))
}

/// Resident bytes over time, a line a contender.
pub fn memory_over_time(row: &RowRecord) -> Option<String> {
    let lines: Vec<(usize, &Cell)> = row
        .cells
        .iter()
        .enumerate()
        .filter(|(_, c)| c.series.len() > 2)
        .collect();
    let points = || lines.iter().flat_map(|(_, c)| &c.series);
    let (end, top_bytes) = (points().map(|p| p[0]).max()?, points().map(|p| p[1]).max()?);
    let (mut svg, left, top, right, bottom) = panel(&row.name);
    let mib = |b: u64| b as f64 / 1048576.0;
    let high = mib(top_bytes) * 1.05;
    let ms = end as f64 / 1000.0;
    let y = |v: f64| position(v, 0.0, high, bottom, top);
    for t in ticks(0.0, high, 4) {
        svg.line(left, y(t), right, y(t), "grid");
        svg.text(left - 6.0, y(t) + 4.0, "end", "tick", &format!("{t}"));
    }
    for t in ticks(0.0, ms, 4) {
        svg.text(
            position(t, 0.0, ms, left, right),
            bottom + 16.0,
            "middle",
            "tick",
            &format!("{t}"),
        );
    }
    svg.text(right, bottom + 28.0, "end", "tick", "ms");
    svg.text(right, 15.0, "end", "tick", "MiB resident");
    for (i, cell) in lines {
        let line: Vec<(f64, f64)> = cell
            .series
            .iter()
            .map(|p| (position(p[0] as f64 / 1000.0, 0.0, ms, left, right), y(mib(p[1]))))
            .collect();
        svg.polyline(&line, &format!("stroke thin {}", hue(i)), &cell.label);
    }
    Some(svg.finish(&format!("Resident memory over time, row {}", row.name)))
}

/// Horizontal bars, a group a row: `value` picks the figure, `show` words it.
pub fn bars(
    record: &Record,
    label: &str,
    value: impl Fn(&Cell) -> Option<f64>,
    show: impl Fn(f64) -> String,
) -> Option<String> {
    const LEFT: f64 = 130.0;
    const RIGHT: f64 = 860.0;
    const STEP: f64 = 12.0;
    let rows: Vec<(&RowRecord, Vec<(usize, f64)>)> = record
        .rows
        .iter()
        .map(|r| {
            (
                r,
                r.cells
                    .iter()
                    .enumerate()
                    .filter_map(|(i, c)| Some((i, value(c)?)))
                    .filter(|v| v.1.is_finite())
                    .collect(),
            )
        })
        .filter(|(_, v): &(_, Vec<_>)| !v.is_empty())
        .collect();
    if rows.is_empty() {
        return None;
    }
    let height: f64 = rows.iter().map(|(_, v)| v.len() as f64 * STEP + 10.0).sum();
    let mut svg = Svg::new(980.0, height + 16.0);
    let mut y = 8.0;
    for (row, values) in rows {
        // Rows differ by orders of magnitude: each has its own scale, and every bar has its figure.
        let most = values.iter().map(|v| v.1).fold(f64::MIN_POSITIVE, f64::max);
        let tall = values.len() as f64 * STEP + 10.0;
        svg.line(LEFT, y, 970.0, y, "rule");
        svg.text(LEFT - 8.0, y + tall / 2.0 + 4.0, "end", "label", &row.name);
        for (k, (i, v)) in values.iter().enumerate() {
            let at = y + 5.0 + k as f64 * STEP;
            let tip = format!("{} {}: {}", row.name, row.cells[*i].label, show(*v));
            svg.rect(
                LEFT,
                at + 1.0,
                v / most * (RIGHT - LEFT),
                STEP - 3.0,
                &format!("fill {}", hue(*i)),
                &tip,
            );
            svg.text(
                LEFT + v / most * (RIGHT - LEFT) + 6.0,
                at + STEP - 3.0,
                "start",
                "tick",
                &show(*v),
            );
        }
        y += tall;
    }
    Some(svg.finish(label))
}

/// Bytes unused per request by size, a line a config. `curves` are `(hue, label, waste at each size from 1 on)`.
pub fn waste(curves: &[(usize, String, Vec<f64>)]) -> Option<String> {
    let most = curves.iter().map(|c| c.2.len()).max().filter(|n| *n > 64)?;
    let (left, top, right, bottom) = (60.0, 12.0, 960.0, 250.0);
    let mut svg = Svg::new(980.0, 290.0);
    let (lo, hi) = (16f64.ln(), (most as f64).ln());
    let x = |n: f64| position(n.max(16.0).ln(), lo, hi, left, right);
    let high = curves
        .iter()
        .flat_map(|c| c.2.iter().skip(63))
        .fold(0.1, |a, b| f64::max(a, *b))
        .min(1.0);
    let y = |v: f64| position(v.min(high), 0.0, high, bottom, top);
    for t in ticks(0.0, high, 5) {
        svg.line(left, y(t), right, y(t), "grid");
        svg.text(left - 6.0, y(t) + 4.0, "end", "tick", &format!("{:.0} %", t * 100.0));
    }
    let mut n = 16;
    while n <= most {
        svg.line(x(n as f64), top, x(n as f64), bottom, "grid");
        let text = if n >= 1024 {
            format!("{} KiB", n / 1024)
        } else {
            n.to_string()
        };
        svg.text(x(n as f64), bottom + 16.0, "middle", "tick", &text);
        n *= 2;
    }
    svg.text(
        (left + right) / 2.0,
        bottom + 34.0,
        "middle",
        "axis",
        "request in bytes; share of the memory behind it that it leaves unused, run tails included",
    );
    for (i, label, values) in curves {
        // Within a class the waste falls, at the next one it jumps: the ends of each tooth are the whole curve.
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (n, v) in values.iter().enumerate().skip(15) {
            let starts = n == 15 || values[n - 1] < *v;
            let ends = values.get(n + 1).is_none_or(|next| next > v);
            if starts || ends {
                points.push((x(n as f64 + 1.0), y(*v)));
            }
        }
        svg.polyline(&points, &format!("stroke thin {}", hue(*i)), label);
    }
    Some(svg.finish("Unused share of memory by request size"))
}
