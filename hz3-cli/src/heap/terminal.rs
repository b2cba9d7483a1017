//! A heap drawn with characters.

use super::snapshot::{FreeState, Segment, Snapshot, Span, Use};
use super::summary::{Summary, used_pages};
use crate::style::{roughly, table};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Cells a line.
const WIDTH: u64 = 64;
/// Lines that the picture should not exceed, where larger cells can help.
const LINES: u64 = 64;

/// Upper ends of the bands of object sizes, in bytes; the last band has all that is larger.
pub const BANDS: [u32; 5] = [64, 256, 1024, 4096, 16384];

/// The band of a size.
pub fn band(size: u32) -> usize {
    BANDS.iter().position(|&end| size <= end).unwrap_or(BANDS.len())
}

/// What a band is called: `to 64 B`, `above 16 KiB`.
pub fn band_name(band: usize) -> String {
    match BANDS.get(band) {
        Some(&end) => format!("to {}", crate::style::bytes(end.into())),
        None => format!("above {}", crate::style::bytes(BANDS[BANDS.len() - 1].into())),
    }
}

/// What stands at an address.
pub enum Item<'a> {
    /// A segment of pages.
    Segment(&'a Segment),
    /// A huge object: bytes, whether outside, bytes in memory.
    Huge(u64, bool, Option<u64>),
    /// Free segments: how many, and what they are.
    Free(u64, FreeState),
}

/// All of a heap, by address.
pub fn items(s: &Snapshot) -> Vec<(u64, Item<'_>)> {
    let segments = s.segments.iter().map(|x| (x.address, Item::Segment(x)));
    let huge = s.huge.iter().map(|h| {
        let resident = h.resident.map(|pages| pages.saturating_mul(s.page_bytes));
        (h.address, Item::Huge(h.bytes, h.outside, resident))
    });
    let free = s.free.iter().map(|f| (f.address, Item::Free(f.segments, f.state)));
    let mut all: Vec<_> = segments.chain(huge).chain(free).collect();
    all.sort_by_key(|(address, _)| *address);
    all
}

/// What a free segment's state is called.
pub fn state_name(state: FreeState) -> &'static str {
    match state {
        FreeState::Dirty => "backed",
        FreeState::Clean => "given back",
        FreeState::Purging => "being given back",
    }
}

/// What a cell shows; of several sorts that have equally many pages, the one that stands first here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shade {
    Band(usize),
    Large,
    Dirty,
    Clean,
    Purging,
    Unknown,
    Header,
    Guard,
}

/// What a page holds that is in no run of objects: its shade, its class on a page, its name in a legend.
pub const OTHERS: [(Shade, &str, &str); 7] = [
    (Shade::Large, "large", "large object"),
    (Shade::Dirty, "dirty", "free, backed"),
    (Shade::Clean, "clean", "free, not backed"),
    (Shade::Purging, "purging", "being given back"),
    (Shade::Header, "header", "header"),
    (Shade::Guard, "guard", "guard"),
    (Shade::Unknown, "unknown", "changed meanwhile"),
];

impl Shade {
    /// Number of its colour in the 256-colour palette.
    fn colour(self) -> u8 {
        match self {
            Shade::Band(band) => [39, 43, 76, 178, 208, 170][band.min(5)],
            Shade::Large => 141,
            Shade::Dirty => 250,
            Shade::Clean => 240,
            Shade::Purging => 45,
            Shade::Unknown => 196,
            Shade::Header => 244,
            Shade::Guard => 160,
        }
    }

