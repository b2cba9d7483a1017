//! Profiles of a heap: which sizes, from which places in the program, live how long and are freed by whom.
//!
//! A profile is estimated from sampled objects, or exact: [`Level`] says which, and [`Profile::period`] how far apart the
//! samples are. Its file is pprof's (module `pprof`); a recording of all calls gives one, too ([`Profile::of_trace`]).
//!
//! Values are estimates of what the program did, scaled already; [`Row::samples`] says how many objects were seen. Rows are
//! either of objects that were live when the profile was taken, or of objects that had ended.

mod accuracy;
mod estimate;
mod exact;
mod export;
mod growth;
pub mod held;
mod pprof;
mod report;
mod sites;
mod symbols;
pub mod waste;

pub use accuracy::{Accuracy, Apart};
pub use estimate::{Estimate, distance};
pub use exact::{Moment, until};
pub use growth::{Growth, growth, same_process};
pub use report::{AtSite, Band, Ends, Report, Sum};
pub use sites::{Site, Sites};
pub use symbols::Nameless;

use std::collections::BTreeMap;

/// The alignment that every object has.
pub const ALIGN: u64 = 16;

/// What a profile can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Sampled where lists of free objects are filled: it sees what stays alive, not what comes and goes.
    InUse,
    /// Sampled by counting bytes in `malloc`: it sees all allocations.
    All,
    /// Every object was counted.
    Exact,
}

impl Level {
    /// The word in a profile's file.
    pub fn word(self) -> &'static str {
        match self {
            Self::InUse => "in-use",
            Self::All => "all",
            Self::Exact => "exact",
        }
    }

    /// The level that a word names.
    pub fn of(word: &str) -> Option<Self> {
        [Self::InUse, Self::All, Self::Exact]
            .into_iter()
            .find(|level| level.word() == word)
    }

    /// What it means, as a sentence for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::InUse => {
                "sampled where lists of free objects are filled: what stays alive is seen, what is freed and allocated in turn is not"
            }
            Self::All => "sampled by bytes in malloc: all allocations are seen",
            Self::Exact => "every object was counted",
        }
    }

    /// Whether figures of all allocations mean anything.
    pub fn sees_all(self) -> bool {
        self != Self::InUse
    }
}

/// What times are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// Nanoseconds since the process started.
    #[default]
    Nanoseconds,
    /// Calls of malloc, free & co since the recording began.
    Events,
}

impl Clock {
    /// The unit as pprof's labels have it.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Nanoseconds => "nanoseconds",
            Self::Events => "events",
        }
    }
}

/// Who freed objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FreedBy {
    /// The thread that allocated them.
    Same,
    /// Another thread.
    Other,
}

/// How objects ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Ended {
    /// How long they lived; of aggregated rows the lower bound, 0 or a power of two: they lived less than twice as long.
    pub lifetime: u64,
    /// Who freed them, if that is known.
    pub freed_by: Option<FreedBy>,
}

/// Objects that are alike.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Row {
    /// Bytes that were asked for.
    pub size: u64,
    /// Alignment that was asked for; [`ALIGN`] if it was no more than that.
    pub align: u64,
    /// Index into [`Profile::stacks`]: who allocated them.
    pub stack: usize,
    /// Number of the thread that allocated them, from 1; 0 if it is not known.
    pub thread: u64,
    /// When they were allocated, or a lower bound.
    pub born: u64,
    /// How they ended; `None` if they are live.
    pub ended: Option<Ended>,
    /// Objects, estimated.
    pub objects: u64,
    /// Their bytes, estimated.
    pub bytes: u64,
    /// How many objects were seen.
    pub samples: u64,
    /// Sum over the objects of how long each was live, up to the end of the profile.
    pub lived: f64,
}

impl Row {
    /// The chance that one of its objects had to be seen: those that were seen, of all that they stand for. What is known
    /// without any that was seen was counted.
    pub fn chance(&self) -> f64 {
        if self.samples == 0 {
            return 1.0;
        }
        // Bytes are less rounded than objects.
        let objects = match self.size {
            0 => self.objects.max(1) as f64,
            size => self.bytes.max(1) as f64 / size as f64,
        };
        (self.samples as f64 / objects).min(1.0)
    }

