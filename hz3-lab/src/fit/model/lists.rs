//! What the threads of the model keep, and what waits between them.

use super::events::Events;
use super::pages::Pages;
use super::runs::{How, List, Object, Runs};
use hz3_config::Plan;
use hz3_config::plan::ClassPlan;
use hz3_core::list::Tide;

/// Depots that were found full so many times in a row are closed.
const PATIENCE: u32 = 16;
/// A list of so many batches counts as if a depot had been found full.
const LONG: usize = 4;

/// A thread's list of a class.
#[derive(Debug, Clone, Default)]
struct Slot {
    list: List,
    cap: usize,
    spare: List,
    tide: Tide,
    recent: bool,
}

/// A thread.
#[derive(Debug, Clone)]
struct Thread {
    slots: Vec<Slot>,
    /// Bytes by which its lists may still grow; what is lent to others may make it less than it has.
    growth: usize,
    hand: usize,
    home: usize,
    events: u32,
}

/// What waits between threads, of one class.
#[derive(Debug, Clone, Default)]
struct Depot {
    shelves: Vec<Vec<List>>,
    /// Full so many times since somebody last took.
    full: u32,
    rests: bool,
}

/// Threads, depots and runs under one plan.
#[derive(Debug, Clone)]
pub struct Lists<'a> {
    plan: &'a Plan,
    threads: Vec<Thread>,
    depots: Vec<Depot>,
    /// The runs.
    pub runs: Runs,
    /// The page heap.
    pub pages: Pages,
    /// What happened so far, of each class.
    pub events: Vec<Events>,
    looked: u64,
}

impl<'a> Lists<'a> {
    /// Nothing yet.
    pub fn new(plan: &'a Plan) -> Self {
        let depot = Depot {
            shelves: vec![Vec::new(); plan.policy.depot.shelves.max(1) as usize],
            ..Depot::default()
        };
        Self {
            plan,
            threads: Vec::new(),
            depots: vec![depot; plan.classes.len()],
            runs: Runs::new(plan.classes.len(), plan.policy.depot.empty_runs),
            pages: Pages::new(&plan.policy),
            events: vec![Events::default(); plan.classes.len()],
            looked: 0,
        }
    }

