//! `trace`: records what a program asks of malloc.

use super::Format;
use crate::{style, variants};
use hz3_config::suggest;
use hz3_lab::clients::Clients;
use hz3_lab::trace::{self, Band, Raw, Summary, Trace};
use hz3_project::{Error, Outcome, Place, file, place::stems, program};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Arguments of `trace`.
#[derive(clap::Args)]
#[command(after_help = "\
The program runs on the C library's malloc, or on the variant of --with, which then does the recording. A program with
a variant inside, such as a Rust program with its own `#[global_allocator]`, records itself if that variant's TOML says
`record = \"trace\"` under `[stats]`: --own keeps everything else away from it.

A trace has the sizes, the threads, and who frees what when: about two bytes an event, and nothing of what the memory
held. Of a command with several processes the one with the most events is kept, or the one that --of names.

  cargo hz3 trace -o build.hz3t --of cc1 -- gcc -O2 -c big.c
  cargo hz3 trace --with default -- ./my-server --selftest
  cargo hz3 trace --own -- target/release/my-server --selftest
  cargo hz3 trace --show build.hz3t
  cargo hz3 replay build.hz3t --under default,tcmalloc")]
pub struct Arguments {
    /// File to write
    #[arg(short, long, default_value = "trace.hz3t", value_name = "FILE")]
    output: PathBuf,
    /// At most this many events of each process are recorded (16 bytes each in a file, as long as it goes on)
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..=1 << 28))]
    limit: u64,
    /// Keep the process whose command line contains this
    #[arg(long, value_name = "TEXT")]
    of: Option<String>,
    /// Run it on this variant
    #[arg(long, value_name = "NAME", conflicts_with = "show")]
    with: Option<String>,
    /// Run it on what it brings itself: a variant in the program, whose `stats.record` is "trace"
    #[arg(long, conflicts_with_all = ["with", "show"])]
    own: bool,
    /// What the trace says it is, instead of the command line
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    /// Do not record: show an existing trace
    #[arg(long, value_name = "FILE", conflicts_with_all = ["command", "of"])]
    show: Option<PathBuf>,
    /// Output of the summary
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// What to record
    #[arg(last = true, required_unless_present = "show", value_name = "COMMAND")]
    command: Vec<String>,
}

/// The traces that hz3 comes with.
fn folder(place: &Place) -> PathBuf {
    place.root.join("hz3-lab/traces")
}

/// Reads a trace: a file, or the name of one in hz3-lab/traces. Returns its name, too.
pub fn open(place: &Place, word: &str) -> Result<(String, Trace), Error> {
    let path = Path::new(word);
    let shipped = folder(place).join(format!("{word}.hz3t"));
    let path = match (path.exists(), shipped.is_file()) {
        (true, _) => path,
        (false, true) => &shipped,
        (false, false) => {
            let unknown = Error::bad_input(format!("no trace `{word}`, neither a file nor one of hz3-lab/traces"));
            return Err(unknown.guess(word, stems(&folder(place), "hz3t").iter().map(String::as_str)));
        }
    };
    let data = file::read(path, file::DATA)?;
    let name = path
        .file_stem()
        .map_or(word.into(), |s| s.to_string_lossy().into_owned());
    let trace = trace::unpack(&data).map_err(|e| Error::bad_input(format!("{word}: {e}")))?;
    Ok((name, trace))
}

/// Reads traces as [`open`]. Rows are told apart by their names, so no two may have one.
pub fn open_all(place: &Place, words: &[String]) -> Result<Vec<(String, Trace)>, Error> {
    let mut all: Vec<(String, Trace)> = Vec::new();
    for word in words {
        let (name, trace) = open(place, word)?;
        if let Some(before) = all.iter().position(|(other, _)| *other == name) {
            let message = format!("{} and {word} are two traces of one name, `{name}`", words[before]);
            return Err(Error::bad_input(message).help("give one of the files another name"));
        }
        all.push((name, trace));
    }
    Ok(all)
}

