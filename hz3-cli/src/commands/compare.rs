//! `compare`: paired measurements of a base, variants and peers, and a verdict for each row.

use super::rows::{Rows, duration, percent};
use crate::bar::Bar;
use crate::fresh::Fresh;
use crate::keep::{Keep, own};
use crate::style;
use hz3_lab::clients::Clients;
use hz3_lab::commit::Commit;
use hz3_lab::compare::{self, Schedule};
use hz3_lab::expression::{Condition, Quantity, Shown, Told};
use hz3_lab::record::{Claim, Record};
use hz3_lab::rows::Job;
use hz3_lab::stats::{Looks, Verdict};
use hz3_lab::table;
use hz3_project::name::Named;
use hz3_project::{Allocator, Error, Outcome, Place, peers::PEERS, revision};
use std::time::Duration;

/// Arguments of `compare`.
#[derive(clap::Args)]
#[command(after_help = "\
Ratios are contender / base: below 1 is better. GO and NO-GO stand for an interval that lies beyond what the base shows
against itself; UNDECIDED= is an effect that is surely smaller than --margin. `sees` is the smallest change that the run
could have told from nothing. A wrong GO or NO-GO has a probability of 2 % at most for each contender, row, and aspect: the
judged value, peak memory, final memory.

Exit codes: 0 measured; 1 a run of the base, of a variant or of a file failed, a variant is not built or not up to date, or
--gate or --fail-if says so; 130 Ctrl-C. What was measured by then is shown, and kept if some row had its first look.

Examples:
  cargo hz3 compare s22-round4k default --peers tcmalloc --rows sub4k,mixed,app
  cargo hz3 compare default old=target/old.so --rows ssot --time-budget 3m
  cargo hz3 compare default@HEAD~1 default --rows ssot --fail-if 'time > 1.02 or rss > 1.05'
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
    /// Time for everything but --tails and --instructions: 90, 90s, 5m, 1h
    #[arg(long, default_value = "285s", value_parser = duration)]
    time_budget: Duration,
    /// Effects surely below this many percent end a row, undecided
    #[arg(long, default_value_t = 1.0, value_name = "PERCENT", value_parser = percent)]
    margin: f64,
    /// Add instruction totals of a short execution under callgrind, when all is judged
    #[arg(long)]
    instructions: bool,
    /// Add the base once more, or so many times: nothing must be found
    #[arg(long, value_name = "TIMES", num_args = 0..=1, require_equals = true, default_value_t = 0, default_missing_value = "1")]
    null: usize,
    /// Exit code 1 if a variant is NO-GO on some row
    #[arg(long)]
    gate: bool,
    /// Exit code 1 if this is shown of a variant on some row: 'rss > 1.05', 'time > 1.02 and rss > 1'. Ratios to the base;
    /// time, cpu, rss (peak), final, faults, instructions, p99.9; with --tails=20 or --tail also p50, p99, p99.9 and max of single
    /// calls: malloc.p99, free.p50, realloc.max
    #[arg(long, value_name = "CONDITION")]
    fail_if: Vec<Condition>,
    #[command(flatten)]
    rows: Rows,
    #[command(flatten)]
    fresh: Fresh,
    #[command(flatten)]
    keep: Keep,
    /// The record as JSON on stdout instead of the table
    #[arg(long)]
    json: bool,
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

/// What a word names: a malloc, or a variant as it was at a commit.
fn contender(place: &Place, word: &str) -> Result<Allocator, Error> {
    match revision::split(word) {
        Some((name, at)) => revision::find(place, name, at, |text| eprintln!("{text}")),
        None => Allocator::find(place, word),
    }
}

/// The contenders: the base, then the rest, none twice.
fn libraries(place: &Place, arguments: &Arguments) -> Result<(Allocator, Vec<Allocator>), Error> {
    let base = contender(place, &arguments.base)?;
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
            others.push(contender(place, word)?);
        }
    }
    Ok((base, others))
}

/// Runs a comparison, with a bar.
pub fn measure(schedule: &Schedule, clients: &Clients) -> Result<Record, Error> {
    let mut bar = Bar::new()?;
    let result = compare::run(schedule, clients, &mut bar);
    bar.finish();
    result
}

/// This command as the record keeps it.
pub fn typed() -> Vec<String> {
    std::env::args().skip(1).map(|word| named(&word)).collect()
}

/// Runs `compare`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let words = || [&arguments.base].into_iter().chain(&arguments.variants);
    arguments.fresh.prepare(&place, words())?;
    let (base, others) = libraries(&place, &arguments)?;
    let ledger = arguments.keep.open(&place)?;
    let clients = Clients::of(&place, |name| eprintln!("building the client {name}"))?;
    let jobs = arguments.rows.jobs(&place, &clients)?;
    arguments
        .fail_if
        .iter()
        .try_for_each(|condition| had(condition, &jobs, arguments.instructions))?;
    let schedule = Schedule {
        base,
        others,
        jobs,
        budget: arguments.time_budget,
        margin: (1.0 + arguments.margin / 100.0).ln(),
        seed: arguments.rows.seed,
        full: arguments.rows.full,
        instructions: arguments.instructions,
        claims: claims(&place, words()),
        null: if arguments.variants.is_empty() && arguments.peers.is_empty() {
            arguments.null.max(1)
        } else {
            arguments.null
        },
        commit: Commit::of(&place.root),
        command: typed(),
    };
    let record = measure(&schedule, &clients)?;
    if arguments.json {
        super::print_json(&record)?;
    } else {
        print!("{}", table::text(&record));
        print!("{}", table::summary(&record));
    }
    arguments.keep.put(&place, &ledger, &record)?;
    let hit: Vec<bool> = arguments
        .fail_if
        .iter()
        .map(|condition| holds(condition, &record))
        .collect();
    let regressed = arguments.gate && regressed(&record);
    Error::unless(!regressed && !hit.contains(&true))
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

/// Refuses a condition with a name that no row has: it could never hold, and nobody would notice.
fn had(condition: &Condition, jobs: &[Job], instructions: bool) -> Outcome {
    for name in condition.names() {
        let rows = jobs.iter().any(|job| name.is_had(Told::by(job, instructions)));
        let first = Looks::COUNTS[0] as u32;
        let few = |job: &&Job| job.tails > 0 && job.tails < first;
        if let (Quantity::Single(_), Some(job)) = (name, jobs.iter().find(few)) {
            return Err(Error::bad_input(format!(
                "--fail-if '{}': {} executions show nothing",
                condition.text(),
                job.tails
            ))
            .help(format!("--tails={first} or more")));
        }
        if !rows {
            return Err(Error::bad_input(format!(
                "--fail-if '{}': no row here has `{}`",
                condition.text(),
                name.name()
            ))
            .help(
                "final: rows of the lab's clients; instructions: with --instructions; p99.9: with --tail malloc; malloc.p99 and the \
                 like: with --tails=20 or --tail; time: without --tail",
            ));
        }
    }
    Ok(())
}

/// Whether a condition is shown of a variant or a file on some row; each of these is told.
fn holds(condition: &Condition, record: &Record) -> bool {
    let mut any = false;
    for row in &record.rows {
        let rows = row.cells.iter().skip(1).filter(|cell| own(record, &cell.label));
        for cell in rows.filter(|cell| condition.shown(row, cell) == Some(Shown::Yes)) {
            eprintln!(
                "{}: {}: {} on {}",
                style::warning("shown"),
                condition.text(),
                cell.label,
                row.name
            );
            any = true;
        }
    }
    any
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
