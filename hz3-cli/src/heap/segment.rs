//! From a segment's header to what its pages are.

use super::memory::Block;
use super::snapshot::{Class, Run, Span, Use};
use hz3_core::statics::layout::Numbers;

/// The pages of the segment whose header is `block`, from first to last and without gaps. What makes no sense, because
/// it changed while it was read or for any other reason, comes out as [`Use::Unknown`].
pub fn spans(numbers: &Numbers, classes: &[Class], block: &Block, resident: Option<&[bool]>) -> Vec<Span> {
    let header = Header {
        numbers,
        classes,
        block,
    };
    let mut spans: Vec<Span> = Vec::new();
    let mut push = |first: u64, pages: u64, what: Use| {
        let in_memory = |r: &[bool]| {
            let pages = r.iter().skip(first as usize).take(pages as usize);
            pages.filter(|p| **p).count() as u16
        };
        let span = Span {
            first: first as u16,
            pages: pages as u16,
            resident: resident.map(in_memory),
            what,
        };
        match spans.last_mut() {
            Some(last) if last.what == Use::Unknown && what == Use::Unknown => {
                last.pages += span.pages;
                last.resident = last.resident.zip(span.resident).map(|(a, b)| a + b);
            }
            _ => spans.push(span),
        }
    };
    push(0, numbers.header_pages, Use::Header);
    let mut at = numbers.header_pages;
    while at < numbers.segment_pages {
        let (pages, what) = match header.free(at) {
            Some(what) => (header.same(at, what), what),
            None => match header.run(at) {
                Some(run) => run,
                None if header.guard(at) => (1, Use::Guard),
                None => (1, Use::Unknown),
            },
        };
        // The guard of a run is its last page.
        let end = at + pages;
        let ends = pages > 1 && matches!(what, Use::Run(_)) && header.guard(end - 1);
        push(at, pages - u64::from(ends), what);
        if ends {
            push(end - 1, 1, Use::Guard);
        }
        at = end;
    }
    spans
}

struct Header<'a> {
    numbers: &'a Numbers,
    classes: &'a [Class],
    block: &'a Block,
}

impl Header<'_> {
    /// Whether a page is a guard.
    fn guard(&self, page: u64) -> bool {
        let guards = self.numbers.segment_guards;
        guards > 0 && self.block.bit(guards, page)
    }

    /// Which sort of free page this is; None if it is in use.
    fn free(&self, page: u64) -> Option<Use> {
        let n = self.numbers;
        if self.block.bit(n.segment_out, page) {
            return Some(Use::Purging);
        }
        if !self.block.bit(n.segment_free, page) {
            return None;
        }
        let dirty = self.block.bit(n.segment_dirty, page);
        Some(if dirty { Use::Dirty } else { Use::Clean })
    }

    /// How many pages from this one on are free in the same way.
    fn same(&self, page: u64, what: Use) -> u64 {
        let end = (page..self.numbers.segment_pages).find(|&p| self.free(p) != Some(what));
        end.unwrap_or(self.numbers.segment_pages) - page
    }

    /// The run that begins at a page, and its length; None if none does that could be one.
    fn run(&self, page: u64) -> Option<(u64, Use)> {
        let n = self.numbers;
        if u64::from(self.block.u16(n.segment_first + 2 * page)) != page {
            return None;
        }
        let at = n.segment_runs + (page - n.header_pages) * n.run_bytes;
        let field = |offset: u64| self.block.u16(at + offset);
        let pages = u64::from(field(n.run_pages));
        if pages == 0 || pages > n.segment_pages - page || (page..page + pages).any(|p| self.free(p).is_some()) {
            return None;
        }
        let pool = field(n.run_pool);
        if u64::from(pool) == n.large {
            return Some((pages, Use::Large));
        }
        // Free, as far as the program is concerned.
        if u64::from(pool) == n.gone {
            return Some((pages, Use::Dirty));
        }
        let (class, owner) = (u64::from(pool) % n.class_count, u64::from(pool) / n.class_count);
        let size = u64::from(self.classes.get(class as usize)?.size);
        let (free, carved, capacity) = (field(n.run_free), field(n.run_carved), field(n.run_capacity));
        let sound = owner < n.shards
            && free <= carved
            && carved <= capacity
            && capacity > 0
            && u64::from(capacity) * size <= pages * n.page_bytes;
        sound.then(|| {
            let run = Run {
                class: class as u16,
                owner: owner as u16,
                out: carved - free,
                carved,
                capacity,
                given: if u64::from(self.block.u32(at + n.run_head)) & n.run_holed != 0 {
                    let given = (page..page + pages).filter(|p| self.block.u8(n.segment_given + p) != 0);
                    given.count() as u16
                } else {
                    0
                },
            };
            (pages, Use::Run(run))
        })
    }
}
