//! The phases of a comparison: proof and pilot, the base against itself, blocks, looks.

use super::{Plan, Watch, minutes};
use crate::{
    Error, Result, child,
    child::Sample,
    clients::Clients,
    place::{Kind, Library},
    prove,
    record::{Outcome, RowRecord},
    rows::Job,
    stats::{self, Looks, Rng, Verdict},
};
use std::time::Instant;

/// A comparison under way.
pub(super) struct Runner<'a, W: Watch> {
    plan: &'a Plan,
    jobs: Vec<Job>,
    clients: &'a Clients,
    pub(super) watch: &'a mut W,
    rng: Rng,
    pub(super) start: Instant,
    pub(super) contenders: Vec<Library>,
    pub(super) rows: Vec<RowRecord>,
    /// Seconds of one run, by row and contender.
    cost: Vec<Vec<f64>>,
    done: Vec<bool>,
}

impl<'a, W: Watch> Runner<'a, W> {
    /// Nothing measured yet.
    pub(super) fn new(
        plan: &'a Plan,
        clients: &'a Clients,
        watch: &'a mut W,
        contenders: Vec<Library>,
        rows: Vec<RowRecord>,
    ) -> Self {
        Self {
            plan,
            jobs: plan.jobs.clone(),
            clients,
            watch,
            rng: Rng(plan.seed ^ 0x6c61_6221),
            start: Instant::now(),
            cost: vec![vec![0.0; contenders.len()]; plan.jobs.len()],
            done: vec![false; plan.jobs.len()],
            contenders,
            rows,
        }
    }

    fn sample(&self, row: usize, who: usize, seed: u64, sample_ms: u32) -> Result<Sample> {
        child::run(
            self.clients,
            &self.jobs[row],
            Some(&self.contenders[who]),
            seed,
            sample_ms,
        )
    }

    /// Why a contender is out of a row, said once.
    fn drop(&mut self, row: usize, who: usize, why: String) {
        self.watch.say(&format!(
            "{}: no figures for {}: {why}",
            self.jobs[row].name, self.contenders[who].label
        ));
        self.rows[row].cells[who].problem = Some(why);
        if who == 0 {
            self.done[row] = true;
        }
    }

    fn alive(&self, row: usize, who: usize) -> bool {
        self.rows[row].cells[who].problem.is_none()
    }

    /// Proves each override, then runs each once: warms the caches, finds what does not run at all, and learns what a
    /// run costs. Resident bytes over time are recorded here, where the clock does not matter.
    pub(super) fn pilot(&mut self) -> Result<()> {
        let mut proven: Vec<(String, usize)> = Vec::new();
        let all = self.jobs.len();
        for row in 0..all {
            self.lengthen(row);
            let job = &self.jobs[row].clone();
            for who in 0..self.contenders.len() {
                if self.watch.stop() {
                    return Err(Error::unfit("stopped before anything was measured"));
                }
                self.watch.progress(
                    0.0,
                    &format!(
                        "proof and pilot, {} of {all}: {} under {}",
                        row + 1,
                        job.name,
                        self.contenders[who].label
                    ),
                );
                let key = (
                    if job.client {
                        job.command[0].clone()
                    } else {
                        job.name.clone()
                    },
                    who,
                );
                if !proven.contains(&key) {
                    if let Err(e) = prove::prove(self.clients, job, &self.contenders[who]) {
                        self.drop(row, who, e.message);
                        continue;
                    }
                    proven.push(key);
                }
                match self.sample(row, who, self.plan.seed, if job.repeat > 1 { 0 } else { 5 }) {
                    Ok(s) if s.wrong > 0 => self.drop(row, who, format!("memory was wrong in {} places", s.wrong)),
                    Ok(s) => {
                        self.cost[row][who] = s.wall + 0.004;
                        self.rows[row].cells[who].series = thin(&s.series);
                    }
                    Err(e) => self.drop(row, who, e.message),
                }
            }
            if self.jobs[row].empty {
                let empty = Library {
                    label: "empty".into(),
                    kind: Kind::File,
                    path: Some(self.clients.empty()),
                };
                let values: Vec<f64> = (0..3)
                    .filter_map(|_| child::run(self.clients, &self.jobs[row], Some(&empty), self.plan.seed, 0).ok())
                    .map(|s| s.value)
                    .collect();
                self.rows[row].empty = (!values.is_empty()).then(|| stats::median(&values));
            }
        }
        if self.done.iter().all(|d| *d) {
            return Err(Error::unfit("the base runs on none of the rows"));
        }
        Ok(())
    }

