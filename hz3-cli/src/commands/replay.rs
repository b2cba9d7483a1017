//! `replay`: replays recorded traces under any allocator, once each. `compare --trace` judges.

use super::Format;
use super::bench::{Run, print, single};
use crate::fresh::Fresh;
use hz3_lab::clients::Clients;
use hz3_lab::rows::Job;
use hz3_project::{Outcome, Place};

/// Arguments of `replay`.
#[derive(clap::Args)]
#[command(after_help = "\
Each recorded thread does its own events in order, as fast as it can; who frees an object of another thread waits until
it is there. First and last byte of each object are written, and looked at again when it goes.

A single run is no result; to judge: cargo hz3 compare default tcmalloc --trace python")]
pub struct Arguments {
    /// Traces: files, or names of those in hz3-lab/traces
    #[arg(required = true, value_name = "FILE|NAME")]
    traces: Vec<String>,
    /// Under what: variants, peers, glibc, paths
    #[arg(long, value_delimiter = ',', num_args = 1.., default_value = "glibc", value_name = "NAME|PATH")]
    under: Vec<String>,
    #[command(flatten)]
    fresh: Fresh,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs `replay`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let libraries = arguments.fresh.find_all(&place, &arguments.under)?;
    let traces = super::trace::open_all(&place, &arguments.traces)?;
    let clients = Clients::of(&place, |name| eprintln!("building the client {name}"))?;
    let mut runs: Vec<Run> = Vec::new();
    for (name, trace) in traces {
        let job = Job::trace(&name, &trace, &clients)?;
        for library in &libraries {
            runs.push(single(&clients, &job, library, 1)?);
        }
    }
    print(&runs, arguments.format)
}
