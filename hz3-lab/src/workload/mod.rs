//! Workloads that a TOML file describes: kinds of objects with their sizes and lifetimes, threads, hand-offs, phases.
//!
//! The client `workload` executes them. It reads no TOML: [`flat()`] makes of a workload the numbers that it runs on.
//! [`births`] makes a workload of what a program was seen to do.

pub mod births;
mod flat;
mod read;
mod seen;
mod table;
mod text;
mod tree;

pub use flat::{Expected, flat};
pub use read::read;
pub use text::text;

/// The most phases.
pub const PHASES: usize = 256;
/// The most kinds of objects of all phases, once lists of sizes and lifetimes are taken apart.
pub const KINDS: usize = 20_000;
/// The most steps of a thread, all phases together.
pub const STEPS: u64 = 1 << 30;
/// The most threads.
pub const THREADS: u64 = 4096;
/// The least and the largest alignment that is asked for.
pub const ALIGN_LEAST: u64 = 8;
/// See [`ALIGN_LEAST`].
pub const ALIGN_MOST: u64 = 1 << 30;
/// The largest size and the longest lifetime.
pub const MOST: u64 = 1 << 40;

/// A workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// One line for people.
    pub description: String,
    /// Threads that work at a time; each does all that the phases say.
    pub threads: u64,
    /// A thread ends after so many steps, and another one goes on with its objects; 0: it goes on itself.
    pub renew: u64,
    /// What is judged.
    pub judged: Judged,
    /// What happens, in this order.
    pub phases: Vec<Phase>,
}

/// What a workload is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Time a step.
    Time,
    /// Resident bytes when the last phase and its pause are over.
    Resident,
}

/// A part of a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Its name; may be empty.
    pub name: String,
    /// Objects that each thread makes in it.
    pub steps: u64,
    /// Milliseconds after it in which nothing happens.
    pub pause_ms: u64,
    /// The kinds of objects that it makes.
    pub objects: Vec<Kind>,
}

/// A kind of objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// Share of the objects: this number of the sum of its phase.
    pub weight: u64,
    /// Bytes.
    pub size: Spread,
    /// When they end.
    pub lifetime: Life,
    /// How they are made.
    pub call: Call,
    /// Percent that the next thread frees.
    pub handed: u64,
    /// How their size changes.
    pub resize: Option<Resize>,
    /// Which bytes are written.
    pub touch: Touch,
}

/// How numbers are spread.
#[derive(Debug, Clone, PartialEq)]
pub enum Spread {
    /// Always this.
    Fixed(u64),
    /// Each from the first to the second is equally likely.
    Uniform(u64, u64),
    /// Each doubling from the first to the second is equally likely.
    Log(u64, u64),
    /// Exponential: most are small, and this is their mean.
    Mean(u64),
    /// These numbers, with weights.
    Among(Vec<(u64, u64)>),
}

/// When an object ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Life {
    /// After so many steps of its thread: 1 is before the next object is made.
    Steps(Spread),
    /// When its phase ends.
    Phase,
    /// When everything ends.
    Run,
}

/// How an object is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `malloc`
    Malloc,
    /// `calloc`
    Calloc,
    /// `memalign` with an alignment.
    Aligned(u64),
}

/// An object's size changes, at equal distances over its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// How often.
    pub times: u64,
    /// To so many percent of what it was, each time.
    pub percent: u64,
}

/// Which bytes of an object are written when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// First and last.
    Ends,
    /// Those, and one of each page.
    Pages,
    /// All.
    All,
}

impl Spread {
    /// The mean of what is drawn.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Fixed(n) | Self::Mean(n) => *n as f64,
            Self::Uniform(a, b) => (*a as f64 + *b as f64) / 2.0,
            Self::Log(a, b) if a == b => *a as f64,
            Self::Log(a, b) => (*b as f64 - *a as f64) / (*b as f64 / *a as f64).ln(),
            Self::Among(list) => {
                let sum: f64 = list.iter().map(|(_, w)| *w as f64).sum();
                list.iter().map(|(n, w)| *n as f64 * *w as f64).sum::<f64>() / sum
            }
        }
    }
}

impl Workload {
    /// Steps of a thread, all phases together.
    pub fn steps(&self) -> u64 {
        self.phases.iter().map(|p| p.steps).sum()
    }
    /// Milliseconds in which nothing happens.
    pub fn pauses(&self) -> u64 {
        self.phases.iter().map(|p| p.pause_ms).sum()
    }
}
