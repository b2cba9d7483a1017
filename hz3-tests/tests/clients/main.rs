//! C clients under every config of `configs/`, and under glibc as the control: all of them wherever code differs, those about objects
//! where only defences do, and the short ones where only numbers do.
//!
//! `HZ3_TEST_WHOLE` names configs, with commas between, under which all of them run too.
//!
//! Tests are named `<allocator>::<case>`: `cargo test -p hz3-tests --test clients -- default::fork` runs those of one config
//! whose names begin with `fork`.

#![forbid(unsafe_code)]

mod cases;
mod footprint;
mod linked;
mod preload;
mod processors;
mod segments;

use cases::{CASES, Case, Scope};
use hz3_config::plan::{OnFull, TagSpace};
use hz3_tests::{
    Allocator, Outcome, Run, client,
    place::{self, PLACE},
};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeSet;
use std::ffi::OsString;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = CASES
        .iter()
        .filter(|case| case.scope == Scope::Everywhere)
        .map(|case| trial("glibc", case, |_| Ok(Allocator::Glibc)))
        .collect();
    let named = std::env::var("HZ3_TEST_WHOLE").unwrap_or_default();
    let named: Vec<String> = named.split(',').map(str::to_owned).collect();
    let (mut wholes, mut shapes) = (BTreeSet::new(), BTreeSet::new());
    for name in in_order() {
        let (shape, defences) = shape(&name);
        let defends = shapes.insert((shape.clone(), defences));
        let whole = NAMED.contains(&name.as_str()) || named.contains(&name) || wholes.insert(shape);
        let (room, touches) = (hard_end(&name), touches_more(&name));
        let fits = |case: &Case| whole || if defends { case.objects } else { case.short };
        let runs = |case: &&Case| fits(case) && case.holds < room && !(touches && case.counts_pages);
        let cases = CASES.iter().filter(runs);
        trials.extend(cases.map(|case| trial(&name, case, Allocator::variant)));
        trials.extend(preload::trials(&name));
        trials.extend(processors::trials(&name));
        trials.extend(footprint::trials(&name));
    }
    trials.extend(linked::trials());
    trials.extend(segments::trials(&named));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Configs under which every case runs whatever they have in common.
const NAMED: [&str; 4] = ["default", "compact", "s22-round4k", "s23-sub4k"];

/// The configs, those first that stand for many.
fn in_order() -> Vec<String> {
    let mut names = PLACE.config_names();
    names.sort_by_key(|name| !NAMED.contains(&name.as_str()));
    names
}

/// Bytes of a config's arena, if nothing lies beyond it.
fn hard_end(name: &str) -> u64 {
    hz3_config::load(&place::config(name))
        .ok()
        .filter(|plan| plan.policy.arena.on_full == OnFull::Fail)
        .map_or(u64::MAX, |plan| plan.policy.arena.size as u64)
}

/// What a config chooses of code, as against numbers in tables: of all but defences, and of those. Of the configs with one shape the
/// first runs all cases; of the others the first with other defences runs the cases about objects, and the rest the short ones.
fn shape(name: &str) -> (String, String) {
    // A faulty config is reported by the tests that build it.
    hz3_config::load(&place::config(name)).map_or_else(
        |_| (name.to_owned(), String::new()),
        |plan| {
            let (tag, arena) = (&plan.tag, &plan.policy.arena);
            let shape = format!(
                "{:?} {} {:?} {} {:?} {:?} {:?} {:?} {:?} {} {:?} {:?}",
                plan.ownership.mode,
                tag.width,
                tag.space,
                plan.lookup.coarse.is_some(),
                plan.hot.prefetch,
                plan.stats.level,
                plan.policy.stats.record,
                arena.commit,
                arena.on_full,
                plan.policy.pressure.enabled,
                plan.build.tls,
                plan.build.optimize
            );
            (shape, format!("{:?}", plan.policy.hardening))
        },
    )
}

/// Whether an allocator has other defences than `default`.
fn has_defences(name: &str) -> bool {
    PLACE.config_names().iter().any(|other| other == name) && shape(name).1 != shape("default").1
}

fn trial(name: &str, case: &'static Case, find: fn(&str) -> Result<Allocator, String>) -> Trial {
    let missing = case.tool.is_some_and(|tool| place::program(tool).is_none());
    let label = format!("{name}::{}", case.name);
    if missing {
        // Shown as ignored, with its reason in the name: a test that cannot run must not look as if it had.
        let tool = case.tool.unwrap_or_default();
        return Trial::test(format!("{label} ({tool} is not installed)"), || Ok(())).with_ignored_flag(true);
    }
    let name = name.to_owned();
    Trial::test(label, move || run(case, &find(&name)?))
}

/// Whether it touches pages that others do not: its calls are told to a recorder, which takes memory of its own, or objects are put
/// into random order before anybody asks for them.
fn touches_more(name: &str) -> bool {
    hz3_config::load(&place::config(name)).is_ok_and(|plan| plan.stats.tells_calls() || plan.policy.hardening.random)
}

fn run(case: &Case, allocator: &Allocator) -> Result<(), Failed> {
    let client = client::build(case.client)?;
    let mut command: Vec<OsString> = Vec::new();
    if let Some(tool) = case.tool {
        command.push(
            place::program(tool)
                .ok_or_else(|| format!("{tool} is not installed"))?
                .into(),
        );
        command.extend(case.tool_arguments.iter().map(OsString::from));
    }
    command.push(client.into());
    if let Some(plugin) = case.plugin {
        command.push(client::build(plugin)?.into());
    }
    command.extend((case.arguments)(allocator.name()).into_iter().map(OsString::from));
    let run = Run::new(&command[0], allocator).args(&command[1..]);
    if case.confined && is_flat(allocator)? {
        refused(&run.outcome()?)
    } else {
        Ok(run.success().map(drop)?)
    }
}

/// Whether its page tags cover the whole address space.
fn is_flat(allocator: &Allocator) -> Result<bool, Failed> {
    let (Allocator::Variant(variant) | Allocator::Linked(variant)) = allocator else {
        return Ok(false);
    };
    let plan = hz3_config::load(&place::config(&variant.name)).map_err(|e| e.to_string())?;
    Ok(plan.tag.space == TagSpace::Flat)
}

/// A flat table has no smaller form: the process ends at its start, and says why.
fn refused(outcome: &Outcome) -> Result<(), Failed> {
    let said = String::from_utf8_lossy(&outcome.stderr).contains("a flat tag table takes");
    let failed = outcome.status.is_some_and(|status| !status.success());
    if said && failed {
        return Ok(());
    }
    Err(format!(
        "a flat tag table found no room, and this was not said: {}",
        outcome.describe()
    )
    .into())
}
