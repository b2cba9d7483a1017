//! A heap as one self-contained page: the picture as SVG, a cell a page, with what stands in it as hover titles.

use super::snapshot::{FreeState, Segment, Snapshot, Span, Use};
use super::summary::{Summary, used_pages};
use super::terminal::{self, BANDS, COLUMNS, Item, OTHERS};
use crate::style::roughly;
use hz3_lab::report::{escape, head};
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");

/// Pages of a line of a segment's picture.
const COLUMNS_OF_PAGES: u16 = 128;
/// Pixels of a cell.
const CELL: u16 = 8;
/// Pixels at the left for the address, and at the right for the share in use.
const LEFT: u16 = 104;
const RIGHT: u16 = 48;
/// Bytes of pictures of segments: what a browser shows without delay. What is beyond is in the tables only.
const PICTURES: usize = 6 << 20;
/// Cells of the overview, likewise.
const OVERVIEW: usize = 8192;

/// The page.
pub fn page(s: &Snapshot, sum: &Summary) -> String {
    let mut out = head(&format!("Heap of {} in process {}", s.variant, s.pid), STYLE);
    let _ = writeln!(
        out,
        "<h1>Heap of {}</h1>\n<p class=\"lead\">Read from outside while the process went on: a picture of a moving target.</p>",
        escape(&s.variant)
    );
    out += "<table class=\"facts\">\n";
    for (key, value) in terminal::facts(s, sum) {
        let (key, value) = (escape(key), escape(&value));
        let _ = writeln!(out, "<tr><th class=\"l\">{key}</th><td class=\"l w\">{value}</td></tr>");
    }
    out += "</table>\n";
    overview(&mut out, s);
    pictures(&mut out, s);
    classes(&mut out, sum);
    out += "<h2>How full they are</h2>\n<div class=\"columns\">\n";
    let mut runs = vec![("none".to_owned(), sum.empty_runs)];
    runs.extend(tenths(&sum.runs_by_occupancy));
    bars(&mut out, "Runs by the share of their objects that is out", &runs);
    let segments: Vec<_> = tenths(&sum.segments_by_use).collect();
    bars(&mut out, "Segments by the share of their pages in use", &segments);
    out += "</div>\n</body>\n</html>\n";
    out
}

fn tenths(counts: &[u64; 10]) -> impl Iterator<Item = (String, u64)> + '_ {
    let name = |i: usize| format!("{}-{} %", i * 10, i * 10 + 10);
    counts.iter().enumerate().map(move |(i, n)| (name(i), *n))
}

/// The beginning of a drawing: its size in pixels, and what it is for those who cannot see it.
fn svg(out: &mut String, width: u64, height: u64, label: &str) {
    let _ = writeln!(
        out,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
        escape(label)
    );
}

fn title(text: &str) -> String {
    format!("<title>{}</title>", escape(text))
}

/// All segments and huge objects by address, a cell a segment.
fn overview(out: &mut String, s: &Snapshot) {
    const SIZE: u64 = 12;
    const ACROSS: u64 = 80;
    let mut cells = String::new();
    let mut at = 0;
    let mut put = |class: &str, tip: &str| {
        if at < OVERVIEW as u64 {
            let (x, y) = (at % ACROSS * SIZE, at / ACROSS * SIZE);
            let _ = writeln!(
                cells,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{0}\" height=\"{0}\">{1}</rect>",
                SIZE - 1,
                title(tip)
            );
        }
        at += 1;
    };
    for (address, item) in terminal::items(s) {
        let room = |n: u64| n.min(OVERVIEW as u64 + 1);
        match item {
            Item::Segment(segment) => {
                let (used, all) = used_pages(segment);
                let class = format!("segment q{}", quarter(used, all));
                let percent = used * 100 / all.max(1);
                put(
                    &class,
                    &format!("{address:#x}: segment, {percent} % of its pages in use"),
                );
            }
            Item::Huge(bytes, ..) => {
                for _ in 0..room(bytes.div_ceil(s.segment_bytes())) {
                    put("huge", &format!("{address:#x}: one object of {}", roughly(bytes)));
                }
            }
            Item::Free(segments, state) => {
                let class = match state {
                    FreeState::Clean => "clean",
                    FreeState::Dirty => "dirty",
                    FreeState::Purging => "purging",
                };
                for _ in 0..room(segments) {
                    let (segments, state) = (terminal::count(segments, "free segment"), terminal::state_name(state));
                    put(class, &format!("{address:#x}: {segments}, {state}"));
                }
            }
        }
    }
    if at == 0 {
        return;
    }
    let shown = at.min(OVERVIEW as u64);
    out.push_str("<h2>Segments</h2>\n<figure>\n");
    svg(
        out,
        ACROSS * SIZE,
        shown.div_ceil(ACROSS) * SIZE,
        "all segments, a cell each",
    );
    let size = roughly(s.segment_bytes());
    let _ = write!(
        out,
        "{cells}</svg>\n<figcaption>A cell is a segment of {size}, by address; the stronger, the more of its pages are in \
         use. Grey: objects of whole segments. Hatched: free and backed. Empty: free.",
    );
    if at > shown {
        let _ = write!(out, " The first {shown} are shown.");
    }
    out.push_str("</figcaption>\n</figure>\n");
}