    /// A command too short for the clock is run several times a sample.
    fn lengthen(&mut self, row: usize) {
        if self.jobs[row].client || self.jobs[row].script || self.jobs[row].repeat > 1 {
            return;
        }
        if let Ok(s) = self.sample(row, 0, self.plan.seed, 0) {
            self.jobs[row].repeat = (0.1 / s.wall.max(1e-4)).ceil().clamp(1.0, 100.0) as u32;
        }
    }

    fn block_cost(&self, row: usize) -> f64 {
        (0..self.contenders.len())
            .filter(|w| self.alive(row, *w))
            .map(|w| self.cost[row][w])
            .sum()
    }

    /// Seconds until a row's first look: the base against itself, then as many blocks.
    fn first_look(&self, row: usize) -> f64 {
        (2.0 * self.cost[row][0] + self.block_cost(row)) * Looks::COUNTS[0] as f64
    }

    /// Says how long it will take. Rows for which the budget does not even allow a first look are left out, the last ones
    /// first: a few rows that are decided are worth more than many that are not.
    pub(super) fn estimate(&mut self) {
        let open: Vec<usize> = (0..self.rows.len()).filter(|r| !self.done[*r]).collect();
        let least: f64 = open.iter().map(|r| self.first_look(*r)).sum();
        let more = (Looks::COUNTS[Looks::MOST - 1] - Looks::COUNTS[0]) as f64;
        let most = least
            + open
                .iter()
                .map(|r| (self.block_cost(*r) + self.cost[*r][0]) * more)
                .sum::<f64>();
        let budget = self.plan.budget.as_secs_f64();
        self.watch.say(&format!(
            "{} row{}, {} contenders: {} if every row is clear at the first look, {} at most; the budget is {}",
            open.len(),
            if open.len() == 1 { "" } else { "s" },
            self.contenders.len(),
            minutes(least),
            minutes(most.min(budget.max(least))),
            minutes(budget),
        ));
        let room = budget - self.start.elapsed().as_secs_f64();
        if least <= room {
            return;
        }
        let mut spent = 0.0;
        let mut out = Vec::new();
        for (k, row) in open.into_iter().enumerate() {
            if k > 0 && spent + self.first_look(row) > room {
                out.push(self.rows[row].name.clone());
                self.rows[row].cells[0].problem = Some("left out: no time within the budget".into());
                self.done[row] = true;
            } else {
                spent += self.first_look(row);
            }
        }
        if !out.is_empty() {
            self.watch.say(&format!(
                "warning: no time for {}: --time-budget {} would do, or fewer rows",
                out.join(", "),
                minutes(1.2 * (least + self.start.elapsed().as_secs_f64()))
            ));
        }
    }

    fn over(&self) -> bool {
        self.watch.stop() || self.start.elapsed() >= self.plan.budget
    }

    fn share(&self) -> f64 {
        let by_time = self.start.elapsed().as_secs_f64() / self.plan.budget.as_secs_f64().max(1e-9);
        let decided = self.done.iter().filter(|d| **d).count() as f64 / self.done.len().max(1) as f64;
        by_time.max(decided).min(1.0)
    }

