//! `compare`: paired measurements of a base, variants and peers, and a verdict for each row.

use super::bench::More;
use super::workload::Workloads;
use crate::fresh::Fresh;
use crate::style;
use hz3_lab::clients::Clients;
use hz3_lab::commit::Commit;
use hz3_lab::compare::{self, Schedule, Watch};
use hz3_lab::ledger::{Ledger, Shelf};
use hz3_lab::record::{Claim, Record};
use hz3_lab::rows::{Job, Metric};
use hz3_lab::stats::{Looks, Verdict};
use hz3_lab::table;
use hz3_project::name::Named;
use hz3_project::{Allocator, Error, Kind, Outcome, Place, peers::PEERS, program};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Arguments of `compare`.
#[derive(clap::Args)]
#[command(after_help = "\
Ratios are contender / base: below 1 is better. GO and NO-GO stand for an interval that lies beyond what the base shows
against itself; UNDECIDED= is an effect that is surely smaller than --margin. `sees` is the smallest change that the run
could have told from nothing. A wrong GO or NO-GO has a probability of 2 % at most for each contender, row, and aspect: the
judged value, peak memory, final memory.

Exit codes: 0 measured; 1 a run of the base, of a variant or of a file failed, a variant is not built or not up to date, or
--gate says so; 130 Ctrl-C. What was measured by then is shown, and kept if some row had its first look.

Examples:
  cargo hz3 compare s22-round4k default --peers tcmalloc --rows sub4k,mixed,app
  cargo hz3 compare default old=target/old.so --rows ssot --time-budget 3m
  cargo hz3 compare default compact --peers all -- python3 script.py")]
pub struct Arguments {
    /// The base: a variant, a peer, `glibc`, a path, or label=path
    #[arg(value_name = "BASE")]
    base: String,
    /// What to compare it with
    #[arg(value_name = "VARIANT")]
    variants: Vec<String>,
    /// Peers to compare it with as well: names, `glibc`, or `all` that are installed
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "PEER")]
    peers: Vec<String>,
    /// Rows, groups, rows with options (sub4k:ws=20000); `default` if none is named, `cargo hz3 bench` lists them
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "ROW")]
    rows: Vec<String>,
    /// Recorded traces as rows: files, or names of those in hz3-lab/traces (without --rows: only these)
    #[arg(long = "trace", value_delimiter = ',', num_args = 1.., value_name = "FILE|NAME")]
    traces: Vec<String>,
    #[command(flatten)]
    workloads: Workloads,
    /// Time for everything: 90, 90s, 5m, 1h
    #[arg(long, default_value = "285s", value_parser = duration)]
    time_budget: Duration,
    /// Options for the clients of all rows: ws=20000, threads=8, …
    #[arg(long = "with", value_delimiter = ',', value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// What stands in the environment of all that is measured: GLIBC_TUNABLES=glibc.pthread.rseq=0, MIMALLOC_…=1, …
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = setting)]
    environment: Vec<(String, String)>,
    /// The sizes of the literature instead of samples of a fraction of a second
    #[arg(long)]
    full: bool,
    /// Effects surely below this many percent end a row, undecided
    #[arg(long, default_value_t = 1.0, value_name = "PERCENT", value_parser = percent)]
    margin: f64,
    /// First seed of the clients
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Add instruction totals of a short execution under callgrind
    #[arg(long)]
    instructions: bool,
    /// Add the base once more, or so many times: nothing must be found
    #[arg(long, value_name = "TIMES", num_args = 0..=1, require_equals = true, default_value_t = 0, default_missing_value = "1")]
    null: usize,
    /// Judge rows of several threads by CPU time, too: for a machine that others use
    #[arg(long)]
    cpu: bool,
    /// Judge your own command by wall time instead of CPU time
    #[arg(long)]
    wall: bool,
    /// Judge by p99.9 of the single calls of a function instead: malloc, free or realloc
    #[arg(long, value_name = "CALL", value_parser = ["malloc", "free", "realloc"], conflicts_with_all = ["cpu", "wall", "command"])]
    tail: Option<String>,
    /// Show how long single calls take as well, by so many executions of the clients' twins
    #[arg(long, value_name = "ROUNDS", num_args = 0..=1, require_equals = true, default_value_t = 0, default_missing_value = "5",
        value_parser = clap::value_parser!(u32).range(0..=1000), conflicts_with_all = ["tail", "command"])]
    tails: u32,
    #[command(flatten)]
    more: More,
    /// Exit code 1 if a variant is NO-GO on some row
    #[arg(long)]
    gate: bool,
    #[command(flatten)]
    fresh: Fresh,
    /// Keep the record in ledger/, which is part of the project, instead of this checkout's own in target/
    #[arg(long)]
    share: bool,
    /// Keep nothing in the ledger
    #[arg(long, conflicts_with = "share")]
    no_ledger: bool,
    /// The record as JSON on stdout instead of the table
    #[arg(long)]
    json: bool,
    /// A command of your own, in place of rows
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// A share of at least 0 and less than 100 percent.
fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if (0.0..100.0).contains(&n) => Ok(n),
        _ => Err("a margin is a number of percent, from 0 to less than 100".into()),
    }
}

