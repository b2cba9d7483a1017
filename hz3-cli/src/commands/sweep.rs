//! `sweep`: a grid of configs against their base.

use super::compare::{measure, typed};
use super::rows::{Rows, duration, percent};
use crate::derived::{self, Derived, Setting};
use crate::fresh::Fresh;
use crate::keep::Keep;
use crate::{configs, style};
use hz3_config::{Diagnostics, suggest};
use hz3_lab::clients::Clients;
use hz3_lab::commit::Commit;
use hz3_lab::compare::Schedule;
use hz3_lab::record::Record;
use hz3_lab::table;
use hz3_project::{Error, OnPath, Outcome, Place, Result, file, name};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `sweep`.
#[derive(clap::Args)]
#[command(after_help = "\
Every combination of the values is a config that extends BASE. All are checked, then built, then compared with BASE in one
comparison. Values are written as in a config; words and sizes need no quotes.

With --jobs nothing is built and nothing runs. Each line of the file is one command that compares one config with BASE and
writes one record. They do not depend on each other: GNU parallel, a Slurm array or a shell runs them, one at a time on each
machine. `cargo hz3 ledger merge` puts the records into the ledger.

Examples:
  cargo hz3 sweep default --set cache.batch_max=8,16,32 --set runs.min_objects=4,16 --rows ssot
  cargo hz3 sweep default --set purge.idle=off,helper -- ./my-server --selftest
  cargo hz3 sweep default --set cache.batch_max=8,16,32 --rows ssot --jobs jobs.txt")]
pub struct Arguments {
    /// The base: a config of the project, a preset, or a path
    #[arg(value_name = "BASE")]
    base: String,
    /// A key with its values: cache.batch_max=8,16,32; several give every combination
    #[arg(long = "set", required = true, value_name = "TABLE.KEY=VALUE,…", value_parser = axis)]
    axes: Vec<Vec<Setting>>,
    #[command(flatten)]
    rows: Rows,
    /// Time for the comparison but --tails, of each with --jobs: 90s, 5m, 1h
    #[arg(long, default_value = "285s", value_parser = duration)]
    time_budget: Duration,
    /// Effects surely below this many percent end a row, undecided
    #[arg(long, default_value_t = 1.0, value_name = "PERCENT", value_parser = percent)]
    margin: f64,
    /// Write one command a config into this file, and run none
    #[arg(long, value_name = "FILE", conflicts_with_all = ["share", "no_ledger", "output"])]
    jobs: Option<PathBuf>,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    fresh: Fresh,
}

/// Most configs of one comparison: more would share its time so thinly that none was decided.
const MOST: usize = 64;
/// Most configs of a file of jobs.
const MOST_JOBS: usize = 10_000;

/// One `--set`: a key and its values. A comma inside of brackets or quotes is part of a value.
fn axis(text: &str) -> std::result::Result<Vec<Setting>, String> {
    let Some((key, values)) = text.split_once('=') else {
        return Err("a setting is TABLE.KEY=VALUE,VALUE".into());
    };
    let (mut depth, mut quote, mut parts) = (0usize, None, vec![String::new()]);
    for c in values.chars() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) => quote = Some(c),
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    if let Some(empty) = parts.iter().position(|part| part.trim().is_empty()) {
        return Err(format!("value {} of `{}` is empty", empty + 1, key.trim()));
    }
    Ok(parts.iter().map(|value| Setting::typed(key, value)).collect())
}

/// Every combination, the last axis fastest.
fn grid(axes: &[Vec<Setting>]) -> Vec<Vec<Setting>> {
    axes.iter().fold(vec![Vec::new()], |all, axis| {
        let with = |one: &Vec<Setting>, setting: &Setting| [one.as_slice(), std::slice::from_ref(setting)].concat();
        all.iter()
            .flat_map(|one| axis.iter().map(move |s| with(one, s)))
            .collect()
    })
}

