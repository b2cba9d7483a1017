//! Variants are built: whoever asks for it, all configs are checked first, and a name stands for one of them.

use crate::configs;
use crate::style;
use hz3_config::{Plan, preset, suggest};
use hz3_project::build::{self, Builder, Options, Shape};
use hz3_project::name::Named;
use hz3_project::{Code, Error, Library, Outcome, Place, Result, file};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What may differ from build to build.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Whether two names may stand for one allocator.
    pub allow_identical: bool,
    /// Whether cargo is to use no network.
    pub offline: bool,
    /// Whether a static archive is to be made beside each library.
    pub archives: bool,
}

/// Builds variants for another command, whose stdout is its own. What two of them have in common, that command says.
pub fn quietly(place: &Place, names: &[String]) -> Outcome {
    let manner = Manner {
        allow_identical: true,
        ..Manner::default()
    };
    build(place, names, manner, |line| eprintln!("built {line}"))
}

/// Builds the static archive of a variant whose library is built.
pub fn archive(place: &Place, plan: &Plan) -> Result<PathBuf> {
    open(place, false)?.archive(plan, Some(&Library::read(&place.library(&plan.name))?))
}

/// Builds the library of what a word names, but with `stats.record = "trace"`, into `folder`.
pub fn recording(place: &Place, word: &str, folder: &Path) -> Result<PathBuf> {
    let (name, config) = match Named::find(place, word)? {
        Named::Variant(name, Some(config)) => (name, config),
        _ => {
            let message =
                format!("`{word}` is no config: only a variant that can be built records what it is asked for");
            return Err(Error::bad_input(message));
        }
    };
    let parent = match preset::named(&config) {
        Some(_) => config.to_string_lossy().into_owned(),
        None => std::path::absolute(&config)?.to_string_lossy().into_owned(),
    };
    // A name of its own: the library must not pass for the variant's. Names are at most 48 letters of ASCII long.
    let own = format!("{}-trace", name.get(..42.min(name.len())).unwrap_or(&name));
    let text = format!(
        "name = {own:?}\ndescription = \"{name}, as it records what it is asked for\"\nextends = {parent:?}\n[stats]\nrecord = \"trace\"\n"
    );
    let path = folder.join(format!("{own}.toml"));
    file::write(&path, text.as_bytes())?;
    let plan = hz3_config::load(&path).map_err(|faults| {
        eprintln!("{}", faults.render(style::stderr_colour()));
        Error::silent(Code::BadInput)
    })?;
    eprintln!("building {own}");
    let library = folder.join(format!("libhz3_{own}.so"));
    if library.to_string_lossy().contains([' ', ':']) {
        return Err(Error::unfit(format!("{} cannot be preloaded", library.display()))
            .help("LD_PRELOAD takes blanks and colons for separators: set TMPDIR to a folder without"));
    }
    std::fs::copy(open(place, false)?.compile(&plan, Shape::Shared)?, &library)?;
    Ok(library)
}

fn open(place: &Place, offline: bool) -> Result<Builder<'_>> {
    let options = Options {
        offline,
        colour: style::stderr_colour(),
    };
    Builder::open(place, options, || eprintln!("waiting for another build to end"))
}

/// Builds the variants of the configs that are named, all of the project's if none is, and tells each in a line.
pub fn build(place: &Place, names: &[String], manner: Manner, say: impl Fn(&str)) -> Outcome {
    let plans = configs::load_all(place, names)?;
    for plan in &plans {
        configs::report_refuted(plan);
        configs::report_remarks(plan, |remark| remark.about == hz3_config::remarks::FLAT);
    }
    let is_archive = |plan: &Plan| manner.archives && plan.no_shared.is_some();
    for plan in &plans {
        let shape = if is_archive(plan) {
            Shape::Archive
        } else {
            Shape::Shared
        };
        build::possible(plan, shape)?;
    }
    let mut failed = configs::report_identical(&plans) && !manner.allow_identical;

    let builder = open(place, manner.offline)?;
    plans.iter().try_for_each(|plan| claim(place, plan))?;
    let bar = progress(&plans);
    let mut built: Vec<Library> = Vec::new();
    let width = plans.iter().map(|p| p.name.len()).max().unwrap_or(0);
    for plan in &plans {
        bar.set_message(plan.name.clone());
        let start = Instant::now();
        let made = match is_archive(plan) {
            true => Ok(None),
            false => builder.library(plan).map(Some),
        };
        let archived = match &made {
            Ok(library) => {
                if let Some(library) = library {
                    let line = format!(
                        "{:width$}  {}  {:>7} B  TLS {:>5} B  {:5.1} s",
                        plan.name,
                        plan.hash,
                        library.file_bytes,
                        library.tls_bytes,
                        start.elapsed().as_secs_f64()
                    );
                    bar.suspend(|| say(&line));
                }
                manner.archives.then(|| builder.archive(plan, library.as_ref()))
            }
            Err(_) => None,
        };
        let mut report = |failure: &Error| {
            failed = true;
            bar.suspend(|| style::report(failure));
        };
        match archived {
            Some(Ok(path)) => bar.suspend(|| say(&place.shown(&path))),
            Some(Err(failure)) => report(&failure),
            None => {}
        }
        match made {
            Ok(library) => built.extend(library),
            Err(failure) => report(&failure),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    drop(builder);
    failed |= report_same_code(&built) && !manner.allow_identical;
    Error::unless(!failed)
}

/// What is being built, and for how long: at once, and always. A line that counts on terminals, one that stays elsewhere.
fn progress(plans: &[Plan]) -> ProgressBar {
    let bar = ProgressBar::new(plans.len() as u64);
    let (line, template) = match plans {
        [plan] => (format!("building {}", plan.name), "building {msg}  {elapsed}"),
        _ => (
            format!("building {} variants", plans.len()),
            "{bar:24} {pos}/{len}  {msg}  {elapsed}",
        ),
    };
    if bar.is_hidden() {
        eprintln!("{line}");
        return bar;
    }
    // Before anything is drawn: it would be drawn in another style.
    let bar = match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    };
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Refuses to write over the library of another config: a name stands for one.
fn claim(place: &Place, plan: &Plan) -> Outcome {
    let Some(config) = plan.sources.first() else {
        return Ok(());
    };
    // A preset is no file, and so another one than any file.
    let own = config.canonicalize().unwrap_or_else(|_| config.clone());
    let (name, library) = (&plan.name, place.library(&plan.name));
    let refuse = |other: &Path, help: String| {
        let message = format!(
            "two configs are called `{name}`: {} and {}, whose library {} is",
            configs::shown_source(plan),
            configs::shown(other).display(),
            place.shown(&library)
        );
        Err(Error::bad_input(message).help(help))
    };
    let is_another = |path: &Path| path.canonicalize().is_ok_and(|path| path != own);
    let listed = place.configs().join(format!("{name}.toml"));
    if place.is_project() && is_another(&listed) {
        return refuse(
            &listed,
            "give the config another name: its file's, and `name` in it".to_owned(),
        );
    }
    let before = build::origin(place, name).filter(|path| library.is_file() && is_another(path));
    match before {
        Some(before) => refuse(
            &before,
            format!(
                "give one of them another name, or remove the library: {}",
                suggest::command(["rm", &place.shown(&library)])
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
