//! From the memory of a process to a [`Snapshot`].
//!
//! The process goes on meanwhile, so that every number may be older or newer than the one before it. Each is checked
//! before it is used; what cannot be is read again, and in the end counted as torn.

use super::memory::{Block, Fault, Memory};
use super::segment;
use super::snapshot::{Arena, Class, FORMAT, Free, FreeState, Huge, Segment, Snapshot, Use, VERSION};
use hz3_config::plan::USER_SPACE;
use hz3_core::heap::arena::{Entry, Kind};
use hz3_core::list::BatchWord;
use hz3_core::os::PAGE;
use hz3_core::statics::layout::{self, Numbers};

/// How often a segment that makes no sense is looked at.
const LOOKS: usize = 4;
/// Bounds of what is believed: segments, cells of the outside table, threads, bytes of depots.
const SEGMENTS: u64 = 1 << 22;
const CELLS: u64 = 1 << 22;
const THREADS: u64 = 1 << 17;
/// More rows than any table has.
const ROWS: u64 = 1 << 13;
const DEPOTS: u64 = 1 << 28;

/// Whether the variant has taken any memory yet.
pub fn in_use(memory: &dyn Memory, numbers: &Numbers) -> Result<bool, Fault> {
    let word = |at: u64| Ok(Block::fetch(memory, numbers.page_heap.wrapping_add(at), 8)?.u64(0));
    Ok(word(numbers.arena_base)? != 0 || word(numbers.outside_capacity)? != 0)
}

/// The name of the variant.
pub fn name(memory: &dyn Memory, numbers: &Numbers) -> Result<String, Fault> {
    if numbers.name_bytes > 256 {
        return Err(nonsense("the variant's name"));
    }
    let text = Block::fetch(memory, numbers.name, numbers.name_bytes as usize)?;
    Ok(String::from_utf8_lossy(&text.0).into_owned())
}

/// Reads the heap that `numbers` describe. What says whose it is (process, command, time) is left empty.
pub fn read(memory: &dyn Memory, numbers: &Numbers) -> Result<Snapshot, Fault> {
    check(numbers)?;
    let reader = Reader { memory, n: numbers };
    let mut snapshot = Snapshot {
        format: FORMAT.to_owned(),
        version: VERSION,
        variant: name(memory, numbers)?,
        page_bytes: numbers.page_bytes,
        segment_pages: numbers.segment_pages,
        ..Snapshot::default()
    };
    snapshot.classes = reader.classes()?;
    reader.arena(&mut snapshot)?;
    reader.outside(&mut snapshot)?;
    reader.depots(&mut snapshot)?;
    reader.threads(&mut snapshot)?;
    if numbers.ward != 0 {
        snapshot.quarantine_large = reader.fetch(numbers.ward, 8)?.u64(0);
    }
    reader.rows(&mut snapshot)?;
    snapshot.segments.sort_by_key(|s| s.address);
    snapshot.huge.sort_by_key(|h| h.address);
    Ok(snapshot)
}

fn nonsense(what: &str) -> Fault {
    Fault::Nonsense(format!("{what} cannot be what was read"))
}