    /// Base against base: the floor of each row.
    pub(super) fn null_phase(&mut self) {
        for round in 0..Looks::COUNTS[0] {
            let mut order: Vec<usize> = (0..self.rows.len()).filter(|r| !self.done[*r]).collect();
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
                let seed = self.plan.seed + 1000 + round as u64;
                match (self.sample(row, 0, seed, 0), self.sample(row, 0, seed, 0)) {
                    (Ok(a), Ok(b)) => self.rows[row].null.push([a.value, b.value]),
                    (Err(e), _) | (_, Err(e)) => {
                        if !self.watch.stop() {
                            self.drop(row, 0, e.message);
                        }
                    }
                }
            }
        }
        self.rows.iter_mut().for_each(Self::set_floor);
    }

    /// Paired blocks, all rows in turn, until all are done or the time is up.
    pub(super) fn blocks(&mut self) {
        for round in 0..Looks::COUNTS[Looks::MOST - 1] {
            let mut order: Vec<usize> = (0..self.rows.len()).filter(|r| !self.done[*r]).collect();
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
                self.block(row, self.plan.seed + 5000 + round as u64);
                if Looks::COUNTS.contains(&self.rows[row].cells[0].values.len()) {
                    self.look(row);
                }
            }
        }
    }

    /// One block: each open contender once, in random order. A block counts as a whole or not at all. From the first look
    /// on, the base runs a second time in each block: those pairs sharpen the floor as the intervals get sharper.
    fn block(&mut self, row: usize, seed: u64) {
        let mut order: Vec<(usize, bool)> = (0..self.contenders.len())
            .filter(|w| self.alive(row, *w) && !self.decided(row, *w))
            .map(|w| (w, false))
            .collect();
        if self.rows[row].looks > 0 {
            order.push((0, true));
        }
        self.rng.shuffle(&mut order);
        let mut samples = Vec::with_capacity(order.len());
        let mut again = None;
        for (who, second) in order {
            match self.sample(row, who, seed, 0) {
                Ok(s) if s.wrong > 0 => {
                    return self.drop(row, who, format!("memory was wrong in {} places", s.wrong));
                }
                Ok(s) if second => again = Some(s.value),
                Ok(s) => samples.push((who, s)),
                Err(e) => {
                    if !self.watch.stop() {
                        self.drop(row, who, e.message);
                    }
                    return;
                }
            }
        }
        for (who, s) in samples {
            let cell = &mut self.rows[row].cells[who];
            cell.values.push(s.value);
            cell.rss_peak.push(s.rss_peak);
            cell.rss_end.extend(s.rss_end);
            cell.cpu.push(s.cpu);
            cell.live_peak = s.live_peak;
            cell.failures += s.failures;
        }
        if let (Some(again), Some(first)) = (again, self.rows[row].cells[0].values.last().copied()) {
            self.rows[row].null.push([first, again]);
        }
    }

    /// Whether a contender has its verdict: it is not run any further.
    fn decided(&self, row: usize, who: usize) -> bool {
        self.rows[row].cells[who]
            .result
            .is_some_and(|o| o.verdict != Verdict::Undecided)
    }

    fn set_floor(row: &mut RowRecord) {
        let d: Vec<f64> = row.null.iter().map(|[a, b]| (b / a).ln()).collect();
        row.floor = stats::floor(&d);
    }

    fn look(&mut self, row: usize) {
        let r = &mut self.rows[row];
        Self::set_floor(r);
        r.looks += 1;
        let Some((base, others)) = r.cells.split_first_mut() else {
            return;
        };
        let mut settled = true;
        for cell in others.iter_mut().filter(|c| c.problem.is_none()) {
            // What was decided at an earlier look stays decided.
            if cell.result.is_some_and(|o| o.verdict != Verdict::Undecided) {
                continue;
            }
            let now = Outcome::of(cell, base, r.floor, self.plan.margin);
            settled &= now.verdict != Verdict::Undecided || now.negligible;
            cell.result = Some(now);
        }
        if settled || r.looks == Looks::MOST {
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

    pub(super) fn instructions(&mut self) {
        if !child::on_path("valgrind") {
            self.watch
                .say("no instruction counts: valgrind is not installed (apt install valgrind)");
            return;
        }
        for row in 0..self.rows.len() {
            let Some(command) = self.jobs[row].count.clone() else {
                continue;
            };
            for who in 0..self.contenders.len() {
                if self.watch.stop() {
                    return;
                }
                if !self.alive(row, who) {
                    continue;
                }
                self.watch.progress(
                    1.0,
                    &format!(
                        "callgrind: {} under {}",
                        self.rows[row].name, self.contenders[who].label
                    ),
                );
                match crate::callgrind::total(&command, &self.contenders[who], self.clients.folder(), self.plan.seed) {
                    Ok(n) => self.rows[row].cells[who].instructions = Some(n),
                    Err(e) => self.watch.say(&format!(
                        "{}: no instruction count for {}: {e}",
                        self.rows[row].name, self.contenders[who].label
                    )),
                }
            }
        }
    }
}

/// At most 200 points of a series, the peaks kept.
fn thin(series: &[(u64, u64)]) -> Vec<[u64; 2]> {
    let step = series.len().div_ceil(200).max(1);
    series
        .chunks(step)
        .filter_map(|c| c.iter().max_by_key(|p| p.1))
        .map(|p| [p.0, p.1])
        .collect()
}
