//! `fit`: a config for one program that says why, or the news that there is nothing to win.

mod profiles;
mod recordings;

use super::{Format, new, trace};
use crate::configs;
use crate::style::{self, roughly};
use hz3_config::{Plan, suggest};
use hz3_lab::fit::{self, BLOCKS, Demand, PARTS, Strides};
use hz3_lab::identity::sha256;
use hz3_lab::profile::Profile;
use hz3_lab::trace::{Trace, pack};
use hz3_project::{Error, Outcome, Place, name};
use std::path::Path;

/// Arguments of `fit`.
#[derive(clap::Args)]
#[command(after_help = "\
From a recording all keys are fitted that a model of the allocator can judge: classes, runs, batches, depots, and how much is kept
from the kernel. From profiles only the classes are, as a profile knows no order of calls. Whatever is taken saves memory or time
on what it was not made from, and costs neither: the halves of one recording judge each other, each of several is judged by the
others. The rest is as in the base, and often that is all of it.

  cargo hz3 fit --name mine -- ./my-server --selftest
  cargo hz3 fit --from monday.hz3t,tuesday.hz3t --name mine
  cargo hz3 fit --from heap.pb.gz --name mine
  cargo hz3 compare default mine --build --trace wednesday.hz3t
  cargo hz3 ledger calibration")]
pub struct Arguments {
    /// Recordings to fit to, or profiles: files, or names of those in hz3-lab/traces
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "FILE",
        required_unless_present = "command",
        conflicts_with = "command"
    )]
    from: Vec<String>,
    /// Write the result to configs/NAME.toml
    #[arg(long)]
    name: Option<String>,
    /// The config that the result is held against, and which it extends
    #[arg(long, default_value = "default", value_name = "PARENT")]
    base: String,
    /// Threads that have caches; 0 counts those of the recording
    #[arg(long, default_value_t = 0, value_name = "T")]
    threads: u64,
    /// At most this many events of each process are recorded
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1 << 28))]
    limit: u64,
    /// Fit to the process whose command line contains this
    #[arg(long, value_name = "TEXT", conflicts_with = "from")]
    of: Option<String>,
    /// Then compare the result with its base on the same command: what was predicted stands beside it in the ledger
    #[arg(long, requires = "name", requires = "command")]
    measure: bool,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// What to record
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What a fit is made from.
struct Input<'a> {
    place: &'a Place,
    /// The base, where it lies, and how a config of the project names it.
    base: Plan,
    path: &'a Path,
    name: String,
    threads: u64,
    evidence: Vec<Evidence>,
}

/// A recording, or a profile.
#[derive(serde::Serialize)]
struct Evidence {
    name: String,
    /// Events, or rows of a profile.
    events: usize,
    /// SHA-256 of the packed recording, or of the profile.
    sha256: String,
}

impl Evidence {
    fn words(&self) -> String {
        format!("{} ({} events)", self.name, self.events)
    }
}

/// The files of `--from`: all recordings, or all profiles.
enum From {
    Recordings(Vec<(String, Trace)>),
    Profiles(Vec<(String, Profile, String)>),
}

fn open(place: &Place, words: &[String]) -> Result<From, Error> {
    let mut profiles = Vec::new();
    for word in words {
        let path = Path::new(word);
        if !path.is_file() {
            continue;
        }
        let data = hz3_project::file::read(path, hz3_project::file::DATA)?;
        if data.starts_with(b"hz3t1\n") {
            continue;
        }
        let profile = Profile::read(&data).map_err(|e| {
            Error::bad_input(format!("{word} is neither a recording of hz3 nor a profile: {e}"))
                .help("cargo hz3 trace makes recordings; profiles are those of pprof")
        })?;
        profiles.push((word.clone(), profile, sha256(&data)));
    }
    if profiles.is_empty() {
        return Ok(From::Recordings(trace::open_all(place, words)?));
    }
    if profiles.len() < words.len() {
        return Err(Error::bad_input(
            "some of these are recordings and some profiles: a config is fitted to the ones or to the others",
        ));
    }
    Ok(From::Profiles(profiles))
}

