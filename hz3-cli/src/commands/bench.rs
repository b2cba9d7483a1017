//! `bench`: the rows, and single samples of them. A single sample is a figure without a verdict: `compare` judges.

use super::Format;
use super::workload::Workloads;
use crate::fresh::Fresh;
use crate::style;
use hz3_lab::child::{self, Sample};
use hz3_lab::clients::Clients;
use hz3_lab::prove;
use hz3_lab::rows::{self, Job, ROWS};
use hz3_lab::{counters, figures};
use hz3_project::{Allocator, Error, Outcome, Place};

/// Arguments of `bench`.
#[derive(clap::Args)]
#[command(after_help = "Without a row: the list of rows. An absolute time is no result; to judge, use compare.")]
pub struct Arguments {
    /// Rows, groups, rows with options (sub4k:ws=20000)
    #[arg(value_name = "ROW")]
    rows: Vec<String>,
    #[command(flatten)]
    workloads: Workloads,
    /// Under what: variants, peers, glibc, paths
    #[arg(long, value_delimiter = ',', num_args = 1.., default_value = "glibc", value_name = "NAME|PATH")]
    under: Vec<String>,
    #[command(flatten)]
    fresh: Fresh,
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    more: More,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is measured besides.
#[derive(clap::Args)]
pub struct More {
    /// A curve for each row with threads: 1,2,4,8
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    threads: Vec<u64>,
    /// Ask the kernel and the processor for their counters: cycles, cache misses, TLB misses, page faults, …
    #[arg(long)]
    pub counters: bool,
}

impl More {
    /// The options again, as they can be typed.
    pub fn words(&self) -> Vec<String> {
        let threads: Vec<String> = self.threads.iter().map(u64::to_string).collect();
        let threads = (!threads.is_empty()).then(|| ["--threads".to_owned(), threads.join(",")]);
        let counters = self.counters.then(|| "--counters".to_owned());
        threads.into_iter().flatten().chain(counters).collect()
    }

