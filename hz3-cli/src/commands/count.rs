//! `count`: exact instructions per call, for any malloc library.

use super::Format;
use crate::fresh::Fresh;
use crate::step::{self, Call, Counts, Op, Request, Series, Session};
use crate::style;
use hz3_project::{Allocator, Error, Outcome, Place};

/// Sizes of the instruction budget, in bytes.
pub const SIZES: &str = "16,64,256,1000,2500,3500,4096,9000,16384,32768";

/// Arguments of `count`.
#[derive(clap::Args)]
#[command(after_help = "\
A call's count is every instruction from the function's first one to its `ret`, inclusive; functions that it calls
are part of it, the caller's PLT stub is not. Before counting, the client keeps the allocator busy at that size
(--warm), with some objects alive all the time (--live). The table shows the most frequent count of --calls calls;
its most expensive call stands behind the slash when it differs.

Marks: c calls a function, l locks the bus, s enters the kernel.")]
pub struct Arguments {
    /// Variants, paths of libraries, or: glibc, mimalloc, tcmalloc, jemalloc, …
    #[arg(required = true, value_name = "NAME|PATH")]
    allocators: Vec<String>,
    #[command(flatten)]
    fresh: Fresh,
    /// Request sizes in bytes
    #[arg(long, value_delimiter = ',', default_value = SIZES, value_parser = clap::value_parser!(u64).range(1..=1 << 26))]
    sizes: Vec<u64>,
    /// Operations: grow is a realloc to twice the size, aligned is aligned_alloc(64, size)
    #[arg(
        long,
        value_delimiter = ',',
        value_enum,
        default_value = "malloc,free,calloc,realloc"
    )]
    ops: Vec<Op>,
    /// Calls to step, for each operation and size
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    calls: u32,
    /// Rounds of traffic before the first call that counts
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    warm: u32,
    /// Equal calls one after another: 1 alternates malloc and free
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    burst: u32,
    /// Objects of the size that stay alive meanwhile
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(0..=4096))]
    live: u32,
    /// Idle threads beside the stepped one: some mallocs are cheaper in a process of one thread
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64))]
    threads: u32,
    /// Print the instructions of a typical call at this size instead
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["sizes", "format"], value_parser = clap::value_parser!(u64).range(1..=1 << 26))]
    trace: Option<u64>,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One line of the JSON output.
#[derive(serde::Serialize)]
struct Row {
    op: Op,
    size_bytes: u64,
    instructions: Counts,
    #[serde(flatten)]
    typical: Call,
}

#[derive(serde::Serialize)]
struct Report<'a> {
    name: &'a str,
    library: String,
    #[serde(flatten)]
    request: &'a Request,
    rows: Vec<Row>,
}

/// Runs `count`.
pub fn run(arguments: Arguments) -> Outcome {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Err(Error::unfit("counting instructions works on x86-64 Linux only"));
    }
    let place = Place::find()?;
    let allocators = arguments.fresh.find_all(&place, &arguments.allocators)?;
    let client = step::client::build(&place)?;
    let request = Request {
        ops: distinct(&arguments.ops),
        sizes: arguments
            .trace
            .map_or_else(|| distinct(&arguments.sizes), |size| vec![size]),
        calls: arguments.calls.next_multiple_of(arguments.burst),
        warm: arguments.warm,
        burst: arguments.burst,
        live: arguments.live,
        threads: arguments.threads,
    };
    let mut reports = Vec::new();
    for (i, allocator) in allocators.iter().enumerate() {
        let session = step::run(&client, allocator, &request)?;
        match (arguments.trace, arguments.format) {
            (Some(_), _) => listing(allocator, &session),
            (None, Format::Json) => reports.push(Report {
                name: &allocator.label,
                library: session.library.display().to_string(),
                request: &request,
                rows: session.series.iter().map(row).collect(),
            }),
            (None, Format::Text) => {
                if i > 0 {
                    println!();
                }
                print(allocator, &request, &session);
            }
        }
    }
    if arguments.format == Format::Json {
        super::print_json(&reports)
    } else {
        Ok(())
    }
}

/// The elements in their order, each once.
fn distinct<T: PartialEq + Copy>(items: &[T]) -> Vec<T> {
    let mut result = Vec::new();
    for item in items {
        if !result.contains(item) {
            result.push(*item);
        }
    }
    result
}

fn row(series: &Series) -> Row {
    Row {
        op: series.op,
        size_bytes: series.size,
        instructions: series.counts(),
        typical: series.typical_call().clone(),
    }
}

fn print(allocator: &Allocator, request: &Request, session: &Session) {
    println!("{}  {}", style::strong(&allocator.label), session.library.display());
    let mut header = vec!["bytes"];
    for op in &request.ops {
        header.extend([op.name(), "branches", ""]);
    }
    let mut table = style::table(&header, 0);
    for size in &request.sizes {
        let mut cells = vec![size.to_string()];
        for op in &request.ops {
            match session.series.iter().find(|s| (s.op, s.size) == (*op, *size)) {
                Some(series) => cells.extend(shown(&row(series))),
                None => cells.extend(["-".to_owned(), String::new(), String::new()]),
            }
        }
        table.add_row(cells);
    }
    style::print_table(&table);
}

/// Count, branches, marks.
fn shown(row: &Row) -> [String; 3] {
    let (Counts { typical, max, .. }, call) = (row.instructions, &row.typical);
    let count = if max == typical {
        typical.to_string()
    } else {
        format!("{typical}/{max}")
    };
    let marks = [(call.calls, 'c'), (call.locked, 'l'), (call.syscalls, 's')];
    let marks = marks.iter().filter(|(n, _)| *n > 0).map(|(_, mark)| *mark).collect();
    [count, call.branches.to_string(), marks]
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn listing(allocator: &Allocator, session: &Session) {
    for series in &session.series {
        let (call, counts) = (series.typical_call(), series.counts());
        println!(
            "{}  {} {} B: {} instructions, {} conditional branches ({} of {} calls; {} to {})",
            style::strong(&allocator.label),
            series.op.name(),
            series.size,
            counts.typical,
            call.branches,
            counts.typical_calls,
            series.calls.len(),
            counts.min,
            counts.max
        );
        let mut function = None;
        for (n, address) in call.path.iter().enumerate() {
            let here = session.symbols.containing(*address);
            if here != function {
                println!("      {}:", here.clone().unwrap_or_else(|| "?".to_owned()));
                function = here;
            }
            println!(
                "{:5} {address:12x}  {}",
                n + 1,
                session.code.text(*address, |target| session.symbols.name(target))
            );
        }
        println!();
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn listing(_: &Allocator, _: &Session) {}
