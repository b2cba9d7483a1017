//! Decoding of made-up memory: what is right comes out right, and what is not never does harm.

use super::decode::{in_use, name, read};
use super::memory::Fault;
use super::snapshot::{FreeState, Run, Snapshot, Use};
use super::world::{BASE, OUTSIDE, SEGMENT, World, world};
use super::{page, summary, terminal};
use hz3_core::statics::layout::{Numbers, VERSION};

fn uses(s: &Snapshot, segment: usize) -> Vec<(u16, u16, Use)> {
    s.segments[segment]
        .spans
        .iter()
        .map(|x| (x.first, x.pages, x.what))
        .collect()
}

#[test]
fn what_waits_is_added_up() {
    let mut w = world();
    (w.numbers.meta_body, w.numbers.body_quarantine, w.numbers.ward) = (32, 16, 0x2780);
    w.word(0x2500 + 32, 0x2700);
    w.word(0x2700 + 16, 5000);
    w.word(0x2780, 7 << 20);
    let s = read(&w, &w.numbers).expect("a snapshot");
    assert_eq!((s.quarantine, s.quarantine_large), (5000, 7 << 20));
    let (plain, sum) = (summary::of(&read_plain()), summary::of(&s));
    assert_eq!(
        plain.totals.live_bytes.saturating_sub(5000 + (7 << 20)),
        sum.totals.live_bytes
    );
    assert!(page::page(&s, &sum).contains("in quarantine"));
}

fn read_plain() -> Snapshot {
    let w = world();
    read(&w, &w.numbers).expect("a snapshot")
}

#[test]
fn guards_are_told_from_what_they_guard() {
    let mut w = world();
    // In place of the last descriptors, which nothing here uses.
    w.numbers.segment_guards = w.numbers.segment_bytes - 64;
    let guards = BASE + w.numbers.segment_guards;
    w.run(BASE, 10, 299, [0xffff, 0, 0, 0]);
    w.mark(guards, 9..10);
    w.mark(guards, 309..310);
    let s = read(&w, &w.numbers).expect("a heap");
    let seen: Vec<_> = uses(&s, 0).into_iter().skip(2).take(4).collect();
    let run = seen[0].2;
    assert!(matches!(run, Use::Run(_)));
    assert_eq!(
        seen,
        [
            (6, 3, run),
            (9, 1, Use::Guard),
            (10, 299, Use::Large),
            (309, 1, Use::Guard)
        ]
    );
    let sum = summary::of(&s);
    assert_eq!((sum.totals.guard_pages, sum.totals.unknown_pages), (2, 0));
    assert!(page::page(&s, &sum).contains("page 309: a guard, which nobody may touch"));
}

#[test]
fn a_heap_is_read() {
    let w = world();
    assert_eq!(name(&w, &w.numbers), Ok("test".to_owned()));
    assert_eq!(in_use(&w, &w.numbers), Ok(true));
    let s = read(&w, &w.numbers).expect("a heap");
    let holed = |class, owner, out, carved, capacity, given| {
        Use::Run(Run {
            class,
            owner,
            out,
            carved,
            capacity,
            given,
        })
    };
    let run = |class, owner, out, carved, capacity| holed(class, owner, out, carved, capacity, 0);
    assert_eq!(
        uses(&s, 0),
        [
            (0, 5, Use::Header),
            (5, 1, run(0, 0, 40, 44, 64)),
            (6, 4, holed(1, 1, 8, 8, 8, 2)),
            (10, 300, Use::Large),
            (310, 40, Use::Dirty),
            (350, 50, Use::Clean),
            (400, 112, Use::Purging),
        ]
    );
    assert_eq!(uses(&s, 1), [(0, 5, Use::Header), (5, 507, Use::Clean)]);
    assert_eq!(
        uses(&s, 2),
        [(0, 5, Use::Header), (5, 1, run(1, 0, 1, 1, 2)), (6, 506, Use::Clean)]
    );
    assert_eq!([s.segments[1].outside, s.segments[2].outside], [false, true]);
    assert_eq!(s.segments[0].spans[2].resident, Some(2));
    let huge: Vec<_> = s.huge.iter().map(|h| (h.address, h.bytes, h.outside)).collect();
    assert_eq!(
        huge,
        [
            (BASE + 2 * SEGMENT, 600 * 4096, false),
            (OUTSIDE + SEGMENT, SEGMENT, true)
        ]
    );
    let free: Vec<_> = s.free.iter().map(|f| (f.address - BASE, f.segments, f.state)).collect();
    let at = |i| i * SEGMENT;
    assert_eq!(
        free,
        [
            (at(4), 1, FreeState::Dirty),
            (at(5), 1, FreeState::Clean),
            (at(6), 1, FreeState::Purging)
        ]
    );
    let caches: Vec<_> = s.classes.iter().map(|c| (c.magazines, c.depots)).collect();
    assert_eq!(caches, [(6, 3), (2, 5)]);
    assert_eq!((s.threads, s.ring_objects, s.torn), (2, 9, 0));
}

