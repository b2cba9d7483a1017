//! `fit`: size classes for one program, as a config that says why, or the news that there is nothing to win.

use super::{Format, new, trace};
use crate::configs;
use crate::style::{self, roughly};
use hz3_config::Plan;
use hz3_lab::fit::{self, BLOCKS, Band, Demand, Fit};
use hz3_lab::identity::sha256;
use hz3_lab::trace::{Trace, pack};
use hz3_project::{Error, Outcome, Place, name};
use std::fmt::Write as _;

/// Arguments of `fit`.
#[derive(clap::Args)]
#[command(after_help = "\
The classes of each doubling of sizes are those that waste the fewest bytes on what the program keeps alive, for as long as it
does. They are judged on what they were not made from: the halves of one recording on each other, each of several by the
others. A doubling in which that saves nothing keeps its classes, and often that is all of them.

  cargo hz3 fit --name mine -- ./my-server --selftest
  cargo hz3 fit --from monday.hz3t,tuesday.hz3t --name mine
  cargo hz3 compare default mine --build --trace wednesday.hz3t")]
pub struct Arguments {
    /// Recordings to fit to: files, or names of those in hz3-lab/traces
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "TRACE",
        required_unless_present = "command",
        conflicts_with = "command"
    )]
    from: Vec<String>,
    /// Write the result to configs/NAME.toml
    #[arg(long)]
    name: Option<String>,
    /// The config whose classes are held against the fitted ones, and which the result extends
    #[arg(long, default_value = "default", value_name = "PARENT")]
    base: String,
    /// Threads that have caches; 0 counts those of the recording
    #[arg(long, default_value_t = 0, value_name = "T")]
    threads: u64,
    /// At most this many events of each process are recorded
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1 << 28))]
    limit: u64,
    /// Fit to the process whose command line contains this
    #[arg(long, value_name = "TEXT", conflicts_with = "from")]
    of: Option<String>,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// What to record
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What was fitted, to what.
#[derive(serde::Serialize)]
struct Report {
    base: String,
    threads: u64,
    from: Vec<Evidence>,
    #[serde(flatten)]
    fit: Fit,
    /// The config; none where the base is best.
    config: Option<String>,
}

/// A recording.
#[derive(serde::Serialize)]
struct Evidence {
    name: String,
    events: usize,
    /// SHA-256 of the packed recording.
    sha256: String,
}

/// Runs `fit`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    if let Some(name) = &arguments.name {
        // Better now than when all is recorded.
        new::free(&place, name)?;
    }
    let path = name::config(&place, &arguments.base)?;
    let base = configs::load(&path)?;
    let traces = match arguments.command.is_empty() {
        false => {
            let (trace, _) = trace::record(&place, &arguments.command, arguments.limit, arguments.of.as_deref())?;
            vec![(arguments.command.join(" "), trace)]
        }
        true => trace::open_all(&place, &arguments.from)?,
    };
    let demands: Vec<Demand> = traces
        .iter()
        .map(|(_, trace)| Demand::of(trace, base.largest(), BLOCKS))
        .collect();
    let threads = match arguments.threads {
        0 => traces
            .iter()
            .map(|(_, trace)| trace.threads().max(1) as u64)
            .max()
            .unwrap_or(1),
        n => n,
    };
    let parent = path.display().to_string();
    let strides = fit::strides(&base, &parent, threads).map_err(|faults| {
        eprintln!("{}", faults.render(style::stderr_colour()));
        Error::bad_input(format!(
            "the other keys of {} do not allow other classes",
            arguments.base
        ))
    })?;
    let sizes: Vec<u32> = base.classes.iter().map(|class| class.size).collect();
    let fit = fit::fit(&demands, &sizes, &strides);
    let mut report = Report {
        base: base.name.clone(),
        threads,
        from: traces.iter().map(|(name, trace)| evidence(name, trace)).collect(),
        config: None,
        fit,
    };
    if report.fit.changes() {
        let name = arguments.name.as_deref().unwrap_or("fitted");
        report.config = Some(config(&place, &report, name, &new::extends(&place, &path)));
    }
    match arguments.format {
        Format::Json => super::print_json(&report)?,
        Format::Text => print(&report, &base),
    }
    match (&arguments.name, &report.config) {
        (Some(name), Some(text)) => {
            new::write(&place, name, text)?;
            eprintln!(
                "to judge it: cargo hz3 compare {} {name} --build --trace FILE",
                report.base
            );
        }
        (Some(name), None) => eprintln!("{}: {name}.toml is not written", style::note("note")),
        (None, _) => {}
    }
    Ok(())
}

fn evidence(name: &str, trace: &Trace) -> Evidence {
    Evidence {
        name: name.to_owned(),
        events: trace.events.len(),
        sha256: sha256(&pack(trace)),
    }
}

/// Bytes, which may be negative.
fn size(bytes: f64) -> String {
    let sign = if bytes <= -0.5 { "-" } else { "" };
    format!("{sign}{}", roughly(bytes.abs().round() as u64))
}

