//! The phases that judge: the base against itself, blocks, looks.

use super::{Schedule, Watch};
use crate::{
    child,
    child::Sample,
    clients::Clients,
    record::{Aspect, Outcome, RowRecord},
    rows::Job,
    stats::{Looks, Rng},
    tails::Tails,
};
use hz3_project::{Allocator, Result};
use std::time::{Duration, Instant};

/// Blocks in which the client also runs alone, on the empty allocator.
pub(super) const ALONE: usize = 5;

/// Who runs in a block.
#[derive(Clone, Copy)]
enum Turn {
    /// A contender.
    Contender(usize),
    /// The base once more.
    Again,
    /// The client on the empty allocator.
    Alone,
}

/// What a pair of the base with itself keeps of each.
#[derive(Clone, Copy)]
struct Footprint {
    value: f64,
    peak: u64,
    end: Option<u64>,
}

impl Footprint {
    fn of(sample: &Sample) -> Self {
        Self {
            value: sample.value,
            peak: sample.rss_peak,
            end: sample.rss_end,
        }
    }
}

impl RowRecord {
    fn add_null(&mut self, first: Footprint, again: Footprint) {
        self.null.push([first.value, again.value]);
        self.null_rss_peak.push([first.peak, again.peak]);
        self.null_rss_end.extend(first.end.zip(again.end).map(|(a, b)| [a, b]));
    }
}

/// A comparison under way.
pub(super) struct Runner<'a, W: Watch> {
    pub(super) schedule: &'a Schedule,
    pub(super) jobs: Vec<Job>,
    pub(super) clients: &'a Clients,
    pub(super) watch: &'a mut W,
    rng: Rng,
    pub(super) start: Instant,
    pub(super) contenders: Vec<Allocator>,
    pub(super) rows: Vec<RowRecord>,
    /// Seconds of one execution, by row and contender.
    pub(super) cost: Vec<Vec<f64>>,
    pub(super) done: Vec<bool>,
    /// What clients said of single calls, by row and contender.
    pub(super) tails: Vec<Vec<Vec<Tails>>>,
    /// The empty allocator.
    empty: Allocator,
}

impl<'a, W: Watch> Runner<'a, W> {
    /// Nothing measured yet.
    pub(super) fn new(
        schedule: &'a Schedule,
        clients: &'a Clients,
        watch: &'a mut W,
        contenders: Vec<Allocator>,
        rows: Vec<RowRecord>,
    ) -> Result<Self> {
        Ok(Self {
            schedule,
            jobs: schedule.jobs.clone(),
            clients,
            watch,
            rng: Rng(schedule.seed ^ 0x6c61_6221),
            start: Instant::now(),
            cost: vec![vec![0.0; contenders.len()]; schedule.jobs.len()],
            done: vec![false; schedule.jobs.len()],
            tails: vec![vec![Vec::new(); contenders.len()]; schedule.jobs.len()],
            empty: Allocator::file("empty", clients.empty()?),
            contenders,
            rows,
        })
    }

    pub(super) fn sample(&self, row: usize, who: usize, seed: u64, sample_ms: u32) -> Result<Sample> {
        child::run(
            self.clients,
            &self.jobs[row],
            Some(&self.contenders[who]),
            seed,
            sample_ms,
        )
    }

    /// Whether the user has had enough. It is asked where a process failed: Ctrl-C reaches the process as well as this program, and
    /// perhaps the process first.
    pub(super) fn stopped(&self) -> bool {
        if !self.watch.stop() {
            std::thread::sleep(Duration::from_millis(100));
        }
        self.watch.stop()
    }

    /// Why a contender is out of a row, said once. A row that has lost its base, or all others, is over.
    pub(super) fn drop(&mut self, row: usize, who: usize, why: &str) {
        self.watch.say(&format!(
            "{}: no figures for {}: {why}",
            self.jobs[row].name, self.contenders[who].label
        ));
        self.rows[row].cells[who].problem = Some(why.to_owned());
        if who == 0 || !(1..self.contenders.len()).any(|w| self.alive(row, w)) {
            self.done[row] = true;
        }
    }

    pub(super) fn alive(&self, row: usize, who: usize) -> bool {
        self.rows[row].cells[who].problem.is_none()
    }

    /// The rows that are not done.
    pub(super) fn open(&self) -> Vec<usize> {
        (0..self.rows.len()).filter(|row| !self.done[*row]).collect()
    }

