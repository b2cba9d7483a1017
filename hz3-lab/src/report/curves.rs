//! Plots with a line or a dot for each contender: time beside memory, single calls, more threads.

use super::plots::{hue, panel, position, scale};
use super::svg::{Svg, ticks};
use crate::figures::{Curve, Scaled};
use crate::record::{Aspect, Record, RowRecord};
use crate::tails::{Calls, SHARES};

/// Ratios that a logarithmic axis has lines at.
const RATIOS: [f64; 17] = [
    0.1, 0.2, 0.33, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0,
];

/// The judged value beside peak memory: a small dot each row, a large one the geometric mean of all. Nothing if no row has both.
pub fn value_by_memory(record: &Record) -> Option<String> {
    let (left, top, right, bottom) = (70.0, 14.0, 700.0, 330.0);
    let mut dots: Vec<(usize, String, f64, f64)> = Vec::new();
    for row in &record.rows {
        for (i, cell) in row.cells.iter().enumerate().skip(1) {
            let ratio = |of| cell.outcome(of).map(|o| o.ratio).filter(|r| r.is_finite() && *r > 0.0);
            if let (Some(value), Some(peak)) = (ratio(Aspect::Value), ratio(Aspect::Peak)) {
                dots.push((i, format!("{} {}", row.name, cell.label), value.ln(), peak.ln()));
            }
        }
    }
    if dots.is_empty() {
        return None;
    }
    let reach = |of: fn(&(usize, String, f64, f64)) -> f64| {
        let most = dots.iter().map(|d| of(d).abs()).fold(0.1, f64::max);
        most.min(20f64.ln()) * 1.08
    };
    let (wide, high) = (reach(|d| d.2), reach(|d| d.3));
    let x = |v: f64| position(v.clamp(-wide, wide), -wide, wide, left, right);
    let y = |v: f64| position(v.clamp(-high, high), -high, high, bottom, top);
    let mut svg = Svg::new(980.0, 380.0);
    // Between two lines there is room for their figures.
    let axis = |reach: f64, room: f64| {
        let mut kept: Vec<f64> = vec![1.0];
        for ratio in RATIOS {
            let far = |other: &f64| (ratio / other).ln().abs() / reach > room;
            if ratio.ln().abs() <= reach && kept.iter().all(far) {
                kept.push(ratio);
            }
        }
        kept
    };
    for ratio in axis(wide, 0.09) {
        let class = if ratio == 1.0 { "one" } else { "grid" };
        svg.line(x(ratio.ln()), top, x(ratio.ln()), bottom, class);
        svg.text(x(ratio.ln()), bottom + 16.0, "middle", "tick", &ratio.to_string());
    }
    for ratio in axis(high, 0.1) {
        let class = if ratio == 1.0 { "one" } else { "grid" };
        svg.line(left, y(ratio.ln()), right, y(ratio.ln()), class);
        svg.text(left - 8.0, y(ratio.ln()) + 4.0, "end", "tick", &ratio.to_string());
    }
    let middle = (left + right) / 2.0;
    svg.text(
        middle,
        bottom + 38.0,
        "middle",
        "axis",
        "judged value, contender / base: left is better",
    );
    svg.text(
        left,
        top - 3.0,
        "start",
        "axis",
        "peak RSS, contender / base: lower is better",
    );
    for (i, what, value, peak) in &dots {
        let tip = format!(
            "{what}: {:.3} of the value, {:.3} of the peak RSS",
            value.exp(),
            peak.exp()
        );
        svg.dot(x(*value), y(*peak), 3.2, &format!("fill soft {}", hue(*i)), &tip);
    }
    let mut at = top + 14.0;
    for (i, library) in record.libraries.iter().enumerate().skip(1) {
        let own = || dots.iter().filter(|d| d.0 == i);
        let n = own().count() as f64;
        if n == 0.0 {
            continue;
        }
        let (value, peak) = (own().map(|d| d.2).sum::<f64>() / n, own().map(|d| d.3).sum::<f64>() / n);
        let tip = format!(
            "{}: geometric means {:.3} and {:.3}",
            library.label,
            value.exp(),
            peak.exp()
        );
        svg.dot(x(value), y(peak), 7.5, &format!("fill {}", hue(i)), &tip);
        svg.dot(right + 24.0, at - 4.0, 5.0, &format!("fill {}", hue(i)), &tip);
        let text = format!("{}: value {:.3}, peak {:.3}", library.title(), value.exp(), peak.exp());
        svg.text(right + 36.0, at, "start", "", &text);
        at += 18.0;
    }
    Some(svg.finish("Judged value beside peak memory, contender by base"))
}

/// Nanoseconds for an axis: `250`, `4 µs`, `1.5 ms`.
fn time(ns: f64) -> String {
    let (v, unit) = match ns {
        n if n >= 1e9 => (n / 1e9, " s"),
        n if n >= 1e6 => (n / 1e6, " ms"),
        n if n >= 1e3 => (n / 1e3, " µs"),
        n => (n, ""),
    };
    format!("{v}{unit}")
}

/// Points of a line.
type Points = Vec<(f64, f64)>;

