//! Real programs under three variants: what they print is what they print under glibc.
//!
//! Tests are named `<allocator>::<program>`. A program that is not installed shows as ignored, with its name.

#![forbid(unsafe_code)]

mod compilers;
mod redis;
mod scripts;

use hz3_tests::{Allocator, Run, place};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// The configs that real programs run under: the one for everybody, and the two whose class layouts differ most from it.
const CONFIGS: [&str; 3] = ["default", "s22-round4k", "s23-sub4k"];

/// One program and what it is made to do.
struct Program {
    name: &'static str,
    /// What has to be installed.
    tools: &'static [&'static str],
    /// Runs it in an empty folder, and gives what must not depend on the allocator.
    run: fn(&Allocator, &Path) -> Result<String, String>,
}

const fn program(
    name: &'static str,
    tools: &'static [&'static str],
    run: fn(&Allocator, &Path) -> Result<String, String>,
) -> Program {
    Program { name, tools, run }
}

const PROGRAMS: &[Program] = &[
    program("python", &["python3"], scripts::python),
    program("python_malloc", &["python3"], scripts::python_malloc),
    program("perl", &["perl"], scripts::perl),
    program("sqlite", &["sqlite3"], scripts::sqlite),
    program("java", &["java", "javac"], scripts::java),
    program("node", &["node"], scripts::node),
    program("git", &["git", "awk"], scripts::git),
    program("gcc_c", &["gcc"], compilers::c),
    program("gcc_cxx", &["g++"], compilers::cxx),
    program("redis", &["redis-server", "redis-cli", "redis-benchmark"], redis::run),
];

/// A program that the table has checked to be there.
fn tool(name: &str, allocator: &Allocator) -> Result<Run, String> {
    let path = place::program(name).ok_or_else(|| format!("{name} is not installed"))?;
    Ok(Run::new(path, allocator))
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = CONFIGS
        .iter()
        .flat_map(|config| PROGRAMS.iter().map(|program| trial(config, program)))
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(config: &'static str, program: &'static Program) -> Trial {
    let label = format!("{config}::{}", program.name);
    let missing: Vec<&str> = program
        .tools
        .iter()
        .copied()
        .filter(|t| place::program(t).is_none())
        .collect();
    if !missing.is_empty() {
        let label = format!("{label} (not installed: {})", missing.join(", "));
        return Trial::test(label, || Ok(())).with_ignored_flag(true);
    }
    Trial::test(label.clone(), move || {
        let allocator = Allocator::variant(config)?;
        let expected = plain(program)?;
        let got = (program.run)(&allocator, &place::scratch(&label))?;
        compare(&got, &expected)
    })
}

/// The output under glibc, from one run for all configs.
fn plain(program: &'static Program) -> Result<String, String> {
    type Slot = Arc<OnceLock<Result<String, String>>>;
    static PLAIN: LazyLock<Mutex<BTreeMap<&str, Slot>>> = LazyLock::new(Mutex::default);
    let slot = {
        let mut slots = PLAIN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        slots.entry(program.name).or_default().clone()
    };
    slot.get_or_init(|| {
        let dir = place::scratch(&format!("plain::{}", program.name));
        let output = (program.run)(&Allocator::Glibc, &dir).map_err(|e| format!("without any variant: {e}"))?;
        if output.trim().is_empty() {
            Err("without any variant: it prints nothing".to_owned())
        } else {
            Ok(output)
        }
    })
    .clone()
}

/// The first line that differs, if any.
fn compare(got: &str, expected: &str) -> Result<(), Failed> {
    if got == expected {
        return Ok(());
    }
    let (mut ours, mut plain) = (got.lines(), expected.lines());
    let mut number = 1;
    loop {
        match (ours.next(), plain.next()) {
            (None, None) => return Err("the output differs in its line ends".into()),
            (one, other) if one == other => number += 1,
            (one, other) => {
                let show = |line: Option<&str>| line.unwrap_or("(nothing)").chars().take(600).collect::<String>();
                let text = format!("line {number} is\n{}\nand under glibc\n{}", show(one), show(other));
                return Err(text.into());
            }
        }
    }
}
