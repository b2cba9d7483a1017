//! `build`: one library per variant.

use crate::configs;
use crate::style;
use hz3_config::{Plan, suggest};
use indicatif::{ProgressBar, ProgressStyle};
use hz3_project::build::{self, Builder, Options, Shape};
use hz3_project::{Code, Error as Failure, Library, Outcome, Place as Project};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Arguments of `build`.
#[derive(clap::Args)]
#[command(after_help = "All configs are checked before the first is built. The library of a variant is libhz3_<name>.so in
target/hz3/ of a checkout, and in a folder of $XDG_CACHE_HOME/hz3/ for every other project.")]
pub struct Arguments {
    /// Configs: names of files in configs/, or paths; `default` if none is named
    #[arg(value_name = "NAME|FILE")]
    names: Vec<String>,
    /// Every config in configs/
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Do not fail if two configs give the same allocator
    #[arg(long)]
    allow_identical: bool,
    /// Tell cargo to use no network
    #[arg(long)]
    offline: bool,
    /// What it says is always so: versions are those of hz3's own lock file
    #[arg(long, hide = true)]
    locked: bool,
}

/// Runs `build`.
pub fn run(arguments: Arguments) -> Outcome {
    every(&arguments, |line| println!("{line}"))
}

impl Arguments {
    /// Those of another command that needs variants.
    fn of(names: &[String]) -> Arguments {
        Arguments {
            names: names.to_vec(),
            all: false,
            // Whoever uses them says whether that matters.
            allow_identical: true,
            offline: false,
            locked: false,
        }
    }
}

/// Builds variants for another command, whose stdout is its own.
pub fn quietly(names: &[String]) -> Outcome {
    every(&Arguments::of(names), |line| eprintln!("built {line}"))
}

/// Has rustc make the static archive of a variant, and `work` do something with it while no other build can replace it.
pub fn archive<T>(project: &Project, plan: &Plan, work: impl FnOnce(&Path) -> Result<T, Failure>) -> Result<T, Failure> {
    let builder = open(project, false)?;
    work(&builder.compile(plan, Shape::Archive)?)
}

fn open(project: &Project, offline: bool) -> Result<Builder<'_>, Failure> {
    let options = Options {
        offline,
        colour: style::stderr_colour(),
    };
    Builder::open(project, options, || eprintln!("waiting for another build to end"))
}

fn every(arguments: &Arguments, say: impl Fn(&str)) -> Outcome {
    let project = Project::find()?;
    let names = match arguments.names.is_empty() && !arguments.all {
        true => &vec!["default".to_owned()],
        false => &arguments.names,
    };
    let plans = configs::load_all(&project, names)?;
    for plan in &plans {
        configs::report_refuted(plan);
        configs::report_remarks(plan, |remark| remark.about == hz3_config::remarks::FLAT);
    }
    let mut failed = configs::report_identical(&plans) && !arguments.allow_identical;

    let builder = open(&project, arguments.offline)?;
    plans.iter().try_for_each(|plan| claim(&project, plan))?;
    let bar = progress(&plans);
    let mut built: Vec<Library> = Vec::new();
    let width = plans.iter().map(|p| p.name.len()).max().unwrap_or(0);
    for plan in &plans {
        bar.set_message(plan.name.clone());
        let start = Instant::now();
        match builder.library(plan) {
            Ok(library) => {
                let line = format!(
                    "{:width$}  {}  {:>7} B  TLS {:>5} B  {:5.1} s",
                    plan.name,
                    plan.hash,
                    library.file_bytes,
                    library.tls_bytes,
                    start.elapsed().as_secs_f64()
                );
                bar.suspend(|| say(&line));
                built.push(library);
            }
            Err(failure) => {
                failed = true;
                bar.suspend(|| style::report(&failure));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    drop(builder);
    failed |= report_same_code(&built) && !arguments.allow_identical;
    if failed { Err(Failure::silent(Code::Failed)) } else { Ok(()) }
}

/// What is being built, and for how long: at once, and always. A bar on terminals, a line elsewhere.
fn progress(plans: &[Plan]) -> ProgressBar {
    let bar = ProgressBar::new(plans.len() as u64);
    let template = match plans {
        [plan] => {
            bar.set_message(plan.name.clone());
            "building {msg}  {elapsed}"
        }
        _ => "{bar:24} {pos}/{len}  {msg}  {elapsed}",
    };
    if bar.is_hidden() {
        match plans {
            [plan] => eprintln!("building {}", plan.name),
            _ => eprintln!("building {} variants", plans.len()),
        }
        return bar;
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Refuses to write over the library of another config: a name stands for one.
fn claim(project: &Project, plan: &Plan) -> Outcome {
    let Some(config) = plan.sources.first() else {
        return Ok(());
    };
    // A preset is no file, and so another one than any file.
    let own = config.canonicalize().unwrap_or_else(|_| config.clone());
    let (name, library) = (&plan.name, project.library(&plan.name));
    let refuse = |other: &Path, help: String| {
        let message = format!(
            "two configs are called `{name}`: {} and {}, whose library {} is",
            configs::shown_source(plan),
            configs::shown(other).display(),
            project.shown(&library)
        );
        Err(Failure::bad_input(message).help(help))
    };
    let is_another = |path: &Path| path.canonicalize().is_ok_and(|path| path != own);
    let listed = project.configs().join(format!("{name}.toml"));
    if project.is_project() && is_another(&listed) {
        return refuse(&listed, "give the config another name: its file's, and `name` in it".to_owned());
    }
    let before = build::origin(project, name).filter(|path| library.is_file() && is_another(path));
    match before {
        Some(before) => refuse(
            &before,
            format!(
                "give one of them another name, or remove the library: {}",
                suggest::command(["rm", &project.shown(&library)])
            ),
        ),
        None => Ok(()),
    }
}

/// Says on stderr which libraries hold the same code and constants; `true` if any do.
fn report_same_code(libraries: &[Library]) -> bool {
    let mut groups: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for library in libraries {
        let name = library.note.as_ref().map_or_else(String::new, |n| n.name.clone());
        groups.entry(library.code).or_default().push(name);
    }
    let mut any = false;
    for names in groups.values().filter(|names| names.len() > 1) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        eprintln!(
            "{}: the libraries of {} hold the same code and constants",
            style::warning("warning"),
            configs::quoted(&names)
        );
        any = true;
    }
    any
}
