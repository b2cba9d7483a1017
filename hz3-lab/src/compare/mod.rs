//! The schedule of a comparison: proof, pilot, base against itself, then paired blocks until every row is decided or
//! the time is up.

mod besides;
pub(crate) mod contenders;
mod pilot;
mod runner;

use crate::{
    clients::Clients,
    commit::Commit,
    machine::Machine,
    record::{Claim, FORMAT, Record, RowRecord, Settings, new_id, utc_now},
    rows::Job,
    stats::Looks,
};
use contenders::{Snapshot, contender, row_record};
use hz3_project::{Allocator, Error, Result};
use runner::Runner;
use std::time::Duration;

/// What to compare, and how long.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The base.
    pub base: Allocator,
    /// What is compared with it.
    pub others: Vec<Allocator>,
    /// The rows.
    pub jobs: Vec<Job>,
    /// Time for everything that judges.
    pub budget: Duration,
    /// A row is given up as undecided once its effect is surely smaller than this log ratio.
    pub margin: f64,
    /// First seed.
    pub seed: u64,
    /// Whether `jobs` have the full sizes (for the record).
    pub full: bool,
    /// Whether to count instructions under callgrind.
    pub instructions: bool,
    /// What configs of contenders say that they are for, by label.
    pub claims: Vec<(String, Claim)>,
    /// How many times to measure the base as a contender as well: nothing must be found.
    pub null: usize,
    /// The state of the project (for the record).
    pub commit: Option<Commit>,
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

/// Label of the base's second self, followed by a number for a further one.
const SELF: &str = "(again)";

/// Runs a comparison. What was measured is returned even if it was cut short.
pub fn run<W: Watch>(schedule: &Schedule, clients: &Clients, watch: &mut W) -> Result<Record> {
    let mut contenders = vec![schedule.base.clone()];
    contenders.extend(schedule.others.iter().cloned());
    let snapshot = Snapshot::of(clients, &mut contenders)?;
    for n in 1..=schedule.null {
        let label = if n == 1 {
            SELF.to_string()
        } else {
            format!("{SELF} {n}")
        };
        contenders.push(Allocator {
            label,
            ..contenders[0].clone()
        });
    }
    if contenders.len() < 2 {
        return Err(Error::bad_input(
            "nothing to compare the base with: name a variant, a peer or a path",
        ));
    }
    let machine = Machine::here();
    if let Some(w) = machine.warning() {
        watch.say(&format!("warning: {w}"));
    }
    let when = utc_now();
    let rows = schedule
        .jobs
        .iter()
        .map(|job| row_record(job, clients, &contenders))
        .collect();
    let mut runner = Runner::new(schedule, clients, watch, contenders, rows)?;
    runner.pilot()?;
    runner.estimate();
    runner.null_phase();
    runner.blocks();
    runner.last_look();
    runner.single_calls();
    if schedule.instructions {
        runner.instructions();
    }
    let interrupted = runner.watch.stop();
    let seconds = runner.start.elapsed().as_secs_f64();
    let (rows, contenders) = (runner.rows, runner.contenders);
    let libraries = contenders
        .iter()
        .map(|l| {
            // The base's other selves are the base.
            let label = if l.label.starts_with(SELF) {
                &schedule.base.label
            } else {
                &l.label
            };
            let claim = schedule.claims.iter().find(|(of, _)| *of == l.label);
            contender(
                clients,
                l,
                snapshot.identity(label),
                claim.map(|(_, claim)| claim.clone()),
            )
        })
        .collect();
    drop(snapshot);
    let cells: Vec<String> = rows.iter().map(|r: &RowRecord| format!("{:?}", r.cells)).collect();
    let id = new_id(&when, &[&schedule.command[..], &cells].concat());
    Ok(Record {
        format: FORMAT,
        id,
        when,
        tool: env!("CARGO_PKG_VERSION").into(),
        command: schedule.command.clone(),
        commit: schedule.commit.clone(),
        machine,
        settings: Settings {
            alpha: Looks::ALPHA,
            looks: Looks::COUNTS.to_vec(),
            margin: schedule.margin,
            budget: schedule.budget.as_secs_f64(),
            seed: schedule.seed,
            full: schedule.full,
        },
        libraries,
        rows,
        search: None,
        seconds,
        interrupted,
    })
}

/// Seconds for people.
pub fn minutes(seconds: f64) -> String {
    if seconds < 99.5 {
        format!("{:.0}s", seconds + 0.0)
    } else {
        format!("{}m{:02}s", (seconds / 60.0) as u64, (seconds % 60.0) as u64)
    }
}
