//! `profile`: what a program has in its heap, and who put it there.

use super::Format;
use crate::fresh::Fresh;
use crate::profile::{growth, replay, show, source};
use crate::style;
use hz3_lab::profile::{Moment, Profile, Which};
use hz3_project::{Error, Outcome, Place, file};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `profile`.
#[derive(clap::Args)]
#[command(after_help = "\
A process under a variant with stats.record is asked by its signal (stats.dump_signal), writes a profile where
stats.profile_path says, and goes on. Every figure says which level it is from: `in-use` sees what stays, `all` sees all
allocations, `exact` counts every object. Behind it stand the interval that holds the true figure with a probability of
95 %, and how many sampled objects it is made of.

  cargo hz3 profile $(pidof my-server)
  cargo hz3 profile $(pidof my-server) -o now.pb.gz
  cargo hz3 profile $(pidof my-server) --since before.pb.gz
  cargo hz3 profile hz3.1234.pb -o heap.json
  cargo hz3 profile build.hz3t --at peak
  cargo hz3 profile build.hz3t --at peak --under profile-all")]
pub struct Arguments {
    /// A process under a variant that records, a profile, or a recording (a file whose name is a number: ./NUMBER)
    #[arg(value_name = "PID|FILE")]
    source: String,
    /// Sites that are shown
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// An earlier profile of the process: show what has grown since
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    since: Option<String>,
    /// Write it with the names of functions: .pb.gz and .pb for pprof, .json for Speedscope, .folded for flame graphs
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The recording of the same run: say how far the profile is from it
    #[arg(long, value_name = "TRACE")]
    against: Option<String>,
    /// Run the recording under a variant that records, and say how far its profile is from what was recorded
    #[arg(long, value_name = "NAME|PATH", conflicts_with_all = ["since", "against"])]
    under: Option<String>,
    #[command(flatten)]
    fresh: Fresh,
    /// Of a recording: the moment
    #[arg(long, value_enum, default_value_t)]
    at: At,
    /// Where a process has several variants, the one to ask
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// How long the profile of a process is waited for
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    wait: u64,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A moment of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum At {
    /// After its last event
    #[default]
    End,
    /// When the most bytes were live
    Peak,
}

impl From<At> for Moment {
    fn from(at: At) -> Self {
        match at {
            At::End => Moment::End,
            At::Peak => Moment::Peak,
        }
    }
}

/// Runs `profile`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    if let Some(output) = &arguments.output {
        // Better now than when the process was asked.
        file::writable(output)?;
    }
    let moment = Moment::from(arguments.at);
    let read = |word: &String| source::read(&place, word, moment);
    let (before, against) = (arguments.since.as_ref().map(read), arguments.against.as_ref().map(read));
    let (before, against) = (before.transpose()?, against.transpose()?);
    let asking = source::Asking {
        variant: arguments.variant.as_deref(),
        patience: Duration::from_secs(arguments.wait),
    };
    let mut now = source::open(&place, &arguments.source, moment, asking)?;
    let mut against = against;
    if let Some(word) = &arguments.under {
        let trace = now.trace.as_ref().ok_or_else(|| {
            Error::bad_input(format!("{} is no recording, which could be run under {word}", now.name))
                .help("cargo hz3 trace -o FILE.hz3t -- COMMAND makes one")
        })?;
        let library = arguments.fresh.find(&place, word)?;
        let sampled = replay::sampled(&place, trace, moment, &library)?;
        let name = format!("{} under {}", now.name, library.label);
        let sampled = source::Source {
            name,
            profile: sampled,
            trace: None,
            nameless: Vec::new(),
        };
        against = Some(std::mem::replace(&mut now, sampled));
    }
    show::nameless(&now);
    if let Some(output) = &arguments.output {
        let bytes = encoded(&now.profile, output)?;
        file::write(output, &bytes)?;
        eprintln!("{}: {} bytes", output.display(), bytes.len());
    }
    if let Some(exact) = &against {
        return accuracy(&now, exact, arguments.format);
    }
    match (&before, arguments.format) {
        (Some(before), Format::Json) => super::print_json(&growth::Report::of(before, &now)),
        (Some(before), Format::Text) => {
            style::print_fields(&show::head(&now));
            println!();
            growth::print(&growth::Report::of(before, &now), usize::from(arguments.top));
            Ok(())
        }
        (None, Format::Json) => super::print_json(&now.profile.report(usize::from(arguments.top))),
        (None, Format::Text) => {
            show::print(&now, &now.profile.report(usize::from(arguments.top)));
            Ok(())
        }
    }
}

/// The profile in the format that a file's name asks for.
fn encoded(profile: &Profile, output: &Path) -> Result<Vec<u8>, Error> {
    let name = output.to_string_lossy();
    type Encode = fn(&Profile) -> Vec<u8>;
    let kinds: [(&[&str], Encode); 4] = [
        (&[".json"], |p| (p.speedscope().to_string() + "\n").into_bytes()),
        (&[".folded", ".collapsed", ".txt"], |p| {
            p.collapsed(Which::InUse).into_bytes()
        }),
        (&[".pb"], Profile::write_plain),
        (&[".gz", ".pprof"], Profile::write),
    ];
    let kind = kinds
        .iter()
        .find(|(ends, _)| ends.iter().any(|end| name.ends_with(end)));
    let (_, encode) = kind.ok_or_else(|| {
        Error::bad_input(format!("{name} says no format of a profile"))
            .help("it ends in .pb.gz or .pb for pprof, .json for Speedscope, .folded for flame graphs")
    })?;
    Ok(encode(profile))
}

/// Says how far a sampled profile is from the recording of the same run.
fn accuracy(sampled: &source::Source, exact: &source::Source, format: Format) -> Outcome {
    let accuracy = sampled.profile.against(&exact.profile);
    if format == Format::Json {
        return super::print_json(&accuracy);
    }
    style::print_fields(&show::head(sampled));
    println!();
    let mut table = style::table(
        &[
            "",
            "sampled",
            "95 %",
            "exact",
            "apart",
            "objects apart",
            "by chance",
            "bytes apart",
            "samples",
        ],
        1,
    );
    for (what, one) in [("in use", &accuracy.in_use), ("allocated", &accuracy.allocated)] {
        table.add_row([
            what.to_owned(),
            show::size(one.bytes.value),
            show::interval(&one.bytes, show::size),
            show::size(one.exact_bytes),
            format!("{:+.2} %", 100.0 * one.apart),
            format!("{:.4}", one.distance),
            format!("{:.4}", one.by_chance),
            format!("{:.4}", one.bytes_distance),
            one.bytes.samples.to_string(),
        ]);
    }
    style::print_table(&table);
    println!(
        "objects apart, bytes apart: Kolmogorov distance of objects and of bytes by size, the largest difference of the\n\
         shares up to any size; by chance: what that of objects is below in 95 % of cases if nothing but chance is at work"
    );
    Ok(())
}
