//! `workload`: workloads in TOML: checks them, and makes one from a recording. `compare --workload` and `bench --workload`
//! execute them.

use super::Format;
use crate::profile::source::{self, Asking};
use crate::style;
use hz3_config::suggest;
use hz3_lab::clients::Clients;
use hz3_lab::profile::Moment;
use hz3_lab::rows::Job;
use hz3_lab::workload::births::{Births, Grain};
use hz3_lab::workload::{self, Expected, PHASES, Workload};
use hz3_project::{Code, Error, Outcome, Place, file, place::stems};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `workload`.
#[derive(clap::Args)]
#[command(after_help = "\
docs/workloads.md has the language, and how near a workload comes to the program that it was made from.

  cargo hz3 workload check mine.toml
  cargo hz3 workload from build.hz3t -o build.toml
  cargo hz3 compare default compact --workload mine.toml,build.toml")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Says every error of every file, or what each phase will amount to
    Check(Check),
    /// Makes a workload with the sizes, lifetimes and threads of a recording
    From(From),
}

#[derive(clap::Args)]
struct Check {
    /// Workloads: files, or names of those in hz3-lab/workloads
    #[arg(required = true, value_name = "FILE|NAME")]
    files: Vec<String>,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(clap::Args)]
struct From {
    /// A recording: a file, or the name of one in hz3-lab/traces; or a profile; or the process that writes one
    #[arg(value_name = "TRACE|PROFILE|PID")]
    source: String,
    /// File to write
    #[arg(short, long, default_value = "workload.toml", value_name = "FILE")]
    output: PathBuf,
    /// Phases, each of as many objects
    #[arg(long, default_value_t = Grain::DEFAULT.phases as u16, value_parser = clap::value_parser!(u16).range(1..=PHASES as i64))]
    phases: u16,
    /// Kinds of objects in each phase
    #[arg(long, default_value_t = Grain::DEFAULT.kinds as u16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    kinds: u16,
}

/// Workloads as rows of other commands.
#[derive(clap::Args)]
pub struct Workloads {
    /// Workloads in TOML as rows: files, or names of those in hz3-lab/workloads
    #[arg(long = "workload", value_delimiter = ',', num_args = 1.., value_name = "FILE|NAME")]
    files: Vec<String>,
}

impl Workloads {
    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Those that are named.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// A job for each.
    pub fn jobs(&self, place: &Place, clients: &Clients) -> Result<Vec<Job>, Error> {
        let mut names: Vec<String> = Vec::new();
        let mut jobs = Vec::new();
        for (name, workload) in open_all(place, &self.files)? {
            if names.contains(&name) {
                let message = format!("two workloads have the name `{name}`");
                return Err(Error::bad_input(message).help("give one of the files another name"));
            }
            jobs.push(Job::workload(&name, &workload, clients)?);
            names.push(name);
        }
        Ok(jobs)
    }
}

fn folder(place: &Place) -> PathBuf {
    place.root.join("hz3-lab/workloads")
}

/// Reads workloads: files, or names of shipped ones. Faults of all of them go to stderr.
fn open_all(place: &Place, words: &[String]) -> Result<Vec<(String, Workload)>, Error> {
    let mut all = Vec::new();
    let mut faulty = 0;
    for word in words {
        let shipped = folder(place).join(format!("{word}.toml"));
        let path = match (Path::new(word).exists(), shipped.is_file()) {
            (true, _) => Path::new(word),
            (false, true) => &shipped,
            (false, false) => {
                let unknown = Error::bad_input(format!(
                    "no workload `{word}`, neither a file nor one of hz3-lab/workloads"
                ));
                return Err(unknown.guess(word, stems(&folder(place), "toml").iter().map(String::as_str)));
            }
        };
        let text = file::read_text(path, file::CONFIG)
            .map_err(|why| Error::bad_input(format!("cannot read {}: {why}", path.display())))?;
        let name = path
            .file_stem()
            .map_or(word.clone(), |s| s.to_string_lossy().into_owned());
        match workload::read(path, &text) {
            Ok(workload) => all.push((name, workload)),
            Err(faults) => {
                eprintln!("{}", faults.render(style::stderr_colour()));
                faulty += faults.items().len();
            }
        }
    }
    match faulty {
        0 => Ok(all),
        _ => Err(Error::silent(Code::BadInput)),
    }
}