    /// Its character; `full` is the share of objects that are out.
    fn glyph(self, full: f64, colour: bool) -> char {
        match self {
            Shade::Band(_) if full == 0.0 => 'o',
            Shade::Band(_) if colour => ['░', '▒', '▓', '█'][((full * 4.0) as usize).min(3)],
            Shade::Band(band) => {
                let letter = (b'a' + band.min(5) as u8) as char;
                if full >= 0.5 {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
            }
            Shade::Large => 'L',
            Shade::Dirty => '+',
            Shade::Clean => '.',
            Shade::Purging => '~',
            Shade::Unknown => '?',
            Shade::Header => '#',
            Shade::Guard => '|',
        }
    }
}

fn shade(s: &Snapshot, span: &Span) -> (Shade, f64) {
    match span.what {
        Use::Run(run) => {
            let size = s.classes.get(usize::from(run.class)).map_or(0, |c| c.size);
            let full = f64::from(run.out) / f64::from(run.capacity.max(1));
            (Shade::Band(band(size)), full)
        }
        Use::Large => (Shade::Large, 1.0),
        Use::Dirty => (Shade::Dirty, 0.0),
        Use::Clean => (Shade::Clean, 0.0),
        Use::Purging => (Shade::Purging, 0.0),
        Use::Unknown => (Shade::Unknown, 0.0),
        Use::Header => (Shade::Header, 1.0),
        Use::Guard => (Shade::Guard, 1.0),
    }
}

/// Characters and their colours, one a cell of `zoom` pages.
fn cells(s: &Snapshot, segment: &Segment, zoom: u64, colour: bool) -> Vec<(char, u8)> {
    let pages: Vec<(Shade, f64)> = segment
        .spans
        .iter()
        .flat_map(|span| std::iter::repeat_n(shade(s, span), usize::from(span.pages)))
        .collect();
    let cell = |pages: &[(Shade, f64)]| {
        let mut tally: BTreeMap<Shade, (u32, f64)> = BTreeMap::new();
        for (shade, full) in pages {
            let sum = tally.entry(*shade).or_default();
            *sum = (sum.0 + 1, sum.1 + full);
        }
        // The last of the largest is taken: from behind, the first.
        let most = tally.into_iter().rev().max_by_key(|(_, sum)| sum.0);
        let (shade, (count, full)) = most.unwrap_or((Shade::Unknown, (1, 0.0)));
        (shade.glyph(full / f64::from(count), colour), shade.colour())
    };
    pages.chunks(zoom.max(1) as usize).map(cell).collect()
}

/// Pages a cell: as few as make a picture that can be looked at.
fn fitting(s: &Snapshot) -> u64 {
    let lines = |zoom: u64| (s.segments.len() as u64).saturating_mul(s.segment_pages.div_ceil(WIDTH * zoom));
    [1, 2, 4].into_iter().find(|&zoom| lines(zoom) <= LINES).unwrap_or(8)
}

/// The picture, with its legend. `zoom` is pages a cell.
pub fn map(s: &Snapshot, zoom: Option<u64>, colour: bool) -> String {
    let zoom = zoom.unwrap_or_else(|| fitting(s));
    let mut out = String::new();
    for (address, item) in items(s) {
        match item {
            Item::Segment(segment) => {
                let cells = cells(s, segment, zoom, colour);
                let (used, all) = used_pages(segment);
                for (i, line) in cells.chunks(WIDTH as usize).enumerate() {
                    let _ = match i {
                        0 => write!(out, "{address:12x}  "),
                        _ => write!(out, "{:12}  ", ""),
                    };
                    paint(&mut out, line, colour);
                    if i == 0 {
                        let _ = write!(out, "  {:3} %", used * 100 / all.max(1));
                    }
                    if i == 0 && segment.outside {
                        out.push_str("  outside of the arena");
                    }
                    out.push('\n');
                }
            }
            Item::Huge(bytes, outside, resident) => {
                let _ = write!(out, "{address:12x}  one object of {}", roughly(bytes));
                if let Some(resident) = resident {
                    let _ = write!(out, ", {} in memory", roughly(resident));
                }
                out.push_str(if outside { ", outside of the arena\n" } else { "\n" });
            }
            Item::Free(segments, state) => {
                let segments = count(segments, "free segment");
                let _ = writeln!(out, "{address:12x}  {segments}, {}", state_name(state));
            }
        }
    }
    if !s.segments.is_empty() {
        out.push('\n');
        legend(&mut out, s.page_bytes.saturating_mul(zoom), colour);
    }
    out
}

fn paint(out: &mut String, line: &[(char, u8)], colour: bool) {
    for same in line.chunk_by(|a, b| a.1 == b.1) {
        let text: String = same.iter().map(|c| c.0).collect();
        let _ = match same.first() {
            Some((_, code)) if colour => write!(out, "\x1b[38;5;{code}m{text}\x1b[0m"),
            _ => write!(out, "{text}"),
        };
    }
}

fn legend(out: &mut String, cell: u64, colour: bool) {
    let _ = writeln!(
        out,
        "A cell is {}; at the end of the line: pages in use.",
        crate::style::bytes(cell)
    );
    out.push_str("Runs of objects ");
    for band in 0..=BANDS.len() {
        let shade = Shade::Band(band);
        paint(out, &[(shade.glyph(1.0, colour), shade.colour())], colour);
        let _ = write!(out, " {}  ", band_name(band));
    }
    out.push_str(if colour {
        "\n░▒▓█ by quarters of their objects that are out, o none"
    } else {
        "\ncapital letters: half of their objects are out or more, o none"
    });
    out.push('\n');
    for (shade, _, name) in OTHERS {
        paint(out, &[(shade.glyph(1.0, colour), shade.colour())], colour);
        let _ = write!(out, " {name}  ");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
}

/// `1 segment`, `2 segments`.
pub fn count(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

/// What stands above the tables: key and sentence.
pub fn facts(s: &Snapshot, sum: &Summary) -> Vec<(&'static str, String)> {
    let t = &sum.totals;
    let pages = |n: u64| roughly(n.saturating_mul(s.page_bytes));
    let in_memory = t.resident_bytes.map(|b| format!(", {} of it in memory", roughly(b)));
    let mut facts = vec![
        ("variant", s.variant.clone()),
        ("process", format!("{}: {}", s.pid, s.command)),
        ("read", s.time.clone()),
        (
            "taken",
            format!(
                "{}: {} and {}{}{}",
                roughly(t.taken_bytes),
                count(t.segments, "segment"),
                count(t.huge_objects, "huge object"),
                if t.outside > 0 {
                    format!(", {} of them outside of the arena", t.outside)
                } else {
                    String::new()
                },
                in_memory.unwrap_or_default()
            ),
        ),
        (
            "live",
            format!(
                "{}: small ones {}, {} {}, {} {}",
                roughly(t.live_bytes),
                roughly(sum.classes.iter().map(|r| r.live_bytes).fold(0, u64::saturating_add)),
                count(t.large_objects, "large object"),
                pages(t.large_pages),
                count(t.huge_objects, "huge object"),
                roughly(t.huge_bytes)
            ),
        ),
        ("taken / live", format!("{:.3}", t.taken_per_live)),
        (
            "waiting",
            format!(
                "{} in depots and in magazines of {}, {} in runs, {} of their pages given back",
                roughly(t.cached_bytes),
                count(s.threads, "thread"),
                roughly(t.run_free_bytes),
                pages(t.given_pages)
            ),
        ),
        (
            "free pages",
            format!(
                "{} backed, {} not backed, {} being given back",
                pages(t.dirty_pages),
                pages(t.clean_pages),
                pages(t.purging_pages)
            ),
        ),
        (
            "free segments",
            format!("{} backed, {} not backed", t.free_segments_dirty, t.free_segments_clean),
        ),
    ];
    if t.guard_pages > 0 {
        facts.push(("guards", format!("{}, none of it memory", pages(t.guard_pages))));
    }
    if s.quarantine > 0 || s.quarantine_large > 0 {
        facts.push((
            "in quarantine",
            format!(
                "{}, and large objects of {}, none of it memory",
                roughly(s.quarantine),
                roughly(s.quarantine_large)
            ),
        ));
    }
    if s.ring_objects > 0 {
        facts.push((
            "in rings",
            format!("{}, counted as live", count(s.ring_objects, "object")),
        ));
    }
    if s.torn > 0 {
        let pages = pages(t.unknown_pages);
        facts.push((
            "changed meanwhile",
            format!("{}, {pages} of pages", count(s.torn, "place")),
        ));
    }
    facts
}

/// The columns of the table of classes.
pub const COLUMNS: [&str; 10] = [
    "size",
    "runs",
    "pages",
    "given back",
    "in memory",
    "live",
    "cached",
    "free",
    "out",
    "live bytes",
];

/// The table of classes, cell by cell.
pub fn rows(sum: &Summary) -> Vec<[String; COLUMNS.len()]> {
    sum.classes
        .iter()
        .map(|r| {
            let share = r.out as f64 * 100.0 / r.capacity.max(1) as f64;
            [
                r.size.to_string(),
                r.runs.to_string(),
                r.pages.to_string(),
                r.given.to_string(),
                r.resident.map_or_else(|| "-".to_owned(), |n| n.to_string()),
                r.live.to_string(),
                r.cached.to_string(),
                r.free.to_string(),
                format!("{share:.0} %"),
                r.live_bytes.to_string(),
            ]
        })
        .collect()
}

/// Prints facts, tables and histograms.
pub fn print(s: &Snapshot, sum: &Summary) {
    crate::style::print_fields(&facts(s, sum));
    if sum.classes.is_empty() && s.segments.is_empty() {
        return;
    }
    println!();
    let mut classes = table(&COLUMNS, 0);
    for row in rows(sum) {
        classes.add_row(row);
    }
    crate::style::print_table(&classes);
    println!();
    let mut tenths = table(&["share", "runs by objects out", "segments by pages in use"], 1);
    tenths.add_row(["none".to_owned(), sum.empty_runs.to_string(), String::new()]);
    for (i, (runs, segments)) in sum.runs_by_occupancy.iter().zip(sum.segments_by_use).enumerate() {
        tenths.add_row([
            format!("{}-{} %", i * 10, i * 10 + 10),
            runs.to_string(),
            segments.to_string(),
        ]);
    }
    crate::style::print_table(&tenths);
}