    fn class(&self, id: usize) -> &'a ClassPlan {
        &self.plan.classes[id]
    }

    /// Makes a thread that was not there; each costs the pages of its block.
    fn start(&mut self, thread: usize) {
        let first: usize = self
            .plan
            .classes
            .iter()
            .map(|c| (c.batch_first * c.size) as usize)
            .sum();
        let most = self.plan.cache.thread_bytes as usize;
        let shelves = self.plan.policy.depot.shelves.max(1) as usize;
        while self.threads.len() <= thread {
            self.threads.push(Thread {
                slots: vec![Slot::default(); self.plan.classes.len()],
                growth: most.saturating_sub(first * self.plan.policy.cache.magazines.max(1) as usize),
                hand: 0,
                home: self.threads.len() % shelves,
                events: 0,
            });
        }
    }

    /// An object of a class.
    #[inline]
    pub fn malloc(&mut self, thread: usize, id: usize, now: u64) -> Object {
        if let Some(object) = self.threads.get_mut(thread).and_then(|t| t.slots[id].list.pop()) {
            return object;
        }
        self.refill(thread, id, now)
    }

    /// An object goes.
    #[inline]
    pub fn free(&mut self, thread: usize, object: Object, now: u64) {
        let id = self.runs.class(object);
        if let Some(thread) = self.threads.get_mut(thread) {
            let slot = &mut thread.slots[id];
            if slot.list.len() < slot.cap {
                slot.list.push(object);
                return;
            }
        }
        self.overflow(thread, id, object, now);
    }

    /// A thread has an event of another kind.
    pub fn event(&mut self, thread: usize, now: u64) {
        self.start(thread);
        self.pulse(thread, now);
    }

    fn pulse(&mut self, thread: usize, now: u64) {
        let (delay, age) = (self.plan.policy.purge.delay_ms, self.plan.policy.large.max_age_ms);
        self.threads[thread].events += 1;
        if !self.threads[thread].events.is_multiple_of(64) || delay == 0 && age == 0 {
            return;
        }
        let shorter = if delay == 0 || age > 0 && age < delay {
            age
        } else {
            delay
        };
        if now < self.looked + shorter / 4 + 1 {
            return;
        }
        self.looked = now;
        for id in 0..self.depots.len() {
            if std::mem::replace(&mut self.depots[id].rests, true) {
                self.empty_depot(id, now);
            }
        }
        let before = |ms: u64| if ms > 0 { now.checked_sub(ms) } else { None };
        if let Some(old) = before(delay) {
            self.pages.purge_old(old, before(age).unwrap_or(0));
        }
        self.pages.purge_excess(now);
    }

    #[cold]
    fn refill(&mut self, thread: usize, id: usize, now: u64) -> Object {
        self.start(thread);
        self.pulse(thread, now);
        self.events[id].refills += 1;
        let class = self.class(id);
        let batch_length = class.batch as usize;
        let slot = &mut self.threads[thread].slots[id];
        if slot.cap == 0 {
            slot.cap = class.batch_first.max(1) as usize;
        }
        slot.recent = true;
        if slot.cap >= batch_length {
            slot.tide.refilled();
            if slot.tide.follows_many() && slot.cap > batch_length {
                self.lengthen(thread, id, now);
            }
        }
        let mut batch = self.stored(thread, id);
        if batch.is_empty() {
            let cap = self.threads[thread].slots[id].cap;
            let want = cap.min(class.batch_carve as usize);
            let how = if class.borrow > 0 { How::Segments } else { How::Grow };
            batch = self.runs.take(class, want, how, &mut self.pages, now);
            if batch.is_empty() && class.borrow > 0 {
                if let Some(object) = self.borrow(thread, id, now) {
                    return object;
                }
                batch = self.runs.take(class, want, How::Grow, &mut self.pages, now);
            }
            self.events[id].moved += batch.len() as u64;
            if batch.len() > 1 || cap == 1 {
                self.grow(thread, id, (cap * 2).min(batch_length), now);
            }
        }
        let object = batch.pop().expect("the heap of a model grows without end");
        self.install(thread, id, batch, now);
        object
    }

    /// A batch of the spare magazine or of the depot.
    fn stored(&mut self, thread: usize, id: usize) -> List {
        let spare = std::mem::take(&mut self.threads[thread].slots[id].spare);
        if !spare.is_empty() {
            return spare;
        }
        let home = self.threads[thread].home;
        let depot = &mut self.depots[id];
        (depot.full, depot.rests) = (0, false);
        let shelves = depot.shelves.len();
        let found = (0..shelves).find_map(|n| depot.shelves[(home + n) % shelves].pop());
        self.events[id].batches += u64::from(found.is_some());
        found.unwrap_or_default()
    }

    /// An object of a larger class, before the heap grows.
    fn borrow(&mut self, thread: usize, id: usize, now: u64) -> Option<Object> {
        let borrow = self.class(id).borrow as usize;
        for other in id + 1..(id + 1 + borrow).min(self.plan.classes.len()) {
            let slot = &mut self.threads[thread].slots[other];
            if let Some(object) = slot.list.pop().or_else(|| slot.spare.pop()) {
                return Some(object);
            }
            let mut batch = self.stored(thread, other);
            if let Some(object) = batch.pop() {
                if !batch.is_empty() {
                    self.surrender(thread, other, batch, now);
                }
                return Some(object);
            }
            let class = self.class(other);
            if let Some(object) = self.runs.take(class, 1, How::Held, &mut self.pages, now).pop() {
                return Some(object);
            }
        }
        None
    }

    #[cold]
    fn overflow(&mut self, thread: usize, id: usize, object: Object, now: u64) {
        self.start(thread);
        self.pulse(thread, now);
        self.events[id].overflows += 1;
        let class = self.class(id);
        let batch = class.batch as usize;
        let slot = &mut self.threads[thread].slots[id];
        slot.recent = true;
        let cap = slot.cap;
        if cap == 0 {
            slot.cap = class.batch_first.max(1) as usize;
            return self.send_home(id, vec![object], now);
        }
        if self.grow(thread, id, (cap * 2).clamp(1, batch), now) > cap || self.turned(thread, id, now) {
            self.threads[thread].slots[id].list.push(object);
            return;
        }
        let slot = &mut self.threads[thread].slots[id];
        let mut full = std::mem::take(&mut slot.list);
        if slot.tide.is_slack() {
            let to = cap.saturating_sub(batch).max(batch);
            if to < cap {
                slot.cap = to;
                self.threads[thread].growth += (cap - to) * class.size as usize;
            }
        }
        let slot = &mut self.threads[thread].slots[id];
        if self.plan.policy.cache.magazines > 1 {
            full = std::mem::replace(&mut slot.spare, full);
        }
        slot.list.push(object);
        if !full.is_empty() {
            self.surrender(thread, id, full, now);
        }
    }

    /// Whether a list that is full becomes longer, as its objects come and go in bursts.
    fn turned(&mut self, thread: usize, id: usize, now: u64) -> bool {
        let class = self.class(id);
        let home = self.threads[thread].home;
        let slot = &mut self.threads[thread].slots[id];
        if slot.cap < class.batch as usize {
            return false;
        }
        slot.tide.overflowed();
        slot.tide.has_turned()
            && self.depots[id].shelves[home].len() >= self.shelf(id, home)
            && self.lengthen(thread, id, now)
    }

    /// Batches that a shelf has place for.
    fn shelf(&self, id: usize, number: usize) -> usize {
        let (batches, shelves) = (self.plan.depot.batches[id] as usize, self.depots[id].shelves.len());
        batches / shelves + usize::from(number < batches % shelves)
    }

    fn lengthen(&mut self, thread: usize, id: usize, now: u64) -> bool {
        let class = self.class(id);
        let cap = self.threads[thread].slots[id].cap;
        let want = (cap + class.batch as usize).min(class.burst as usize);
        want > cap && self.grow(thread, id, want, now) > cap
    }

    /// Lets a list hold more, as far as the thread's budget goes. Returns what it may hold.
    fn grow(&mut self, thread: usize, id: usize, want: usize, now: u64) -> usize {
        let have = self.threads[thread].slots[id].cap;
        let price = self.class(id).size as usize * self.plan.policy.cache.magazines.max(1) as usize;
        let cost = want.saturating_sub(have) * price;
        let cache = &self.plan.cache;
        let lent = (cache.thread_bytes - cache.share(self.threads.len() as u64)) as usize;
        self.threads[thread].slots[id].recent = true;
        if self.threads[thread].growth < cost + lent {
            let mine = if self.threads[thread].growth < lent { 0 } else { have };
            self.shrink_another(thread, id, mine, now);
        }
        let me = &mut self.threads[thread];
        if me.growth >= cost + lent && want > have {
            me.growth -= cost;
            me.slots[id].cap = want;
        }
        me.slots[id].cap
    }

    fn shrink_another(&mut self, thread: usize, asks: usize, mine: usize, now: u64) {
        let me = &mut self.threads[thread];
        let id = me.hand;
        me.hand = (id + 1) % me.slots.len();
        if id == asks {
            return;
        }
        let class = &self.plan.classes[id];
        let first = class.batch_first as usize;
        let slot = &mut me.slots[id];
        let cap = slot.cap;
        let to = match (slot.recent, cap / 2 > mine) {
            (false, _) => first,
            (true, true) => (cap / 2).max(first),
            (true, false) => cap,
        };
        slot.recent = false;
        if to < cap {
            slot.cap = to;
            let lists = [std::mem::take(&mut slot.list), std::mem::take(&mut slot.spare)];
            me.growth += (cap - to) * class.size as usize * self.plan.policy.cache.magazines.max(1) as usize;
            for list in lists {
                if !list.is_empty() {
                    self.surrender(thread, id, list, now);
                }
            }
        }
    }

    /// What was brought becomes a thread's list; what is too long goes back.
    fn install(&mut self, thread: usize, id: usize, mut batch: List, now: u64) {
        let mut cap = self.threads[thread].slots[id].cap;
        if batch.len() > cap {
            cap = self.grow(thread, id, batch.len().min(self.class(id).batch as usize), now);
        }
        if batch.len() > cap {
            let kept = batch.split_off(batch.len() - cap);
            self.surrender(thread, id, batch, now);
            batch = kept;
        }
        self.threads[thread].slots[id].list = batch;
    }

    /// A batch leaves its thread.
    fn surrender(&mut self, thread: usize, id: usize, batch: List, now: u64) {
        let home = self.threads[thread].home;
        let shelves = self.depots[id].shelves.len();
        let closed = self.depots[id].full >= PATIENCE;
        let place = (0..shelves)
            .map(|n| (home + n) % shelves)
            .find(|&n| !closed && self.depots[id].shelves[n].len() < self.shelf(id, n));
        let depot = &mut self.depots[id];
        if let Some(shelf) = place {
            let long = batch.len() / self.plan.classes[id].batch.max(1) as usize / LONG;
            depot.shelves[shelf].push(batch);
            depot.full += long as u32;
            self.events[id].batches += 1;
            if depot.full >= PATIENCE {
                self.empty_depot(id, now);
            }
            return;
        }
        if !closed {
            depot.full += 1;
            if depot.full >= PATIENCE {
                self.empty_depot(id, now);
            }
        }
        self.send_home(id, batch, now);
    }

    fn empty_depot(&mut self, id: usize, now: u64) {
        for shelf in 0..self.depots[id].shelves.len() {
            for list in std::mem::take(&mut self.depots[id].shelves[shelf]) {
                self.send_home(id, list, now);
            }
        }
    }

    fn send_home(&mut self, id: usize, list: List, now: u64) {
        self.events[id].moved += list.len() as u64;
        let class = self.class(id);
        if self.runs.give(class, list, &mut self.pages, now) {
            self.pages.purge_excess(now);
        }
    }

    /// Threads that have had an event.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }
}
