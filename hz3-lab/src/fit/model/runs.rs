//! The runs of the model: which objects of each are free, and in which order they are handed out.

use super::pages::{Pages, Range, reached};
use hz3_config::plan::{ClassPlan, PAGE};
use hz3_core::heap::page::Span;

/// An object of a class: its run, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object(u64);

impl Object {
    /// Of a run.
    pub fn new(run: u32, number: u16) -> Self {
        Self(u64::from(run) << 16 | u64::from(number))
    }

    /// Its run.
    pub fn run(self) -> usize {
        (self.0 >> 16) as usize
    }

    /// As a number of 48 bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The reverse.
    pub fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    fn number(self) -> u16 {
        self.0 as u16
    }
}

/// Objects in the order in which they will be taken, the first one last.
pub type List = Vec<Object>;

const NONE: u32 = u32::MAX;
/// Objects of so many bytes are carved alone where a page begins.
const ALONE: usize = 256;

#[derive(Debug, Clone)]
struct Run {
    class: u16,
    range: Range,
    capacity: u16,
    carved: u16,
    /// Numbers of free objects, the next one last.
    free: Vec<u16>,
    prev: u32,
    next: u32,
}

impl Run {
    fn live(&self) -> usize {
        usize::from(self.carved) - self.free.len()
    }

    /// The pages that its first objects reach into.
    fn reached(&self, objects: u16, size: usize) -> Span {
        reached(self.range.span, usize::from(objects) * size)
    }

    fn is_exhausted(&self) -> bool {
        self.free.is_empty() && self.carved == self.capacity
    }
}

/// The list of a class's runs that have something left.
#[derive(Debug, Clone, Copy)]
struct Pool {
    first: u32,
    last: u32,
    empty: u32,
}

/// Backed pages of the runs of a class, over time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Held {
    pages: usize,
    /// Pages times events, up to `since`.
    area: u64,
    since: u64,
    high: usize,
    /// Page faults that its objects were the first to need.
    pub faults: u64,
}

impl Held {
    fn change(&mut self, now: u64, to: usize) {
        self.area += self.pages as u64 * (now - self.since);
        (self.pages, self.since) = (to, now);
        self.high = self.high.max(to);
    }

    /// Pages times events since it was last asked, and the most pages of that time. `now` counts events.
    pub fn stretch(&mut self, now: u64) -> (u64, usize) {
        self.change(now, self.pages);
        let found = (self.area, self.high);
        (self.area, self.high) = (0, self.pages);
        found
    }
}

/// All runs.
#[derive(Debug, Clone)]
pub struct Runs {
    runs: Vec<Run>,
    gone: Vec<u32>,
    pools: Vec<Pool>,
    keep: u32,
    /// What the runs of each class hold.
    pub held: Vec<Held>,
    /// Events of the recording so far.
    pub clock: u64,
}

impl Runs {
    /// None yet, of so many classes, each of which keeps so many empty ones.
    pub fn new(classes: usize, keep: u32) -> Self {
        let pool = Pool {
            first: NONE,
            last: NONE,
            empty: 0,
        };
        Self {
            runs: Vec::new(),
            gone: Vec::new(),
            pools: vec![pool; classes],
            keep,
            held: vec![Held::default(); classes],
            clock: 0,
        }
    }

    /// The class of an object.
    pub fn class(&self, object: Object) -> usize {
        usize::from(self.runs[object.run()].class)
    }

    /// Up to `want` objects of a class; those that were never handed out come from one page. None if there is no run and no
    /// pages for one: `grow` says whether the heap may become larger for it, `open` whether there may be a new run at all.
    pub fn take(&mut self, class: &ClassPlan, want: usize, how: How, pages: &mut Pages, now: u64) -> List {
        let id = usize::from(class.id.0);
        let mut batch = List::new();
        while batch.len() < want {
            if self.pools[id].first == NONE
                && (!batch.is_empty() || how == How::Held || !self.open(class, how == How::Grow, pages, now))
            {
                break;
            }
            let index = self.pools[id].first;
            let run = &mut self.runs[index as usize];
            if run.live() == 0 {
                self.pools[id].empty -= 1;
            }
            if batch.is_empty() && run.free.len() <= want {
                batch.extend(run.free.drain(..).map(|n| Object::new(index, n)));
            } else {
                while batch.len() < want
                    && let Some(n) = run.free.pop()
                {
                    batch.push(Object::new(index, n));
                }
            }
            let carved = batch.is_empty();
            let size = class.size as usize;
            if run.carved < run.capacity && batch.len() < want && (carved || size < ALONE) {
                let n = carve(run, size, want - batch.len());
                let from = run.carved - n;
                // The carved objects lie in front of what is there, in rising order.
                batch.extend((from..run.carved).rev().map(|n| Object::new(index, n)));
                let (old, new) = (run.reached(from, size), run.reached(run.carved, size));
                let before = pages.kernel.faults;
                pages.touch(run.range.place, new);
                let held = &mut self.held[id];
                held.faults += pages.kernel.faults - before;
                if new.len > old.len {
                    held.change(self.clock, held.pages + new.len - old.len);
                }
            }
            let exhausted = run.is_exhausted();
            if exhausted {
                self.unlink(id, index);
            }
            if carved || !exhausted {
                break;
            }
        }
        batch
    }