/// Whether the layout can be one at all. Offsets need no check: what they lead to is.
fn check(n: &Numbers) -> Result<(), Fault> {
    let offsets = [
        n.segment_free,
        n.segment_dirty,
        n.segment_out,
        n.segment_guards,
        n.segment_first,
        n.segment_runs,
        n.segment_given,
        n.run_bytes,
        n.run_head,
        n.run_free,
        n.run_carved,
        n.run_capacity,
        n.run_pool,
        n.run_pages,
        n.class_size,
        n.class_run_pages,
        n.class_objects,
        n.cell_key,
        n.cell_size,
        n.meta_next,
        n.meta_bank,
        n.meta_spares,
        n.meta_ring_used,
        n.meta_body,
        n.rows_table,
        n.rows_high,
        n.slot_room,
        n.slot_cap,
    ];
    let sound = n.version == layout::VERSION as u64
        && n.page_bytes == PAGE as u64
        && (256..=8192).contains(&n.segment_pages)
        && (1..n.segment_pages).contains(&n.header_pages)
        && n.segment_bytes <= n.header_pages * n.page_bytes
        && (1..=4096).contains(&n.class_count)
        && (1..=4096).contains(&n.shards)
        && n.depot_words <= 1 << 16
        && n.row_bytes <= 1 << 17
        && [n.class_bytes, n.cell_bytes, n.meta_bytes, n.slot_bytes]
            .iter()
            .all(|b| (8..=4096).contains(b))
        && offsets.iter().all(|&o| o <= n.segment_bytes);
    sound.then_some(()).ok_or_else(|| nonsense("the layout"))
}

struct Reader<'a> {
    memory: &'a dyn Memory,
    n: &'a Numbers,
}

