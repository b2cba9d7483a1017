//! A search as a ledger keeps it: the finalists as a comparison with the base, row by row, and what was found.

use super::{ALPHA, Field, Figures, Found, Looks, Wish};
use crate::commit::Commit;
use crate::compare::{Watch, contenders};
use crate::identity::Identity;
use crate::machine::Machine;
use crate::record::{self, Aspect, Candidate, Cell, Claim, Finalist, Outcome, Record, RowRecord, Search, Settings};
use crate::stats;
use hz3_config::file as read;
use hz3_project::{Allocator, Error, Result, file};

/// What a record says of a search beside what was found.
#[derive(Debug, Clone)]
pub struct About {
    /// How it was asked for.
    pub command: Vec<String>,
    /// The state of the project.
    pub commit: Option<Commit>,
    /// When it began, UTC.
    pub when: String,
    /// Whether the rows have their full sizes.
    pub full: bool,
    /// What configs of contenders say that they are for, by label.
    pub claims: Vec<(String, Claim)>,
}

impl Found {
    /// What was found, in terms of the candidates with these numbers.
    pub fn search(&self, base: &str, goal: &str, candidate: impl Fn(usize) -> Candidate) -> Search {
        let front = self.front();
        let finalists = self.finalists.iter().map(|j| Finalist {
            candidate: candidate(j.who),
            goal: j.goal,
            value: j.value,
            peak: j.peak,
            blocks: j.trial.goal.len(),
            front: front.contains(&j.who),
            problem: j.problem.clone(),
        });
        let median = |samples: &[f64]| (!samples.is_empty()).then(|| stats::median(samples).exp());
        let dropped = self.dropped.iter().map(|d| record::Dropped {
            candidate: candidate(d.who),
            blocks: d.trial.goal.len(),
            problem: d.problem.clone(),
            goal: median(&d.trial.goal),
            value: median(&d.trial.value),
            peak: median(&d.trial.peak),
        });
        Search {
            base: base.to_owned(),
            goal: goal.to_owned(),
            alpha: ALPHA,
            blocks: self.blocks,
            base_on_front: front.contains(&0),
            best: self.best.map(&candidate),
            finalists: finalists.collect(),
            dropped: dropped.collect(),
        }
    }
}

impl<'a, W: Watch, M> Field<'a, W, M> {
    /// The record of a search in this field.
    ///
    /// # Errors
    ///
    /// That a library cannot be read any more.
    pub fn record(&self, found: &Found, wish: &Wish, about: About, search: Search) -> Result<Record> {
        let who: Vec<usize> = [0].into_iter().chain(found.finalists.iter().map(|j| j.who)).collect();
        let known = who.iter().filter_map(|who| self.contenders.get(*who));
        let contenders: Vec<Allocator> = known.cloned().collect();
        if contenders.len() != who.len() {
            return Err(Error::failed("a finalist is no contender of this search"));
        }
        let libraries = contenders.iter().map(|library| {
            let identity = match &library.path {
                Some(path) => Some(Identity::of_bytes(path, &file::read(path, read::DATA)?)?),
                None => None,
            };
            let claim = about.claims.iter().find(|(of, _)| *of == library.label);
            let claim = claim.map(|(_, claim)| claim.clone());
            Ok(contenders::contender(self.clients, library, identity.as_ref(), claim))
        });
        let libraries = libraries.collect::<Result<Vec<_>>>()?;
        let rows = self.jobs.iter().enumerate().map(|(at, job)| {
            let mut row = contenders::row_record(job, self.clients, &contenders);
            fill(&mut row, found, at);
            judge(&mut row, found, wish.margin);
            row
        });
        let rows: Vec<RowRecord> = rows.collect();
        let cells: Vec<String> = rows.iter().map(|r| format!("{:?}", r.cells)).collect();
        Ok(Record {
            format: record::FORMAT,
            id: record::new_id(&about.when, &[&about.command[..], &cells].concat()),
            when: about.when,
            tool: env!("CARGO_PKG_VERSION").into(),
            command: about.command,
            commit: about.commit,
            machine: Machine::here(),
            settings: Settings {
                alpha: ALPHA,
                looks: Looks::COUNTS.to_vec(),
                margin: wish.margin,
                budget: wish.budget,
                seed: wish.seed,
                full: about.full,
            },
            libraries,
            rows,
            search: Some(search),
            seconds: self.seconds(),
            interrupted: found.stopped,
        })
    }
}

/// What was measured on the row with this number.
fn fill(row: &mut RowRecord, found: &Found, at: usize) {
    let of = |figures: &[Figures]| figures.get(at).copied();
    for [first, second] in &found.pairs {
        let (Some(first), Some(second)) = (of(first), of(second)) else {
            continue;
        };
        row.null.push([first.value, second.value]);
        row.null_rss_peak.push([first.peak, second.peak].map(|b| b as u64));
        let end = first.end.zip(second.end);
        row.null_rss_end.extend(end.map(|(a, b)| [a as u64, b as u64]));
    }
    let add = |cell: &mut Cell, figures: Option<Figures>| {
        let Some(figures) = figures else { return };
        cell.values.push(figures.value);
        cell.rss_peak.push(figures.peak as u64);
        cell.rss_end.extend(figures.end.map(|b| b as u64));
        cell.faults.push(figures.faults as u64);
        cell.cpu.push(figures.cpu);
    };
    if let Some((base, others)) = row.cells.split_first_mut() {
        found.pairs.iter().for_each(|[first, _]| add(base, of(first)));
        for (cell, judged) in others.iter_mut().zip(&found.finalists) {
            judged.figures.iter().for_each(|block| add(cell, of(block)));
            cell.problem.clone_from(&judged.problem);
        }
    }
    row.looks = found.looks;
    row.set_floor();
}

/// The verdicts of a row, at the error that each look of the judgement may have.
fn judge(row: &mut RowRecord, found: &Found, margin: f64) {
    let alpha = Looks::alpha(found.finalists.len());
    for of in Aspect::ALL.into_iter().filter(|of| row.judges(*of)).collect::<Vec<_>>() {
        let floor = row.floor_of(of);
        let Some((base, others)) = row.cells.split_first_mut() else {
            return;
        };
        let base = base.samples(of);
        for cell in others {
            let samples = stats::log_ratios(&cell.samples(of), &base);
            if !samples.is_empty() {
                *cell.outcome_mut(of) = Some(Outcome::at(&samples, floor, margin, alpha));
            }
        }
    }
}