/// Runs `sweep`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let config = name::config(&place, &arguments.base)?;
    let base = configs::load(&config)?;
    let all = checked(&place, &arguments, &base, &config)?;
    if let Some(jobs) = &arguments.jobs {
        return write_jobs(&place, &arguments, &all, jobs);
    }
    let ledger = arguments.keep.open(&place)?;
    let clients = Clients::of(&place, |name| eprintln!("building the client {name}"))?;
    let jobs = arguments.rows.jobs(&place, &clients)?;
    let base_library = arguments.fresh.find(&place, &arguments.base)?;
    derived::build(&place, &all)?;
    let schedule = Schedule {
        base: base_library,
        others: all.iter().map(|one| one.allocator(&place)).collect(),
        jobs,
        budget: arguments.time_budget,
        margin: (1.0 + arguments.margin / 100.0).ln(),
        seed: arguments.rows.seed,
        full: arguments.rows.full,
        instructions: false,
        claims: Vec::new(),
        null: 0,
        commit: Commit::of(&place.root),
        command: typed(),
    };
    let record = measure(&schedule, &clients)?;
    print!("{}", table::text(&record));
    println!();
    print_grid(&record);
    arguments.keep.put(&place, &ledger, &record)
}

/// All configs of the grid, if all are sound.
fn checked(place: &Place, arguments: &Arguments, base: &hz3_config::Plan, config: &Path) -> Result<Vec<Derived>> {
    for (i, axis) in arguments.axes.iter().enumerate() {
        if arguments.axes[..i].iter().any(|other| other[0].key == axis[0].key) {
            return Err(Error::bad_input(format!("`{}` is set twice", axis[0].key))
                .help(format!("give all its values to one --set: {}=…,…", axis[0].key)));
        }
        if axis[0].key.split('.').count() < 2 {
            return Err(Error::bad_input(format!(
                "`{}` is no key of a table: --set TABLE.KEY=VALUE, as cache.batch_max=8",
                axis[0].key
            )));
        }
    }
    let most = if arguments.jobs.is_some() { MOST_JOBS } else { MOST };
    let size = arguments
        .axes
        .iter()
        .map(Vec::len)
        .try_fold(1usize, |a, b| a.checked_mul(b));
    if size.is_none_or(|size| size > most) {
        let shown = size.map_or("more than can be counted".to_owned(), |size| size.to_string());
        let error = Error::bad_input(format!("the grid has {shown} configs, and {most} are the most"));
        return Err(match arguments.jobs {
            Some(_) => error,
            None => error.help("with --jobs FILE a batch system runs them, and there may be more"),
        });
    }
    let of = |settings: &[Setting]| Derived::of(place, base, config, settings);
    let grid = grid(&arguments.axes);
    let size = grid.len();
    let (mut all, mut bad) = (Vec::new(), Vec::new());
    for settings in grid {
        match of(&settings) {
            Ok(one) => all.push((settings, one)),
            Err(faults) => bad.push((settings, faults)),
        }
    }
    if !bad.is_empty() {
        tell(&arguments.axes, &all, &bad, of);
        return Err(Error::bad_input(format!(
            "{} of {size} configs of the grid are bad",
            bad.len()
        )));
    }
    let all = all.into_iter().map(|(_, one)| one).collect();
    let all = derived::distinct(base, all, |one, twin| {
        eprintln!(
            "{}: {} is the same allocator as {twin}",
            style::note("left out"),
            one.label
        );
    });
    match all.is_empty() {
        true => Err(Error::bad_input(format!(
            "nothing of this makes another allocator of {}",
            base.name
        ))),
        false => Ok(all),
    }
}