impl Reader<'_> {
    fn fetch(&self, at: u64, bytes: u64) -> Result<Block, Fault> {
        Block::fetch(self.memory, at, bytes as usize)
    }

    /// A word of the page heap.
    fn word(&self, offset: u64) -> Result<u64, Fault> {
        Ok(self.fetch(self.n.page_heap.wrapping_add(offset), 8)?.u64(0))
    }

    fn segment_size(&self) -> u64 {
        self.n.segment_pages * self.n.page_bytes
    }

    fn classes(&self) -> Result<Vec<Class>, Fault> {
        let n = self.n;
        let table = self.fetch(n.classes, n.class_count * n.class_bytes)?;
        let rows = (0..n.class_count).map(|i| i * n.class_bytes).map(|at| Class {
            size: table.u32(at + n.class_size),
            run_pages: table.u16(at + n.class_run_pages),
            objects: table.u16(at + n.class_objects),
            magazines: 0,
            depots: 0,
        });
        let classes: Vec<Class> = rows.collect();
        // (Tokens have a row of classes each.)
        let sound = classes.iter().all(|c| c.size > 0);
        sound.then_some(classes).ok_or_else(|| nonsense("the table of classes"))
    }

    fn arena(&self, snapshot: &mut Snapshot) -> Result<(), Fault> {
        let arena = Arena {
            base: self.word(self.n.arena_base)?,
            segments: self.word(self.n.arena_segments)?,
            high: self.word(self.n.arena_high)?,
        };
        if arena.base == 0 {
            return Ok(());
        }
        let size = self.segment_size();
        if !arena.base.is_multiple_of(size) || arena.base >= USER_SPACE || arena.high > arena.segments.min(SEGMENTS) {
            return Err(nonsense("the arena"));
        }
        snapshot.arena = arena;
        let entries = self.fetch(self.word(self.n.arena_entries)?, arena.high * 8)?;
        let entry = |i: u64| Entry::unpack(entries.u64(i * 8));
        let mut at = 0;
        while at < arena.high {
            let address = arena.base + at * size;
            let this = entry(at);
            at += 1;
            match this.kind {
                Kind::Pages => self.pages(snapshot, address, false)?,
                Kind::Huge => {
                    let bytes = u64::from(this.pages) * self.n.page_bytes;
                    self.huge(snapshot, address, bytes, false);
                    while at < arena.high && entry(at).kind == Kind::Tail {
                        at += 1;
                    }
                }
                // Its first segment was read before it was there.
                Kind::Tail => snapshot.torn += 1,
                Kind::Free | Kind::Purging => free(snapshot, address, size, this),
                // Not the variant's.
                Kind::Lost => {}
            }
        }
        Ok(())
    }

    fn outside(&self, snapshot: &mut Snapshot) -> Result<(), Fault> {
        let n = self.n;
        let capacity = self.word(n.outside_capacity)?;
        if capacity == 0 {
            return Ok(());
        }
        if capacity > CELLS {
            return Err(nonsense("the table of segments outside of the arena"));
        }
        let cells = match self.fetch(self.word(n.outside_cells)?, capacity * n.cell_bytes) {
            // The table grew and moved in between: it is read as it is now, once.
            Err(Fault::Unmapped(_)) => {
                let capacity = self.word(n.outside_capacity)?.min(CELLS);
                self.fetch(self.word(n.outside_cells)?, capacity * n.cell_bytes)?
            }
            other => other?,
        };
        let size = self.segment_size();
        for at in (0..cells.0.len() as u64 / n.cell_bytes).map(|i| i * n.cell_bytes) {
            let (key, bytes) = (cells.u64(at + n.cell_key), cells.u64(at + n.cell_size));
            if key <= 1 {
                continue;
            }
            match (key.checked_mul(size).filter(|a| *a < USER_SPACE), bytes) {
                (Some(address), 0) => self.pages(snapshot, address, true)?,
                (Some(address), bytes) if bytes < USER_SPACE => self.huge(snapshot, address, bytes, true),
                _ => snapshot.torn += 1,
            }
        }
        Ok(())
    }

    /// A segment of pages; torn if it is not there any more.
    fn pages(&self, snapshot: &mut Snapshot, address: u64, outside: bool) -> Result<(), Fault> {
        let mut spans = Vec::new();
        for _ in 0..LOOKS {
            // Before the header is read, which makes pages of it present that were not.
            let resident = self.memory.resident(address, self.n.segment_pages as usize);
            let header = match self.fetch(address, self.n.segment_bytes) {
                Ok(header) => header,
                Err(Fault::Unmapped(_)) => {
                    snapshot.torn += 1;
                    return Ok(());
                }
                Err(fault) => return Err(fault),
            };
            spans = segment::spans(self.n, &snapshot.classes, &header, resident.as_deref());
            if spans.iter().all(|s| s.what != Use::Unknown) {
                break;
            }
        }
        snapshot.torn += u64::from(spans.iter().any(|s| s.what == Use::Unknown));
        snapshot.segments.push(Segment {
            address,
            outside,
            spans,
        });
        Ok(())
    }

    fn huge(&self, snapshot: &mut Snapshot, address: u64, bytes: u64, outside: bool) {
        let pages = bytes / self.n.page_bytes;
        let step = 1 << 16;
        let mut resident = Some(0);
        for from in (0..pages).step_by(step) {
            let count = (pages - from).min(step as u64) as usize;
            let there = self.memory.resident(address + from * self.n.page_bytes, count);
            resident = resident
                .zip(there)
                .map(|(sum, there)| sum + there.iter().filter(|p| **p).count() as u64);
            if resident.is_none() {
                break;
            }
        }
        snapshot.huge.push(Huge {
            address,
            bytes,
            outside,
            resident,
        });
    }

    fn depots(&self, snapshot: &mut Snapshot) -> Result<(), Fault> {
        let n = self.n;
        let words = n.class_count * n.shards * n.depot_words;
        if words * 8 > DEPOTS {
            return Err(nonsense("the depots"));
        }
        let table = self.fetch(n.depots, words * 8)?;
        for at in 0..words {
            let class = (at / n.depot_words % n.class_count) as usize;
            if let Some(class) = snapshot.classes.get_mut(class) {
                class.depots += u64::from(BatchWord(table.u64(at * 8)).unpack().count);
            }
        }
        Ok(())
    }

    /// Where the rows of processors begin; 0 if there are none.
    fn table(&self) -> Result<u64, Fault> {
        match self.n.row_bytes {
            0 => Ok(0),
            _ => Ok(self.fetch(self.n.rows.saturating_add(self.n.rows_table), 8)?.u64(0)),
        }
    }

    /// Adds up what processors have in their lists.
    fn rows(&self, snapshot: &mut Snapshot) -> Result<(), Fault> {
        let n = self.n;
        let table = self.table()?;
        if table == 0 {
            return Ok(());
        }
        let high = self.fetch(n.rows.saturating_add(n.rows_high), 4)?.u32(0);
        for number in 0..u64::from(high).min(ROWS) {
            match self.row(table.saturating_add(number * n.row_bytes), snapshot) {
                Err(Fault::Ended) => return Err(Fault::Ended),
                Err(_) => snapshot.torn += 1,
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Adds up what a row has: a slot's word is the first object and, in the lower 16 bits, how many more the list may take.
    fn row(&self, at: u64, snapshot: &mut Snapshot) -> Result<(), Fault> {
        let n = self.n;
        let slots = self.fetch(at, (n.class_count + 1) * n.slot_bytes)?;
        for (i, class) in (1..).zip(&mut snapshot.classes) {
            let word = slots.u64(i * n.slot_bytes);
            if word >> 16 != 0 {
                let cap = slots.u16(i * n.slot_bytes + n.slot_cap);
                class.magazines += u64::from(cap.saturating_sub(word as u16));
            }
        }
        Ok(())
    }

    /// Adds up what threads have in their magazines. Threads come and go: a list that breaks off is taken as it is.
    fn threads(&self, snapshot: &mut Snapshot) -> Result<(), Fault> {
        let n = self.n;
        let first = self.fetch(n.threads, 8)?.u64(0);
        let own_rows = n.row_bytes > 0 && self.table()? == 0;
        let mut at = first;
        while at != 0 && snapshot.threads < THREADS && (at != first || snapshot.threads == 0) {
            let thread = match self.fetch(at, n.meta_bytes) {
                Ok(thread) => thread,
                Err(Fault::Ended) => return Err(Fault::Ended),
                Err(_) => {
                    snapshot.torn += 1;
                    break;
                }
            };
            snapshot.threads += 1;
            snapshot.ring_objects += u64::from(thread.u32(n.meta_ring_used));
            let body = thread.u64(n.meta_body);
            if n.body_quarantine != u64::MAX && body != 0 {
                match self.fetch(body.wrapping_add(n.body_quarantine), 8) {
                    Ok(held) => snapshot.quarantine = snapshot.quarantine.saturating_add(held.u64(0)),
                    Err(Fault::Ended) => return Err(Fault::Ended),
                    Err(_) => snapshot.torn += 1,
                }
            }
            let (bank, spares) = (thread.u64(n.meta_bank), thread.u64(n.meta_spares));
            at = thread.u64(n.meta_next);
            if bank == 0 {
                continue;
            }
            if n.row_bytes > 0 {
                if own_rows && body != 0 && self.row(body, snapshot).is_err() {
                    snapshot.torn += 1;
                }
                continue;
            }
            let slots = self.fetch(bank, (n.class_count + 1) * n.slot_bytes);
            let spares = self.fetch(spares, (n.class_count + 1) * 8);
            let (Ok(slots), Ok(spares)) = (slots, spares) else {
                snapshot.torn += 1;
                continue;
            };
            for (i, class) in (1..).zip(&mut snapshot.classes) {
                let slot = i * n.slot_bytes;
                let held = u32::from(slots.u16(slot + n.slot_cap)).saturating_sub(slots.u32(slot + n.slot_room));
                class.magazines += u64::from(held + BatchWord(spares.u64(i * 8)).unpack().count);
            }
        }
        Ok(())
    }
}

/// Adds a free segment to those before it, if it is like them.
fn free(snapshot: &mut Snapshot, address: u64, size: u64, entry: Entry) {
    let state = match (entry.kind, entry.dirty) {
        (Kind::Purging, _) => FreeState::Purging,
        (_, true) => FreeState::Dirty,
        (_, false) => FreeState::Clean,
    };
    match snapshot.free.last_mut() {
        Some(last) if last.state == state && last.address + last.segments * size == address => last.segments += 1,
        _ => snapshot.free.push(Free {
            address,
            segments: 1,
            state,
        }),
    }
}
