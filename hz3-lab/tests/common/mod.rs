//! What the tests of clients share: the built clients, and rows with few steps.
#![allow(dead_code, reason = "each test file takes what it needs")]

use hz3_lab::clients::{Clients, REPLAY};
use hz3_lab::rows::{Job, Program, ROWS};
use hz3_project::Place;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The clients, built once.
pub fn clients() -> &'static Clients {
    static BUILT: OnceLock<Clients> = OnceLock::new();
    BUILT.get_or_init(|| {
        let place = Place::checkout();
        Clients::of(&place, |_| ()).unwrap()
    })
}

/// The program of a client.
pub fn program(name: &str) -> PathBuf {
    let of_row = ROWS.iter().find_map(|row| match row.program {
        Program::Client(client) if client.name == name => Some(client),
        _ => None,
    });
    clients().program(&of_row.unwrap_or(REPLAY)).unwrap()
}

/// Every client with a few steps of each of its rows.
pub fn short(row: &hz3_lab::rows::Row) -> Option<Vec<String>> {
    let Program::Client(client) = row.program else {
        return None;
    };
    let name = client.name;
    let mut words = vec![program(name).display().to_string()];
    let job = Job::of(row, clients(), false).unwrap();
    // The row's own arguments, then a size that takes no time.
    words.extend(job.command[1..=row.args.split_whitespace().count()].iter().cloned());
    let small: &[&str] = match name {
        "phase" => &["--bytes", "2M", "--idle-ms", "10"],
        "plateau" => &["--bytes", "2M", "--stay-ms", "10"],
        "hash" => &["--bytes", "64K", "--lookups", "1000"],
        "sleepers" => &["--threads", "6", "--bytes", "64K", "--idle-ms", "10"],
        "threads" if row.name == "churn" => &["--steps", "20"],
        "threads" if row.name == "larson" => &["--steps", "2000", "--rounds", "3"],
        "scratch" => &["--steps", "20"],
        "big" => &["--steps", "200"],
        "bursts" if row.args.contains("--objects") => &["--steps", "1500"],
        _ => &["--steps", "3000"],
    };
    words.extend(small.iter().map(|s| (*s).to_string()));
    Some(words)
}
