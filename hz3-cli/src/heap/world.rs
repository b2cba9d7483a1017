//! Memory of a process that never was, for tests.

use super::memory::Memory;
use hz3_core::statics::layout::{Numbers, VERSION};
use std::collections::BTreeMap;
use std::io;

pub const SEGMENT: u64 = 2 << 20;
pub const BASE: u64 = 0x2000_0000;
pub const OUTSIDE: u64 = 0x7000_0000_0000;

/// Memory of a process that never was: pieces by address.
#[derive(Clone)]
pub struct World {
    pub numbers: Numbers,
    pub pieces: BTreeMap<u64, Vec<u8>>,
}

impl Memory for World {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let unmapped = || io::Error::from_raw_os_error(5);
        let (start, piece) = self.pieces.range(..=at).next_back().ok_or_else(unmapped)?;
        let from = usize::try_from(at - start).map_err(|_| unmapped())?;
        let end = from.checked_add(into.len()).ok_or_else(unmapped)?;
        into.copy_from_slice(piece.get(from..end).ok_or_else(unmapped)?);
        Ok(())
    }

    fn resident(&self, at: u64, pages: usize) -> Option<Vec<bool>> {
        // Every other page, from the first on.
        self.pieces
            .contains_key(&at)
            .then(|| (0..pages).map(|p| p % 2 == 0).collect())
    }
}

impl World {
    pub fn put(&mut self, at: u64, bytes: &[u8]) {
        let (start, piece) = self.pieces.range_mut(..=at).next_back().expect("a piece");
        let from = (at - start) as usize;
        piece[from..from + bytes.len()].copy_from_slice(bytes);
    }

    pub fn word(&mut self, at: u64, word: u64) {
        self.put(at, &word.to_ne_bytes());
    }

    fn half(&mut self, at: u64, half: u16) {
        self.put(at, &half.to_ne_bytes());
    }

    /// Marks pages of a set of a segment.
    pub fn mark(&mut self, at: u64, pages: std::ops::Range<u64>) {
        for page in pages {
            let (start, piece) = self.pieces.range_mut(..=at).next_back().expect("a piece");
            piece[(at - start + page / 8) as usize] |= 1 << (page % 8);
        }
    }

    /// Makes pages of a segment a run: pool, objects on the free list, carved, capacity.
    pub fn run(&mut self, segment: u64, first: u64, pages: u16, [pool, free, carved, capacity]: [u16; 4]) {
        let n = self.numbers;
        for page in first..first + u64::from(pages) {
            self.half(segment + n.segment_first + page * 2, first as u16);
        }
        let at = segment + n.segment_runs + (first - n.header_pages) * n.run_bytes;
        self.half(at + n.run_pool, pool);
        self.half(at + n.run_free, free);
        self.half(at + n.run_carved, carved);
        self.half(at + n.run_capacity, capacity);
        self.half(at + n.run_pages, pages);
    }
}

