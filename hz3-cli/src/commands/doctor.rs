//! `doctor`: proof that a program's malloc is the library's, or the reason why not.

use super::Format;
use crate::fresh::Fresh;
use crate::proof::program::{self, Obstacle, Program};
use crate::proof::trial::{self, Trial};
use crate::style;
use hz3_config::cost::THREAD_BLOCK_MAX;
use hz3_project::bindings::Verdict;
use hz3_project::{Error, Library, Outcome, Place};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// Arguments of `doctor`.
#[derive(clap::Args)]
#[command(after_help = "\
The program is run once, with its output thrown away, and the dynamic linker's record is read: every binding of malloc,
free, calloc and realloc in every process must be to the library. A program that does not end is stopped after --seconds.

Exit codes: 0 proven; 1 some process uses another malloc, or none could be asked; 3 this machine cannot tell.")]
pub struct Arguments {
    /// A variant, the path of a library, or: glibc, mimalloc, tcmalloc, jemalloc, …
    #[arg(value_name = "NAME|PATH")]
    allocator: String,
    #[command(flatten)]
    fresh: Fresh,
    /// Stop the program after this time
    #[arg(long, default_value_t = 10, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86400))]
    seconds: u64,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(serde::Serialize)]
struct Report {
    library: String,
    proven: bool,
    ending: String,
    programs: Vec<Row>,
    reasons: Vec<String>,
}

/// Programs of one name and one verdict.
#[derive(serde::Serialize)]
struct Row {
    program: String,
    times: u32,
    verdict: &'static str,
    /// Where functions come from that are not the library's.
    elsewhere: Vec<String>,
}

/// Runs `doctor`.
pub fn run(arguments: Arguments) -> Outcome {
    if cfg!(not(target_os = "linux")) {
        return Err(Error::unfit("the proof reads the record of Linux's dynamic linker"));
    }
    let place = Place::find()?;
    let allocator = arguments.fresh.find(&place, &arguments.allocator)?;
    let library = allocator.path.as_deref();
    let name = arguments.command[0].to_string_lossy().into_owned();
    let path = hz3_project::program::find(&arguments.command[0])
        .ok_or_else(|| Error::bad_input(format!("no program `{name}`")))?;
    let programs = program::chain(&path);
    let limit = Duration::from_secs(arguments.seconds);
    // No need to start what no dynamic linker of ours will see.
    let hopeless = programs.iter().flat_map(|p| &p.obstacles).any(Obstacle::is_final);
    let trial = match hopeless {
        true => None,
        false => Some(trial::run(&arguments.command, library, limit)?),
    };
    let mut report = judge(&allocator.label, library, &programs, trial.as_ref(), limit);
    if trial.as_ref().is_some_and(Trial::crashed) {
        let plain = trial::run(&arguments.command, None, limit)?;
        report.reasons.push(match plain.crashed() {
            true => "the program dies without the library too".to_owned(),
            false => "the program dies under the library, and does not without it".to_owned(),
        });
    }
    match arguments.format {
        Format::Json => super::print_json(&report)?,
        Format::Text => print(&report),
    }
    Error::unless(report.proven)
}

fn judge(name: &str, library: Option<&Path>, programs: &[Program], trial: Option<&Trial>, limit: Duration) -> Report {
    let mut rows: BTreeMap<(String, Verdict), u32> = BTreeMap::new();
    for image in trial.iter().flat_map(|t| &t.images) {
        *rows.entry((image.name.clone(), image.verdict(library))).or_default() += 1;
    }
    let complaint = trial.and_then(Trial::complaint);
    // A process that ended before its program started proves nothing.
    let proven = rows.keys().any(|(name, v)| *v == Verdict::Proven && !name.is_empty())
        && !rows.keys().any(|(_, v)| matches!(v, Verdict::Elsewhere(_)))
        && complaint.is_none();
    let mut reasons: Vec<String> = complaint.into_iter().collect();
    if !proven {
        for program in programs {
            reasons.extend(
                program
                    .obstacles
                    .iter()
                    .map(|o| format!("{} {o}", program.path.display())),
            );
        }
        if reasons.is_empty() && !trial.is_some_and(Trial::crashed) {
            reasons.push(match rows.is_empty() {
                true => "the dynamic linker wrote no record: the program is privileged, static, or not started by glibc's loader".to_owned(),
                false => "another definition comes before the library's: see the files above".to_owned(),
            });
        }
    }
    reasons.extend(library.and_then(tight_stacks));
    Report {
        library: library.map_or_else(|| name.to_owned(), |l| l.display().to_string()),
        proven: proven && !trial.is_some_and(Trial::crashed),
        ending: trial.map_or_else(|| "not started".to_owned(), |t| t.ending(limit)),
        programs: rows
            .into_iter()
            .map(|((program, verdict), times)| row(program, verdict, times))
            .collect(),
        reasons,
    }
}

/// Thread-local storage is taken out of every thread's stack.
fn tight_stacks(library: &Path) -> Option<String> {
    let bytes = Library::read(library).ok()?.tls_bytes;
    (bytes > THREAD_BLOCK_MAX).then(|| {
        format!(
            "the library takes {bytes} B of thread-local storage out of every stack: threads of PTHREAD_STACK_MIN \
             (16 KiB) may fail to start"
        )
    })
}

fn row(program: String, verdict: Verdict, times: u32) -> Row {
    let (word, elsewhere) = match verdict {
        Verdict::Proven => ("proven", Vec::new()),
        Verdict::Unused => ("no malloc", Vec::new()),
        Verdict::Elsewhere(places) => (
            "elsewhere",
            places
                .into_iter()
                .map(|(function, file)| format!("{function} from {file}"))
                .collect(),
        ),
    };
    Row {
        program,
        times,
        verdict: word,
        elsewhere,
    }
}

fn print(report: &Report) {
    let word = if report.proven {
        style::good("proven")
    } else {
        style::bad("not proven")
    };
    println!("{word}: {} ({})", report.library, report.ending);
    if !report.programs.is_empty() {
        let mut table = style::table(&["program", "times", "malloc"], 3);
        for row in &report.programs {
            let verdict = match row.verdict {
                "proven" => "the library's".to_owned(),
                "no malloc" => "asks for none".to_owned(),
                _ => row.elsewhere.join(", "),
            };
            let name = if row.program.is_empty() {
                "(never started)"
            } else {
                &row.program
            };
            table.add_row([name.to_owned(), row.times.to_string(), verdict]);
        }
        style::print_table(&table);
    }
    for reason in &report.reasons {
        println!("{reason}");
    }
}
