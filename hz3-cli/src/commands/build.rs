//! `build`: one library per variant.

use crate::configs;
use hz3_project::library::{Library, Note, abi};
use hz3_project::{Code, Error as Failure, OnPath, Outcome, Place as Project, current, file};
use crate::style;
use hz3_config::{Plan, suggest};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Arguments of `build`.
#[derive(clap::Args)]
#[command(after_help = "All configs are checked before the first is built. The library of a variant is target/hz3/libhz3_<name>.so.")]
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
    /// Tell cargo to keep Cargo.lock as it is
    #[arg(long)]
    locked: bool,
}

/// What cargo is asked to make of a variant.
#[derive(Clone, Copy)]
enum Product {
    /// The library.
    Library,
    /// The static archive, with all that rustc puts into one.
    Archive,
}

impl Product {
    fn crate_type(self) -> &'static str {
        match self {
            Product::Library => "cdylib",
            Product::Archive => "staticlib",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Product::Library => "libhz3_preload.so",
            Product::Archive => "libhz3_preload.a",
        }
    }
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
    let config = plan.sources.first().ok_or_else(|| Failure::failed("a plan without a config"))?;
    let _lock = Lock::take(project.libraries())?;
    work(&cargo(project, &plan.name, config, Product::Archive, &Arguments::of(&[]))?)
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

    let folder = project.libraries();
    std::fs::create_dir_all(folder).on("create", folder)?;
    let lock = Lock::take(folder)?;
    plans.iter().try_for_each(|plan| claim(&project, plan))?;
    let bar = progress(&plans);
    let mut built: Vec<Library> = Vec::new();
    let width = plans.iter().map(|p| p.name.len()).max().unwrap_or(0);
    for plan in &plans {
        bar.set_message(plan.name.clone());
        let start = Instant::now();
        match build(&project, plan, arguments) {
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
    drop(lock);
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
    let Some(own) = plan.sources.first().and_then(|path| path.canonicalize().ok()) else {
        return Ok(());
    };
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
    if is_another(&listed) {
        return refuse(&listed, "give the config another name: its file's, and `name` in it".to_owned());
    }
    let before = origin(project, name).filter(|path| library.is_file() && is_another(path));
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

/// The config that the library of this name was made from.
fn origin(project: &Project, name: &str) -> Option<PathBuf> {
    let bytes = std::fs::read(project.origin(name)).ok()?;
    Some(project.root.join(OsStr::from_bytes(bytes.trim_ascii_end())))
}

/// Remembers it, in a form that survives when the project is moved.
fn remember(project: &Project, name: &str, config: &Path) -> Outcome {
    let config = config.strip_prefix(&project.root).unwrap_or(config);
    let line = [config.as_os_str().as_bytes(), b"\n"].concat();
    file::write(&project.origin(name), &line)
}

/// Builds one variant, checks the library and puts it in its place.
fn build(project: &Project, plan: &Plan, arguments: &Arguments) -> Result<Library, Failure> {
    let config = plan.sources.first().ok_or_else(|| Failure::failed("a plan without a config"))?;
    let made = cargo(project, &plan.name, config, Product::Library, arguments)?;
    let library = Library::read(&made)?;
    verify(project, plan, &library)?;
    let place = project.library(&plan.name);
    // Programs may be running on the old file: it is replaced, never written to.
    let new = place.with_extension(format!("so.{}", std::process::id()));
    discard_unless(std::fs::copy(&made, &new).on("write", &new), &new)?;
    let moved = std::fs::rename(&new, &place).on("write", &place);
    discard_unless(moved, &new)?;
    remember(project, &plan.name, config)?;
    Ok(Library { path: place, ..library })
}

/// Removes a file if what was done to it failed.
fn discard_unless<T>(result: Result<T, Failure>, file: &Path) -> Result<T, Failure> {
    if result.is_err() {
        let _ = std::fs::remove_file(file);
    }
    result
}

fn cargo(
    project: &Project,
    name: &str,
    config: &Path,
    product: Product,
    arguments: &Arguments,
) -> Result<PathBuf, Failure> {
    let target = project.root.join("target").join("hz3-build");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(&project.root)
        .args(["rustc", "--quiet", "-p", "hz3-preload", "--profile", "variant"])
        .args(["--crate-type", product.crate_type(), "--target-dir"])
        .arg(&target)
        .env("HZ3_CONFIG", config)
        .env("CARGO_TERM_COLOR", if style::stderr_colour() { "always" } else { "never" });
    if arguments.offline {
        command.arg("--offline");
    }
    if arguments.locked {
        command.arg("--locked");
    }
    let output = command.output().map_err(|e| {
        Failure::unfit(format!("cannot start {}: {e}", command.get_program().to_string_lossy()))
            .help("install Rust, or set CARGO to the path of cargo")
    })?;
    if output.status.success() {
        return Ok(target.join("variant").join(product.file()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::failed(format!("cannot build `{name}`:\n{}", said.trim_end())))
}

/// A library that is not what its config says is worse than none.
fn verify(project: &Project, plan: &Plan, library: &Library) -> Outcome {
    let sources = current::sources(project)?;
    let fault = |what: String| Err(Failure::failed(format!("the library of `{}` is not usable: {what}", plan.name)));
    let (missing, surplus) = abi::faults(&library.exports);
    if !missing.is_empty() {
        return fault(format!("it does not export {}", missing.join(", ")));
    }
    if !surplus.is_empty() {
        return fault(format!("it exports what is not its business: {}", surplus.join(", ")));
    }
    let soname = hz3_config::soname::soname(&plan.name);
    if library.soname.as_deref() != Some(&soname) {
        return fault(format!("its SONAME is {}, not {soname}", library.soname.as_deref().unwrap_or("missing")));
    }
    let hash = plan.hash.to_string();
    match &library.note {
        None => fault("it has no note".to_owned()),
        Some(note) if note.sources != sources => fault(
            "hz3's sources were changed while it was built, or cargo did not see that they were: build it again, or after \
             `cargo clean --target-dir target/hz3-build`"
                .to_owned(),
        ),
        Some(Note { hash: found, name, .. }) if *found != hash || *name != plan.name => {
            fault(format!("its note names config {name} {found}, not {} {hash}", plan.name))
        }
        Some(_) => Ok(()),
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

/// Held while cargo writes and its result is copied: two builds at once must not take each other's library.
struct Lock(#[expect(dead_code, reason = "unlocks when dropped")] nix::fcntl::Flock<std::fs::File>);

impl Lock {
    fn take(folder: &Path) -> Result<Lock, Failure> {
        let path = folder.join(".build.lock");
        let file = std::fs::File::create(&path).on("create", &path)?;
        let file = match nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Lock(lock)),
            Err((file, _)) => file,
        };
        eprintln!("waiting for another build to end");
        match nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusive) {
            Ok(lock) => Ok(Lock(lock)),
            Err((_, e)) => Err(Failure::failed(format!("cannot lock {}: {e}", path.display()))),
        }
    }
}
