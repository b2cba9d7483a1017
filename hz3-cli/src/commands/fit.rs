//! `fit`: a config for one program that says why, or the news that there is nothing to win.

mod owners;
mod profiles;
mod recordings;

use super::rows::duration;
use super::trace::{self, Subject};
use super::{Format, new};
use crate::configs;
use crate::style::{self, roughly};
use hz3_config::{Plan, suggest};
use hz3_lab::fit::{self, BLOCKS, Demand, Fit, PARTS, Strides};
use hz3_lab::identity::sha256;
use hz3_lab::profile::Profile;
use hz3_lab::trace::{Trace, is_recording, pack};
use hz3_project::{Error, Outcome, Place, name};
use std::path::Path;
use std::time::Duration;

/// Arguments of `fit`.
#[derive(clap::Args)]
#[command(after_help = "\
From a recording all keys are fitted that a model of the allocator can judge: classes, runs, batches, depots, and how much is kept
from the kernel. From profiles only the classes are, as a profile knows no order of calls; beside recordings they are witnesses:
classes must not waste more of what they saw. Whatever is taken saves memory or time
on what it was not made from, and costs neither: the halves of one recording judge each other, each of several is judged by the
others. The rest is as in the base, and often that is all of it.

  cargo hz3 fit --name mine -- ./my-server --selftest
  cargo hz3 fit --from monday.hz3t,tuesday.hz3t --name mine
  cargo hz3 fit --from heap.pb.gz --name mine
  cargo hz3 fit --owners 3m --name mine -- ./my-server --threads 8
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
    #[arg(long, default_value_t = LIMIT, value_parser = clap::value_parser!(u64).range(1..=1 << 28))]
    limit: u64,
    /// Fit to the process whose command line contains this
    #[arg(long, value_name = "TEXT", conflicts_with = "from")]
    of: Option<String>,
    /// Replay the recordings for this long, builds included, to see who had better own what is freed: 90s, 5m. No model says that
    #[arg(long, value_parser = duration, value_name = "TIME")]
    owners: Option<Duration>,
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

/// Events of a process that are recorded if nothing else is said.
const LIMIT: u64 = 10_000_000;

/// What a fit is made from.
struct Input<'a> {
    place: &'a Place,
    /// The base, where it lies, and how a config of the project names it.
    base: Plan,
    path: &'a Path,
    name: String,
    threads: u64,
    /// What sizes of classes may be multiples of.
    granule: u32,
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
    fn recording(name: &str, trace: &Trace) -> Self {
        Self {
            name: one_line(name),
            events: trace.events.len(),
            sha256: sha256(&pack(trace)),
        }
    }

    fn words(&self) -> String {
        format!("{} ({} events)", self.name, self.events)
    }
}

/// The files of `--from`, and profiles with their hashes.
struct From {
    recordings: Vec<(String, Trace)>,
    profiles: Vec<(String, Profile, String)>,
}