/// Nothing, or which quarter of the whole: 0 to 4.
fn quarter(part: u64, whole: u64) -> u64 {
    if part == 0 {
        0
    } else {
        (part * 4 / whole.max(1) + 1).min(4)
    }
}

/// Every segment, a cell a page.
fn pictures(out: &mut String, s: &Snapshot) {
    if s.segments.is_empty() {
        return;
    }
    out.push_str("<h2>Pages</h2>\n");
    legend(out);
    patterns(out);
    let start = out.len();
    for (i, segment) in s.segments.iter().enumerate() {
        if out.len() - start > PICTURES {
            let rest = s.segments.len() - i;
            let _ = writeln!(out, "<p>{rest} more segments are not drawn; the tables have them.</p>");
            break;
        }
        picture(out, s, segment);
    }
}

fn patterns(out: &mut String) {
    let _ = writeln!(
        out,
        "<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\
         <pattern id=\"cells\" width=\"{CELL}\" height=\"{CELL}\" patternUnits=\"userSpaceOnUse\" patternTransform=\"translate({LEFT} 0)\">\
         <path class=\"line\" d=\"M{CELL} 0V{CELL}H0\"/></pattern>\
         <pattern id=\"hatch\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\"><path class=\"stripe\" d=\"M0 4L4 0\"/></pattern>\
         <pattern id=\"alarm\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\"><path class=\"warn\" d=\"M0 0L4 4\"/></pattern>\
         </defs></svg>"
    );
}

fn picture(out: &mut String, s: &Snapshot, segment: &Segment) {
    let rows = (s.segment_pages as u16).div_ceil(COLUMNS_OF_PAGES);
    let (width, height) = (COLUMNS_OF_PAGES * CELL, rows * CELL);
    let (used, all) = used_pages(segment);
    let address = segment.address;
    let label = format!("segment {address:x}, {used} of {all} pages in use");
    svg(out, (LEFT + width + RIGHT).into(), u64::from(height) + 4, &label);
    let _ = writeln!(
        out,
        "<text class=\"address\" x=\"0\" y=\"10\">{address:x}</text><text class=\"tick\" x=\"{}\" y=\"10\">{} %</text>",
        LEFT + width + 6,
        used * 100 / all.max(1)
    );
    if segment.outside {
        let _ = writeln!(out, "<text class=\"tick\" x=\"0\" y=\"23\">outside</text>");
    }
    for span in &segment.spans {
        let (class, tip) = look(s, span);
        let _ = writeln!(
            out,
            "<path class=\"{class}\" d=\"{}\">{}</path>",
            outline(span),
            title(&tip)
        );
    }
    let _ = writeln!(
        out,
        "<rect class=\"over\" x=\"{LEFT}\" y=\"0\" width=\"{width}\" height=\"{height}\"/></svg>"
    );
}

