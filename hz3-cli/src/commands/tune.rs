//! `tune`: the best config for a program, found in a given time.

mod candidates;
mod config;
mod shown;

use super::compare::{claims, typed};
use super::rows::{Rows, duration, percent};
use crate::bar::Bar;
use crate::fresh::Fresh;
use crate::keep::Kept;
use crate::{configs, style};
use candidates::Maker;
use hz3_lab::clients::Clients;
use hz3_lab::commit::Commit;
use hz3_lab::expression::{Quantity, Sum, Told};
use hz3_lab::record::utc_now;
use hz3_lab::rows::Job;
use hz3_lab::tune::{self, About, Field, Wish};
use hz3_project::{Error, Outcome, Place, file, name};
use shown::Shown;
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Arguments of `tune`.
#[derive(clap::Args)]
#[command(after_help = "\
Candidates are what `fit` makes of a recording of the command, the configs of --also, and the neighbourhood of the base: one
key, or a few that belong together, set otherwise. They race by successive halving; then what is made of the best ones enters.
The last few are judged on blocks that the search has not seen. The chance that any of them is called better or worse than the
base although it is not, is 2 % at most, however many were tried.

The goal is a sum of ratios to the base: time, rss, latency, final, cpu, faults; time + 0.3 rss. Over several rows it is the
geometric mean. latency is p99.9 of malloc on rows of the lab's clients.

Examples:
  cargo hz3 tune --budget 10m -o configs/mine.toml -- ./my-server --selftest
  cargo hz3 tune --goal 'time + 0.3 rss' --rows app,mixed,mt-r50 --budget 20m
  cargo hz3 tune --base compact --also mine --goal rss -- ./my-server --selftest")]
pub struct Arguments {
    /// The base: a config of the project, a preset, or a path
    #[arg(long, default_value = "default", value_name = "NAME")]
    base: String,
    /// What is to be small
    #[arg(long, default_value = "time", value_name = "SUM")]
    goal: Sum,
    /// Time for everything, builds included: 90s, 10m, 1h
    #[arg(long, default_value = "10m", value_parser = duration)]
    budget: Duration,
    /// Configs that are candidates, too
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    also: Vec<String>,
    /// Do not record the command for `fit`
    #[arg(long)]
    no_fit: bool,
    /// Effects surely below this many percent are not worth more time
    #[arg(long, default_value_t = 0.5, value_name = "PERCENT", value_parser = percent)]
    margin: f64,
    /// Write the config that is recommended
    #[arg(short, long, value_name = "FILE.toml")]
    output: Option<PathBuf>,
    /// What was found as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    fresh: Fresh,
    #[command(flatten)]
    keep: Kept,
    #[command(flatten)]
    rows: Rows,
}

/// Runs `tune`.
pub fn run(mut arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let config = name::config(&place, &arguments.base)?;
    let base = configs::load(&config)?;
    if let Some(path) = &arguments.output {
        file::writable(path)?;
        config::check(&place, path, &config, &base)?;
    }
    if let Some(option) = arguments.rows.besides() {
        return Err(Error::bad_input(format!(
            "{option} shows what judges nothing, and tune only judges: compare what it recommends with {option}"
        )));
    }
    if arguments.goal.names().contains(&Quantity::Latency) && arguments.rows.tail.is_none() {
        if !arguments.rows.command.is_empty() {
            return Err(Error::bad_input(
                "single calls are timed in clients of the lab only: latency needs --rows",
            ));
        }
        arguments.rows.tail = Some("malloc".into());
    }
    let ledger = arguments.keep.open(&place)?;
    let clients = Clients::of(&place, |name| eprintln!("building the client {name}"))?;
    let jobs = arguments.rows.jobs(&place, &clients)?;
    had(&arguments.goal, &jobs)?;
    let library = arguments.fresh.find(&place, &arguments.base)?;

    let (start, when) = (Instant::now(), utc_now());
    let mut maker = Maker::new(&place, &base, &config)?;
    maker.named(&arguments.also, &arguments.fresh)?;
    if !arguments.no_fit && !arguments.rows.command.is_empty() {
        maker.fitted(&arguments.rows.command);
    }
    let wish = Wish {
        goal: arguments.goal.clone(),
        budget: arguments.budget.saturating_sub(start.elapsed()).as_secs_f64().max(1.0),
        margin: (1.0 + arguments.margin / 100.0).ln(),
        seed: arguments.rows.seed,
        floored: true,
    };
    let mut bar = Bar::new()?;
    let maker = RefCell::new(maker);
    let make = |best: &[usize], seconds: f64, most: usize, watch: &mut Bar| {
        maker.borrow_mut().make(best, seconds, most, watch)
    };
    let field = Field::new(&clients, jobs.clone(), library, wish.seed, wish.budget, make, &mut bar);
    let searched = field.and_then(|mut field| {
        let found = tune::search(&mut field, &wish);
        let found = found.map_err(|why| Error::failed(format!("{}: {why}", base.name)))?;
        let maker = maker.borrow();
        let shown = Shown {
            base: &base.name,
            goal: arguments.goal.text(),
            jobs: &jobs,
            found: &found,
            made: maker.made(),
        };
        let about = About {
            command: typed(),
            commit: Commit::of(&place.root),
            when,
            full: arguments.rows.full,
            claims: claims(&place, std::iter::once(&arguments.base))
                .into_iter()
                .chain(maker.claims())
                .collect(),
        };
        let record = field.record(&found, &wish, about, shown.search())?;
        Ok((found, record))
    });
    bar.finish();
    let (found, record) = searched?;
    let maker = maker.into_inner();
    let shown = Shown {
        base: &base.name,
        goal: arguments.goal.text(),
        jobs: &jobs,
        found: &found,
        made: maker.made(),
    };
    if arguments.json {
        super::print_json(&record.search)?;
    } else {
        shown.print();
    }
    if record.says_something() {
        arguments.keep.put(&place, &ledger, &record)?;
    }
    if found.stopped {
        return Err(Error::stopped("stopped by hand: the figures above are what there is"));
    }
    match (&arguments.output, found.best) {
        (Some(path), Some(best)) => {
            let reasons = shown.reasons(best);
            config::write(&place, path, &config, &base, &reasons, shown.candidate(best))?;
            // stdout is for the JSON alone.
            match arguments.json {
                true => eprintln!("{}", path.display()),
                false => println!("{}", path.display()),
            }
        }
        (Some(path), None) => eprintln!("{}: {} is not written", style::note("note"), path.display()),
        (None, _) => {}
    }
    Ok(())
}

/// Refuses a goal with a name that some row lacks.
fn had(goal: &Sum, jobs: &[Job]) -> Outcome {
    for name in goal.names() {
        // A race weighs what a row is judged by, and no other figure of single calls.
        let raced = |job: &Job| Told {
            timed: false,
            ..Told::by(job, false)
        };
        let lacks = |job: &&Job| !name.is_had(raced(job));
        if let Some(job) = jobs.iter().find(lacks) {
            return Err(Error::bad_input(format!(
                "--goal '{}': the row {} has no `{}`",
                goal.text(),
                job.name,
                name.name()
            )));
        }
    }
    Ok(())
}