fn open(place: &Place, words: &[String]) -> Result<From, Error> {
    let (mut recordings, mut profiles) = (Vec::new(), Vec::new());
    for word in words {
        let path = Path::new(word);
        if !path.is_file() {
            recordings.push(word.clone());
            continue;
        }
        let data = hz3_project::file::read(path, hz3_project::file::DATA)?;
        if is_recording(&data) {
            recordings.push(word.clone());
            continue;
        }
        let profile = Profile::read(&data).map_err(|e| {
            Error::bad_input(format!("{word} is neither a recording of hz3 nor a profile: {e}"))
                .help("cargo hz3 trace makes recordings; profiles are those of pprof")
        })?;
        profiles.push((word.clone(), profile, sha256(&data)));
    }
    Ok(From {
        recordings: trace::open_all(place, &recordings)?,
        profiles,
    })
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
    modelled(&base)?;
    let from = match arguments.command.is_empty() {
        false => {
            let (trace, _) = trace::record(
                &place,
                &Subject {
                    command: &arguments.command,
                    limit: arguments.limit,
                    of: arguments.of.as_deref(),
                    silent: false,
                },
            )?;
            From {
                recordings: vec![(arguments.command.join(" "), trace)],
                profiles: Vec::new(),
            }
        }
        true => open(&place, &arguments.from)?,
    };
    if arguments.owners.is_some() && from.recordings.is_empty() {
        return Err(Error::bad_input(
            "--owners replays recordings, and there is none: profiles know no order of calls",
        )
        .help("cargo hz3 trace makes recordings"));
    }
    let recorded = from.recordings.iter().map(|(_, trace)| trace.threads() as u64);
    let counted = recorded
        .chain(from.profiles.iter().map(|(_, profile, _)| profile.threads))
        .max();
    let recorded = from
        .recordings
        .iter()
        .map(|(name, trace)| Evidence::recording(name, trace));
    let profiled = from.profiles.iter().map(|(name, profile, sha256)| Evidence {
        name: one_line(name),
        events: profile.rows.len(),
        sha256: sha256.clone(),
    });
    let evidence = recorded.chain(profiled).collect();
    let traces: Vec<Trace> = from.recordings.into_iter().map(|(_, trace)| trace).collect();
    let input = Input {
        place: &place,
        granule: fit::granule(&traces, &base),
        base,
        path: &path,
        name: arguments.name.clone().unwrap_or_else(|| "fitted".into()),
        threads: match arguments.threads {
            0 => counted.unwrap_or(1).max(1),
            n => n,
        },
        evidence,
    };
    let of_profiles: Vec<Demand> = from
        .profiles
        .iter()
        .map(|(_, profile, _)| Demand::of_profile(profile, (input.base.largest(), input.granule), STRETCHES))
        .collect();
    let config = if traces.is_empty() {
        profiles::run(&input, &of_profiles, arguments.format)?
    } else {
        recordings::run(&input, &traces, &of_profiles, arguments.owners, arguments.format)?
    };
    let Some(name) = &arguments.name else { return Ok(()) };
    let Some(text) = config else {
        eprintln!("{}: {name}.toml is not written", style::note("note"));
        return Ok(());
    };
    new::write(&place, name, &text)?;
    let written = place.config_file(name);
    if configs::load(&written)?.no_library.is_some() {
        eprintln!(
            "{}: it is for a Rust program, as it has classes of 8 bytes: build that with `hz3::variant!(pub Name = \"{}\")`",
            style::note("note"),
            configs::shown(&written).display()
        );
        return Error::unless(!arguments.measure);
    }
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

/// Whether the model of the allocator is one of this config: it has segments of the usual length.
fn modelled(base: &Plan) -> Outcome {
    if base.segment.is_usual() {
        return Ok(());
    }
    let message = format!(
        "`{}` sets `arena.segment`, and the model behind `fit` has segments of 2 MiB",
        base.name
    );
    Err(Error::bad_input(message).help("fit to a config without it, and set it in the result"))
}

/// The config that fits a command, which is recorded, reads nothing, and writes to nobody; none where the base is best. Nothing
/// is shown.
pub fn of_command(place: &Place, path: &Path, base: Plan, command: &[String]) -> Result<Option<String>, Error> {
    modelled(&base)?;
    let (trace, _) = trace::record(
        place,
        &Subject {
            command,
            limit: LIMIT,
            of: None,
            silent: true,
        },
    )?;
    let traces = [trace];
    let [trace] = &traces;
    let input = Input {
        place,
        // A library is what is to be measured.
        granule: base.lookup.granule,
        base,
        path,
        name: "fitted".into(),
        threads: (trace.threads() as u64).max(1),
        evidence: vec![Evidence::recording(&command.join(" "), trace)],
    };
    recordings::config_of(&input, &traces)
}

impl Input<'_> {
    fn parent(&self) -> String {
        self.path.display().to_string()
    }

    fn sizes(&self) -> Vec<u32> {
        self.base.classes.iter().map(|class| class.size).collect()
    }

    fn strides(&self) -> Result<Strides, Error> {
        fit::strides(&self.base, &self.parent(), self.threads, self.granule).map_err(|faults| {
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
            self.place.is_checkout(),
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

/// The curve of the price of a class against waste.
fn print_curve(base: &Plan, fit: &Fit) {
    let mut table = style::table(&["price of a class", "classes", "wasted", "of live bytes"], 1);
    let mut row = |name: String, classes: usize, slack: f64| {
        table.add_row([name, classes.to_string(), size(slack), share(slack, fit.asked)]);
    };
    row(format!("{} as it is", base.name), base.classes.len(), fit.base_slack);
    for point in &fit.curve {
        row(format!("x {}", point.price), point.classes, point.slack);
    }
    style::print_table(&table);
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
fn demands(input: &Input<'_>, traces: &[Trace]) -> Vec<Demand> {
    let classes = (input.base.largest(), input.granule);
    traces
        .iter()
        .map(|trace| Demand::of(trace, classes, STRETCHES))
        .collect()
}