/// Runs `fit`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    if let Some(name) = &arguments.name {
        // Better now than when all is recorded.
        new::free(&place, name)?;
    }
    let path = name::config(&place, &arguments.base)?;
    let base = configs::load(&path)?;
    let from = match arguments.command.is_empty() {
        false => {
            let (trace, _) = trace::record(&place, &arguments.command, arguments.limit, arguments.of.as_deref())?;
            From::Recordings(vec![(arguments.command.join(" "), trace)])
        }
        true => open(&place, &arguments.from)?,
    };
    let counted = match &from {
        From::Recordings(all) => all.iter().map(|(_, trace)| trace.threads() as u64).max(),
        From::Profiles(all) => all.iter().map(|(_, profile, _)| profile.threads).max(),
    };
    let evidence = match &from {
        From::Recordings(all) => all
            .iter()
            .map(|(name, trace)| Evidence {
                name: one_line(name),
                events: trace.events.len(),
                sha256: sha256(&pack(trace)),
            })
            .collect(),
        From::Profiles(all) => all
            .iter()
            .map(|(name, profile, sha256)| Evidence {
                name: one_line(name),
                events: profile.rows.len(),
                sha256: sha256.clone(),
            })
            .collect(),
    };
    let input = Input {
        place: &place,
        base,
        path: &path,
        name: arguments.name.clone().unwrap_or_else(|| "fitted".into()),
        threads: match arguments.threads {
            0 => counted.unwrap_or(1).max(1),
            n => n,
        },
        evidence,
    };
    let config = match from {
        From::Recordings(all) => {
            let traces: Vec<Trace> = all.into_iter().map(|(_, trace)| trace).collect();
            recordings::run(&input, &traces, arguments.format)?
        }
        From::Profiles(all) => profiles::run(&input, all.iter().map(|(_, profile, _)| profile), arguments.format)?,
    };
    let Some(name) = &arguments.name else { return Ok(()) };
    let Some(text) = config else {
        eprintln!("{}: {name}.toml is not written", style::note("note"));
        return Ok(());
    };
    new::write(&place, name, &text)?;
    let words = ["cargo", "hz3", "compare", &input.base.name, name, "--build"];
    if !arguments.measure {
        eprintln!("to judge it: {} --trace FILE", suggest::command(words));
        return Ok(());
    }
    let own = std::env::current_exe()?;
    let status = std::process::Command::new(own)
        .args(&words[1..])
        .arg("--")
        .args(&arguments.command)
        .status()?;
    Error::unless(status.success())
}

impl Input<'_> {
    fn parent(&self) -> String {
        self.path.display().to_string()
    }

    fn sizes(&self) -> Vec<u32> {
        self.base.classes.iter().map(|class| class.size).collect()
    }

    fn strides(&self) -> Result<Strides, Error> {
        fit::strides(&self.base, &self.parent(), self.threads).map_err(|faults| {
            eprintln!("{}", faults.render(style::stderr_colour()));
            Error::bad_input(format!(
                "the other keys of {} do not allow other classes",
                self.base.name
            ))
        })
    }

    /// The head of a config, and where it comes from.
    fn head(&self, goal: Option<&str>, hypothesis: &str) -> String {
        let names: Vec<&str> = self.evidence.iter().map(|one| one.name.as_str()).collect();
        let description = one_line(&format!("{} fitted to {}", self.base.name, names.join(", ")));
        let extends = new::extends(self.place, self.path);
        let mut text = new::head(
            self.place,
            &self.name,
            &extends,
            &description,
            Some(&one_line(hypothesis)),
        );
        if let Some(goal) = goal {
            text.push_str(&format!("goal = \"{goal}\"\n"));
        }
        text.push('\n');
        for one in &self.evidence {
            text.push_str(&format!(
                "# Evidence {}: {}, SHA-256 {}.\n",
                short(&one.sha256),
                one.words(),
                one.sha256
            ));
        }
        text
    }

    /// The names of its evidence, for comments.
    fn ids(&self) -> String {
        let all: Vec<&str> = self.evidence.iter().map(|one| short(&one.sha256)).collect();
        all.join(", ")
    }

    fn print_fields(&self, live: f64) {
        let from: Vec<String> = self.evidence.iter().map(Evidence::words).collect();
        style::print_fields(&[
            ("fitted to", from.join(", ")),
            ("against", format!("{}, for {} threads", self.base.name, self.threads)),
            ("live", format!("{} of classes, on average over time", size(live))),
        ]);
        println!();
    }
}

/// Enough of a hash to tell pieces of evidence apart.
fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

/// Bytes, which may be negative.
fn size(bytes: f64) -> String {
    let sign = if bytes <= -0.5 { "-" } else { "" };
    format!("{sign}{}", roughly(bytes.abs().round() as u64))
}

fn share(part: f64, of: f64) -> String {
    format!("{:.2} %", if of > 0.0 { 100.0 * part / of } else { 0.0 })
}

/// A list of sizes as TOML has it.
fn list(sizes: &[u32]) -> String {
    sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// Whatever a command line or a file's name has, on one line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(160)
        .collect()
}

/// What a demand is made of: stretches, and their parts.
const STRETCHES: usize = BLOCKS * PARTS;

/// What recordings keep alive.
fn demands<'t>(base: &Plan, traces: impl Iterator<Item = &'t Trace>) -> Vec<Demand> {
    traces
        .map(|trace| Demand::of(trace, base.largest(), STRETCHES))
        .collect()
}