    fn over(&self) -> bool {
        self.watch.stop() || self.start.elapsed() >= self.schedule.budget
    }

    /// How much of the time is over that the comparison takes at most: until the budget is used up, or until every row that is still
    /// open has had its last block, if that is sooner. It never goes back, as rows only leave.
    pub(super) fn share(&self) -> f64 {
        let elapsed = self.start.elapsed().as_secs_f64();
        let left = (self.schedule.budget.as_secs_f64() - elapsed).max(0.0);
        let work = |row: usize| {
            let blocks = Looks::COUNTS[Looks::MOST - 1].saturating_sub(self.rows[row].cells[0].values.len());
            let floor = Looks::COUNTS[0].saturating_sub(self.rows[row].null.len());
            (self.block_cost(row) + self.cost[row][0]) * blocks as f64 + 2.0 * self.cost[row][0] * floor as f64
        };
        let open = self.open();
        // What a row costs is known when all have run it once: until then, it may take all of the budget.
        let unknown = |row: usize| (0..self.contenders.len()).any(|w| self.alive(row, w) && self.cost[row][w] == 0.0);
        let rest = match open.iter().copied().any(unknown) {
            true => left,
            false => open.into_iter().map(work).sum::<f64>().min(left),
        };
        if rest > 0.0 { elapsed / (elapsed + rest) } else { 1.0 }
    }

    /// Base against base: the floor of each row.
    pub(super) fn null_phase(&mut self) {
        for round in 0..Looks::COUNTS[0] {
            let mut order = self.open();
            self.rng.shuffle(&mut order);
            for row in order {
                if self.over() {
                    break;
                }
                let text = format!(
                    "base against itself, {} of {}: {}",
                    round + 1,
                    Looks::COUNTS[0],
                    self.rows[row].name
                );
                self.watch.progress(self.share(), &text);
                let seed = self.schedule.seed + 1000 + round as u64;
                let pair = || Ok::<_, String>([self.sound(row, 0, seed)?, self.sound(row, 0, seed)?]);
                match pair() {
                    Ok([first, again]) => self.rows[row].add_null(Footprint::of(&first), Footprint::of(&again)),
                    Err(_) if self.stopped() => break,
                    Err(e) => self.drop(row, 0, &format!("against itself, pair {}, {e}", round + 1)),
                }
            }
        }
        self.rows.iter_mut().for_each(RowRecord::set_floor);
    }

    /// Paired blocks, all rows in turn, until all are done or the time is up.
    pub(super) fn blocks(&mut self) {
        for round in 0..Looks::LAST {
            let mut order = self.open();
            if order.is_empty() {
                return;
            }
            self.rng.shuffle(&mut order);
            let decided = self.rows.len() - order.len();
            for row in order {
                if self.over() {
                    return;
                }
                let text = format!(
                    "block {}, {decided} of {} rows decided: {}",
                    round + 1,
                    self.rows.len(),
                    self.rows[row].name
                );
                self.watch.progress(self.share(), &text);
                self.block(row, round);
                if Looks::COUNTS.contains(&self.rows[row].cells[0].values.len()) {
                    self.look(row);
                }
            }
        }
    }

    /// One sample that must be right; the error says which it was.
    fn sound(&self, row: usize, who: usize, seed: u64) -> Result<Sample, String> {
        match self.sample(row, who, seed, 0) {
            Ok(s) if s.wrong > 0 => Err(format!("seed {seed}: {}", s.wrongness())),
            Ok(s) => Ok(s),
            Err(e) => Err(format!("seed {seed}: {}", e.message)),
        }
    }