/// How long the single calls of one kind took: the share of the calls that took longer, on both axes by powers of ten. The
/// clock's own line is that of the base.
pub fn calls(row: &RowRecord, call: &str) -> Option<String> {
    let of = |calls: &Calls, call: &str| -> Option<Points> {
        let m = &calls.calls.get(call)?.median;
        let whole = SHARES.iter().zip(m.curve).map(|(p, t)| (1.0 - p, calls.ns(t)));
        let longest = (1.0 / m.count.max(1) as f64, calls.ns(m.max));
        // Below the share of one call there is nothing but the longest.
        let points: Points = whole.filter(|(share, t)| *share > longest.0 && *t > 0.0).collect();
        (points.len() > 2).then(|| points.into_iter().chain([longest]).collect())
    };
    let lines: Vec<(usize, &str, Points)> = row
        .cells
        .iter()
        .enumerate()
        .filter_map(|(i, c)| Some((i, c.label.as_str(), of(c.calls.as_ref()?, call)?)))
        .collect();
    let clock = row.cells.first().and_then(|c| of(c.calls.as_ref()?, "clock"));
    let points = || lines.iter().flat_map(|l| &l.2);
    let least = points().map(|p| p.0).fold(f64::INFINITY, f64::min);
    if lines.is_empty() || !least.is_finite() {
        return None;
    }
    let low = clock
        .iter()
        .flatten()
        .chain(points())
        .map(|p| p.1)
        .fold(f64::INFINITY, f64::min);
    let high = points().map(|p| p.1).fold(1.0, f64::max);
    let (mut svg, left, top, right, bottom) = panel(&format!("{call}, {}", row.name));
    let x = |share: f64| position(-share.max(least).log10(), 0.0, -least.log10(), left, right);
    let (floor, ceiling) = (low.log10() - 0.1, high.log10() + 0.1);
    let y = |ns: f64| position(ns.log10().clamp(floor, ceiling), floor, ceiling, bottom, top);
    let mut ten = 10f64.powf(floor.ceil());
    while ten.log10() <= ceiling {
        svg.line(left, y(ten), right, y(ten), "grid");
        svg.text(left - 6.0, y(ten) + 4.0, "end", "tick", &time(ten));
        ten *= 10.0;
    }
    for (share, text) in [
        (0.5, "50 %"),
        (0.1, "90"),
        (0.01, "99"),
        (0.001, "99.9"),
        (1e-4, "99.99"),
        (1e-5, ""),
    ] {
        if share >= least {
            svg.line(x(share), top, x(share), bottom, "grid");
            svg.text(x(share), bottom + 16.0, "middle", "tick", text);
        }
    }
    svg.text(right, bottom + 28.0, "end", "tick", "of the calls take at most");
    svg.text(right, 15.0, "end", "tick", "ns");
    let drawn = |points: &[(f64, f64)]| points.iter().map(|(s, t)| (x(*s), y(*t))).collect::<Vec<_>>();
    if let Some(clock) = clock {
        svg.polyline(&drawn(&clock), "stroke thin dashed", "the clock itself");
    }
    for (i, label, points) in &lines {
        svg.polyline(&drawn(points), &format!("stroke thin {}", hue(*i)), label);
    }
    Some(svg.finish(&format!("Single calls of {call}, row {}", row.name)))
}

/// What a panel of a curve shows of each point.
pub type Figure = (&'static str, fn(&Scaled) -> f64);

/// The panels of a curve.
pub const FIGURES: [Figure; 3] = [
    ("M steps/s", |p| p.rate / 1e6),
    ("CPU ns a step", |p| p.cpu_ns),
    ("MiB at the peak", |p| p.rss_peak / 1048576.0),
];

/// A figure over threads, a line a contender.
pub fn scaling(curve: &Curve<'_>, contenders: &[String], (unit, figure): Figure) -> Option<String> {
    let lines: Vec<(usize, &String, Vec<Scaled>)> = contenders
        .iter()
        .enumerate()
        .map(|(i, label)| (i, label, curve.of(i)))
        .filter(|l| !l.2.is_empty())
        .collect();
    let mut threads: Vec<u64> = curve.points.iter().map(|p| p.0).collect();
    threads.dedup();
    let high = lines.iter().flat_map(|l| &l.2).map(figure).fold(0.0, f64::max) * 1.06;
    if threads.len() < 2 || high <= 0.0 {
        return None;
    }
    let (mut svg, left, top, right, bottom) = panel(curve.row);
    let (first, last) = (*threads.first()? as f64, *threads.last()? as f64);
    let x = |n: u64| position((n as f64).log2(), first.log2(), last.log2(), left + 8.0, right - 8.0);
    let y = |v: f64| position(v, 0.0, high, bottom, top);
    scale(&mut svg, ticks(0.0, high, 4), (left, right), y);
    for n in &threads {
        svg.text(x(*n), bottom + 16.0, "middle", "tick", &n.to_string());
    }
    svg.text(right, bottom + 28.0, "end", "tick", "threads");
    svg.text(right, 15.0, "end", "tick", unit);
    for (i, label, points) in &lines {
        let line: Vec<(f64, f64)> = points.iter().map(|p| (x(p.threads), y(figure(p)))).collect();
        svg.polyline(&line, &format!("stroke thin {}", hue(*i)), label);
        for p in points {
            let tip = format!("{label}, {} threads: {:.2} {unit}", p.threads, figure(p));
            svg.dot(x(p.threads), y(figure(p)), 3.0, &format!("fill {}", hue(*i)), &tip);
        }
    }
    Some(svg.finish(&format!("{unit} over threads, row {}", curve.row)))
}