/// A word of the command as the record keeps it: of a library's path only its name. A record that is shared says nothing of
/// the folders of this machine.
fn named(word: &str) -> String {
    match word.rsplit_once('/') {
        Some((folder, file)) if file.contains(".so") => {
            let label = folder.split_once('=').filter(|(label, _)| !label.contains('/'));
            label.map_or_else(|| file.to_owned(), |(label, _)| format!("{label}={file}"))
        }
        _ => word.to_owned(),
    }
}

/// `KEY=VALUE` for the environment. What is preloaded is said by naming a contender.
fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("LD_PRELOAD", _)) => Err("a library is measured as a contender: label=path".into()),
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("a setting of the environment is KEY=VALUE".into()),
    }
}

/// `90`, `90s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, scale) = match text.char_indices().last() {
        Some((i, 's')) => (&text[..i], 1.0),
        Some((i, 'm')) => (&text[..i], 60.0),
        Some((i, 'h')) => (&text[..i], 3600.0),
        _ => (text, 1.0),
    };
    match digits.parse::<f64>() {
        Ok(n) if n > 0.0 && n * scale < 1e7 => Ok(Duration::from_secs_f64(n * scale)),
        _ => Err("a time is a number and s, m or h: 90s, 5m".into()),
    }
}

/// Stderr, a progress bar, and Ctrl-C.
pub struct Bar {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl Bar {
    /// Takes over Ctrl-C: the first ends the comparison with what it has, the second ends the program.
    pub fn new() -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        })
        .map_err(|e| Error::unfit(format!("cannot catch Ctrl-C: {e}")))?;
        let bar = ProgressBar::new(1000);
        bar.set_style(
            ProgressStyle::with_template("{elapsed:>5} {bar:30} {wide_msg}").expect("the template is a constant"),
        );
        bar.enable_steady_tick(Duration::from_millis(500));
        Ok(Self { bar, stop })
    }
    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Watch for Bar {
    fn say(&mut self, text: &str) {
        let text = match text.strip_prefix("warning: ") {
            Some(rest) => format!("{}: {rest}", style::warning("warning")),
            None => text.to_owned(),
        };
        self.bar.suspend(|| eprintln!("{text}"));
    }
    fn progress(&mut self, share: f64, text: &str) {
        self.bar.set_position((share * 1000.0) as u64);
        self.bar.set_message(text.to_owned());
    }
    fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The contenders: the base, then the rest, none twice.
fn libraries(place: &Place, arguments: &Arguments) -> Result<(Allocator, Vec<Allocator>), Error> {
    let base = Allocator::find(place, &arguments.base)?;
    let mut others: Vec<Allocator> = Vec::new();
    for word in arguments.variants.iter().chain(&arguments.peers) {
        if word == "all" {
            for peer in PEERS {
                match Allocator::find(place, peer.name) {
                    Ok(l) if l.label != base.label => others.push(l),
                    Ok(_) => {}
                    Err(e) if peer.package.is_empty() => drop(e),
                    Err(e) => eprintln!("{}: {e}", style::note("left out")),
                }
            }
        } else {
            others.push(Allocator::find(place, word)?);
        }
    }
    Ok((base, others))
}

/// The rows as jobs, with the user's options for clients.
fn jobs(arguments: &Arguments, place: &Place, clients: &Clients) -> Result<Vec<Job>, Error> {
    if !arguments.command.is_empty() {
        if program::find(&arguments.command[0]).is_none() {
            return Err(Error::bad_input(format!("{}: no such program", arguments.command[0])));
        }
        let metric = if arguments.wall { Metric::WallMs } else { Metric::CpuMs };
        return Ok(vec![Job::user(&arguments.command, metric)]);
    }
    let mut jobs = Vec::new();
    let by_default = if arguments.traces.is_empty() && arguments.workloads.is_empty() {
        vec!["default".to_owned()]
    } else {
        Vec::new()
    };
    let words = if arguments.rows.is_empty() {
        &by_default
    } else {
        &arguments.rows
    };
    for (name, trace) in super::trace::open_all(place, &arguments.traces)? {
        jobs.push(Job::trace(&name, &trace, clients)?);
    }
    for job in arguments.workloads.jobs(place, clients)? {
        jobs.push(job.with(&arguments.options)?);
    }
    let left_out = |e| eprintln!("{}: {e}", style::note("left out"));
    for job in Job::all(words, clients, arguments.full, left_out)? {
        jobs.push(job.with(&arguments.options)?);
    }
    if let Some(call) = &arguments.tail {
        jobs = jobs
            .into_iter()
            .filter_map(|job| job.judged_by(call, clients).map_err(left_out).ok())
            .collect();
    }
    if arguments.cpu {
        let timed = |job: &&mut Job| job.several && job.metric == Metric::NsPerOp;
        jobs.iter_mut()
            .filter(timed)
            .for_each(|job| job.metric = Metric::CpuNsPerOp);
    }
    if jobs.is_empty() {
        return Err(Error::unfit("none of these rows can run here"));
    }
    Ok(jobs)
}

/// Runs `compare`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let words = || [&arguments.base].into_iter().chain(&arguments.variants);
    arguments.fresh.prepare(&place, words())?;
    let (base, others) = libraries(&place, &arguments)?;
    // Whatever could keep the record from being kept is found out before the minutes are spent.
    let ledger = Ledger::of(&place);
    let shelf = match arguments.share {
        true => Shelf::Shared,
        false => Shelf::Private,
    };
    if !arguments.no_ledger {
        ledger.open(shelf)?;
    }
    let clients = Clients::of(&place, |name| eprintln!("building the client {name}"))?;
    let mut jobs = jobs(&arguments, &place, &clients)?;
    jobs = arguments.more.of(jobs);
    for job in &mut jobs {
        job.environment.clone_from(&arguments.environment);
        job.tails = arguments.tails;
    }
    let schedule = Schedule {
        base,
        others,
        jobs,
        budget: arguments.time_budget,
        margin: (1.0 + arguments.margin / 100.0).ln(),
        seed: arguments.seed,
        full: arguments.full,
        instructions: arguments.instructions,
        claims: claims(&place, words()),
        null: if arguments.variants.is_empty() && arguments.peers.is_empty() {
            arguments.null.max(1)
        } else {
            arguments.null
        },
        commit: Commit::of(&place.root),
        command: std::env::args().skip(1).map(|word| named(&word)).collect(),
    };
    let mut bar = Bar::new()?;
    let result = compare::run(&schedule, &clients, &mut bar);
    bar.finish();
    let record = result?;
    if arguments.json {
        super::print_json(&record)?;
    } else {
        print!("{}", table::text(&record));
        print!("{}", table::summary(&record));
    }
    let failed = failures(&record);
    let worth = record.says_something() || (!record.interrupted && !failed.is_empty());
    if !arguments.no_ledger && worth {
        let file = ledger.append(shelf, &record)?;
        let share = match shelf {
            Shelf::Private => format!("; for others to see: cargo hz3 ledger share {}", record.id),
            Shelf::Shared => String::new(),
        };
        eprintln!(
            "kept as {id} in {}; a page of it: cargo hz3 report {id} -o report.html{share}",
            place.shown(&file),
            id = record.id
        );
    }
    let first = Looks::COUNTS[0];
    match (record.interrupted, worth) {
        (true, true) => return Err(Error::stopped("stopped by hand: the figures above are what there is")),
        (true, false) => {
            return Err(Error::stopped(format!(
                "stopped by hand before a row had {first} blocks: nothing is kept"
            )));
        }
        (false, false) => {
            return Err(Error::failed(format!(
                "no row got the {first} blocks of a first look: nothing is kept"
            ))
            .help("give more time (--time-budget 10m), or fewer rows"));
        }
        (false, true) => {}
    }
    if !failed.is_empty() {
        return Err(Error::failed(format!(
            "no figures for {}: see above",
            failed.join(", ")
        )));
    }
    Error::unless(!(arguments.gate && regressed(&record)))
}

