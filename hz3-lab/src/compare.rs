//! The schedule of a comparison: proof, pilot, base against itself, then paired blocks until every row is decided or
//! the time is up.

use crate::{
    Error, Result, child,
    child::Sample,
    clients::Clients,
    identity::Identity,
    machine::Machine,
    place::{Kind, Library},
    prove,
    record::{Cell, Contender, FORMAT, Outcome, Record, RowRecord, Settings, utc_now},
    rows::Job,
    stats::{self, Looks, Rng, Verdict},
};
use std::time::{Duration, Instant};

/// What to compare, and how long.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The base.
    pub base: Library,
    /// What is compared with it.
    pub others: Vec<Library>,
    /// The rows.
    pub jobs: Vec<Job>,
    /// Time for everything.
    pub budget: Duration,
    /// A row is given up as undecided once its effect is surely smaller than this log ratio.
    pub margin: f64,
    /// First seed.
    pub seed: u64,
    /// Whether `jobs` have the full sizes (for the record).
    pub full: bool,
    /// Whether to count instructions under callgrind.
    pub instructions: bool,
    /// Measure the base a second time as a contender: nothing must be found.
    pub null: bool,
    /// How it was asked for (for the record).
    pub command: Vec<String>,
}

/// Who follows a comparison.
pub trait Watch {
    /// A sentence for people.
    fn say(&mut self, text: &str);
    /// Share of the expected time that is over, and what is being done.
    fn progress(&mut self, share: f64, text: &str);
    /// Whether to stop with what there is.
    fn stop(&self) -> bool;
}

/// Label of the base's second self.
const SELF: &str = "(again)";

struct Runner<'a, W: Watch> {
    plan: &'a Plan,
    jobs: Vec<Job>,
    clients: &'a Clients,
    watch: &'a mut W,
    rng: Rng,
    start: Instant,
    contenders: Vec<Library>,
    rows: Vec<RowRecord>,
    /// Seconds of one run, by row and contender.
    cost: Vec<Vec<f64>>,
    done: Vec<bool>,
}

/// Runs a comparison. What was measured is returned even if it was cut short.
pub fn run<W: Watch>(plan: &Plan, clients: &Clients, watch: &mut W) -> Result<Record> {
    let mut contenders = vec![plan.base.clone()];
    contenders.extend(plan.others.iter().cloned());
    let identities = identities(&contenders)?;
    if plan.null {
        contenders.push(Library {
            label: SELF.into(),
            ..plan.base.clone()
        });
    }
    if contenders.len() < 2 {
        return Err(Error::input(
            "nothing to compare the base with: name a variant, a peer or a path",
        ));
    }
    let machine = Machine::here();
    if let Some(w) = machine.warning() {
        watch.say(&format!("warning: {w}"));
    }
    let when = utc_now();
    let rows = plan.jobs.iter().map(|job| row_record(job, &contenders)).collect();
    let mut runner = Runner {
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
    };
    runner.pilot()?;
    runner.estimate();
    runner.null_phase();
    runner.blocks();
    runner.last_look();
    if plan.instructions {
        runner.instructions();
    }
    let interrupted = runner.watch.stop();
    let (rows, seconds) = (std::mem::take(&mut runner.rows), runner.start.elapsed().as_secs_f64());
    let libraries: Vec<Contender> = runner
        .contenders
        .iter()
        .map(|l| {
            contender(
                l,
                identities.iter().find(|(label, _)| *label == l.label).map(|(_, i)| i),
            )
        })
        .collect();
    let hash = {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut h = DefaultHasher::new();
        (
            &when,
            &plan.command,
            rows.first().map(|r: &RowRecord| format!("{:?}", r.cells)),
        )
            .hash(&mut h);
        h.finish()
    };
    Ok(Record {
        format: FORMAT,
        id: format!(
            "{}-{:06x}",
            when.get(..10).unwrap_or("").replace('-', ""),
            hash & 0xff_ffff
        ),
        when,
        tool: env!("CARGO_PKG_VERSION").into(),
        command: plan.command.clone(),
        machine,
        settings: Settings {
            alpha: Looks::ALPHA,
            looks: Looks::COUNTS.to_vec(),
            margin: plan.margin,
            budget: plan.budget.as_secs_f64(),
            seed: plan.seed,
            full: plan.full,
        },
        libraries,
        rows,
        seconds,
        interrupted,
    })
}

/// Reads every contender's file; refuses two that are the same allocator.
fn identities(contenders: &[Library]) -> Result<Vec<(String, Identity)>> {
    let mut all: Vec<(String, Identity)> = Vec::new();
    for (i, library) in contenders.iter().enumerate() {
        if contenders[..i].iter().any(|o| o.label == library.label) {
            return Err(Error::input(format!(
                "'{}' is named twice; give one of them another label: label=path",
                library.label
            )));
        }
        let Some(path) = &library.path else { continue };
        let identity = Identity::of(path)?;
        if let Some((twin, _)) = all.iter().find(|(_, o)| o.same_allocator(&identity)) {
            return Err(Error::input(format!(
                "{twin} and {} are the same allocator: equal tables, equal code. Whatever a comparison showed would be noise. Look at: cargo hz3 diff {twin} {}",
                library.label, library.label
            )));
        }
        all.push((library.label.clone(), identity));
    }
    Ok(all)
}