#[test]
fn sums_are_those_of_the_parts() {
    let w = world();
    let sum = summary::of(&read(&w, &w.numbers).expect("a heap"));
    let rows: Vec<_> = sum
        .classes
        .iter()
        .map(|r| [r.runs, r.pages, r.out, r.cached, r.live, r.free])
        .collect();
    assert_eq!(rows, [[1, 1, 40, 9, 31, 24], [2, 5, 9, 7, 2, 1]]);
    let t = sum.totals;
    assert_eq!(
        (t.given_pages, sum.classes.iter().map(|r| r.given).collect()),
        (2, vec![0, 2])
    );
    assert_eq!((t.segments, t.outside, t.huge_objects, t.large_objects), (3, 2, 2, 1));
    assert_eq!(
        [t.dirty_pages, t.clean_pages, t.purging_pages, t.header_pages],
        [40, 1063, 112, 15]
    );
    assert_eq!(t.live_bytes, 31 * 64 + 2 * 2048 + 300 * 4096 + 600 * 4096 + SEGMENT);
    assert_eq!(t.taken_bytes, 3 * SEGMENT + 600 * 4096 + SEGMENT);
    assert_eq!(sum.runs_by_occupancy, [0, 0, 0, 0, 0, 1, 1, 0, 0, 1]);
    assert_eq!(sum.segments_by_use.iter().sum::<u64>(), 3);
}

#[test]
fn what_is_saved_is_what_was_read() {
    let w = world();
    let s = read(&w, &w.numbers).expect("a heap");
    let text = serde_json::to_string(&s).expect("JSON");
    assert_eq!(Snapshot::parse(&text), Ok(s.clone()));
    let error = |from: &str, to: &str| Snapshot::parse(&text.replace(from, to)).expect_err("an error");
    assert_eq!(
        error("\"version\":1,", "\"version\":2,"),
        "is a snapshot of version 2, and this hz3 reads version 1"
    );
    assert_eq!(error("hz3-heap", "other"), "is no snapshot of a heap");
    assert_eq!(
        error("\"first\":10,", "\"first\":11,"),
        "is a damaged snapshot: pages are missing or double"
    );
    assert_eq!(
        error("\"out\":40,", "\"out\":65,"),
        "is a damaged snapshot: a run that cannot be"
    );
    assert!(error("\"classes\"", "\"klasses\"").starts_with("is a damaged snapshot: missing field `classes`"));
    assert!(
        Snapshot::parse("{")
            .expect_err("an error")
            .starts_with("is no snapshot of a heap: EOF")
    );
}

#[test]
fn the_picture_has_every_page() {
    let w = world();
    let s = read(&w, &w.numbers).expect("a heap");
    let text = terminal::map(&s, Some(8), false);
    let lines: Vec<&str> = text.lines().collect();
    let cells = |letters: &[(&str, usize)]| letters.iter().map(|(l, n)| l.repeat(*n)).collect::<String>();
    let full = cells(&[("#", 1), ("L", 38), ("+", 5), (".", 6), ("~", 14)]);
    assert_eq!(lines[0], format!("    20000000  {full}   60 %"));
    assert_eq!(lines[1], format!("    20200000  #{}    0 %", ".".repeat(63)));
    assert_eq!(lines[2], "    20400000  one object of 2.34 MiB");
    assert_eq!(lines[3], "    20800000  1 free segment, backed");
    assert!(
        lines
            .iter()
            .any(|l| l.starts_with("700000000000") && l.ends_with("outside of the arena"))
    );
    let one = terminal::map(&s, Some(1), false);
    assert!(one.starts_with("    20000000  #####ADDDDLLLL"), "{one}");
    assert!(!one.contains('\x1b') && terminal::map(&s, None, true).contains("\x1b[38;5;39m"));

    let page = page::page(&s, &summary::of(&s));
    assert!(!page.contains("http://") && !page.contains("https://"), "no network");
    for tag in ["svg", "table", "figure", "div", "path", "rect", "p"] {
        let count = |t: &str| page.matches(t).count();
        let opened = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
        let closed = count(&format!("</{tag}>"))
            + if tag == "path" || tag == "rect" {
                count_closed(&page, tag)
            } else {
                0
            };
        assert_eq!(opened, closed, "{tag}");
    }
    assert!(page.contains("<title>pages 6-9: run of 2048-byte objects, 8 of 8 out, 8 ever handed out, 2 pages given back, owner 1, 2 of 4 pages in memory</title>"));
}

/// Elements that close themselves.
fn count_closed(page: &str, tag: &str) -> usize {
    let start = format!("<{tag} ");
    let tags = page.match_indices(&start).map(|(i, _)| &page[i..]);
    tags.filter(|text| text.find('>').is_some_and(|end| text[..end].ends_with('/')))
        .count()
}

#[test]
fn an_arena_that_is_not_there_is_empty() {
    let mut w = world();
    w.word(0x2000, 0);
    w.word(0x2000 + 40, 0);
    w.word(0x2100, 0);
    assert_eq!(in_use(&w, &w.numbers), Ok(false));
    let s = read(&w, &w.numbers).expect("a heap");
    assert!(s.segments.is_empty() && s.huge.is_empty() && s.threads == 0);
    assert_eq!(summary::of(&s).totals.taken_per_live, 0.0);
}