/// Tells faults: of a value that is bad in every combination once, and of a combination where its values alone are sound.
fn tell(
    axes: &[Vec<Setting>],
    sound: &[(Vec<Setting>, Derived)],
    bad: &[(Vec<Setting>, Diagnostics)],
    of: impl Fn(&[Setting]) -> std::result::Result<Derived, Diagnostics>,
) {
    let say = |faults: &Diagnostics| eprintln!("{}", faults.render(style::stderr_colour()));
    let mut told: Vec<&Setting> = Vec::new();
    for setting in axes.iter().flatten() {
        if sound.iter().any(|(settings, _)| settings.contains(setting)) {
            continue;
        }
        if let Err(faults) = of(std::slice::from_ref(setting)) {
            say(&faults);
            told.push(setting);
        }
    }
    let rest = bad
        .iter()
        .filter(|(settings, _)| !told.iter().any(|t| settings.contains(t)));
    rest.take(8).for_each(|(_, faults)| say(faults));
}

/// A line a config: its labels, and per aspect the geometric mean of its ratios and its verdicts.
fn print_grid(record: &Record) {
    let mut lines = style::table(&table::BY_CONTENDER, 1);
    for line in table::by_contender(record) {
        lines.add_row(line);
    }
    style::print_table(&lines);
    println!(
        "{} configs against {}: geometric means of the ratios over {} rows. Of the verdicts of one aspect, {:.1} are wrong on \
         average at most",
        record.libraries.len().saturating_sub(1),
        record.libraries.first().map_or("", |l| l.label.as_str()),
        record.rows.len(),
        record.settings.alpha * record.results().count() as f64
    );
}

/// Writes the configs, and the commands that compare them.
fn write_jobs(place: &Place, arguments: &Arguments, all: &[Derived], jobs: &Path) -> Outcome {
    file::writable(jobs)?;
    let records = jobs.with_extension("records");
    std::fs::create_dir_all(&records).on("create", &records)?;
    let mut text = String::new();
    for one in all {
        one.write(place)?;
        let shown = configs::shown(&one.file).display().to_string();
        let record = records.join(format!("{}.json", one.plan.name)).display().to_string();
        let mut words: Vec<String> = ["cargo", "hz3", "compare"].map(Into::into).to_vec();
        words.extend([arguments.base.clone(), shown, "--build".into(), "--no-ledger".into()]);
        words.extend(["-o".into(), record]);
        words.extend([
            "--time-budget".into(),
            format!("{}s", arguments.time_budget.as_secs_f64()),
        ]);
        words.extend(["--margin".into(), arguments.margin.to_string()]);
        words.extend(arguments.rows.words());
        text.push_str(&suggest::command(&words));
        text.push('\n');
    }
    file::write(jobs, text.as_bytes())?;
    println!("{}", jobs.display());
    eprintln!(
        "{} commands. When they have run: {}",
        all.len(),
        suggest::command(["cargo", "hz3", "ledger", "merge", &records.display().to_string()])
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_outside_of_brackets() {
        let values = |text: &str| {
            let axis = axis(text).unwrap();
            axis.into_iter().map(|s| s.value).collect::<Vec<_>>()
        };
        assert_eq!(values("cache.batch_max=8,16, 32"), ["8", "16", "32"]);
        assert_eq!(values("purge.idle=off,\"helper\""), ["\"off\"", "\"helper\""]);
        assert_eq!(
            values("classes.steps=[{ to = 128, step = 16 }],[{ to = 256, step = 16 }]"),
            ["[{ to = 128, step = 16 }]", "[{ to = 256, step = 16 }]"]
        );
        assert!(axis("cache.batch_max").is_err());
        assert_eq!(axis("a.b=1,,2").unwrap_err(), "value 2 of `a.b` is empty");
    }

    #[test]
    fn a_grid_has_every_combination_once() {
        let axes = [axis("a.x=1,2").unwrap(), axis("a.y=3,4,5").unwrap()];
        let all = grid(&axes);
        assert_eq!(all.len(), 6);
        let label = |one: &[Setting]| one.iter().map(Setting::short).collect::<Vec<_>>().join(" ");
        assert_eq!((label(&all[0]), label(&all[5])), ("x=1 y=3".into(), "x=2 y=5".into()));
    }
}