/// Runs `trace`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    if let Some(file) = &arguments.show {
        let (_, t) = open(&place, &file.to_string_lossy())?;
        return print(&trace::summary(&t), arguments.format);
    }
    // Better now than when all is recorded.
    file::writable(&arguments.output)?;
    let recorder = match &arguments.with {
        Some(word) => Recorder::variant(&place, word)?,
        None if arguments.own => Recorder::Own,
        None => Recorder::shim(&place)?,
    };
    let (mut kept, well) = recorder.record(&Subject {
        command: &arguments.command,
        limit: arguments.limit,
        of: arguments.of.as_deref(),
        silent: false,
    })?;
    if let Some(about) = arguments.about {
        kept.command = about;
    }
    let packed = trace::pack(&kept);
    file::write(&arguments.output, &packed)?;
    eprintln!(
        "{}: {} events, {} bytes",
        arguments.output.display(),
        kept.events.len(),
        packed.len()
    );
    print(&trace::summary(&kept), arguments.format)?;
    Error::unless(well)
}

/// What is recorded.
pub struct Subject<'a> {
    /// The command.
    pub command: &'a [String],
    /// At most so many events of each process.
    pub limit: u64,
    /// What the process to be kept has in its command line.
    pub of: Option<&'a str>,
    /// Whether the command reads nothing, and nobody reads what it writes.
    pub silent: bool,
}

/// Runs a command, records what its processes ask of malloc, and returns the recording of the one with the most events (of those
/// that may be kept), and whether the command ended well. Tells what is left out.
pub fn record(place: &Place, subject: &Subject<'_>) -> Result<(Trace, bool), Error> {
    Recorder::shim(place)?.record(subject)
}

/// Who writes the calls down.
enum Recorder {
    /// A shim over the C library's malloc.
    Shim(PathBuf),
    /// A variant that is preloaded, made for this recording in a folder that goes with it.
    Variant {
        library: PathBuf,
        _folder: tempfile::TempDir,
    },
    /// A variant in the program.
    Own,
}

impl Recorder {
    fn shim(place: &Place) -> Result<Self, Error> {
        let clients = Clients::of(place, |name| eprintln!("building the client {name}"))?;
        Ok(Self::Shim(clients.tracer()?))
    }

    /// The variant that a word names, with `stats.record = "trace"`.
    fn variant(place: &Place, word: &str) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let library = variants::recording(place, word, folder.path())?;
        Ok(Self::Variant {
            library,
            _folder: folder,
        })
    }

    /// As the function of this name.
    fn record(&self, subject: &Subject<'_>) -> Result<(Trace, bool), Error> {
        let &Subject { command, limit, of, .. } = subject;
        let folder = tempfile::tempdir()?;
        let mut run = program::clean(&command[0]);
        run.args(&command[1..])
            .env("HZ3_TRACE_DIR", folder.path())
            .env("HZ3_TRACE_LIMIT", limit.to_string());
        match self {
            Self::Shim(library) | Self::Variant { library, .. } => drop(run.env("LD_PRELOAD", library)),
            Self::Own => {}
        }
        if subject.silent {
            run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        }
        let status = run
            .status()
            .map_err(|e| Error::bad_input(format!("cannot start {}: {}", command[0], file::reason(&e))))?;
        let mut found = recorded(folder.path())?;
        let all = found.len();
        let full = folder.path().join("full").exists();
        if full && all == 0 {
            let place = std::env::temp_dir();
            return Err(
                Error::failed(format!("no space is left in {} for a recording", place.display()))
                    .help("set TMPDIR to a folder that has some"),
            );
        }
        if let Some(text) = of {
            found.retain(|(raw, _)| raw.command.contains(text));
        }
        found.sort_by_key(|(raw, _)| std::cmp::Reverse(raw.events));
        let Some((raw, kept)) = found.into_iter().next() else {
            return Err(match (all, of) {
                (0, _) => self.silence(command),
                (_, of) => Error::bad_input(format!(
                    "none of {all} processes has '{}' in its command line",
                    of.unwrap_or("")
                )),
            });
        };
        if all > 1 {
            eprintln!(
                "{all} processes were recorded; kept: {} ({} events)",
                raw.command, raw.events
            );
        }
        if full {
            let place = std::env::temp_dir();
            let warning = style::warning("warning");
            eprintln!(
                "{warning}: {} became full: what came after is only counted",
                place.display()
            );
        }
        if !status.success() {
            eprintln!("{}: {status}", command[0]);
        }
        Ok((kept, status.success()))
    }
}

