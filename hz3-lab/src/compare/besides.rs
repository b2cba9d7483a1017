//! What is measured besides, when all is judged: single calls, and instructions. The budget does not count it.

use super::Watch;
use super::runner::Runner;
use crate::{
    child,
    tails::{self, Calls},
};
use hz3_project::program;

impl<W: Watch> Runner<'_, W> {
    /// Executions of the clients' twins, for the rows that ask for them; then what they said, and what twins that were judged
    /// said in their blocks, is put together.
    pub(super) fn single_calls(&mut self) {
        for row in 0..self.rows.len() {
            let rounds = u64::from(self.jobs[row].tails);
            let job = match self.jobs[row].clone().timed(self.clients) {
                Ok(job) if rounds > 0 && !self.rows[row].left_out => job,
                Err(e) if rounds > 0 => {
                    self.watch.say(&format!("no single calls: {}", e.message));
                    continue;
                }
                _ => continue,
            };
            // Executions of equal number have equal seeds: who fails once has none after that.
            let mut failed = vec![false; self.contenders.len()];
            for round in 0..rounds {
                let text = format!("single calls, {} of {rounds}: {}", round + 1, self.rows[row].name);
                self.watch.progress(1.0, &text);
                for (who, failed) in failed.iter_mut().enumerate() {
                    if self.watch.stop() {
                        return;
                    }
                    let seed = self.schedule.seed + 9000 + round;
                    if *failed || !self.alive(row, who) {
                        continue;
                    }
                    let before = self.tails[row][who].len();
                    match child::run(self.clients, &job, Some(&self.contenders[who]), seed, 0) {
                        Ok(s) if s.wrong == 0 => self.tails[row][who].extend(s.tails),
                        Ok(s) => self.unseen(row, who, seed, &s.wrongness()),
                        Err(e) => self.unseen(row, who, seed, &e.message),
                    }
                    *failed = self.tails[row][who].len() == before;
                }
            }
        }
        for (row, said) in self.rows.iter_mut().zip(&self.tails) {
            for (cell, said) in row.cells.iter_mut().zip(said) {
                cell.calls = Calls::of(said);
                cell.single = tails::by_execution(said);
            }
        }
    }

    fn unseen(&mut self, row: usize, who: usize, seed: u64, why: &str) {
        let (row, label) = (&self.rows[row].name, &self.contenders[who].label);
        let text = format!("{row}: no single calls of {label}, seed {seed}: {why}");
        self.watch.say(&text);
    }

    pub(super) fn instructions(&mut self) {
        if program::find("valgrind").is_none() {
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
                match crate::callgrind::total(
                    &command,
                    &self.jobs[row].environment,
                    &self.contenders[who],
                    self.clients.folder(),
                    self.schedule.seed,
                ) {
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
