//! `diff`: what two variants differ in.

use super::Format;
use crate::configs;
use crate::profile::{source, waste};
use crate::step::{self, Op, Request};
use crate::style;
use hz3_config::cost::Cost;
use hz3_config::{Plan, suggest};
use hz3_lab::profile::Moment;
use hz3_project::library::note;
use hz3_project::{Allocator, Error, Library, Outcome, Place, current, file, name};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Arguments of `diff`.
#[derive(clap::Args)]
#[command(
    after_help = "Exit code 0 if the two are the same allocator, 1 if they differ. Instructions are compared if both\nare built, from their configs and the sources as they are now."
)]
pub struct Arguments {
    /// A config (name or path), or a library of hz3 (path)
    a: String,
    /// The other one
    b: String,
    /// Do not compare instructions
    #[arg(long)]
    no_count: bool,
    /// A profile or a recording: compare what both waste on its sizes and lifetimes, and what they would hold of it
    #[arg(long, value_name = "FILE")]
    profile: Option<String>,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Two values of one thing; `None` where a side does not have it.
#[derive(Debug, serde::Serialize)]
struct Pair {
    what: String,
    a: Option<String>,
    b: Option<String>,
}

#[derive(serde::Serialize)]
struct Report {
    a: String,
    b: String,
    /// Whether both give the same tables and code.
    identical: bool,
    keys: Vec<Pair>,
    classes: Vec<Pair>,
    costs: Vec<Pair>,
    instructions: Vec<Pair>,
    /// On the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<waste::Pairs>,
}

/// Keys that say what a variant is called and why; they reach no code.
const PROSE: &[&str] = &["name", "description", "hypothesis", "goal", "refuted"];

/// Runs `diff`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let (a, built_a) = side(&place, &arguments.a)?;
    let (b, built_b) = side(&place, &arguments.b)?;
    let profile = arguments.profile.as_ref();
    let profile = profile
        .map(|word| source::read(&place, word, Moment::End))
        .transpose()?;
    let libraries = built_a.as_deref().zip(built_b.as_deref());
    let files = match libraries {
        Some((a, b)) => Some((Library::read(a)?, Library::read(b)?)),
        None => None,
    };
    let report = Report {
        identical: a.code_hash == b.code_hash,
        keys: keys(&a, &b),
        classes: classes(&a, &b),
        costs: costs(&a, &b, files.as_ref()),
        instructions: match libraries {
            Some((x, y)) if !arguments.no_count => instructions(&place, (&a.name, x), (&b.name, y))?,
            _ => Vec::new(),
        },
        profile: profile.as_ref().map(|source| waste::compare(&a, &b, source)),
        a: a.name.clone(),
        b: b.name.clone(),
    };
    match arguments.format {
        Format::Json => super::print_json(&report)?,
        Format::Text => {
            print(&report);
            if let Some((source, pairs)) = profile.as_ref().zip(report.profile.as_ref()) {
                waste::print_pairs(source, pairs, &report.a, &report.b);
            }
            if !arguments.no_count {
                say_of_instructions(&arguments, &report, libraries.is_some());
            }
        }
    }
    Error::unless(report.identical)
}

/// The plan, and the library if there is one that this plan gave.
fn side(place: &Place, given: &str) -> Result<(Plan, Option<PathBuf>), Error> {
    if given.ends_with(".so") {
        let path = file::real(given)?;
        let note = Library::read(&path)?
            .note
            .ok_or_else(|| Error::bad_input(format!("{given} is no variant of hz3")))?;
        let file = place.config_file(&note.name);
        let plan = hz3_config::load_str(&file, &note.config).map_err(|faults| {
            eprintln!("{}", faults.render(style::stderr_colour()));
            Error::failed(format!("the config in the note of {given} is not valid any more"))
                .help("this library was made by another version of hz3")
        })?;
        return Ok((plan, Some(path)));
    }
    let plan = configs::load(&name::config(place, given)?)?;
    // The config may lie anywhere: of the state only what does not depend on its file is asked.
    let library = current::library(place, &plan)?;
    Ok((plan, library))
}

/// What differs between two tables of lines, each called as `what` says.
fn pairs<K: Ord>(a: &BTreeMap<K, String>, b: &BTreeMap<K, String>, what: impl Fn(&K) -> String) -> Vec<Pair> {
    let names: BTreeSet<&K> = a.keys().chain(b.keys()).collect();
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| Pair {
            what: what(name),
            a: a.get(name).cloned(),
            b: b.get(name).cloned(),
        })
        .collect()
}

fn keys(a: &Plan, b: &Plan) -> Vec<Pair> {
    let keys = |plan: &Plan| {
        let mut keys = note::keys(&plan.resolved);
        keys.retain(|key, _| !PROSE.contains(&key.as_str()));
        keys
    };
    pairs(&keys(a), &keys(b), String::clone)
}

/// Lines of the class tables, by size: ids and slot offsets shift with every line before and say nothing.
fn classes(a: &Plan, b: &Plan) -> Vec<Pair> {
    let rows = |plan: &Plan| -> BTreeMap<u32, String> {
        plan.classes
            .iter()
            .zip(&plan.depot.batches)
            .map(|(c, depot)| {
                let colours = if c.colors > 1 {
                    format!(", {} colours", c.colors)
                } else {
                    String::new()
                };
                let row = format!(
                    "{} in {} pages, tail {} B, align {} B, batch {} from {} to {}, depot {depot}{colours}",
                    c.objects, c.run_pages, c.tail_waste, c.align, c.batch, c.batch_first, c.burst
                );
                (c.size, row)
            })
            .collect()
    };
    pairs(&rows(a), &rows(b), |size| format!("{size} B"))
}

