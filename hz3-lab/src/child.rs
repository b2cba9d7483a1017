//! One fresh process and what it cost.

use crate::{
    clients::Clients,
    counters::Counted,
    ending,
    rows::Job,
    tails::{Events, Tails},
};
use hz3_project::{Allocator, Error, Result, peers, program};
use serde::{Deserialize, Serialize};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// What one execution gave; the names are those of the JSON output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// The judged value in the metric's base unit (ns/op, ms, bytes).
    pub value: f64,
    /// Wall time of the process, seconds.
    #[serde(rename = "wall_seconds")]
    pub wall: f64,
    /// User and system time, seconds.
    #[serde(rename = "cpu_seconds")]
    pub cpu: f64,
    /// Pages that the kernel had to provide.
    pub faults: u64,
    /// Its peak resident bytes.
    #[serde(rename = "rss_peak_bytes")]
    pub rss_peak: u64,
    /// Resident bytes after all was freed, if the client says so.
    #[serde(rename = "rss_end_bytes")]
    pub rss_end: Option<u64>,
    /// Most live bytes, as the client counts them.
    #[serde(rename = "live_peak_bytes")]
    pub live_peak: Option<u64>,
    /// Failed allocations.
    pub failures: u64,
    /// Objects that did not hold what was written.
    pub wrong: u64,
    /// The single calls, if the client is one that times them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tails: Option<Tails>,
    /// The events of a variant that counts them, if the client times its calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// Steps, if the client counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Steps of all threads together in a second, by the client's clock.
    #[serde(rename = "steps_per_second", skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// What the kernel and the processor counted, if they were asked.
    #[serde(flatten)]
    pub counted: Counted,
    /// Microseconds and resident bytes, if they were sampled.
    #[serde(skip)]
    pub series: Vec<(u64, u64)>,
}

impl Sample {
    /// That memory did not hold what was written.
    pub fn wrongness(&self) -> String {
        format!("memory was wrong in {} places", self.wrong)
    }
}

/// What the wrapper writes.
#[derive(Deserialize)]
struct Report {
    wall: f64,
    cpu: f64,
    rss_peak: u64,
    faults: u64,
    exit: i32,
    signal: i32,
    series: Vec<(u64, u64)>,
    #[serde(flatten)]
    counted: Counted,
}

/// What every client prints.
#[derive(Deserialize)]
struct Said {
    ops: u64,
    ns_per_op: f64,
    live_peak: u64,
    failures: u64,
    wrong: u64,
    rss_end: u64,
    tails: Option<Tails>,
    hz3: Option<Own>,
}

/// What a variant of hz3 says of itself, as far as it is of use here.
#[derive(Deserialize)]
struct Own {
    events: Option<Events>,
}

/// A folder for what one run leaves behind; it goes with the value.
pub(crate) fn scratch(clients: &Clients, what: &str) -> Result<TempDir> {
    let folder = tempfile::Builder::new()
        .prefix(&format!(".{what}."))
        .tempdir_in(clients.folder());
    folder.map_err(|e| Error::unfit(format!("{}: {e}", clients.folder().display())))
}

/// The end of a file: as much as the last lines of a process may be.
fn tail(path: &Path) -> Vec<u8> {
    const MOST: u64 = 4096;
    let mut bytes = Vec::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        let length = file.metadata().map_or(0, |m| m.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(MOST)));
        let _ = file.take(MOST).read_to_end(&mut bytes);
    }
    bytes
}

