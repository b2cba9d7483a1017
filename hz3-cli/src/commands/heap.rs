//! `heap`: which pages of a process hold what.

use crate::heap::process::Process;
use crate::heap::snapshot::Snapshot;
use crate::heap::summary::{self, Summary};
use crate::heap::{change, page, terminal};
use crate::style;
use hz3_project::{Error, Outcome, file};
use std::path::{Path, PathBuf};

/// Arguments of `heap`.
#[derive(clap::Args)]
#[command(after_help = "\
The process is neither stopped nor changed: its memory is read from outside, while it goes on. So
the picture is of a moving target; what made no sense after several looks is shown as changed
meanwhile. It takes the rights to trace the process: those of the same user, where
kernel.yama.ptrace_scope is 0, or root's.

  cargo hz3 heap $(pidof my-server)
  cargo hz3 heap $(pidof my-server) -o heap.html --save before.json
  cargo hz3 heap before.json
  cargo hz3 heap before.json $(pidof my-server)")]
pub struct Arguments {
    /// A process under a variant, or a file that --save wrote (a file whose name is a number: ./NUMBER)
    #[arg(value_name = "PID|FILE")]
    source: String,
    /// A second one: what has changed since the first
    #[arg(value_name = "PID|FILE", conflicts_with_all = ["output", "save", "zoom"])]
    later: Option<String>,
    /// Write a page with the picture as SVG, a cell a page
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep what was read, to be drawn later
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print what was read and its sums as JSON
    #[arg(long)]
    json: bool,
    /// Pages of one cell of the picture on the terminal; by default as few as keep the picture short
    #[arg(long, value_name = "PAGES", value_parser = clap::value_parser!(u64).range(1..=64))]
    zoom: Option<u64>,
    /// Where a program has several variants, the one to draw
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
}

/// A snapshot with its sums: what `--json` and `--save` write. Who reads it takes the snapshot and adds up anew.
#[derive(serde::Serialize)]
struct Kept<'a> {
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    summary: &'a Summary,
}

/// Runs `heap`.
pub fn run(arguments: Arguments) -> Outcome {
    let snapshot = snapshot(&arguments.source, arguments.variant.as_deref())?;
    let summary = summary::of(&snapshot);
    if let Some(later) = &arguments.later {
        let other = self::snapshot(later, arguments.variant.as_deref())?;
        let change = change::between((&snapshot, &summary), (&other, &summary::of(&other)));
        if arguments.json {
            return super::print_json(&change);
        }
        change::print(&snapshot, &other, &change);
        return Ok(());
    }
    let kept = Kept {
        snapshot: &snapshot,
        summary: &summary,
    };
    if let Some(file) = &arguments.save {
        let text = serde_json::to_string(&kept).map_err(|e| Error::failed(format!("cannot write JSON: {e}")))?;
        file::write(file, (text + "\n").as_bytes())?;
    }
    if let Some(file) = &arguments.output {
        let page = page::page(&snapshot, &summary);
        file::write(file, page.as_bytes())?;
        eprintln!("{}: {} KiB", file.display(), page.len().div_ceil(1024));
    }
    if arguments.json {
        return super::print_json(&kept);
    }
    if arguments.output.is_none() {
        print!("{}", terminal::map(&snapshot, arguments.zoom, style::stdout_colour()));
        println!();
    }
    terminal::print(&snapshot, &summary);
    Ok(())
}

/// Reads what an argument means.
fn snapshot(source: &str, variant: Option<&str>) -> Result<Snapshot, Error> {
    match process_id(source)? {
        Some(pid) => Process::open(pid)?.snapshot(variant),
        None => read(Path::new(source)),
    }
}

/// The process that an argument means; None if it is a file's name.
fn process_id(source: &str) -> Result<Option<u32>, Error> {
    if source.is_empty() || !source.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match source.parse() {
        Ok(pid) => Ok(Some(pid)),
        Err(_) => Err(Error::bad_input(format!("there is no process {source}"))),
    }
}

fn read(path: &Path) -> Result<Snapshot, Error> {
    let shown = path.display();
    let text = file::read(path, hz3_config::file::DATA)?;
    let text = String::from_utf8(text).map_err(|_| Error::bad_input(format!("{shown} is no snapshot of a heap")))?;
    Snapshot::parse(&text).map_err(|what| Error::bad_input(format!("{shown} {what}")))
}