    /// Whether its objects are live.
    pub fn live(&self) -> bool {
        self.ended.is_none()
    }
}

/// A file that was mapped into the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// One past the last.
    pub limit: u64,
    /// Where in the file it begins.
    pub offset: u64,
    /// The file.
    pub file: String,
    /// Its build id in hexadecimal digits, if it has one.
    pub build_id: String,
}

/// A line of a function.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// Index into [`Profile::functions`].
    pub function: usize,
    /// Number of the line; 0 if it is not known.
    pub line: u64,
}

/// An address in the program.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Location {
    /// The address: of a caller, the one that the call returns to.
    pub address: u64,
    /// Index into [`Profile::mappings`].
    pub mapping: Option<usize>,
    /// What stands there, inlined functions first; empty as long as nobody has looked.
    pub lines: Vec<Line>,
}

/// A function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Function {
    /// Its name, for people.
    pub name: String,
    /// Its name, for linkers.
    pub system_name: String,
    /// The file that it stands in; empty if that is not known.
    pub file: String,
}

/// A profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// What it can know.
    pub level: Level,
    /// The config of the variant that wrote it; empty if none did.
    pub config: String,
    /// The hash of that config.
    pub config_hash: String,
    /// What was profiled, for people.
    pub command: String,
    /// Mean bytes from one sample to the next; 1 if exact.
    pub period: u64,
    /// What times are counted in.
    pub clock: Clock,
    /// When it was taken, in nanoseconds since 1970; 0 if that is not known.
    pub time_nanos: u64,
    /// How long the program had run, by the clock.
    pub duration: u64,
    /// Threads that had been started.
    pub threads: u64,
    /// Live bytes, where they were counted.
    pub live_bytes: Option<u64>,
    /// Most bytes that were ever live, where they were counted.
    pub peak_live_bytes: Option<u64>,
    /// Samples that had no room.
    pub dropped: u64,
    /// The rows.
    pub rows: Vec<Row>,
    /// Call stacks, as indices into `locations`, the innermost first. None is there twice.
    pub stacks: Vec<Vec<usize>>,
    /// Addresses in the program.
    pub locations: Vec<Location>,
    /// Files in the process.
    pub mappings: Vec<Mapping>,
    /// Functions; empty as long as nobody has looked.
    pub functions: Vec<Function>,
}

/// Which rows are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Live objects.
    InUse,
    /// All that were ever allocated.
    Allocated,
}

impl Profile {
    /// A profile without rows.
    pub fn new(level: Level) -> Self {
        Self {
            level,
            config: String::new(),
            config_hash: String::new(),
            command: String::new(),
            period: 1,
            clock: Clock::default(),
            time_nanos: 0,
            duration: 0,
            threads: 0,
            live_bytes: None,
            peak_live_bytes: None,
            dropped: 0,
            rows: Vec::new(),
            stacks: Vec::new(),
            locations: Vec::new(),
            mappings: Vec::new(),
            functions: Vec::new(),
        }
    }

    /// The rows that are meant.
    pub fn rows(&self, which: Which) -> impl Iterator<Item = &Row> + Clone {
        self.rows
            .iter()
            .filter(move |row| which == Which::Allocated || row.live())
    }

    /// Objects by size.
    pub fn sizes(&self, which: Which) -> BTreeMap<u64, u64> {
        let mut sizes = BTreeMap::new();
        for row in self.rows(which) {
            *sizes.entry(row.size).or_insert(0) += row.objects;
        }
        sizes
    }

    /// Number of objects of each (size, alignment) that are live, on average over the time of the profile.
    pub fn mean_live(&self) -> BTreeMap<(u64, u64), f64> {
        let mut live = BTreeMap::new();
        for row in &self.rows {
            *live.entry((row.size, row.align)).or_insert(0.0) += row.lived;
        }
        let duration = self.duration.max(1) as f64;
        live.values_mut().for_each(|objects| *objects /= duration);
        live
    }
}
