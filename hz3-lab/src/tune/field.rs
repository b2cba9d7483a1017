//! The bench that runs processes.

use super::{Bench, Figures};
use crate::{child, clients::Clients, compare::Watch, prove, rows::Job, stats::Rng};
use hz3_project::{Allocator, Error, Result, file};
use std::time::Instant;
use tempfile::TempDir;

/// Contenders and rows, and who makes further candidates.
pub struct Field<'a, W: Watch, M> {
    pub(super) clients: &'a Clients,
    pub(super) jobs: Vec<Job>,
    /// By their numbers; the base first.
    pub(super) contenders: Vec<Allocator>,
    /// What each contender's proof said, once there was one.
    proofs: Vec<Option<Result<(), String>>>,
    make: M,
    watch: &'a mut W,
    rng: Rng,
    start: Instant,
    budget: f64,
    /// Seconds of one execution of all rows.
    block: f64,
    copies: TempDir,
}

impl<'a, W: Watch, M: FnMut(&[usize], f64, usize, &mut W) -> Vec<Allocator>> Field<'a, W, M> {
    /// Time begins now. `make` gives the libraries of candidates: for the best so far, in so many seconds, so many at most.
    ///
    /// # Errors
    ///
    /// If the base cannot be copied, or does not run.
    pub fn new(
        clients: &'a Clients,
        jobs: Vec<Job>,
        base: Allocator,
        seed: u64,
        budget: f64,
        make: M,
        watch: &'a mut W,
    ) -> Result<Self> {
        let mut field = Self {
            clients,
            jobs,
            contenders: Vec::new(),
            proofs: Vec::new(),
            make,
            watch,
            rng: Rng(seed ^ 0x7475_6e65),
            start: Instant::now(),
            budget,
            block: 0.0,
            copies: child::scratch(clients, "libraries")?,
        };
        field.add(base)?;
        field.lengthen(seed)?;
        Ok(field)
    }

    /// Takes a copy of a library: what is built meanwhile changes nothing.
    fn add(&mut self, mut library: Allocator) -> Result<usize> {
        let number = self.contenders.len();
        if let Some(path) = &library.path {
            let bytes = file::read(path, file::DATA)?;
            let folder = self.copies.path().join(number.to_string());
            let copy = folder.join(path.file_name().unwrap_or_default());
            std::fs::create_dir_all(&folder)
                .and_then(|()| std::fs::write(&copy, bytes))
                .map_err(|e| Error::unfit(format!("{}: {e}", copy.display())))?;
            library.path = Some(copy);
        }
        self.contenders.push(library);
        self.proofs.push(None);
        Ok(number)
    }

    /// A command too short for the clock is run several times a sample.
    fn lengthen(&mut self, seed: u64) -> Result<()> {
        for at in 0..self.jobs.len() {
            let sample = child::run(self.clients, &self.jobs[at], Some(&self.contenders[0]), seed, 0)
                .map_err(|e| Error::failed(format!("{}: the base does not run: {}", self.jobs[at].name, e.message)))?;
            let job = &mut self.jobs[at];
            if job.client.is_none() && !job.script && job.repeat == 1 {
                job.repeat = (0.1 / sample.wall.max(1e-4)).ceil().clamp(1.0, 100.0) as u32;
            }
            self.block += sample.wall.max(0.1 * f64::from(u8::from(job.repeat > 1))) + 0.004;
        }
        Ok(())
    }

    /// That the library is the one at work: without proof, no number.
    fn proven(&mut self, who: usize) -> Result<(), String> {
        if let Some(known) = &self.proofs[who] {
            return known.clone();
        }
        let mut programs: Vec<&str> = Vec::new();
        let mut proof = Ok(());
        for job in &self.jobs {
            let program = if job.client.is_some() {
                &job.command[0]
            } else {
                &job.name
            };
            if programs.contains(&program.as_str()) {
                continue;
            }
            programs.push(program);
            if let Err(e) = prove::prove(self.clients, job, &self.contenders[who]) {
                proof = Err(e.message);
                break;
            }
        }
        if !self.watch.stop() {
            self.proofs[who] = Some(proof.clone());
        }
        proof
    }

    fn run(&self, row: usize, who: usize, seed: u64) -> Result<Figures, String> {
        let job = &self.jobs[row];
        match child::run(self.clients, job, Some(&self.contenders[who]), seed, 0) {
            Ok(s) if s.wrong > 0 => Err(format!("{}, seed {seed}: {}", job.name, s.wrongness())),
            Ok(s) => Ok(Figures {
                value: s.value,
                cpu: s.cpu,
                peak: s.rss_peak as f64,
                end: s.rss_end.map(|b| b as f64),
                faults: s.faults as f64,
                tail: job.metric.call().is_some(),
            }),
            Err(e) => Err(format!("{}, seed {seed}: {}", job.name, e.message)),
        }
    }
}

impl<W: Watch, M> Field<'_, W, M> {
    /// Seconds that are over.
    pub(super) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

impl<W: Watch, M: FnMut(&[usize], f64, usize, &mut W) -> Vec<Allocator>> Bench for Field<'_, W, M> {
    fn block(&mut self, who: &[usize], seed: u64) -> Vec<Result<Vec<Figures>, String>> {
        let mut found: Vec<Result<Vec<Figures>, String>> =
            who.iter().map(|who| self.proven(*who).map(|()| Vec::new())).collect();
        for row in 0..self.jobs.len() {
            let mut order: Vec<usize> = (0..who.len()).collect();
            self.rng.shuffle(&mut order);
            for at in order {
                if found[at].is_err() {
                    continue;
                }
                if self.watch.stop() {
                    found[at] = Err("stopped".into());
                    continue;
                }
                match self.run(row, who[at], seed) {
                    Ok(figures) => {
                        if let Ok(all) = &mut found[at] {
                            all.push(figures);
                        }
                    }
                    Err(why) => found[at] = Err(why),
                }
            }
        }
        found
    }

    fn candidates(&mut self, best: &[usize], seconds: f64) -> Vec<usize> {
        // As many as can run their first blocks in about as much time as it takes to build them.
        let most = (seconds / (6.0 * self.block)).clamp(3.0, 60.0) as usize;
        let made = (self.make)(best, seconds, most, self.watch);
        made.into_iter()
            .map(|library| match self.add(library) {
                Ok(number) => number,
                Err(e) => {
                    self.watch.say(&format!("warning: {e}"));
                    // Its number is given all the same: whoever made it counts so, too.
                    self.contenders.push(Allocator::glibc());
                    self.proofs.push(Some(Err(e.message)));
                    self.contenders.len() - 1
                }
            })
            .collect()
    }

    fn elapsed(&self) -> f64 {
        self.seconds()
    }

    fn stopped(&self) -> bool {
        self.watch.stop()
    }

    fn progress(&mut self, text: &str) {
        let share = (self.elapsed() / self.budget).min(1.0);
        self.watch.progress(share, text);
    }
}
