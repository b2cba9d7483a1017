//! `misuse`: what becomes of double frees, overflows, stale and wrong pointers, under any allocator.

use super::Form;
use crate::fresh::Fresh;
use crate::step::{self, Op, Request};
use crate::style;
use hz3_lab::clients::Clients;
use hz3_lab::misuse::{Choice, Instructions, Misuser, Survey, Timed, Verdict};
use hz3_lab::rows::Job;
use hz3_lab::{child, export, prove, report, stats};
use hz3_project::{Allocator, Error, Outcome, Place, Result, file};
use std::path::PathBuf;

/// Bytes of the calls that are counted.
const COUNTED: u64 = 64;

/// Arguments of `misuse`.
#[derive(clap::Args)]
#[command(after_help = "\
Each kind is committed by a process of its own. It ends in one of these ways, the worst first:

  HARM      the client proved it: live objects overlap or change, malloc returned an address of the writer's
            choice, or the heap loops
  nothing   no harm was seen
  crash     a fault without a message, in the allocator or later
  fault     a fault of the read or write that is the misuse: it did not happen
  detected  a message of the allocator, an abort, or a request that was refused
  -         it cannot be committed there

Of --rounds processes the worst counts: `HARM 1/3` is harm in one of three. Old data and places are no misuse, but
what an attack can count on; totals are without them.")]
pub struct Arguments {
    /// Variants, paths of libraries, or: glibc, mimalloc, tcmalloc, jemalloc, …
    #[arg(required_unless_present = "list", value_name = "NAME|PATH")]
    allocators: Vec<String>,
    #[command(flatten)]
    fresh: Fresh,
    /// Only these kinds, or families of kinds
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "KIND")]
    only: Option<Vec<String>>,
    /// Processes for each kind and allocator
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Measure rows of the lab, too: medians of five executions
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "ROW")]
    time: Vec<String>,
    /// Print why each verdict is what it is
    #[arg(long, conflicts_with = "format")]
    why: bool,
    /// List the kinds, and commit none
    #[arg(long, conflicts_with_all = ["allocators", "only", "time", "output"])]
    list: bool,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Write a file as well: a page (.html), or what --format gives by the file's ending (.json, .csv, .md)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What a file holds, by its ending.
enum Written {
    Page,
    Json,
    Csv,
    Md,
}

/// Runs `misuse`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let written = arguments.output.as_deref().map(ending).transpose()?;
    let allocators = arguments.fresh.find_all(&place, &arguments.allocators)?;
    let clients = Clients::of(&place, |name| eprintln!("building the client {name}"))?;
    let choice = arguments.only.as_deref().map_or(Choice::All, Choice::Only);
    let misuser = Misuser::of(&clients, choice)?;
    if arguments.list {
        return list(&misuser, arguments.format);
    }
    if let Some(path) = &arguments.output {
        file::writable(path)?;
    }
    let left_out = |e| eprintln!("{}: {e}", style::note("left out"));
    let jobs = match arguments.time.as_slice() {
        [] => Vec::new(),
        words => Job::all(words, &clients, false, left_out)?,
    };
    let mut survey = Survey {
        rounds: arguments.rounds,
        families: misuser.families().to_vec(),
        contenders: Vec::new(),
    };
    for allocator in &allocators {
        eprintln!("misuse under {}", allocator.label);
        let mut contender = misuser.commit(&clients, allocator, arguments.rounds)?;
        contender.instructions = counted(&place, allocator);
        survey.contenders.push(contender);
    }
    for job in &jobs {
        time(&clients, job, &allocators, &mut survey)?;
    }
    if let (Some(path), Some(written)) = (&arguments.output, written) {
        let text = match written {
            Written::Page => report::misuse(&survey),
            Written::Json => json(&survey)?,
            Written::Csv => export::misuse_csv(&survey)?,
            Written::Md => export::misuse_markdown(&survey),
        };
        file::write(path, text.as_bytes())?;
    }
    match arguments.format {
        Form::Json => super::print_json(&survey)?,
        Form::Csv => print!("{}", export::misuse_csv(&survey)?),
        Form::Md => print!("{}", export::misuse_markdown(&survey)),
        Form::Text => print(&survey, arguments.why),
    }
    let broken: Vec<String> = survey
        .broken()
        .map(|(contender, kind, found)| format!("{} under {}: {}", kind.name, contender.label, found.why))
        .collect();
    match broken.as_slice() {
        [] => Ok(()),
        all => Err(Error::failed(format!(
            "{} ended before the misuse, or in a way that says nothing: {}",
            all.len(),
            all.join("; ")
        ))),
    }
}

