//! Dumps of a heap: a snapshot's file, and the memory of a process that is looked at from outside.

use crate::Target;
use crate::dice::Dice;

// The reader belongs to a program, not to a library: its files are compiled here once more.
#[allow(dead_code)]
#[path = "../../hz3-cli/src/heap"]
mod reader {
    pub mod decode;
    pub mod memory;
    pub mod page;
    pub mod segment;
    pub mod snapshot;
    pub mod summary;
    pub mod terminal;
    pub mod world;
}

use reader::snapshot::Snapshot;
use reader::world::{World, world};
use reader::{decode, page, summary, terminal};

pub(crate) const TARGET: Target = Target {
    name: "heap",
    about: "a dump of a heap: a snapshot's file, and the memory of a process",
    run: |data| check(data, |_| {}),
    // A fault to be found: a segment that was torn is drawn without its last pages.
    planted: |data| {
        check(data, |snapshot| {
            if snapshot.torn > 1
                && let Some(segment) = snapshot.segments.first_mut()
            {
                segment.spans.pop();
            }
        });
    },
};

fn check(data: &[u8], fault: fn(&mut Snapshot)) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(mut snapshot) = Snapshot::parse(text)
    {
        fault(&mut snapshot);
        sound(&snapshot);
    }
    let w = garbled(data);
    let _ = decode::in_use(&w, &w.numbers);
    if let Ok(mut snapshot) = decode::read(&w, &w.numbers) {
        fault(&mut snapshot);
        sound(&snapshot);
    }
}

/// A process of which some memory is something else: each change is two bytes for the piece and eight more for where and what.
fn garbled(data: &[u8]) -> World {
    let mut w = world();
    let places: Vec<(u64, usize)> = w.pieces.iter().map(|(at, piece)| (*at, piece.len())).collect();
    for change in data.chunks_exact(8).take(64) {
        let (at, length) = places[usize::from(change[0]) % places.len()];
        let from = usize::from(u16::from_le_bytes([change[1], change[2]])) % (length - 8);
        let bytes = 1 + usize::from(change[3] % 8);
        let word = match change[3] >> 3 {
            // Addresses of what is there.
            0 => places[usize::from(change[4]) % places.len()].0 + u64::from(change[5]) * 8,
            1 => u64::MAX - u64::from(change[4]),
            2 => Dice::new(u64::from(u32::from_le_bytes([
                change[4], change[5], change[6], change[7],
            ])))
            .roll(),
            _ => u64::from(u32::from_le_bytes([change[4], change[5], change[6], change[7]])),
        };
        w.put(at + from as u64, &word.to_ne_bytes()[..bytes]);
    }
    w
}

/// What was read has every page once, and can be shown, saved and read again.
fn sound(snapshot: &Snapshot) {
    let sum = summary::of(snapshot);
    for segment in &snapshot.segments {
        let pages: u64 = segment.spans.iter().map(|span| u64::from(span.pages)).sum();
        assert_eq!(pages, snapshot.segment_pages, "pages of a segment");
    }
    terminal::map(snapshot, Some(8), false);
    terminal::map(snapshot, None, true);
    page::page(snapshot, &sum);
    let text = serde_json::to_string(snapshot).expect("JSON");
    assert_eq!(Snapshot::parse(&text).as_ref(), Ok(snapshot));
}
