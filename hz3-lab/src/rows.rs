//! The rows: every workload by name, with its arguments and what is judged.

use crate::{Error, Result};

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A client of the lab.
    Client(&'static str),
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
    /// Milliseconds from start to end of the process.
    WallMs,
    /// Milliseconds of user and system time of the process and what it waited for: steadier than the wall clock where
    /// others use the machine, and the same thing for a program of one thread.
    CpuMs,
    /// Resident bytes when everything was freed, by the client.
    RssEnd,
}

impl Metric {
    /// Unit for tables.
    pub fn unit(self) -> &'static str {
        match self {
            Self::NsPerOp => "ns/op",
            Self::WallMs => "ms",
            Self::CpuMs => "CPU ms",
            Self::RssEnd => "MiB",
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
    pub args: &'static [&'static str],
    /// Arguments that set the size of a sample of 0.1 to 0.5 s.
    pub quick: &'static [&'static str],
    /// Arguments of the full size, as the literature has it.
    pub full: &'static [&'static str],
    /// Arguments for a short run under callgrind; empty where that makes no sense.
    pub count: &'static [&'static str],
    /// What is judged.
    pub metric: Metric,
    /// Runs of the command a sample (start-up is too short to be measured once).
    pub repeat: u32,
    /// Whether the empty allocator can run it.
    pub empty: bool,
    /// The groups it is in, besides `all`.
    pub groups: &'static [&'static str],
}

const BASE: Row = Row {
    name: "",
    about: "",
    program: Program::Client("random"),
    args: &[],
    quick: &[],
    full: &[],
    count: &[],
    metric: Metric::NsPerOp,
    repeat: 1,
    empty: false,
    groups: &["default"],
};

const fn random(
    name: &'static str,
    about: &'static str,
    args: &'static [&'static str],
    quick: &'static [&'static str],
) -> Row {
    Row {
        name,
        about,
        args,
        quick,
        full: &["--steps", "20000000"],
        count: &["--steps", "1000000"],
        empty: true,
        groups: &["default", "ssot", "single"],
        ..BASE
    }
}

const fn ring(
    name: &'static str,
    about: &'static str,
    args: &'static [&'static str],
    quick: &'static [&'static str],
) -> Row {
    Row {
        name,
        about,
        program: Program::Client("ring"),
        args,
        quick,
        full: &["--steps", "5000000"],
        empty: true,
        groups: &["default", "ssot", "multi"],
        ..BASE
    }
}

const PROGRAMS: &[&str] = &["programs"];
const THREADS: &[&str] = &["default", "multi"];
const EXTRA: &[&str] = &["more"];