#[test]
fn a_segment_that_changes_is_drawn_as_far_as_it_makes_sense() {
    let mut w = world();
    // The run's length reaches into free pages.
    w.run(BASE, 10, 301, [0xffff, 0, 0, 0]);
    // More objects free than carved.
    w.run(BASE, 5, 1, [0, 45, 44, 64]);
    // The segment outside was unmapped.
    w.pieces.remove(&OUTSIDE);
    let s = read(&w, &w.numbers).expect("a heap");
    assert_eq!(s.segments.len(), 2);
    assert_eq!(uses(&s, 0)[1], (5, 1, Use::Unknown));
    assert_eq!(uses(&s, 0)[3], (10, 300, Use::Unknown));
    assert_eq!(s.torn, 2);
    assert_eq!(summary::of(&s).totals.unknown_pages, 301);
}

#[test]
fn a_range_that_waits_for_its_lot_is_free() {
    let mut w = world();
    w.run(BASE, 10, 300, [0xfffe, 0, 300, 0]);
    let s = read(&w, &w.numbers).expect("a heap");
    assert_eq!(uses(&s, 0)[3..5], [(10, 300, Use::Dirty), (310, 40, Use::Dirty)]);
    assert_eq!(s.torn, 0);
}

#[test]
fn nonsense_is_refused() {
    let refused = |change: &dyn Fn(&mut World)| {
        let mut w = world();
        change(&mut w);
        read(&w, &w.numbers).expect_err("an error").to_string()
    };
    assert_eq!(
        refused(&|w| w.numbers.version += 1),
        "the layout cannot be what was read"
    );
    assert_eq!(
        refused(&|w| w.numbers.segment_runs = 1 << 40),
        "the layout cannot be what was read"
    );
    assert_eq!(
        refused(&|w| w.word(0x2000, BASE + 1)),
        "the arena cannot be what was read"
    );
    assert_eq!(refused(&|w| w.word(0x2010, 9)), "the arena cannot be what was read");
    assert_eq!(
        refused(&|w| w.word(0x1100, 0)),
        "the table of classes cannot be what was read"
    );
    assert_eq!(refused(&|w| w.word(0x2018, 0)), "nothing can be read at 0x0");
    assert_eq!(Fault::Ended.to_string(), "it ended");
}

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

#[test]
fn garbage_does_no_harm() {
    let good = world();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut read_through, rounds) = (0, 3000);
    for _ in 0..rounds {
        let mut w = good.clone();
        let places: Vec<(u64, usize)> = w.pieces.iter().map(|(at, piece)| (*at, piece.len())).collect();
        for _ in 0..=dice.roll(40) {
            let (at, length) = places[dice.roll(places.len() as u64) as usize];
            // Small pieces of table are hit as often as whole headers.
            let width = if dice.roll(2) == 0 { 0x1800 } else { length as u64 - 8 };
            let from = dice.roll(width);
            let word = match dice.roll(3) {
                0 => dice.roll(u64::MAX),
                1 => dice.roll(1 << 16),
                _ => 0,
            };
            let bytes = word.to_ne_bytes();
            w.put(at + from, &bytes[..1 + dice.roll(8) as usize]);
        }
        let Ok(s) = read(&w, &w.numbers) else { continue };
        read_through += 1;
        let sum = summary::of(&s);
        for segment in &s.segments {
            assert_eq!(segment.spans.iter().map(|x| u64::from(x.pages)).sum::<u64>(), 512);
        }
        if read_through % 50 == 0 {
            terminal::map(&s, None, false);
            page::page(&s, &sum);
            let text = serde_json::to_string(&s).expect("JSON");
            assert_eq!(Snapshot::parse(&text), Ok(s));
        }
    }
    assert!(
        read_through > rounds / 20,
        "{read_through} of {rounds}: most garbage should be survived"
    );
}

#[test]
fn a_garbled_layout_does_no_harm() {
    let good = world();
    let mut dice = Dice(7);
    for _ in 0..2000 {
        let mut w = good.clone();
        let mut bytes = hz3_core::statics::layout::MAGIC.to_vec();
        bytes.extend((VERSION as u64).to_ne_bytes());
        for _ in 0..64 {
            let width = dice.roll(48);
            bytes.extend(dice.roll(1 << width).to_ne_bytes());
        }
        w.numbers = Numbers::read(&bytes).expect("enough words");
        let _ = read(&w, &w.numbers);
        // Sensible but for one number.
        let n = &mut w.numbers;
        *n = good.numbers;
        let value = dice.roll(1 << 14);
        let which = dice.roll(12);
        let field = [
            &mut n.segment_first,
            &mut n.segment_runs,
            &mut n.run_bytes,
            &mut n.run_pages,
            &mut n.class_count,
            &mut n.shards,
            &mut n.depot_words,
            &mut n.header_pages,
            &mut n.segment_pages,
            &mut n.cell_bytes,
            &mut n.slot_bytes,
            &mut n.meta_bank,
        ]
        .into_iter()
        .nth(which as usize);
        *field.expect("a field") = value;
        let _ = read(&w, &w.numbers);
    }
}
