//! A row, a trace or a command, ready to run.

use super::{Metric, Program, ROWS, Row, select};
use crate::clients::{Clients, REPLAY, WORKLOAD};
use crate::workload::{self, Judged, Workload};
use hz3_config::{file, suggest};
use hz3_project::clients::Client;
use hz3_project::{Error, Result, program};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// One row or a user's command, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Name for tables.
    pub name: String,
    /// One line for people.
    pub about: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// What else stands in its environment.
    pub environment: Vec<(String, String)>,
    /// The client, whose stdout is one JSON object; a command has none.
    pub client: Option<Client<'static>>,
    /// Whether the command preloads by itself, as `HZ3_PRELOAD` says.
    pub script: bool,
    /// What is judged.
    pub metric: Metric,
    /// Whether several threads work, so that only the wall clock sees the row as its user does.
    pub several: bool,
    /// Runs a sample.
    pub repeat: u32,
    /// Whether the client's own share can be had from the empty allocator.
    pub empty: bool,
    /// The command of a short execution under callgrind.
    pub count: Option<Vec<String>>,
    /// Whether the kernel and the processor are asked for their counters.
    pub counters: bool,
    /// How often the client's twin, which times single calls, is executed besides.
    pub tails: u32,
    /// Which point of which row's curve it is.
    pub point: Option<Point>,
}

/// A point of a curve: a row with some number of threads.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Point {
    /// The row.
    pub row: String,
    /// Threads.
    pub threads: u64,
}

impl Job {
    /// The jobs that words name: rows, groups, and rows with options of their own (`sub4k:ws=20000`). What cannot run
    /// here is told to `left_out`, so that one missing program does not stop the others.
    pub fn all(words: &[String], clients: &Clients, full: bool, mut left_out: impl FnMut(Error)) -> Result<Vec<Self>> {
        let mut jobs: Vec<Self> = Vec::new();
        let plain: Vec<String> = words.iter().filter(|w| !w.contains(':')).cloned().collect();
        let mut wanted: Vec<(&Row, Vec<String>)> = select(&plain)?.into_iter().map(|r| (r, Vec::new())).collect();
        for word in words {
            let Some((name, options)) = word.split_once(':') else {
                continue;
            };
            let row = ROWS.iter().find(|r| r.name == name);
            let row = row.ok_or_else(|| super::unknown(name))?;
            wanted.push((row, options.split(':').map(Into::into).collect()));
        }
        for (row, options) in wanted {
            match Self::of(row, clients, full) {
                Ok(job) => jobs.push(job.with(&options)?),
                Err(e) => left_out(e),
            }
        }
        Ok(jobs)
    }

    /// A row with its quick or full size.
    pub fn of(row: &Row, clients: &Clients, full: bool) -> Result<Self> {
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
        let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
        let (mut command, client) = match row.program {
            Program::Client(client) => (vec![clients.program(&client)?.display().to_string()], Some(client)),
            Program::Command(words) => (fill(words)?, None),
            Program::Script(name) => (
                vec!["/bin/sh".into(), clients.folder().join(name).display().to_string()],
                None,
            ),
        };
        if client.is_none() && program::find(&command[0]).is_none() {
            return Err(Error::unfit(format!(
                "row {}: {} is not installed",
                row.name, command[0]
            )));
        }
        command.extend(fill(&words(row.args))?);
        let count = if row.count.is_empty() {
            None
        } else {
            Some([command.clone(), fill(&words(row.count))?].concat())
        };
        command.extend(fill(&words(if full { row.full } else { row.quick }))?);
        Ok(Self {
            client,
            script: matches!(row.program, Program::Script(_)),
            several: row.several || row.args.contains("--threads"),
            repeat: row.repeat,
            empty: row.empty,
            count,
            ..Self::plain(row.name.into(), row.about.into(), command, row.metric)
        })
    }