/// What a file is to hold.
fn ending(path: &std::path::Path) -> Result<Written> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    match ending.as_ref() {
        "html" => Ok(Written::Page),
        "json" => Ok(Written::Json),
        "csv" => Ok(Written::Csv),
        "md" => Ok(Written::Md),
        _ => Err(Error::bad_input(format!("{}: what is it to hold?", path.display()))
            .help("the ending says it: .html, .json, .csv or .md")),
    }
}

fn json(survey: &Survey) -> Result<String> {
    let text = serde_json::to_string_pretty(survey);
    Ok(text.map_err(|e| Error::failed(format!("cannot write JSON: {e}")))? + "\n")
}

/// Typical counts of both calls; nothing where they cannot be stepped, which `count` explains.
fn counted(place: &Place, allocator: &Allocator) -> Option<Instructions> {
    let client = step::client::build(place).ok()?;
    let request = Request {
        ops: vec![Op::Malloc, Op::Free],
        sizes: vec![COUNTED],
        calls: 32,
        warm: 64,
        burst: 1,
        live: 16,
        threads: 0,
    };
    let session = step::run(&client, allocator, &request).ok()?;
    let typical = |op| session.series.iter().find(|s| s.op == op).map(|s| s.counts().typical);
    Some(Instructions {
        size_bytes: COUNTED,
        malloc: typical(Op::Malloc)?,
        free: typical(Op::Free)?,
    })
}

/// One row under all allocators, which take turns. One that cannot run it has no figure.
fn time(clients: &Clients, job: &Job, allocators: &[Allocator], survey: &mut Survey) -> Outcome {
    const EXECUTIONS: u64 = 5;
    let mut samples: Vec<Vec<(f64, f64)>> = vec![Vec::new(); allocators.len()];
    let mut failed: Vec<Option<Error>> = vec![None; allocators.len()];
    for (allocator, failed) in allocators.iter().zip(&mut failed) {
        *failed = prove::prove(clients, job, allocator).err();
    }
    for seed in 1..=EXECUTIONS {
        for ((allocator, samples), failed) in allocators.iter().zip(&mut samples).zip(&mut failed) {
            if failed.is_some() {
                continue;
            }
            match child::run(clients, job, Some(allocator), seed, 0) {
                Ok(sample) if sample.wrong > 0 => *failed = Some(Error::failed(sample.wrongness())),
                Ok(sample) => samples.push((sample.value, sample.rss_peak as f64)),
                Err(e) => *failed = Some(e),
            }
        }
    }
    for ((contender, samples), failed) in survey.contenders.iter_mut().zip(samples).zip(failed) {
        if let Some(e) = failed {
            eprintln!(
                "{}: {} under {}: {e}",
                style::note("left out"),
                job.name,
                contender.label
            );
            continue;
        }
        let median = |of: fn(&(f64, f64)) -> f64| stats::median(&samples.iter().map(of).collect::<Vec<_>>());
        contender.timed.push(Timed {
            row: job.name.clone(),
            value: job.metric.show(median(|s| s.0)),
            unit: job.metric.unit().to_owned(),
            rss_peak_bytes: median(|s| s.1),
        });
    }
    Ok(())
}

/// The kinds, with what they do.
fn list(misuser: &Misuser, format: Form) -> Outcome {
    match format {
        Form::Json => return super::print_json(&misuser.families()),
        Form::Text => (),
        Form::Csv | Form::Md => return Err(Error::bad_input("--list has the formats text and json")),
    }
    let mut table = style::table(&["family", "kind", "what is done"], 3);
    for family in misuser.families() {
        for (i, kind) in family.kinds.iter().enumerate() {
            let first = if i == 0 { family.name.as_str() } else { "" };
            table.add_row([first, &kind.name, &kind.says]);
        }
    }
    style::print_table(&table);
    Ok(())
}

fn print(survey: &Survey, why: bool) {
    for (i, sheet) in survey.tables().iter().enumerate() {
        if i > 0 {
            println!();
        }
        println!("{}", style::strong(sheet.title));
        let header: Vec<&str> = sheet.header.iter().map(String::as_str).collect();
        let mut table = style::table(&header, header.len());
        for line in &sheet.lines {
            let mut cells = line.clone();
            cells.resize(header.len(), String::new());
            if let [title] = line.as_slice() {
                cells[0] = format!("{title}:");
            }
            table.add_row(cells);
        }
        style::print_table(&table);
    }
    if !why {
        return;
    }
    for contender in &survey.contenders {
        println!("\n{}", style::strong(&contender.label));
        let mut table = style::table(&["kind", "verdict", "why"], 3);
        for ((_, kind), found) in survey.kinds().zip(&contender.found) {
            if found.verdict != Verdict::Nothing {
                table.add_row([kind.name.clone(), found.word(), found.why.clone()]);
            }
        }
        style::print_table(&table);
    }
}