/// A rectangle for each line that a span has pages in, as one path.
fn outline(span: &Span) -> String {
    let mut path = String::new();
    let (mut at, end) = (span.first, span.first.saturating_add(span.pages));
    while at < end {
        let row = at / COLUMNS_OF_PAGES;
        let stop = end.min((row + 1) * COLUMNS_OF_PAGES);
        let (x, y) = (LEFT + at % COLUMNS_OF_PAGES * CELL, row * CELL);
        let width = (stop - at) * CELL;
        let _ = write!(path, "M{x} {y}h{width}v{CELL}h-{width}z");
        at = stop;
    }
    path
}

/// The class of a span, and its title.
fn look(s: &Snapshot, span: &Span) -> (String, String) {
    let last = span.first + span.pages - 1;
    let place = if span.pages == 1 {
        format!("page {last}")
    } else {
        format!("pages {}-{last}", span.first)
    };
    let memory = span
        .resident
        .map_or_else(String::new, |n| format!(", {n} of {} pages in memory", span.pages));
    let (class, what) = match span.what {
        Use::Header => ("header".to_owned(), "header".to_owned()),
        Use::Large => ("large".to_owned(), "one large object".to_owned()),
        Use::Dirty => ("dirty".to_owned(), "free, backed".to_owned()),
        Use::Clean => ("clean".to_owned(), "free, not backed".to_owned()),
        Use::Purging => ("purging".to_owned(), "being given back".to_owned()),
        Use::Guard => ("guard".to_owned(), "a guard, which nobody may touch".to_owned()),
        Use::Unknown => ("unknown".to_owned(), "changed while it was read".to_owned()),
        Use::Run(run) => {
            let size = s.classes.get(usize::from(run.class)).map_or(0, |c| c.size);
            let owner = if run.owner > 0 {
                format!(", owner {}", run.owner)
            } else {
                String::new()
            };
            let (out, capacity, carved) = (run.out, run.capacity, run.carved);
            let given = match run.given {
                0 => String::new(),
                pages => format!(", {} given back", terminal::count(pages.into(), "page")),
            };
            (
                format!("b{} q{}", terminal::band(size), quarter(out.into(), capacity.into())),
                format!("run of {size}-byte objects, {out} of {capacity} out, {carved} ever handed out{given}{owner}"),
            )
        }
    };
    (class, format!("{place}: {what}{memory}"))
}

fn legend(out: &mut String) {
    out.push_str("<p class=\"key\">");
    for band in 0..=BANDS.len() {
        let _ = write!(
            out,
            "<span><i class=\"b{band}\"></i>{}</span>",
            terminal::band_name(band)
        );
    }
    for (_, class, name) in OTHERS {
        let _ = write!(out, "<span><i class=\"{class}\"></i>{name}</span>");
    }
    out.push_str(
        "</p>\n<p class=\"lead\">A cell is a page. Colours are sizes of objects; the stronger, the more of a run's objects \
         are out: the program's, or waiting in a thread or a depot.</p>\n",
    );
}

fn classes(out: &mut String, sum: &Summary) {
    if sum.classes.is_empty() {
        return;
    }
    out.push_str("<h2>Classes</h2>\n<div class=\"scroll\"><table>\n<tr>");
    for name in COLUMNS {
        let _ = write!(out, "<th>{name}</th>");
    }
    out.push_str("</tr>\n");
    for row in terminal::rows(sum) {
        let _ = writeln!(out, "<tr><td>{}</td></tr>", row.join("</td><td>"));
    }
    out.push_str("</table></div>\n");
}

fn bars(out: &mut String, name: &str, bars: &[(String, u64)]) {
    let most = bars.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    let _ = writeln!(out, "<figure><figcaption>{name}</figcaption>");
    svg(out, 480, bars.len() as u64 * 18 + 4, name);
    for (y, (label, n)) in (0..).step_by(18).zip(bars) {
        let width = n.saturating_mul(300) / most;
        let _ = writeln!(
            out,
            "<text x=\"64\" y=\"{0}\" text-anchor=\"end\">{label}</text><rect class=\"bar\" x=\"72\" y=\"{1}\" width=\"{width}\" \
             height=\"12\"/><text class=\"tick\" x=\"{2}\" y=\"{0}\">{n}</text>",
            y + 12,
            y + 2,
            78 + width
        );
    }
    out.push_str("</svg></figure>\n");
}