/// Runs a job once under a library. `sample_ms` other than 0 records resident bytes over time (and so disturbs the
/// clock); `seed` goes to the client.
pub fn run(clients: &Clients, job: &Job, library: Option<&Allocator>, seed: u64, sample_ms: u32) -> Result<Sample> {
    let folder = scratch(clients, "run")?;
    let report = folder.path().join("report");
    let timer = clients.timer()?;
    let mut command = program::clean(&timer);
    command.arg(&report).envs(job.environment.iter().map(|(k, v)| (k, v)));
    // A script's program may be linked with another malloc: there, the C library must be put first as well.
    let libc = if job.script { peers::libc_file() } else { None };
    if let Some(path) = library.and_then(|l| l.path.as_ref()).or(libc.as_ref()) {
        if job.script {
            command.env("HZ3_PRELOAD", path);
        } else {
            command.arg("--preload").arg(path);
        }
    }
    if job.repeat > 1 {
        command.args(["--repeat", &job.repeat.to_string()]);
    }
    if sample_ms > 0 {
        command.args(["--sample-ms", &sample_ms.to_string()]);
    }
    if job.counters {
        command.arg("--counters");
    }
    let quiet = job.client.is_none() && !job.script;
    if quiet {
        command.arg("--quiet");
    }
    command.arg("--").args(&job.command);
    if job.client.is_some() {
        command.args(["--seed", &seed.to_string()]);
    }
    let out = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| Error::unfit(format!("{}: {e}", timer.display())))?;
    // What a command said on stderr lies in a file: reading it meanwhile would take the command's time.
    let aside = folder.path().join("report.err");
    let written = if quiet { tail(&aside) } else { out.stderr.clone() };
    let text = std::fs::read_to_string(&report);
    if !out.status.success() {
        let how = ending::of(out.status, &out.stderr);
        return Err(Error::failed(format!("the timer ended badly: {how}")));
    }
    let text = text.map_err(|e| Error::unfit(format!("{}: {e}", report.display())))?;
    let r: Report = serde_json::from_str(&text).map_err(|e| Error::unfit(format!("the timer's report: {e}")))?;
    let stdout = String::from_utf8_lossy(&out.stdout);
    let said: Option<Said> = if job.client.is_some() {
        serde_json::from_str(stdout.trim()).ok()
    } else {
        None
    };
    let wrong = said.as_ref().is_some_and(|s| s.wrong > 0);
    if r.signal != 0 || (r.exit != 0 && !wrong) {
        let how = format!("{}: {}", job.command[0], ending::words(r.exit, r.signal, &written));
        // Clients end so when an option makes no sense to them, and all of those come from the user.
        let asked = job.client.is_some() && (r.signal, r.exit) == (0, 2);
        return Err(if asked {
            Error::bad_input(how)
        } else {
            Error::failed(how)
        });
    }
    if job.client.is_some() && said.is_none() {
        return Err(Error::failed(format!("{}: no result on stdout", job.command[0])));
    }
    let script_seconds: Option<f64> = if job.script {
        stdout.trim().lines().last().and_then(|l| l.parse().ok())
    } else {
        None
    };
    if job.script && script_seconds.is_none() {
        return Err(Error::failed(format!(
            "{}: no seconds on stdout",
            job.command.join(" ")
        )));
    }
    use crate::rows::Metric;
    let value = match (script_seconds, job.metric, &said) {
        (Some(seconds), ..) => seconds * 1e3,
        (_, Metric::NsPerOp, Some(s)) => s.ns_per_op,
        (_, Metric::CpuNsPerOp, Some(s)) => r.cpu * 1e9 / s.ops.max(1) as f64,
        (_, Metric::MallocTail | Metric::FreeTail | Metric::ReallocTail, Some(s)) => {
            let call = job.metric.call().unwrap_or_default();
            let spread = s.tails.as_ref().and_then(|t| t.calls.get(call));
            let none = || Error::bad_input(format!("{}: no call of {call} was timed", job.name));
            spread.ok_or_else(none)?.p999 as f64
        }
        (_, Metric::RssEnd, Some(s)) => s.rss_end as f64,
        (_, Metric::CpuMs, _) => r.cpu * 1e3,
        _ => r.wall * 1e3,
    };
    let (live_peak, rss_end) = (said.as_ref().map(|s| s.live_peak), said.as_ref().map(|s| s.rss_end));
    let steps = said.as_ref().map(|s| s.ops);
    let rate = said.as_ref().filter(|s| s.ns_per_op > 0.0).map(|s| 1e9 / s.ns_per_op);
    let (failures, wrong) = said.as_ref().map_or((0, 0), |s| (s.failures, s.wrong));
    let (tails, own) = said.map_or((None, None), |s| (s.tails, s.hz3));
    Ok(Sample {
        value,
        wall: r.wall * f64::from(job.repeat),
        cpu: r.cpu,
        faults: r.faults,
        rss_peak: r.rss_peak,
        rss_end,
        live_peak,
        failures,
        wrong,
        tails,
        events: own.and_then(|o| o.events),
        steps,
        rate,
        counted: r.counted,
        series: r.series,
    })
}
