//! `tails`: how long single calls take. `compare --tail` judges.

use super::Format;
use super::bench::Size;
use super::workload::Workloads;
use crate::fresh::Fresh;
use crate::style;
use hz3_lab::clients::Clients;
use hz3_lab::rows::Job;
use hz3_lab::tails::{self, CALLS, Events, Tails, Together};
use hz3_lab::{child, prove};
use hz3_project::{Allocator, Error, Outcome, Place};
use std::collections::BTreeMap;

/// Rows that are looked at when none is named: those in which objects go from one thread to another.
const ROWS: &str = "mt-r50,mt-mixed-r50,larson";

/// Arguments of `tails`.
#[derive(clap::Args)]
#[command(after_help = "\
Each call is timed by itself, by a twin of the row's client. The line `clock` is what the clock takes when nothing is called, in
the same threads: every figure includes it. Figures are medians of --rounds executions, `from` and `to` the least and the
greatest p99.9 of one. Calls in which the kernel took the processor away are counted apart (`apart`), as far as it tells.

A variant with stats.level = \"events\" also tells how long its events took:
  cargo hz3 tails stats-events --rows mt-r50 --build

These are figures without a verdict; to judge: cargo hz3 compare default tcmalloc --rows mt-r50 --tail malloc")]
pub struct Arguments {
    /// Under what: variants, peers, glibc, paths
    #[arg(required = true, value_name = "NAME|PATH")]
    allocators: Vec<String>,
    #[command(flatten)]
    fresh: Fresh,
    /// Rows, groups, rows with options (mt-r50:threads=2) [default: mt-r50,mt-mixed-r50,larson]
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "ROW")]
    rows: Option<Vec<String>>,
    #[command(flatten)]
    workloads: Workloads,
    #[command(flatten)]
    size: Size,
    /// Executions of each row under each allocator
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One row under one allocator.
#[derive(serde::Serialize)]
struct Run {
    row: String,
    under: String,
    calls: BTreeMap<&'static str, Together>,
    executions: Vec<Tails>,
    /// Of the last execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Events>,
}

/// Runs `tails`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let libraries = arguments.fresh.find_all(&place, &arguments.allocators)?;
    let clients = Clients::of(&place, |name| eprintln!("building the client {name}"))?;
    let left_out = |e| eprintln!("{}: {e}", style::note("left out"));
    let mut jobs = Vec::new();
    let mut rows = arguments.workloads.jobs(&place, &clients)?;
    let words = match (&arguments.rows, rows.is_empty()) {
        (Some(words), _) => words.clone(),
        (None, true) => ROWS.split(',').map(Into::into).collect(),
        (None, false) => Vec::new(),
    };
    rows.extend(Job::all(&words, &clients, arguments.size.full, left_out)?);
    for job in rows {
        match job.with(&arguments.size.options)?.timed(&clients) {
            Ok(job) => jobs.push(job),
            Err(e) => left_out(e),
        }
    }
    if jobs.is_empty() {
        return Err(Error::unfit("none of these rows can time its calls"));
    }
    let mut runs = Vec::new();
    for job in &jobs {
        runs.extend(row(&clients, job, &libraries, &arguments)?);
    }
    match arguments.format {
        Format::Json => super::print_json(&runs),
        Format::Text => {
            print(&runs);
            Ok(())
        }
    }
}

/// One row under all allocators. They take turns, so that a bad second does not meet one alone.
fn row(clients: &Clients, job: &Job, libraries: &[Allocator], arguments: &Arguments) -> Result<Vec<Run>, Error> {
    for library in libraries {
        prove::prove(clients, job, library)?;
    }
    let mut runs: Vec<Run> = libraries
        .iter()
        .map(|library| Run {
            row: job.name.clone(),
            under: library.label.clone(),
            calls: BTreeMap::new(),
            executions: Vec::new(),
            events: None,
        })
        .collect();
    for round in 0..u64::from(arguments.rounds) {
        let seed = arguments.size.seed + round;
        for (library, run) in libraries.iter().zip(&mut runs) {
            let failed = |why: &str| format!("{} under {}, seed {seed}: {why}", job.name, library.label);
            let sample = child::run(clients, job, Some(library), seed, 0).map_err(|mut e| {
                e.message = failed(&e.message);
                e
            })?;
            if sample.wrong > 0 {
                return Err(Error::failed(failed(&sample.wrongness())));
            }
            run.executions.extend(sample.tails);
            run.events = sample.events;
        }
    }
    for run in &mut runs {
        let of = |call| Some((call, tails::together(&run.executions, call)?));
        run.calls = CALLS.into_iter().filter_map(of).collect();
    }
    Ok(runs)
}

fn print(runs: &[Run]) {
    let header = [
        "row", "under", "call", "calls", "p50", "p99", "p99.9", "from", "to", "p99.99", "max", "apart", "faults",
    ];
    let mut table = style::table(&header, 3);
    let mut before: Option<&str> = None;
    for run in runs {
        for (i, call) in CALLS.iter().enumerate() {
            let Some(Together { median, range }) = run.calls.get(call) else {
                continue;
            };
            let once = |text: String| if i == 0 { text } else { String::new() };
            let sum = |f: fn(&Tails) -> u64| run.executions.iter().map(f).sum::<u64>();
            let apart = match run.executions.iter().all(|t| t.told_apart) {
                true => sum(|t| t.preempted).to_string(),
                false => "-".into(),
            };
            let row = match before.replace(&run.row) == Some(&run.row) {
                true => String::new(),
                false => run.row.clone(),
            };
            table.add_row([
                row,
                once(run.under.clone()),
                (*call).to_owned(),
                median.count.to_string(),
                median.p50.to_string(),
                median.p99.to_string(),
                median.p999.to_string(),
                range.0.to_string(),
                range.1.to_string(),
                median.p9999.to_string(),
                median.max.to_string(),
                once(apart),
                once((sum(|t| t.faults) / run.executions.len().max(1) as u64).to_string()),
            ]);
        }
    }
    style::print_table(&table);
    if let Some(t) = runs.iter().flat_map(|r| &r.executions).next() {
        println!("in {}, {:.0} of them a microsecond", t.unit, t.ticks_per_us);
    }
    for run in runs {
        if let Some(all) = &run.events {
            println!();
            events(run, all);
        }
    }
}

/// The events of one row, of its last execution.
fn events(run: &Run, events: &Events) {
    println!("{}, {}", style::strong(&run.under), run.row);
    let header = ["event", "count", "mean", "p50", "p99", "p99.9", "max"];
    let mut table = style::table(&header, 1);
    for (name, event) in events.iter().filter(|(_, e)| e.count > 0) {
        let mut cells = vec![name.clone(), event.count.to_string()];
        if let Some(s) = event.spread {
            let mean = event.cycles / event.count;
            cells.extend([mean, s.p50, s.p99, s.p999, s.max].map(|n| n.to_string()));
        } else {
            cells.resize(header.len(), String::new());
        }
        table.add_row(cells);
    }
    style::print_table(&table);
}