/// Every row.
pub const ROWS: &[Row] = &[
    random("small", "random mixed, uniform 16-2048", &[], &["--steps", "8000000"]),
    random(
        "medium",
        "random mixed, uniform 4096-32768",
        &["--min", "4096", "--max", "32768"],
        &["--steps", "4000000"],
    ),
    random(
        "mixed",
        "random mixed, uniform 16-32768",
        &["--max", "32768"],
        &["--steps", "4000000"],
    ),
    random(
        "app",
        "random mixed, 80 % 16-256, 15 % 257-2048, 5 % 2049-32768",
        &["--dist", "app"],
        &["--steps", "8000000"],
    ),
    random(
        "sub4k",
        "random mixed, uniform 2049-4095",
        &["--min", "2049", "--max", "4095"],
        &["--steps", "6000000"],
    ),
    random(
        "trimix4096",
        "as app, the third part from 4096 on",
        &["--dist", "trimix4096"],
        &["--steps", "8000000"],
    ),
    ring(
        "mt-r0",
        "threads of their own, 16-2048",
        &["--threads", "{2c}", "--remote", "0"],
        &["--steps", "2500000"],
    ),
    ring(
        "mt-r50",
        "threads in a ring, half of the frees remote, 16-2048",
        &["--threads", "{2c}", "--remote", "50"],
        &["--steps", "1200000"],
    ),
    ring(
        "mt-r90",
        "threads in a ring, 90 % of the frees remote, 16-2048",
        &["--threads", "{2c}", "--remote", "90"],
        &["--steps", "1000000"],
    ),
    ring(
        "mt-mixed-r50",
        "threads in a ring, half remote, 16-32768",
        &["--threads", "{2c}", "--remote", "50", "--max", "32768"],
        &["--steps", "500000"],
    ),
    Row {
        groups: &["ssot", "multi", "memory"],
        full: &["--steps", "5000000"],
        ..ring(
            "s47",
            "32 threads, half remote, long queues, 16-32768",
            &[
                "--threads",
                "32",
                "--remote",
                "50",
                "--max",
                "32768",
                "--mode",
                "classic",
                "--queue",
                "65536",
            ],
            &["--steps", "40000"],
        )
    },
    Row {
        name: "prodcons",
        about: "one thread only allocates, the other only frees, 64 bytes",
        program: Program::Client("prodcons"),
        quick: &["--steps", "5000000"],
        full: &["--steps", "200000000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "prodcons-mixed",
        about: "the same with 16-2048 bytes",
        program: Program::Client("prodcons"),
        args: &["--min", "16", "--max", "2048"],
        quick: &["--steps", "2000000"],
        full: &["--steps", "50000000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "flood",
        about: "80 threads, each takes, touches and frees 256 bytes",
        program: Program::Client("threads"),
        args: &["--mode", "flood", "--threads", "80"],
        quick: &["--steps", "250000"],
        full: &["--steps", "2000000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "larson",
        about: "servers whose objects survive their thread, 16-1024",
        program: Program::Client("threads"),
        args: &[
            "--mode",
            "larson",
            "--threads",
            "{2c}",
            "--min",
            "16",
            "--max",
            "1024",
            "--ws",
            "1000",
        ],
        quick: &["--steps", "100000", "--rounds", "20"],
        full: &["--steps", "100000", "--rounds", "200"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "churn",
        about: "short threads of 16 objects one after the other",
        program: Program::Client("threads"),
        args: &["--mode", "churn", "--threads", "{c}", "--min", "16", "--max", "1024"],
        quick: &["--steps", "3000"],
        full: &["--steps", "50000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "realloc",
        about: "four buffers that grow by half from 64 bytes to 4 MiB",
        program: Program::Client("big"),
        args: &["--mode", "realloc", "--min", "64", "--max", "4M", "--ws", "4"],
        quick: &["--steps", "30000"],
        full: &["--steps", "1000000"],
        ..BASE
    },
    Row {
        name: "realloc-huge",
        about: "eight buffers that grow by half from 64 KiB to 64 MiB",
        program: Program::Client("big"),
        args: &["--mode", "realloc", "--min", "64K", "--max", "64M", "--ws", "8"],
        quick: &["--steps", "400"],
        full: &["--steps", "5000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "large",
        about: "random mixed, 64 KiB-32 MiB, both ends touched",
        program: Program::Client("big"),
        quick: &["--steps", "100000"],
        full: &["--steps", "1000000"],
        ..BASE
    },
    Row {
        name: "large-touch",
        about: "random mixed, 64 KiB-1 MiB, every page touched",
        program: Program::Client("big"),
        args: &["--max", "1M", "--stride", "4096"],
        quick: &["--steps", "10000"],
        full: &["--steps", "200000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "large-mt",
        about: "the same as large from several threads, 64 KiB-1 MiB",
        program: Program::Client("big"),
        args: &["--threads", "{2c}", "--max", "1M"],
        quick: &["--steps", "40000"],
        full: &["--steps", "1000000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "scratch",
        about: "false sharing, passive: objects made by one thread, replaced by the others",
        program: Program::Client("scratch"),
        args: &["--mode", "passive", "--threads", "{c}"],
        quick: &["--steps", "60000"],
        full: &["--steps", "1000000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "scratch-active",
        about: "false sharing, active: each thread takes, writes and frees",
        program: Program::Client("scratch"),
        args: &["--mode", "active", "--threads", "{c}"],
        quick: &["--steps", "60000"],
        full: &["--steps", "1000000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "phase",
        about: "small objects, all freed, two idle seconds: resident bytes",
        program: Program::Client("phase"),
        quick: &["--bytes", "256M"],
        full: &["--bytes", "1G"],
        metric: Metric::RssEnd,
        groups: &["memory"],
        ..BASE
    },
    Row {
        name: "phase-tick",
        about: "the same with one thread that allocates now and then",
        program: Program::Client("phase"),
        args: &["--tick", "1"],
        quick: &["--bytes", "256M"],
        full: &["--bytes", "1G"],
        metric: Metric::RssEnd,
        groups: &["memory"],
        ..BASE
    },
    Row {
        name: "calloc",
        about: "random mixed with calloc, 16-8192",
        program: Program::Client("families"),
        args: &["--mode", "calloc"],
        quick: &["--steps", "4000000"],
        full: &["--steps", "20000000"],
        count: &["--steps", "500000"],
        ..BASE
    },
    Row {
        name: "aligned",
        about: "random mixed with aligned_alloc, 16-8192, alignment 16-256",
        program: Program::Client("families"),
        args: &["--mode", "aligned", "--align", "256"],
        quick: &["--steps", "4000000"],
        full: &["--steps", "20000000"],
        count: &["--steps", "500000"],
        ..BASE
    },
    Row {
        name: "resize",
        about: "random realloc of objects of 16-8192",
        program: Program::Client("families"),
        args: &["--mode", "resize"],
        quick: &["--steps", "2000000"],
        full: &["--steps", "20000000"],
        count: &["--steps", "500000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "startup",
        about: "/bin/true, start to end",
        program: Program::Command(&["/bin/true"]),
        metric: Metric::CpuMs,
        repeat: 100,
        ..BASE
    },
    Row {
        name: "python",
        about: "python3: dictionaries, text, JSON",
        program: Program::Command(&["{python3}", "{dir}/python.py"]),
        metric: Metric::CpuMs,
        groups: PROGRAMS,
        ..BASE
    },
    Row {
        name: "perl",
        about: "perl: hashes, sorting, text",
        program: Program::Command(&["perl", "{dir}/perl.pl"]),
        metric: Metric::CpuMs,
        groups: PROGRAMS,
        ..BASE
    },
    Row {
        name: "sqlite",
        about: "sqlite3: a table in memory, indexes, joins",
        program: Program::Command(&["sqlite3", ":memory:", ".read {dir}/sqlite.sql"]),
        metric: Metric::CpuMs,
        groups: PROGRAMS,
        ..BASE
    },
    Row {
        name: "gcc",
        about: "gcc -O2 of a middling source",
        program: Program::Command(&["gcc", "-O2", "-c", "-o", "/dev/null", "{dir}/gcc.c"]),
        metric: Metric::CpuMs,
        groups: PROGRAMS,
        ..BASE
    },
    Row {
        name: "redis",
        about: "redis-server under redis-benchmark: set, get, lpush, hset",
        program: Program::Script("redis.sh"),
        metric: Metric::WallMs,
        groups: PROGRAMS,
        ..BASE
    },
];

/// Names of the groups.
pub const GROUPS: &[&str] = &[
    "default", "ssot", "single", "multi", "memory", "programs", "more", "all",
];

/// The rows that words name: rows and groups, in the table's order, each once.
pub fn select(words: &[String]) -> Result<Vec<&'static Row>> {
    for word in words {
        if !GROUPS.contains(&word.as_str()) && !ROWS.iter().any(|r| r.name == word) {
            return Err(Error::input(format!(
                "no row '{word}'. Rows: {}. Groups: {}",
                ROWS.iter().map(|r| r.name).collect::<Vec<_>>().join(", "),
                GROUPS.join(", ")
            )));
        }
    }
    let wanted = |r: &&Row| {
        words
            .iter()
            .any(|w| w == r.name || w == "all" || r.groups.contains(&w.as_str()))
    };
    Ok(ROWS.iter().filter(wanted).collect())
}

/// One row or a user's command, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Name for tables.
    pub name: String,
    /// One line for people.
    pub about: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether stdout is one JSON object of a client.
    pub client: bool,
    /// Whether the command preloads by itself, as `HZ3_PRELOAD` says.
    pub script: bool,
    /// What is judged.
    pub metric: Metric,
    /// Runs a sample.
    pub repeat: u32,
    /// Whether the empty allocator can run it.
    pub empty: bool,
    /// The command of a short run under callgrind.
    pub count: Option<Vec<String>>,
}

impl Job {
    /// A row with its quick or full size.
    pub fn of(row: &Row, clients: &crate::clients::Clients, full: bool) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let folder = clients.folder().display().to_string();
        let fill = |words: &[&str]| -> Result<Vec<String>> {
            words
                .iter()
                .map(|w| {
                    let w = w
                        .replace("{2c}", &(2 * cores).to_string())
                        .replace("{c}", &cores.to_string())
                        .replace("{dir}", &folder);
                    if w == "{python3}" { python() } else { Ok(w) }
                })
                .collect()
        };
        let (mut command, client) = match row.program {
            Program::Client(name) => (vec![clients.program(name).display().to_string()], true),
            Program::Command(words) => (fill(words)?, false),
            Program::Script(name) => (
                vec!["/bin/sh".into(), clients.folder().join(name).display().to_string()],
                false,
            ),
        };
        if !client && !crate::child::on_path(&command[0]) {
            return Err(Error::unfit(format!(
                "row {}: {} is not installed",
                row.name, command[0]
            )));
        }
        command.extend(fill(row.args)?);
        let count = if row.count.is_empty() {
            None
        } else {
            Some([command.clone(), fill(row.count)?].concat())
        };
        command.extend(fill(if full { row.full } else { row.quick })?);
        Ok(Self {
            name: row.name.into(),
            about: row.about.into(),
            command,
            client,
            script: matches!(row.program, Program::Script(_)),
            metric: row.metric,
            repeat: row.repeat,
            empty: row.empty,
            count,
        })
    }

    /// The same with options for its client, `key=value` each; a command has none and stays as it is. The name tells.
    pub fn with(mut self, options: &[String]) -> Result<Self> {
        if !self.client || options.is_empty() {
            return Ok(self);
        }
        for option in options {
            let Some((key, value)) = option.split_once('=') else {
                return Err(Error::input(format!("'{option}' is not KEY=VALUE")));
            };
            let words = [format!("--{key}"), value.to_string()];
            self.command.extend(words.clone());
            if let Some(count) = &mut self.count {
                count.extend(words);
            }
            self.name = format!("{} {option}", self.name);
        }
        Ok(self)
    }

    /// A recorded trace, prepared for the replay client, run so often that a sample takes a fraction of a second.
    pub fn trace(name: &str, trace: &crate::trace::Trace, clients: &crate::clients::Clients) -> Result<Self> {
        let flat = clients.folder().join(format!("{name}.flat"));
        crate::trace::write_flat(trace, &flat)?;
        let rounds = (8_000_000 / trace.events.len().max(1)).clamp(1, 10_000);
        let command = |rounds: usize| {
            [
                clients.program("replay").display().to_string(),
                "--file".into(),
                flat.display().to_string(),
                "--rounds".into(),
                rounds.to_string(),
            ]
            .to_vec()
        };
        Ok(Self {
            name: format!("trace {name}"),
            about: trace.command.clone(),
            command: command(rounds),
            client: true,
            script: false,
            metric: Metric::NsPerOp,
            repeat: 1,
            empty: false,
            count: Some(command(1)),
        })
    }

    /// The user's own command.
    pub fn user(command: &[String], metric: Metric) -> Self {
        Self {
            name: "command".into(),
            about: command.join(" "),
            command: command.to_vec(),
            client: false,
            script: false,
            metric,
            repeat: 1,
            empty: false,
            count: Some(command.to_vec()),
        }
    }
}

/// The interpreter itself: what stands on the path may be a shell script that finds it, and would be measured too.
fn python() -> Result<String> {
    let out = std::process::Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    match out {
        Ok(o) if o.status.success() => Ok(String::from_utf8_lossy(&o.stdout).trim().to_string()),
        _ => Err(Error::unfit("row python: python3 is not installed")),
    }
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
        assert!(
            select(&["smal".into()])
                .unwrap_err()
                .message
                .starts_with("no row 'smal'. Rows: small, medium")
        );
    }
}
