//! Libraries in Rust with allocators of their own, which programs in C load late and unload: in every ownership mode and tag
//! space, and both models of thread-local storage that a library can have.
//!
//! Tests are named `<config>::<case>`, after the config of the library; those of several libraries at once by their model.

#![forbid(unsafe_code)]

use hz3_tests::run::is_emulated;
use hz3_tests::{Allocator, Run, client, plugin};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::PathBuf;

/// A library's config.
struct Config {
    name: &'static str,
    /// The shipped config that it extends.
    parent: &'static str,
    model: &'static str,
}

const fn config(name: &'static str, parent: &'static str, model: &'static str) -> Config {
    Config { name, parent, model }
}

static CONFIGS: [Config; 9] = [
    config("adopt-fixed", "default", "initial-exec"),
    config("adopt-dynamic", "default", "dynamic"),
    config("bank-fixed", "hz3-fast", "initial-exec"),
    config("bank-dynamic", "hz3-fast", "dynamic"),
    config("ring-fixed", "hz3-scale", "initial-exec"),
    config("ring-dynamic", "hz3-scale", "dynamic"),
    config("flat-fixed", "flat", "initial-exec"),
    config("flat-dynamic", "flat", "dynamic"),
    config("helper-dynamic", "compact", "dynamic"),
];

/// Those of this machine: a flat table is for x86-64 alone.
fn configs() -> impl Iterator<Item = &'static Config> {
    CONFIGS
        .iter()
        .filter(|config| config.parent != "flat" || cfg!(target_arch = "x86_64"))
}

impl Config {
    fn library(&self) -> Result<PathBuf, String> {
        let more = format!("[build]\ntls = \"{}\"", self.model);
        plugin::build(self.name, self.parent, &more)
    }
}

/// What a host does with the library.
type Case = fn(&Config) -> Result<(), Failed>;

static CASES: [(&str, Case); 8] = [
    ("threads", threads),
    ("threads_preloaded", threads_preloaded),
    ("kept", kept),
    ("exit", exit),
    ("close_at_exit", close_at_exit),
    ("linked", linked),
    ("early", early),
    ("surplus", surplus),
];

fn main() {
    let arguments = Arguments::from_args();
    let trials = configs().flat_map(|config| {
        CASES
            .iter()
            .map(move |(name, case)| Trial::test(format!("{}::{name}", config.name), move || case(config)))
    });
    let more = [
        Trial::test("late::malloc", malloc),
        Trial::test("several::fixed", || several("initial-exec")),
        Trial::test("several::dynamic", || several("dynamic")),
    ];
    libtest_mimic::run(&arguments, trials.chain(more).collect()).exit();
}

fn host(client: &str, config: &Config) -> Result<Run, String> {
    Ok(roomy(
        Run::new(client::build(client)?, &Allocator::Glibc).arg(config.library()?),
        config,
    ))
}

/// The C library sets more room aside for blocks at a fixed distance: as much as it does, some variants' do not fit.
fn roomy(run: Run, config: &Config) -> Run {
    match config.model {
        "dynamic" => run,
        _ => run.env("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=16384"),
    }
}

/// So many rounds where an emulator, which is slow, runs them.
fn rounds(run: Run, emulated: &str) -> Run {
    if is_emulated() { run.arg(emulated) } else { run }
}

fn threads(config: &Config) -> Result<(), Failed> {
    let run = rounds(host("unload_threads", config)?, "4");
    Ok(run.success().map(drop)?)
}

/// The host's own malloc is a variant, too.
fn threads_preloaded(config: &Config) -> Result<(), Failed> {
    let run = Run::new(client::build("unload_threads")?, &Allocator::variant("default")?).arg(config.library()?);
    Ok(rounds(roomy(run, config), "4").success().map(drop)?)
}

fn kept(config: &Config) -> Result<(), Failed> {
    Ok(host("unload_kept", config)?.success().map(drop)?)
}

fn exit(config: &Config) -> Result<(), Failed> {
    Ok(host("unload_end", config)?.arg("exit").success().map(drop)?)
}

fn close_at_exit(config: &Config) -> Result<(), Failed> {
    Ok(host("unload_end", config)?.arg("close-at-exit").success().map(drop)?)
}

/// The library is there from the start, and never goes.
fn linked(config: &Config) -> Result<(), Failed> {
    let run = host("unload_end", config)?
        .arg("exit")
        .env("LD_PRELOAD", config.library()?);
    Ok(run.success().map(drop)?)
}

/// A constructor loads it, before the program's own code.
fn early(config: &Config) -> Result<(), Failed> {
    let run = host("unload_end", config)?
        .arg("exit")
        .env("LD_PRELOAD", client::build("unload_early_plugin")?)
        .env("PLUGIN", config.library()?);
    Ok(run.success().map(drop)?)
}

fn surplus(config: &Config) -> Result<(), Failed> {
    let run = Run::new(client::build("unload_surplus")?, &Allocator::Glibc)
        .arg(client::build("tls_hog_plugin")?)
        .arg(config.library()?)
        .arg(config.model);
    Ok(run.success().map(drop)?)
}

/// All libraries of a model in one process, whose own malloc is a variant, too. (Room for blocks at fixed places is theirs together.)
fn several(model: &str) -> Result<(), Failed> {
    let libraries = configs()
        .filter(|config| config.model == model)
        .map(|config| config.library());
    let libraries: Vec<PathBuf> = libraries.collect::<Result<_, _>>()?;
    let run = Run::new(client::build("unload_several")?, &Allocator::variant("default")?)
        .args(libraries)
        .env("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=65536");
    Ok(run.success().map(drop)?)
}

/// A library that is meant to be preloaded, and is loaded late instead.
fn malloc() -> Result<(), Failed> {
    let Allocator::Variant(late) = Allocator::variant("late")? else {
        return Err("not a variant".into());
    };
    let run = Run::new(client::build("unload_malloc")?, &Allocator::Glibc).arg(&late.path);
    Ok(rounds(run, "20").success().map(drop)?)
}
