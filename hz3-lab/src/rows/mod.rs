//! The rows: every workload by name, with its arguments and what is judged.

mod job;
mod table;

use hz3_config::suggest;
use hz3_project::clients::Client;
use hz3_project::{Error, Result};
pub use job::{Job, Point};
pub use table::ROWS;

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A client of the lab.
    Client(Client<'static>),
    /// A command; `{dir}` is the folder of scripts.
    Command(&'static [&'static str]),
    /// A shell script of the lab that preloads only what it measures, as `HZ3_PRELOAD` says, and prints seconds.
    Script(&'static str),
}

/// What is judged; less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Nanoseconds an operation, by the client's own clock.
    NsPerOp,
    /// Nanoseconds of user and system time of the whole process for each operation: for rows of several threads on a
    /// machine that others use.
    CpuNsPerOp,
    /// Milliseconds from start to end of the process.
    WallMs,
    /// Milliseconds of user and system time of the process and what it waited for: steadier than the wall clock where
    /// others use the machine, and the same thing for a program of one thread.
    CpuMs,
    /// Resident bytes when everything was freed, by the client.
    RssEnd,
    /// Ticks that 99.9 % of the single calls of `malloc` take at most, by the client's twin.
    MallocTail,
    /// The same of `free`.
    FreeTail,
    /// The same of `realloc`.
    ReallocTail,
}

impl Metric {
    /// Unit for tables.
    pub fn unit(self) -> &'static str {
        match self {
            Self::NsPerOp => "ns/op",
            Self::CpuNsPerOp => "CPU ns/op",
            Self::WallMs => "ms",
            Self::CpuMs => "CPU ms",
            Self::RssEnd => "MiB",
            Self::MallocTail => "p99.9 malloc",
            Self::FreeTail => "p99.9 free",
            Self::ReallocTail => "p99.9 realloc",
        }
    }
    /// The call whose tail is judged.
    pub fn call(self) -> Option<&'static str> {
        match self {
            Self::MallocTail => Some("malloc"),
            Self::FreeTail => Some("free"),
            Self::ReallocTail => Some("realloc"),
            _ => None,
        }
    }
    /// Value in that unit.
    pub fn show(self, v: f64) -> f64 {
        match self {
            Self::RssEnd => v / (1024.0 * 1024.0),
            _ => v,
        }
    }
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// What runs.
    pub program: Program,
    /// Arguments, with `{2c}` for twice the number of cores and `{c}` for that number.
    pub args: &'static str,
    /// Arguments that set the size of a sample of 0.1 to 0.5 s.
    pub quick: &'static str,
    /// Arguments of the full size, as the literature has it.
    pub full: &'static str,
    /// Arguments for a short execution under callgrind; empty where that makes no sense.
    pub count: &'static str,
    /// What is judged.
    pub metric: Metric,
    /// How often a sample runs the command (start-up is too short to be measured once).
    pub repeat: u32,
    /// Whether several threads work together, whatever the arguments say.
    pub several: bool,
    /// Whether the client's own share can be had from the empty allocator: not of several threads, which wait for each
    /// other, so that their shares do not add up.
    pub empty: bool,
    /// The groups it is in, besides `all`.
    pub groups: &'static [&'static str],
}

/// Names of the groups.
pub const GROUPS: &[&str] = &[
    "default", "ssot", "single", "multi", "memory", "latency", "threads", "programs", "more", "all",
];

/// That there is no such row, and which may be meant.
fn unknown(word: &str) -> Error {
    let rows = || ROWS.iter().map(|r| r.name);
    let near = suggest::nearest(word, rows().chain(GROUPS.iter().copied()));
    Error::bad_input(match near {
        Some(near) => format!("no row '{word}': did you mean '{near}'? cargo hz3 bench lists all"),
        None => format!(
            "no row '{word}'. Rows: {}. Groups: {}",
            rows().collect::<Vec<_>>().join(", "),
            GROUPS.join(", ")
        ),
    })
}

/// The rows that words name: rows and groups, in the table's order, each once.
pub fn select(words: &[String]) -> Result<Vec<&'static Row>> {
    for word in words {
        if !GROUPS.contains(&word.as_str()) && !ROWS.iter().any(|r| r.name == word) {
            return Err(unknown(word));
        }
    }
    let wanted = |r: &&Row| {
        words
            .iter()
            .any(|w| w == r.name || w == "all" || r.groups.contains(&w.as_str()))
    };
    Ok(ROWS.iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_no_group_is_a_row() {
        let mut names: Vec<&str> = ROWS.iter().map(|r| r.name).chain(GROUPS.iter().copied()).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn groups_and_rows_select_each_row_once() {
        let names = |words: &[&str]| -> Vec<&str> {
            let words: Vec<String> = words.iter().map(|w| (*w).into()).collect();
            select(&words).unwrap().iter().map(|r| r.name).collect()
        };
        assert_eq!(names(&["app", "small", "app"]), ["small", "app"]);
        assert_eq!(
            names(&["single"]),
            ["small", "medium", "mixed", "app", "sub4k", "trimix4096"]
        );
        assert_eq!(names(&["all"]).len(), ROWS.len());
        let fault = |word: &str| select(&[word.into()]).unwrap_err().message;
        assert_eq!(
            fault("smal"),
            "no row 'smal': did you mean 'small'? cargo hz3 bench lists all"
        );
        assert_eq!(
            fault("singel"),
            "no row 'singel': did you mean 'single'? cargo hz3 bench lists all"
        );
        assert!(fault("xyzzy").starts_with("no row 'xyzzy'. Rows: small, medium"));
    }
}
