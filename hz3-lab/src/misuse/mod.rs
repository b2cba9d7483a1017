//! Misuse of malloc: a client commits each kind in a process of its own, and what came of it is a verdict.
//!
//! The kinds are the client's (`clients/misuse*.h`): it says which there are, commits them, and proves the harm. Here its
//! processes are started ([`Misuser`]), their ends are judged ([`Ending`]), and the answers of several allocators stand side
//! by side ([`Survey`]).

mod run;
mod tables;
mod verdict;

pub use run::{Choice, Misuser};
pub use tables::Table;
#[cfg(test)]
pub(crate) use tables::tests::sample;
pub use verdict::{Ending, Found, Stage, Verdict};

use crate::clients::{FLAGS, HEADERS};
use hz3_project::clients::{Client, Shape};
use serde::{Deserialize, Serialize};

/// The client, and what it is made of.
pub(crate) const CLIENT: Client<'static> = Client {
    name: "misuse",
    text: include_str!("../../clients/misuse.c"),
    headers: &[
        HEADERS[0],
        ("misuse.h", include_str!("../../clients/misuse.h")),
        ("misuse_double.h", include_str!("../../clients/misuse_double.h")),
        ("misuse_stale.h", include_str!("../../clients/misuse_stale.h")),
        ("misuse_bounds.h", include_str!("../../clients/misuse_bounds.h")),
        ("misuse_wrong.h", include_str!("../../clients/misuse_wrong.h")),
        ("misuse_asked.h", include_str!("../../clients/misuse_asked.h")),
    ],
    cpp: false,
    shape: Shape::Program,
    flags: FLAGS,
};

/// One kind of misuse, as the client knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// One sentence: what is done.
    pub says: String,
}

/// Kinds that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Its name, with which the names of most kinds begin.
    pub name: String,
    /// For people.
    pub title: String,
    /// No misuse, but what one can count on: where old data stays, and which places can be guessed.
    pub property: bool,
    /// The misuse reads or writes: a fault in it stops it where it happens.
    pub access: bool,
    /// The kinds.
    pub kinds: Vec<Kind>,
}

/// What a call costs, typically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// Bytes of the request.
    pub size_bytes: u64,
    /// Instructions of `malloc`.
    pub malloc: u32,
    /// Instructions of `free`.
    pub free: u32,
}

/// A row of the lab under one allocator: medians.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// The row.
    pub row: String,
    /// The row's value, in its unit.
    pub value: f64,
    /// The unit.
    pub unit: String,
    /// Peak resident bytes.
    pub rss_peak_bytes: f64,
}

/// One allocator: what became of each kind, and what it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contender {
    /// What the user calls it.
    pub label: String,
    /// Its file; none for the C library's own malloc.
    pub library: Option<String>,
    /// The version that it says of itself.
    pub version: String,
    /// By the kinds of all families, in their order.
    pub found: Vec<Found>,
    /// Instructions, if they could be counted.
    pub instructions: Option<Instructions>,
    /// Rows that were measured.
    pub timed: Vec<Timed>,
}

/// Several allocators side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// How often each kind was committed; the weakest verdict counts.
    pub rounds: u32,
    /// The kinds.
    pub families: Vec<Family>,
    /// The allocators.
    pub contenders: Vec<Contender>,
}

/// How many kinds ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// With a message, an abort, or a refusal.
    pub detected: usize,
    /// With a fault of the misuse itself.
    pub fault: usize,
    /// With a fault of something else.
    pub crash: usize,
    /// With nothing that could be seen.
    pub nothing: usize,
    /// With harm that the client proved.
    pub harm: usize,
}

impl Tally {
    /// Counts; what could not be committed counts nowhere.
    pub fn of<'a>(found: impl IntoIterator<Item = &'a Found>) -> Self {
        let mut tally = Self::default();
        for found in found {
            match found.verdict {
                Verdict::Detected => tally.detected += 1,
                Verdict::Fault => tally.fault += 1,
                Verdict::Crash => tally.crash += 1,
                Verdict::Nothing => tally.nothing += 1,
                Verdict::Harm => tally.harm += 1,
                Verdict::Absent | Verdict::Broken => (),
            }
        }
        tally
    }
}

impl Survey {
    /// The kinds with their families, in the order of [`Contender::found`].
    pub fn kinds(&self) -> impl Iterator<Item = (&Family, &Kind)> {
        self.families.iter().flat_map(|f| f.kinds.iter().map(move |k| (f, k)))
    }

    /// What a contender did with the kinds of some families.
    pub fn tally(&self, contender: &Contender, which: impl Fn(&Family) -> bool) -> Tally {
        let found = self.kinds().zip(&contender.found);
        Tally::of(found.filter(|((family, _), _)| which(family)).map(|(_, found)| found))
    }

    /// Contenders whose process ended before it did anything wrong, and how.
    pub fn broken(&self) -> impl Iterator<Item = (&Contender, &Kind, &Found)> {
        self.contenders.iter().flat_map(|contender| {
            let found = self.kinds().zip(&contender.found);
            found
                .filter(|(_, f)| f.verdict == Verdict::Broken)
                .map(move |((_, kind), f)| (contender, kind, f))
        })
    }
}