/// Two classes and two owners, an arena of eight segments, one segment and one huge object outside, and two threads.
pub fn world() -> World {
    let numbers = Numbers {
        version: VERSION as u64,
        name: 0x1000,
        name_bytes: 4,
        page_bytes: 4096,
        segment_pages: 512,
        header_pages: 5,
        segment_bytes: 18000,
        large: 0xffff,
        gone: 0xfffe,
        class_count: 2,
        shards: 2,
        depot_words: 2,
        classes: 0x1100,
        page_heap: 0x2000,
        threads: 0x2100,
        depots: 0x2200,
        arena_base: 0,
        arena_segments: 8,
        arena_high: 16,
        arena_entries: 24,
        outside_cells: 32,
        outside_capacity: 40,
        cell_bytes: 16,
        cell_key: 0,
        cell_size: 8,
        segment_free: 0,
        segment_dirty: 64,
        segment_out: 128,
        segment_first: 192,
        segment_runs: 1216,
        segment_given: 17440,
        run_bytes: 32,
        run_head: 16,
        run_holed: 1 << 19,
        run_free: 20,
        run_carved: 22,
        run_capacity: 24,
        run_pool: 26,
        run_pages: 28,
        class_bytes: 24,
        class_size: 0,
        class_run_pages: 8,
        class_objects: 10,
        meta_bytes: 64,
        meta_next: 0,
        meta_bank: 8,
        meta_spares: 16,
        meta_ring_used: 24,
        body_quarantine: u64::MAX,
        slot_bytes: 16,
        slot_room: 8,
        slot_cap: 12,
        ..Numbers::default()
    };
    let mut pieces = BTreeMap::from([(0x1000, vec![0; 0x2000])]);
    for at in [BASE, BASE + SEGMENT, OUTSIDE] {
        pieces.insert(at, vec![0; 18000]);
    }
    let mut w = World { numbers, pieces };
    w.put(0x1000, b"test");
    for (i, (size, pages, objects)) in (0u64..).zip([(64u32, 1u16, 64u16), (2048, 4, 8)]) {
        w.put(0x1100 + i * 24, &size.to_ne_bytes());
        w.half(0x1100 + i * 24 + 8, pages);
        w.half(0x1100 + i * 24 + 10, objects);
    }
    // Page heap: base, segments, high, entries; cells and how many.
    for (i, word) in (0u64..).zip([BASE, 8, 7, 0x2300, 0x2400, 4]) {
        w.word(0x2000 + i * 8, word);
    }
    // Entries: pages, pages, huge of 600 pages, its tail, free and backed, free, being purged.
    let entries = [1, 1, 2 | 600 << 32, 3, 1 << 8, 0, 4 | 1 << 8];
    for (i, entry) in (0u64..).zip(entries) {
        w.word(0x2300 + i * 8, entry);
    }
    // Outside: nothing, deleted, a segment of pages, a huge object.
    for (i, word) in (0u64..).zip([0, 0, 1, 0, OUTSIDE / SEGMENT, 0, OUTSIDE / SEGMENT + 1, SEGMENT]) {
        w.word(0x2400 + i * 8, word);
    }
    // Depots: three objects of class 0 for owner 0, five of class 1 for owner 1.
    w.word(0x2200, 0x5000 | 3 << 48);
    w.word(0x2200 + 7 * 8, 0x6000 | 5 << 48);
    // Threads: one that has caches, and one that is about to start.
    w.word(0x2100, 0x2500);
    for (i, word) in (0u64..).zip([0x2540, 0x2600, 0x2680, 9]) {
        w.word(0x2500 + i * 8, word);
    }
    // Its slot of class 0 has room for 10 of 16, its spare of class 1 has 2.
    w.word(0x2600 + 16 + 8, 10 | 16 << 32);
    w.word(0x2680 + 16, 0x7000 | 2 << 48);

    let first = BASE;
    w.run(first, 5, 1, [0, 4, 44, 64]);
    w.run(first, 6, 4, [3, 0, 8, 8]);
    // Pages 7 and 8 of the second run were given back; what else stands there is old.
    w.put(
        first + numbers.segment_runs + numbers.run_bytes + numbers.run_head,
        &(1u32 << 19).to_ne_bytes(),
    );
    w.put(first + numbers.segment_given + 5, &[1, 0, 1, 1, 0, 1]);
    w.run(first, 10, 300, [0xffff, 0, 0, 0]);
    // A long large object of which only the first page is told, as after growth in place.
    w.half(first + numbers.segment_first + 2 * 200, 0);
    w.mark(first + numbers.segment_free, 310..400);
    w.mark(first + numbers.segment_dirty, 300..350);
    w.mark(first + numbers.segment_out, 400..512);
    w.mark(BASE + SEGMENT + numbers.segment_free, 5..512);
    w.run(OUTSIDE, 5, 1, [1, 0, 1, 2]);
    w.mark(OUTSIDE + numbers.segment_free, 6..512);
    w
}