    /// One block: each open contender once, in random order. A block counts as a whole or not at all. From the first look
    /// on, the base runs a second time in each block: those pairs sharpen the floor as the intervals get sharper. In the
    /// first blocks the client runs alone, too, so that its share is of the same minutes as what it is a share of.
    fn block(&mut self, row: usize, round: usize) {
        let seed = self.schedule.seed + 5000 + round as u64;
        let mut order: Vec<Turn> = (0..self.contenders.len())
            .filter(|w| self.alive(row, *w) && !self.decided(row, *w))
            .map(Turn::Contender)
            .collect();
        if self.rows[row].looks > 0 {
            order.push(Turn::Again);
        }
        if self.jobs[row].empty && round < ALONE {
            order.push(Turn::Alone);
        }
        self.rng.shuffle(&mut order);
        let mut samples = Vec::with_capacity(order.len());
        let (mut again, mut alone) = (None, None);
        for turn in order {
            let who = match turn {
                Turn::Contender(who) => who,
                Turn::Again => 0,
                Turn::Alone => {
                    let run = child::run(self.clients, &self.jobs[row], Some(&self.empty), seed, 0);
                    alone = run.ok().map(|s| s.value);
                    continue;
                }
            };
            match (self.sound(row, who, seed), turn) {
                (Ok(s), Turn::Again) => again = Some(Footprint::of(&s)),
                (Ok(s), _) => samples.push((who, s)),
                (Err(e), _) => {
                    if !self.stopped() {
                        self.drop(row, who, &format!("block {}, {e}", round + 1));
                    }
                    return;
                }
            }
        }
        let record = &mut self.rows[row];
        let first = samples.iter().find(|(who, _)| *who == 0).map(|(_, s)| Footprint::of(s));
        for (who, s) in samples {
            let cell = &mut record.cells[who];
            cell.values.push(s.value);
            cell.rss_peak.push(s.rss_peak);
            cell.faults.push(s.faults);
            cell.rss_end.extend(s.rss_end);
            cell.cpu.push(s.cpu);
            cell.live_peak = s.live_peak;
            cell.failures += s.failures;
            cell.steps = s.steps;
            cell.rate.extend(s.rate.filter(|_| record.point.is_some()));
            for (name, n) in s.counted.counters {
                cell.counters.entry(name).or_default().push(n);
            }
            record.missing.extend(s.counted.missing);
            self.tails[row][who].extend(s.tails);
        }
        let Some(first) = first else { return };
        record.alone.extend(alone.map(|alone| [first.value, alone]));
        if let Some(again) = again {
            record.add_null(first, again);
        }
        record.set_client_share();
    }

    /// What must be clear of a contender before a row has done with it: the judged value, and what its hypothesis speaks of.
    fn wanted(&self, row: usize, who: usize) -> Vec<Aspect> {
        let metric = self.rows[row].metric;
        let label = &self.contenders[who].label;
        let claim = self.schedule.claims.iter().find(|(of, _)| of == label);
        let goal = claim.and_then(|(_, claim)| claim.goal());
        let mut wanted = vec![Aspect::Value];
        wanted.extend(goal.and_then(|goal| Aspect::of(goal, metric)));
        wanted
    }

    /// Whether a contender has its verdicts: it is not run any further.
    fn decided(&self, row: usize, who: usize) -> bool {
        let cell = &self.rows[row].cells[who];
        who > 0
            && self
                .wanted(row, who)
                .into_iter()
                .all(|of| cell.outcome(of).is_some_and(|o| o.decided()))
    }

    fn look(&mut self, row: usize) {
        self.rows[row].set_floor();
        self.rows[row].looks += 1;
        let margin = self.schedule.margin;
        let mut settled = true;
        for who in 1..self.contenders.len() {
            if !self.alive(row, who) {
                continue;
            }
            let wanted = self.wanted(row, who);
            let r = &mut self.rows[row];
            for of in Aspect::ALL {
                if !r.judges(of) {
                    continue;
                }
                let (now, base) = (r.cells[who].samples(of), r.cells[0].samples(of));
                // What was decided at an earlier look stays decided.
                let decided = r.cells[who].outcome(of).is_some_and(|o| o.decided());
                if !decided && !now.is_empty() && !base.is_empty() {
                    let now = Outcome::of(&now, &base, r.floor_of(of), margin);
                    *r.cells[who].outcome_mut(of) = Some(now);
                }
                let clear = r.cells[who].outcome(of).is_none_or(|o| o.settled());
                settled &= clear || !wanted.contains(&of);
            }
        }
        if settled || self.rows[row].looks == Looks::MOST {
            self.done[row] = true;
        }
    }

    /// The rows that were open when time ran out use one of their remaining looks on what there is.
    pub(super) fn last_look(&mut self) {
        for row in 0..self.rows.len() {
            let blocks = self.rows[row].cells[0].values.len();
            if !self.done[row] && blocks > 0 && self.rows[row].looks < Looks::MOST && !Looks::COUNTS.contains(&blocks) {
                self.look(row);
            }
        }
    }
}