    /// The jobs with what is asked for; a row with threads becomes one job for each number of them.
    pub fn of(&self, jobs: Vec<Job>) -> Vec<Job> {
        let mut all = Vec::new();
        for mut job in jobs {
            job.counters = self.counters;
            let curve: Vec<Job> = self.threads.iter().filter_map(|n| job.threaded(*n)).collect();
            match curve.is_empty() {
                true => {
                    if !self.threads.is_empty() {
                        eprintln!(
                            "{}: {} has no threads to choose: it is measured as it is",
                            style::note("note"),
                            job.name
                        );
                    }
                    all.push(job);
                }
                false => all.extend(curve),
            }
        }
        all
    }
}

/// How large rows are, and what chance has in them.
#[derive(clap::Args)]
pub struct Size {
    /// Options for the clients: ws=20000, threads=8, …
    #[arg(long = "with", value_delimiter = ',', value_name = "KEY=VALUE")]
    pub options: Vec<String>,
    /// The sizes of the literature
    #[arg(long)]
    pub full: bool,
    /// Seed of the clients; the first one, where there are several executions
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// One sample of one row under one contender.
#[derive(serde::Serialize)]
pub struct Run {
    row: String,
    library: String,
    metric: rows::Metric,
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<rows::Point>,
    #[serde(flatten)]
    sample: Sample,
}

/// Runs `bench`.
pub fn run(arguments: Arguments) -> Outcome {
    if arguments.rows.is_empty() && arguments.workloads.is_empty() {
        return list(arguments.format);
    }
    let place = Place::find()?;
    let libraries = arguments.fresh.find_all(&place, &arguments.under)?;
    let clients = Clients::of(&place, |name| eprintln!("building the client {name}"))?;
    let mut runs = Vec::new();
    let left_out = |e| eprintln!("{}: {e}", style::note("left out"));
    let mut jobs = arguments.workloads.jobs(&place, &clients)?;
    jobs.extend(Job::all(&arguments.rows, &clients, arguments.size.full, left_out)?);
    let jobs = jobs.into_iter().map(|job| job.with(&arguments.size.options));
    for job in arguments.more.of(jobs.collect::<Result<_, _>>()?) {
        for library in &libraries {
            runs.push(single(&clients, &job, library, arguments.size.seed)?);
        }
    }
    print(&runs, arguments.format)
}

fn list(format: Format) -> Outcome {
    if format == Format::Json {
        let rows: Vec<_> = ROWS
            .iter()
            .map(|r| serde_json::json!({ "row": r.name, "about": r.about, "metric": r.metric, "groups": r.groups }))
            .collect();
        return super::print_json(&rows);
    }
    let mut table = style::table(&["row", "what", "judged by", "groups"], 9);
    for r in ROWS {
        table.add_row([r.name, r.about, r.metric.unit(), &r.groups.join(" ")]);
    }
    style::print_table(&table);
    Ok(())
}

/// Proves that the library is at work, then runs the job once.
pub fn single(clients: &Clients, job: &Job, library: &Allocator, seed: u64) -> Result<Run, Error> {
    prove::prove(clients, job, library).map_err(|e| Error::failed(e.message))?;
    let sample = child::run(clients, job, Some(library), seed, 0).map_err(|mut e| {
        e.message = format!("{} under {}, seed {seed}: {}", job.name, library.label, e.message);
        e
    })?;
    Ok(Run {
        row: job.name.clone(),
        library: library.label.clone(),
        metric: job.metric,
        point: job.point.clone(),
        sample,
    })
}

/// Shows samples.
pub fn print(runs: &[Run], format: Format) -> Outcome {
    if format == Format::Json {
        return super::print_json(&runs);
    }
    let header = [
        "row",
        "under",
        "value",
        "wall",
        "CPU",
        "faults",
        "peak RSS",
        "end RSS",
        "live peak",
        "failed",
        "wrong",
    ];
    let mut table = style::table(&header, 2);
    let mib = |b: u64| format!("{:.1} MiB", b as f64 / 1048576.0);
    let maybe = |b: Option<u64>| b.map_or("-".into(), mib);
    for r in runs {
        let s = &r.sample;
        table.add_row([
            r.row.clone(),
            r.library.clone(),
            format!("{:.2} {}", r.metric.show(s.value), r.metric.unit()),
            format!("{:.3} s", s.wall),
            format!("{:.3} s", s.cpu),
            s.faults.to_string(),
            mib(s.rss_peak),
            maybe(s.rss_end),
            maybe(s.live_peak),
            s.failures.to_string(),
            s.wrong.to_string(),
        ]);
    }
    style::print_table(&table);
    scaling(runs);
    counted(runs);
    Ok(())
}

/// Points of curves: work a second beside what a step costs.
fn scaling(runs: &[Run]) {
    let mut table = style::table(
        &[
            "scaling",
            "under",
            "threads",
            "steps a second",
            "CPU a step",
            "peak RSS",
        ],
        2,
    );
    for r in runs {
        let (Some(point), Some(rate), Some(steps)) = (&r.point, r.sample.rate, r.sample.steps) else {
            continue;
        };
        table.add_row([
            point.row.clone(),
            r.library.clone(),
            point.threads.to_string(),
            format!("{:.2} M", rate / 1e6),
            format!("{:.1} ns", r.sample.cpu * 1e9 / steps.max(1) as f64),
            format!("{:.1} MiB", r.sample.rss_peak as f64 / 1048576.0),
        ]);
    }
    if table.row_count() > 0 {
        println!();
        style::print_table(&table);
    }
}

/// What was counted, and what could not be.
fn counted(runs: &[Run]) {
    let has = |name: &&str| runs.iter().any(|r| r.sample.counted.counters.contains_key(*name));
    let columns: Vec<&str> = counters::NAMES.into_iter().filter(has).collect();
    if columns.is_empty() {
        return;
    }
    let header: Vec<&str> = ["counters", "under"]
        .into_iter()
        .chain(columns.iter().copied())
        .collect();
    let mut table = style::table(&header, 2);
    for r in runs {
        let mut cells = vec![r.row.clone(), r.library.clone()];
        let of = |name: &&str| {
            r.sample
                .counted
                .counters
                .get(*name)
                .map_or("-".into(), |n| figures::short(*n))
        };
        cells.extend(columns.iter().map(of));
        table.add_row(cells);
    }
    println!();
    style::print_table(&table);
    let missing = runs.iter().flat_map(|r| r.sample.counted.missing.clone()).collect();
    for reason in counters::reasons(&missing) {
        println!("not counted: {reason}");
    }
}