/// Runs `workload`.
pub fn run(arguments: Arguments) -> Outcome {
    match arguments.what {
        What::Check(check) => {
            let all = open_all(&Place::find()?, &check.files)?;
            print(&all, check.format)
        }
        What::From(from) => make(&from),
    }
}

fn make(arguments: &From) -> Outcome {
    let place = Place::find()?;
    file::writable(&arguments.output)?;
    let (name, births) = births(&place, &arguments.source)?;
    if births.all.is_empty() {
        return Err(Error::bad_input(format!(
            "{name} makes no object: there is nothing to make"
        )));
    }
    let workload = births.workload(Grain {
        phases: arguments.phases.into(),
        kinds: arguments.kinds.into(),
    });
    let words = [
        "cargo".to_owned(),
        "hz3".into(),
        "workload".into(),
        "from".into(),
        arguments.source.clone(),
        "--phases".into(),
        arguments.phases.to_string(),
        "--kinds".into(),
        arguments.kinds.to_string(),
    ];
    let remarks = [format!("Made by {}", suggest::command(&words))];
    let text = workload::text(&workload, &remarks);
    file::write(&arguments.output, text.as_bytes())?;
    eprintln!("{}: {} bytes", arguments.output.display(), text.len());
    print(&[(name, workload)], Format::Text)
}

/// The objects of a recording or a profile, and its name.
fn births(place: &Place, word: &str) -> Result<(String, Births), Error> {
    let asking = Asking {
        variant: None,
        patience: Duration::from_secs(10),
    };
    let source = source::open(place, word, Moment::End, asking)?;
    let name = Path::new(word)
        .file_stem()
        .map_or(word.into(), |s| s.to_string_lossy().into_owned());
    if let Some(trace) = &source.trace {
        return Ok((name, Births::of_trace(trace)));
    }
    if !source.profile.level.sees_all() {
        eprintln!("{}: {}", style::note("note"), source.profile.level.meaning());
    }
    Ok((name, Births::of_profile(&source.profile)))
}

/// What a workload will amount to.
#[derive(serde::Serialize)]
struct Shown<'a> {
    workload: &'a str,
    description: &'a str,
    threads: u64,
    steps: u64,
    phases: Vec<Expected>,
}

fn print(all: &[(String, Workload)], format: Format) -> Outcome {
    let shown: Vec<Shown<'_>> = all
        .iter()
        .map(|(name, w)| Shown {
            workload: name,
            description: &w.description,
            threads: w.threads,
            steps: w.steps(),
            phases: w.expected(),
        })
        .collect();
    if format == Format::Json {
        return super::print_json(&shown);
    }
    for (i, w) in shown.iter().enumerate() {
        if i > 0 {
            println!();
        }
        let s = if w.threads == 1 { "" } else { "s" };
        println!(
            "{}: {} thread{s}, {} steps each. {}",
            style::strong(w.workload),
            w.threads,
            w.steps,
            w.description
        );
        let mut table = style::table(&["phase", "objects", "bytes each", "live at its end", "bytes"], 1);
        for (k, e) in w.phases.iter().enumerate() {
            let name = if e.name.is_empty() {
                (k + 1).to_string()
            } else {
                e.name.clone()
            };
            table.add_row([
                name,
                format!("{:.0}", e.objects),
                format!("{:.0}", e.bytes / e.objects),
                format!("{:.0}", e.live_objects),
                format!("{:.2} MiB", e.live_bytes / 1048576.0),
            ]);
        }
        style::print_table(&table);
    }
    Ok(())
}