    fn open(&mut self, class: &ClassPlan, grow: bool, pages: &mut Pages, now: u64) -> bool {
        let Some(range) = pages.take(class.run_pages as usize, 1, grow, now) else {
            return false;
        };
        let run = Run {
            class: class.id.0,
            range,
            capacity: class.objects as u16,
            carved: 0,
            free: Vec::new(),
            prev: NONE,
            next: NONE,
        };
        let index = match self.gone.pop() {
            Some(index) => {
                self.runs[index as usize] = run;
                index
            }
            None => {
                self.runs.push(run);
                self.runs.len() as u32 - 1
            }
        };
        let pool = &mut self.pools[usize::from(class.id.0)];
        pool.empty += 1;
        let first = std::mem::replace(&mut pool.first, index);
        if first == NONE {
            pool.last = index;
        } else {
            self.runs[first as usize].prev = index;
        }
        self.runs[index as usize].next = first;
        true
    }

    /// Objects go home, each to its run. Returns whether a run was closed.
    pub fn give(&mut self, class: &ClassPlan, list: List, pages: &mut Pages, now: u64) -> bool {
        let id = usize::from(class.id.0);
        let mut closed = false;
        for object in list.into_iter().rev() {
            let index = object.run() as u32;
            let run = &mut self.runs[index as usize];
            let exhausted = run.is_exhausted();
            run.free.push(object.number());
            let empty = run.live() == 0;
            if exhausted {
                self.append(id, index);
            }
            if empty {
                if self.pools[id].empty < self.keep {
                    self.pools[id].empty += 1;
                } else {
                    self.close(class, index, pages, now);
                    closed = true;
                }
            }
        }
        closed
    }

    fn close(&mut self, class: &ClassPlan, index: u32, pages: &mut Pages, now: u64) {
        let (id, size) = (usize::from(class.id.0), class.size as usize);
        self.unlink(id, index);
        self.gone.push(index);
        let run = &self.runs[index as usize];
        let held = &mut self.held[id];
        held.change(self.clock, held.pages - run.reached(run.carved, size).len);
        pages.give(run.range, now);
    }

    fn append(&mut self, id: usize, index: u32) {
        let last = std::mem::replace(&mut self.pools[id].last, index);
        if last == NONE {
            self.pools[id].first = index;
        } else {
            self.runs[last as usize].next = index;
        }
        let run = &mut self.runs[index as usize];
        (run.prev, run.next) = (last, NONE);
    }

    fn unlink(&mut self, id: usize, index: u32) {
        let (prev, next) = {
            let run = &self.runs[index as usize];
            (run.prev, run.next)
        };
        match prev {
            NONE => self.pools[id].first = next,
            prev => self.runs[prev as usize].next = next,
        }
        match next {
            NONE => self.pools[id].last = prev,
            next => self.runs[next as usize].prev = prev,
        }
    }
}

/// How far a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Runs that there are.
    Held,
    /// Free pages of segments that there are, too.
    Segments,
    /// The heap grows.
    Grow,
}

/// Hands out objects that never were; returns how many.
fn carve(run: &mut Run, size: usize, want: usize) -> u16 {
    let page = PAGE as usize;
    let start = usize::from(run.carved) * size;
    let offset = start % page;
    let n = if size >= ALONE && (run.carved == 0 || offset < size) {
        1
    } else {
        (page - offset)
            .div_ceil(size)
            .min(want)
            .min(usize::from(run.capacity - run.carved))
    };
    run.carved += n as u16;
    n as u16
}