    /// The same with options for its client, `key=value` each; a command has none and stays as it is. The name tells.
    pub fn with(mut self, options: &[String]) -> Result<Self> {
        if self.client.is_none() || options.is_empty() {
            return Ok(self);
        }
        for option in options {
            let Some((key, value)) = option.split_once('=') else {
                return Err(Error::bad_input(format!("'{option}' is not KEY=VALUE")));
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

    /// The same with so many threads, as a point of a curve; nothing if the row has no threads to choose. One thread is measured by
    /// the wall clock like several.
    pub fn threaded(&self, threads: u64) -> Option<Self> {
        self.client?;
        let chooses = self.client == Some(WORKLOAD) || self.command.iter().any(|word| word == "--threads");
        if !chooses {
            return None;
        }
        let mut job = self.clone();
        let words = ["--threads".to_owned(), threads.to_string(), "--wall".into(), "1".into()];
        job.command.extend(words.clone());
        if let Some(count) = &mut job.count {
            count.extend(words);
        }
        job.name = format!("{} threads={threads}", self.name);
        job.several = true;
        job.empty = false;
        job.point = Some(Point {
            row: self.name.clone(),
            threads,
        });
        Some(job)
    }

    /// The same by the client's twin, which times every call by itself. That costs what the clock costs, so the row's own
    /// figure says nothing then, and neither does what the client takes with an allocator that does nothing.
    pub fn timed(mut self, clients: &Clients) -> Result<Self> {
        let Some(client) = self.client else {
            return Err(Error::unfit(format!(
                "row {}: it runs a program; only clients of the lab can time their calls",
                self.name
            )));
        };
        self.command[0] = clients.timed(&client)?.display().to_string();
        self.count = None;
        self.empty = false;
        Ok(self)
    }

    /// The same, judged by the longest of a thousand single calls of a function: `malloc`, `free` or `realloc`.
    pub fn judged_by(self, call: &str, clients: &Clients) -> Result<Self> {
        let metric = [Metric::MallocTail, Metric::FreeTail, Metric::ReallocTail]
            .into_iter()
            .find(|metric| metric.call() == Some(call))
            .ok_or_else(|| Error::bad_input(format!("no calls of '{call}' are timed: malloc, free, realloc")))?;
        Ok(Self {
            metric,
            ..self.timed(clients)?
        })
    }

    /// A recorded trace, prepared for the replay client, run so often that a sample takes a fraction of a second.
    pub fn trace(name: &str, trace: &crate::trace::Trace, clients: &Clients) -> Result<Self> {
        if trace.events.is_empty() {
            return Err(Error::bad_input(format!(
                "the trace {name} has no events: there is nothing to replay"
            )));
        }
        let flat = prepared(name, &crate::trace::flat(trace), clients)?;
        let rounds = (8_000_000 / trace.events.len().max(1) as u64).clamp(1, 10_000);
        let about = trace.command.clone();
        Ok(Self {
            several: trace.threads() > 1,
            ..Self::prepared(
                format!("trace {name}"),
                about,
                REPLAY,
                &flat,
                rounds,
                Metric::NsPerOp,
                clients,
            )?
        })
    }

    /// A workload, prepared for its client, run so often that a sample takes a fraction of a second.
    pub fn workload(name: &str, workload: &Workload, clients: &Clients) -> Result<Self> {
        let flat = prepared(name, &workload::flat(workload), clients)?;
        let again = workload.pauses() == 0 && workload.judged == Judged::Time;
        let steps = workload.steps().saturating_mul(workload.threads).max(1);
        let rounds = if again { (3_000_000 / steps).clamp(1, 10_000) } else { 1 };
        let metric = match workload.judged {
            Judged::Time => Metric::NsPerOp,
            Judged::Resident => Metric::RssEnd,
        };
        let about = workload.description.clone();
        Ok(Self {
            several: workload.threads > 1,
            ..Self::prepared(
                format!("workload {name}"),
                about,
                WORKLOAD,
                &flat,
                rounds,
                metric,
                clients,
            )?
        })
    }

    /// A client that executes a prepared file so often.
    fn prepared(
        name: String,
        about: String,
        client: Client<'static>,
        flat: &Path,
        rounds: u64,
        metric: Metric,
        clients: &Clients,
    ) -> Result<Self> {
        let program = clients.program(&client)?.display().to_string();
        let file = flat.display().to_string();
        let command = |rounds: u64| [&program, "--file", &file, "--rounds", &rounds.to_string()].map(String::from);
        Ok(Self {
            client: Some(client),
            count: Some(command(1).into()),
            ..Self::plain(name, about, command(rounds).into(), metric)
        })
    }

    /// The user's own command.
    pub fn user(command: &[String], metric: Metric) -> Self {
        Self {
            count: Some(command.to_vec()),
            ..Self::plain("command".into(), suggest::command(command), command.to_vec(), metric)
        }
    }

    /// A command, and nothing besides.
    fn plain(name: String, about: String, command: Vec<String>, metric: Metric) -> Self {
        Self {
            name,
            about,
            command,
            environment: Vec::new(),
            client: None,
            script: false,
            metric,
            several: false,
            repeat: 1,
            empty: false,
            count: None,
            counters: false,
            tails: 0,
            point: None,
        }
    }
}

/// The prepared file of a trace or a workload. Its name has a hash of what is in it: of two with one name neither takes the
/// other's file away, and whoever executes the same one, now or later, takes the same.
fn prepared(name: &str, bytes: &[u8], clients: &Clients) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let path = clients.folder().join(format!("{name}-{:016x}.flat", hasher.finish()));
    if std::fs::read(&path).is_ok_and(|old| old == bytes) {
        return Ok(path);
    }
    file::replace(&path, bytes).map_err(|why| Error::unfit(format!("cannot write {}: {why}", path.display())))?;
    Ok(path)
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
