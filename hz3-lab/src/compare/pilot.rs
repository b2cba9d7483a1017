//! What comes before the first block: proof, one sample of each contender, and what the whole will take.

use super::runner::{ALONE, Runner};
use super::{Watch, minutes};
use crate::{prove, stats::Looks};
use hz3_project::{Error, Result};

impl<W: Watch> Runner<'_, W> {
    /// Proves each override, then runs each once: warms the caches, finds what does not run at all, and learns what a
    /// sample costs. Resident bytes over time are recorded here, where the clock does not matter.
    pub(super) fn pilot(&mut self) -> Result<()> {
        let mut proven: Vec<(String, usize)> = Vec::new();
        for row in 0..self.jobs.len() {
            self.lengthen(row);
            for who in 0..self.contenders.len() {
                let text = format!(
                    "proof and pilot, {} of {}: {} under {}",
                    row + 1,
                    self.jobs.len(),
                    self.jobs[row].name,
                    self.contenders[who].label
                );
                self.watch.progress(self.share(), &text);
                if let Err(why) = self.try_out(row, who, &mut proven) {
                    if self.stopped() {
                        return Err(Error::stopped("stopped before anything was measured: nothing is kept"));
                    }
                    self.drop(row, who, &why);
                }
            }
        }
        if self.rows.iter().all(|r| r.cells[0].problem.is_some()) {
            return Err(Error::failed(format!(
                "{} works on none of the rows: {}",
                self.contenders[0].label,
                self.rows[0].cells[0].problem.as_deref().unwrap_or("no reason is known")
            )));
        }
        Ok(())
    }

    /// One contender on one row for the first time; the error is why it has no figures.
    fn try_out(&mut self, row: usize, who: usize, proven: &mut Vec<(String, usize)>) -> Result<(), String> {
        if self.watch.stop() {
            return Err("stopped".into());
        }
        let job = &self.jobs[row];
        let program = if job.client.is_some() {
            &job.command[0]
        } else {
            &job.name
        };
        let key = (program.clone(), who);
        if !proven.contains(&key) {
            prove::prove(self.clients, job, &self.contenders[who]).map_err(|e| e.message)?;
            proven.push(key);
        }
        let every_ms = if job.repeat > 1 { 0 } else { 5 };
        let s = self
            .sample(row, who, self.schedule.seed, every_ms)
            .map_err(|e| format!("pilot, seed {}: {}", self.schedule.seed, e.message))?;
        if s.wrong > 0 {
            return Err(format!("pilot, seed {}: {}", self.schedule.seed, s.wrongness()));
        }
        self.cost[row][who] = s.wall + 0.004;
        self.rows[row].cells[who].series = thin(&s.series);
        Ok(())
    }

    /// A command too short for the clock is run several times a sample.
    fn lengthen(&mut self, row: usize) {
        if self.jobs[row].client.is_some() || self.jobs[row].script || self.jobs[row].repeat > 1 {
            return;
        }
        if let Ok(s) = self.sample(row, 0, self.schedule.seed, 0) {
            self.jobs[row].repeat = (0.1 / s.wall.max(1e-4)).ceil().clamp(1.0, 100.0) as u32;
        }
    }

    pub(super) fn block_cost(&self, row: usize) -> f64 {
        (0..self.contenders.len())
            .filter(|w| self.alive(row, *w))
            .map(|w| self.cost[row][w])
            .sum()
    }

    /// Seconds until a row's first look: the base against itself, then as many blocks, some of them with the client alone.
    fn first_look(&self, row: usize) -> f64 {
        let alone = if self.jobs[row].empty { ALONE as f64 } else { 0.0 };
        (2.0 * self.cost[row][0] + self.block_cost(row)) * Looks::COUNTS[0] as f64 + alone * self.cost[row][0]
    }

    /// Says how long it will take. Rows for which the budget does not even allow a first look are left out, the last ones
    /// first: a few rows that are decided are worth more than many that are not.
    pub(super) fn estimate(&mut self) {
        let open = self.open();
        let least: f64 = open.iter().map(|r| self.first_look(*r)).sum();
        let more = (Looks::LAST - Looks::COUNTS[0]) as f64;
        let most = least
            + open
                .iter()
                .map(|r| (self.block_cost(*r) + self.cost[*r][0]) * more)
                .sum::<f64>();
        let budget = self.schedule.budget.as_secs_f64();
        self.watch.say(&format!(
            "{} row{}, {} contenders: {} if every row is clear at the first look, at most {}; the budget is {}",
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
                self.rows[row].left_out = true;
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
