//! Variants that nobody thought of: configs made of what the schema allows, built as libraries, and played in processes of
//! their own.

use crate::dice::Dice;
use hz3_config::Plan;
use hz3_config::plan::OnFull;
use hz3_project::build::{Shape, possible};
use hz3_tests::{Allocator, Run};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The program that plays, in a process of its own.
#[derive(Debug)]
pub struct Player {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Player {
    /// By the program `hz3-fuzz-play`.
    ///
    /// # Panics
    ///
    /// If there can be no folder for what processes leave behind.
    pub fn new(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Where the program is kept that was played last.
    pub fn now(&self) -> PathBuf {
        self.folder.path().join("now")
    }

    fn run(&self) -> Run {
        Run::new(&self.program, &Allocator::Glibc)
            .arg("--now")
            .arg(self.now())
            .dir(self.folder.path())
    }

    /// Plays under the C library.
    ///
    /// # Errors
    ///
    /// How it failed.
    pub fn plays_alone<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String, String> {
        Ok(self.run().args(arguments).success()?.text())
    }

    /// Plays under a library that was built from a plan.
    ///
    /// # Errors
    ///
    /// How it failed.
    pub fn plays<A: AsRef<OsStr>>(
        &self,
        library: &Path,
        plan: &Plan,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String, String> {
        let arena = &plan.policy.arena;
        let limited = arena.on_full == OnFull::Fail || arena.hard_limit > 0;
        let run = self.run().env("LD_PRELOAD", library).arg("--variant").args(arguments);
        let run = if limited { run.arg("--limited") } else { run };
        Ok(run.success()?.text())
    }
}

/// What a made-up config is called.
pub const NAME: &str = "fuzzed";

/// A hard limit in bytes that leaves the player what it needs for itself.
const LEAST: usize = 256 << 20;

/// Makes up a config that is accepted: a preset, and some keys with any values that the schema allows. Keys that have no
/// effect or contradict others are taken away again.
pub fn made_up(dice: &mut Dice) -> (String, Plan) {
    let schema: Value = serde_json::from_str(&hz3_config::schema::json_schema()).unwrap_or_default();
    loop {
        let mut lines = lines(&schema, dice);
        // Each round takes away a line, so that this ends.
        for _ in 0..=lines.len() {
            let text = lines.join("\n") + "\n";
            match hz3_config::load_str(Path::new("/hz3-fuzz/fuzzed.toml"), &text) {
                // Some are for Rust programs or for archives alone.
                Ok(plan) if possible(&plan, Shape::Shared).is_err() => break,
                // The player itself needs memory that it does not do without.
                Ok(plan) if (1..LEAST).contains(&plan.policy.arena.hard_limit) => break,
                Ok(plan) => return (text, plan),
                Err(faults) => {
                    let mut wrong: Vec<usize> = faults.items().iter().map(|item| item.line - 1).collect();
                    wrong.sort_unstable();
                    wrong.dedup();
                    // The first lines are what a config has to have.
                    wrong.retain(|at| (HEAD..lines.len()).contains(at));
                    match wrong.last() {
                        Some(at) => drop(lines.remove(*at)),
                        None if lines.len() > HEAD => drop(lines.pop()),
                        None => break,
                    }
                }
            }
        }
    }
}

/// Lines that every config has: name, description, parent.
const HEAD: usize = 3;

/// The lines of a config, which need not be a valid one.
fn lines(schema: &Value, dice: &mut Dice) -> Vec<String> {
    let parents = [
        "default",
        "default",
        "compact",
        "hz3-fast",
        "hz3-scale",
        "flat",
        "two-tables",
        "s47-relief",
    ];
    let mut lines = vec![
        format!("name = \"{NAME}\""),
        "description = \"made up\"".to_owned(),
        format!("extends = \"hz3:{}\"", dice.among(&parents)),
    ];
    // Small caches and arenas in every other one: they get into events the soonest.
    if dice.one_in(2) {
        lines.extend(
            [
                "cache.batch_bytes = 1024",
                "cache.batch_min = 1",
                "cache.batch_max = 4",
                "cache.thread_bytes = \"512KiB\"",
                "depot.batches_max = 2",
                "depot.batches_min = 0",
                "large.cache = \"1MiB\"",
                "purge.dirty = \"1MiB\"",
                "purge.delay_ms = 0",
            ]
            .map(str::to_owned),
        );
    }
    let mut keys: Vec<(String, &Value)> = Vec::new();
    for (group, table) in schema["properties"].as_object().into_iter().flatten() {
        for (key, kind) in table["properties"].as_object().into_iter().flatten() {
            keys.push((format!("{group}.{key}"), kind));
        }
    }
    for _ in 0..dice.below(24) {
        let (key, kind) = dice.among(&keys);
        let beginning = format!("{key} = ");
        if let Some(value) = value(key, kind, dice)
            && !lines.iter().any(|line| line.starts_with(&beginning))
        {
            lines.push(beginning + &value);
        }
    }
    lines
}

/// A value of a key, as TOML.
fn value(key: &str, kind: &Value, dice: &mut Dice) -> Option<String> {
    match key {
        "classes.steps" => return Some(steps(dice)),
        "sub4k.sizes" => {
            let mut at = 2048;
            let sizes = (0..1 + dice.below(6)).map(|_| {
                at += 16 * (1 + dice.below(24));
                at.to_string()
            });
            return Some(format!("[{}]", sizes.collect::<Vec<_>>().join(", ")));
        }
        "runs.overrides" => return Some(overrides("pages", 40, dice)),
        "cache.overrides" => return Some(overrides("batch", 200, dice)),
        // What is written there would be in the way.
        "stats.profile_path" | "stats.exit_report" => return None,
        _ => {}
    }
    any(kind, dice)
}

/// A value of a kind that the schema describes.
fn any(kind: &Value, dice: &mut Dice) -> Option<String> {
    for choice in ["oneOf", "anyOf"] {
        if let Some(kinds) = kind[choice].as_array() {
            let kinds: Vec<&Value> = kinds.iter().filter(|kind| kind.get("pattern").is_none()).collect();
            let chosen = kinds[dice.below(kinds.len())];
            return any(chosen, dice);
        }
    }
    if let Some(value) = kind.get("const") {
        return Some(value.to_string());
    }
    if let Some(values) = kind["enum"].as_array() {
        return Some(dice.among(values).to_string());
    }
    match kind["type"].as_str()? {
        "boolean" => Some(dice.one_in(2).to_string()),
        "number" => Some(format!("{}.0", dice.below(kind["exclusiveMaximum"].as_u64()? as usize))),
        "integer" => {
            let (least, most) = (kind["minimum"].as_u64()?, kind["maximum"].as_u64()?);
            let step = kind["multipleOf"].as_u64().unwrap_or(1).max(1);
            // Each doubling of the distance from the least is as likely as any other; a machine has only so much memory.
            let range = (most - least).min(1 << 38) / step;
            let below = 1u64 << dice.below(65 - range.leading_zeros() as usize).min(63);
            Some((least + step * (dice.roll() % below).min(range)).to_string())
        }
        _ => None,
    }
}

fn steps(dice: &mut Dice) -> String {
    let mut steps = Vec::new();
    let mut at = 0;
    for _ in 0..1 + dice.below(3) {
        at += 1usize << (6 + dice.below(10));
        at = at.next_multiple_of(16);
        steps.push(if dice.one_in(2) {
            format!("{{ to = {at}, step = {} }}", 16 << dice.below(8))
        } else {
            format!("{{ to = {at}, per_doubling = {} }}", 1 + dice.below(12))
        });
    }
    let last = [2048, 4096, 8192, 32768, 65536, 262_144];
    let last = *dice.among(&last);
    if last > at {
        steps.push(format!("{{ to = {last}, per_doubling = {} }}", 1 + dice.below(8)));
    }
    format!("[{}]", steps.join(", "))
}

fn overrides(what: &str, most: usize, dice: &mut Dice) -> String {
    let from = 16 * (1 + dice.below(200));
    let to = from + 16 * dice.below(400);
    format!("[{{ from = {from}, to = {to}, {what} = {} }}]", 1 + dice.below(most))
}
