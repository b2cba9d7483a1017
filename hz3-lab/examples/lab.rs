//! A bare comparison, without ledger or progress bar: `cargo run --release -p hz3-lab --example lab -- ROWS SECONDS BASE OTHER…`
//!
//! ROWS is a comma-separated list of rows or groups; BASE and OTHER are variants, peers, `glibc`, or paths.

use hz3_lab::{clients::Clients, compare, rows, table};
use hz3_project::{Allocator, Place};
use std::time::Duration;

struct Stderr;

impl compare::Watch for Stderr {
    fn say(&mut self, text: &str) {
        eprintln!("{text}");
    }
    fn progress(&mut self, _share: f64, _text: &str) {}
    fn stop(&self) -> bool {
        false
    }
}

fn main() -> hz3_project::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [rows, seconds, libraries @ ..] = words.as_slice() else {
        eprintln!("usage: lab ROWS SECONDS BASE OTHER…");
        std::process::exit(2);
    };
    let place = Place::find()?;
    let clients = Clients::of(&place, |name| eprintln!("building {name}"))?;
    let rows = rows::select(&rows.split(',').map(Into::into).collect::<Vec<_>>())?;
    let mut libraries = Allocator::find_all(&place, libraries)?;
    let schedule = compare::Schedule {
        base: libraries.remove(0),
        null: usize::from(libraries.is_empty()),
        others: libraries,
        jobs: rows
            .iter()
            .map(|r| rows::Job::of(r, &clients, false))
            .collect::<hz3_project::Result<Vec<_>>>()?,
        budget: Duration::from_secs(seconds.parse().unwrap_or(120)),
        margin: 0.01,
        seed: 1,
        full: false,
        instructions: false,
        claims: Vec::new(),
        commit: None,
        command: words.clone(),
    };
    let record = compare::run(&schedule, &clients, &mut Stderr)?;
    print!("{}", table::text(&record));
    Ok(())
}