fn costs(a: &Plan, b: &Plan, files: Option<&(Library, Library)>) -> Vec<Pair> {
    let (ca, cb) = (Cost::of(a), Cost::of(b));
    let mut result = Vec::new();
    let mut add = |what: &str, x: String, y: String| {
        if x != y {
            result.push(Pair {
                what: what.to_owned(),
                a: Some(x),
                b: Some(y),
            });
        }
    };
    let share = |s: f64| format!("{:.2} %", s * 100.0);
    add("classes", a.classes.len().to_string(), b.classes.len().to_string());
    add("waste, 1 B to 4 KiB", share(ca.waste_to_4096), share(cb.waste_to_4096));
    add(
        "waste, 1 B to the largest class",
        share(ca.waste_to_largest),
        share(cb.waste_to_largest),
    );
    if let (Some(x), Some(y)) = (ca.waste_sub4k, cb.waste_sub4k) {
        add("waste, 2049 to 4095 B with tails", share(x), share(y));
    }
    let mut bytes = |what: &str, x: u64, y: u64| add(what, format!("{x} B"), format!("{y} B"));
    type Of = fn(&Cost) -> u64;
    let of_costs: [(&str, Of); 10] = [
        ("lookup tables", |c| c.lookup.bytes),
        ("thread block", |c| c.tls_bytes),
        ("mapped with a thread", |c| c.thread_body_bytes),
        ("free objects in a thread, at most", |c| c.thread_cache_bytes),
        ("the same of each of many", |c| c.thread_floor_bytes),
        ("the same of each in a crowd", |c| c.thread_crowd_bytes),
        ("freed objects in a thread's quarantine, at most", |c| {
            c.quarantine_bytes
        }),
        ("free objects in depots, at most", |c| c.depot_bytes),
        ("empty runs in central, at most", |c| c.empty_run_bytes),
        ("tag table", |c| c.metadata.tag_table_bytes),
    ];
    for (what, of) in of_costs {
        bytes(what, of(&ca), of(&cb));
    }
    if let Some((x, y)) = files {
        bytes("library", x.file_bytes, y.file_bytes);
        bytes("code", x.text_bytes, y.text_bytes);
        bytes("constants", x.rodata_bytes, y.rodata_bytes);
        bytes("thread-local storage", x.tls_bytes, y.tls_bytes);
    }
    result
}

/// Counts of malloc and free that differ.
fn instructions(place: &Place, a: (&str, &std::path::Path), b: (&str, &std::path::Path)) -> Result<Vec<Pair>, Error> {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Ok(Vec::new());
    }
    let client = step::client::build(place)?;
    let request = Request {
        ops: vec![Op::Malloc, Op::Free],
        sizes: super::count::SIZES.split(',').filter_map(|s| s.parse().ok()).collect(),
        calls: 32,
        warm: 64,
        burst: 1,
        live: 16,
        threads: 0,
    };
    let count = |(name, path): (&str, &std::path::Path)| -> Result<Vec<String>, Error> {
        let session = step::run(&client, &Allocator::file(name, path.to_owned()), &request)?;
        Ok(session
            .series
            .iter()
            .map(|s| format!("{}, {} branches", s.counts().typical, s.typical_call().branches))
            .collect())
    };
    let names = request
        .ops
        .iter()
        .flat_map(|op| request.sizes.iter().map(move |size| format!("{} {size} B", op.name())));
    Ok(names
        .zip(count(a)?.into_iter().zip(count(b)?))
        .filter(|(_, (x, y))| x != y)
        .map(|(what, (x, y))| Pair {
            what,
            a: Some(x),
            b: Some(y),
        })
        .collect())
}

fn print(report: &Report) {
    if report.identical {
        println!(
            "{} and {} are the same allocator: their tables and code are identical",
            report.a, report.b
        );
    }
    for (title, pairs) in [
        ("Keys", &report.keys),
        ("Classes", &report.classes),
        ("Cost", &report.costs),
        ("Instructions", &report.instructions),
    ] {
        if pairs.is_empty() {
            continue;
        }
        let mut table = style::table(&[title, &report.a, &report.b], 3);
        for pair in pairs {
            let side = |s: &Option<String>| s.clone().unwrap_or_else(|| "-".to_owned());
            table.add_row([pair.what.clone(), side(&pair.a), side(&pair.b)]);
        }
        style::print_table(&table);
        println!();
    }
}

fn say_of_instructions(arguments: &Arguments, report: &Report, built: bool) {
    if !built {
        // A library cannot be built from itself: it is not current only where its config is.
        let configs = [&arguments.a, &arguments.b]
            .into_iter()
            .filter(|given| !given.ends_with(".so"));
        let command = ["cargo", "hz3", "build"].into_iter().chain(configs.map(String::as_str));
        eprintln!(
            "instructions are compared when both are built from these configs and sources: {}",
            suggest::command(command)
        );
    } else if report.instructions.is_empty() {
        println!("malloc and free take the same instructions at every size");
    }
}