/// What the configs of variants say that they are for, as they are now: prose is not what a library is built from.
pub fn claims<'a>(place: &Place, words: impl Iterator<Item = &'a String>) -> Vec<(String, Claim)> {
    let claim = |word: &String| {
        let Ok(Named::Variant(label, Some(config))) = Named::find(place, word) else {
            return None;
        };
        let plan = hz3_config::load(&config).ok()?;
        (plan.hypothesis.is_some() || plan.goal.is_some()).then(|| {
            let goal = plan.goal.unwrap_or_default().word().to_owned();
            let hypothesis = plan.hypothesis;
            (label, Claim { hypothesis, goal })
        })
    };
    words.filter_map(claim).collect()
}

/// What of ours did not work where it should: the base, variants and files, by row. A peer's failure is its own affair, and
/// a row for which there was no time did not fail.
fn failures(record: &Record) -> Vec<String> {
    let mut failed = Vec::new();
    for row in &record.rows {
        for (i, cell) in row.cells.iter().enumerate() {
            let ran_out_of_time = i == 0 && row.left_out;
            if cell.problem.is_some() && !ran_out_of_time && (i == 0 || own(record, &cell.label)) {
                failed.push(format!("{} on {}", cell.label, row.name));
            }
        }
    }
    failed
}

/// Whether a contender is one of ours: a variant, or a file that the user named.
fn own(record: &Record, label: &str) -> bool {
    record
        .libraries
        .iter()
        .any(|l| l.label == label && matches!(l.kind, Kind::Variant | Kind::File))
}

/// Whether a variant or a file (not a peer) is worse than the base somewhere.
fn regressed(record: &Record) -> bool {
    record
        .results()
        .any(|(c, o)| own(record, &c.label) && o.verdict == Verdict::NoGo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("90").unwrap().as_secs(), 90);
        assert_eq!(duration("1.5m").unwrap().as_secs(), 90);
        assert_eq!(duration("1h").unwrap().as_secs(), 3600);
        for bad in ["", "m", "-3s", "0", "5d", "nan", "inf", "infs"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!((percent("0"), percent("2.5")), (Ok(0.0), Ok(2.5)));
        for bad in ["", "nan", "inf", "-1", "100", "x"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_record_names_libraries_without_their_folders() {
        let kept = [
            ("mimalloc=/opt/new/libmimalloc.so.3.4", "mimalloc=libmimalloc.so.3.4"),
            ("target/old.so", "old.so"),
            ("old=old.so", "old=old.so"),
            ("default", "default"),
            ("sub4k:ws=20000", "sub4k:ws=20000"),
        ];
        for (word, want) in kept {
            assert_eq!(named(word), want);
        }
    }
}