impl Recorder {
    /// What to say when nothing was recorded.
    fn silence(&self, command: &[String]) -> Error {
        if matches!(self, Self::Own) {
            return Error::unfit("nothing was recorded: no variant in the program records, or the program is setuid")
                .help("write `record = \"trace\"` under `[stats]` in the TOML of its allocator, and build the program again");
        }
        let doctor = ["cargo", "hz3", "doctor", "default", "--"].into_iter();
        Error::unfit("nothing was recorded: the program is static, setuid, or brings its own malloc")
            .help(suggest::command(doctor.chain(command.iter().map(String::as_str))))
    }
}

fn recorded(folder: &Path) -> Result<Vec<(Raw, Trace)>, Error> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.flatten().map(|e| e.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "raw"));
    files.sort();
    files.iter().map(|f| trace::read_raw(f)).collect()
}

fn print(s: &Summary, format: Format) -> Outcome {
    if format == Format::Json {
        return super::print_json(s);
    }
    style::print_fields(&[
        ("command", s.command.clone()),
        (
            "events",
            format!(
                "{}{}",
                s.events,
                if s.dropped > 0 {
                    format!(", {} more after the limit", s.dropped)
                } else {
                    String::new()
                }
            ),
        ),
        ("threads", s.threads.to_string()),
        (
            "calls",
            format!(
                "{} allocations, {} frees, {} resizes",
                s.allocations, s.frees, s.resizes
            ),
        ),
        (
            "remote",
            format!(
                "{:.1} % of frees and resizes are by another thread",
                100.0 * s.remote_frees as f64 / (s.frees + s.resizes).max(1) as f64
            ),
        ),
        (
            "bytes",
            format!(
                "{} in all, {} live at the peak, {} never freed",
                style::roughly(s.bytes),
                style::roughly(s.live_peak),
                style::roughly(s.live_end)
            ),
        ),
    ]);
    println!();
    histogram("size in bytes", &s.sizes);
    println!();
    histogram("lifetime in events", &s.lifetimes);
    Ok(())
}

/// Bars of at most 40 characters; bands of less than 0.1 % are put together.
fn histogram(what: &str, bands: &[Band]) {
    let total: u64 = bands.iter().map(|b| b.count).sum();
    let most = bands.iter().map(|b| b.count).max().unwrap_or(0).max(1);
    let mut rest = 0;
    let mut table = style::table(&[what, "objects", "share", "bytes", ""], 1);
    if let Some(last) = table.column_mut(4) {
        last.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    for b in bands {
        if b.count * 1000 < total {
            rest += b.count;
            continue;
        }
        table.add_row([
            format!("{}-{}", b.from, b.to),
            b.count.to_string(),
            format!("{:.1} %", 100.0 * b.count as f64 / total as f64),
            style::roughly(b.bytes),
            "#".repeat((b.count * 40).div_ceil(most) as usize),
        ]);
    }
    if rest > 0 {
        table.add_row([
            "others".to_string(),
            rest.to_string(),
            format!("{:.1} %", 100.0 * rest as f64 / total as f64),
            String::new(),
            String::new(),
        ]);
    }
    style::print_table(&table);
}