fn share(part: f64, of: f64) -> String {
    format!("{:.2} %", if of > 0.0 { 100.0 * part / of } else { 0.0 })
}

/// A list of sizes as TOML has it.
fn list(sizes: &[u32]) -> String {
    sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn print(report: &Report, base: &Plan) {
    let fit = &report.fit;
    let from: Vec<String> = report
        .from
        .iter()
        .map(|one| format!("{} ({} events)", one.name, one.events))
        .collect();
    style::print_fields(&[
        ("fitted to", from.join(", ")),
        ("against", format!("{}, for {} threads", report.base, report.threads)),
        ("live", format!("{} of classes, on average over time", size(fit.asked))),
    ]);
    println!();
    let header = [
        "bytes",
        "live",
        "classes",
        "wasted",
        "fitted",
        "wasted",
        "saved elsewhere",
        "90 % interval",
        "",
    ];
    let mut table = style::table(&header, 1);
    for band in fit.bands.iter().filter(|band| band.asked > 0.0) {
        let judged = &band.judged;
        table.add_row([
            format!("{}-{}", band.low + 1, band.high),
            size(band.asked),
            band.base.len().to_string(),
            size(band.base_slack),
            band.fitted.len().to_string(),
            size(band.fitted_slack),
            size(judged.saved),
            format!("{} to {}", size(judged.low), size(judged.high)),
            if band.taken { "taken" } else { "" }.to_owned(),
        ]);
    }
    style::print_table(&table);
    println!(
        "wasted: bytes beyond those that were asked for: ends of objects and of runs, and what a class costs by being used;\n\
         saved elsewhere: on what the classes were not made from"
    );
    println!();
    let mut table = style::table(&["price of a class", "classes", "wasted", "of live bytes"], 1);
    table.add_row([
        format!("{} as it is", report.base),
        base.classes.len().to_string(),
        size(fit.base_slack),
        share(fit.base_slack, fit.asked),
    ]);
    for point in &fit.curve {
        let (times, wasted) = (format!("x {}", point.price), size(point.slack));
        table.add_row([times, point.classes.to_string(), wasted, share(point.slack, fit.asked)]);
    }
    style::print_table(&table);
    println!("\n{}", verdict(report));
}

/// One sentence.
fn verdict(report: &Report) -> String {
    let (fit, judged) = (&report.fit, &report.fit.judged);
    if !fit.changes() {
        return format!(
            "keep {}: no other classes save bytes wherever they were judged",
            report.base
        );
    }
    format!(
        "predicted: {} less on average over time, {} of live bytes (90 %: {} to {})",
        size(judged.saved),
        share(judged.saved, fit.asked),
        share(judged.low, fit.asked),
        share(judged.high, fit.asked)
    )
}

/// The config, with a reason for every line.
fn config(place: &Place, report: &Report, name: &str, extends: &str) -> String {
    let fit = &report.fit;
    let names: Vec<&str> = report.from.iter().map(|one| one.name.as_str()).collect();
    let description = format!("{} with size classes fitted to {}", report.base, names.join(", "));
    let hypothesis = format!(
        "Live objects take {} fewer bytes than under {} (90 %: {} to {}).",
        share(fit.judged.saved, fit.asked + fit.base_slack),
        report.base,
        share(fit.judged.low, fit.asked + fit.base_slack),
        share(fit.judged.high, fit.asked + fit.base_slack)
    );
    let mut text = new::head(
        place,
        name,
        extends,
        &one_line(&description),
        Some(&one_line(&hypothesis)),
    );
    text.push('\n');
    for one in &report.from {
        let _ = writeln!(
            text,
            "# From {}: {} events, SHA-256 {}.",
            one_line(&one.name),
            one.events,
            one.sha256
        );
    }
    text.push_str("[classes]\nsteps = [\n");
    let _ = writeln!(
        text,
        "    # Up to {} bytes: as in {}.",
        fit.below.last().unwrap_or(&0),
        report.base
    );
    let _ = writeln!(
        text,
        "    {{ sizes = [{}] }},",
        list(fit.below.get(1..).unwrap_or_default())
    );
    for band in &fit.bands {
        let _ = writeln!(text, "    # {}", reason(band, &report.base));
        let sizes = if band.taken { &band.fitted } else { &band.base };
        let _ = writeln!(text, "    {{ sizes = [{}] }},", list(sizes));
    }
    text.push_str("]\n");
    text
}

/// Why a band has its classes.
fn reason(band: &Band, base: &str) -> String {
    let range = format!("{} to {} bytes", band.low + 1, band.high);
    if !band.taken {
        return format!("{range}: as in {base}.");
    }
    format!(
        "{range}: of {} live, {base} wastes {}. These save {} of that where they were not made from it (90 %: {} to {}).",
        size(band.asked),
        size(band.base_slack),
        size(band.judged.saved),
        size(band.judged.low),
        size(band.judged.high)
    )
}

/// Whatever a command line or a file's name has, on one line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(160)
        .collect()
}