fn contender(library: &Library, identity: Option<&Identity>) -> Contender {
    let identity = identity.cloned().unwrap_or_default();
    let note = identity.note.unwrap_or_default();
    let file = library
        .path
        .as_ref()
        .and_then(|p| p.file_name())
        .map(|f| f.to_string_lossy().into_owned())
        .unwrap_or_default();
    Contender {
        label: library.label.clone(),
        kind: library.kind,
        file,
        bytes: identity.bytes,
        text: identity.text,
        data: identity.data,
        version: note.version,
        hash: note.hash,
        code_hash: note.code_hash,
        config: note.config,
        hot: library
            .path
            .as_ref()
            .and_then(|p| crate::disasm::hot_paths(p).ok())
            .unwrap_or_default(),
    }
}

fn row_record(job: &Job, contenders: &[Library]) -> RowRecord {
    let mut command = job.command.clone();
    if let Some(first) = command.first_mut() {
        *first = first.rsplit('/').next().unwrap_or_default().to_string();
    }
    RowRecord {
        name: job.name.clone(),
        about: job.about.clone(),
        command,
        metric: job.metric,
        null: Vec::new(),
        floor: f64::INFINITY,
        looks: 0,
        empty: None,
        cells: contenders.iter().map(|l| Cell::new(&l.label)).collect(),
    }
}

impl<W: Watch> Runner<'_, W> {
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
    fn pilot(&mut self) -> Result<()> {
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

    fn estimate(&mut self) {
        let open: Vec<usize> = (0..self.rows.len()).filter(|r| !self.done[*r]).collect();
        let null: f64 = open.iter().map(|r| 2.0 * self.cost[*r][0]).sum::<f64>() * Looks::COUNTS[0] as f64;
        let block: f64 = open.iter().map(|r| self.block_cost(*r)).sum();
        let least = null + block * Looks::COUNTS[0] as f64;
        let most = null + block * Looks::COUNTS[Looks::MOST - 1] as f64;
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
        if least > budget - self.start.elapsed().as_secs_f64() {
            self.watch.say(&format!(
                "warning: the budget is too short for the {} blocks of a first look on every row. Some will stay undecided; take fewer rows or --time-budget {}",
                Looks::COUNTS[0],
                minutes(least * 1.3)
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
    fn null_phase(&mut self) {
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
        for row in &mut self.rows {
            let d: Vec<f64> = row.null.iter().map(|[a, b]| (b / a).ln()).collect();
            row.floor = stats::floor(&d);
        }
    }

    /// Paired blocks, all rows in turn, until all are done or the time is up.
    fn blocks(&mut self) {
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

    /// One block: each contender once, in random order. A block counts as a whole or not at all.
    fn block(&mut self, row: usize, seed: u64) {
        let mut order: Vec<usize> = (0..self.contenders.len()).filter(|w| self.alive(row, *w)).collect();
        self.rng.shuffle(&mut order);
        let mut samples = Vec::with_capacity(order.len());
        for who in order {
            match self.sample(row, who, seed, 0) {
                Ok(s) if s.wrong > 0 => {
                    return self.drop(row, who, format!("memory was wrong in {} places", s.wrong));
                }
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
    }

    fn look(&mut self, row: usize) {
        let r = &mut self.rows[row];
        r.looks += 1;
        let Some((base, others)) = r.cells.split_first_mut() else {
            return;
        };
        let mut settled = true;
        for cell in others.iter_mut().filter(|c| c.problem.is_none()) {
            // What was decided at an earlier look stays decided.
            if let Some(old) = cell.result.filter(|o| o.verdict != Verdict::Undecided) {
                let now = Outcome::of(cell, base, r.floor, self.plan.margin);
                cell.result = Some(Outcome {
                    verdict: old.verdict,
                    ..now
                });
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
    fn last_look(&mut self) {
        for row in 0..self.rows.len() {
            let blocks = self.rows[row].cells[0].values.len();
            if !self.done[row] && blocks > 0 && self.rows[row].looks < Looks::MOST && !Looks::COUNTS.contains(&blocks) {
                self.look(row);
            }
        }
    }

    fn instructions(&mut self) {
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

/// Seconds for people.
pub fn minutes(seconds: f64) -> String {
    if seconds < 99.5 {
        format!("{seconds:.0}s")
    } else {
        format!("{}m{:02}s", (seconds / 60.0) as u64, (seconds % 60.0) as u64)
    }
}
