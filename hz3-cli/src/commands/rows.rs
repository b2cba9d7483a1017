//! What is measured: rows, traces or a command, with the options that all commands share which measure in pairs.

use super::bench::More;
use super::trace;
use super::workload::Workloads;
use crate::style;
use hz3_lab::clients::Clients;
use hz3_lab::rows::{Job, Metric};
use hz3_project::{Error, Place, program};
use std::time::Duration;

/// The options.
#[derive(clap::Args)]
pub struct Rows {
    /// Rows, groups, rows with options (sub4k:ws=20000); `default` if none is named, `cargo hz3 bench` lists them
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "ROW")]
    rows: Vec<String>,
    /// Recorded traces as rows: files, or names of those in hz3-lab/traces (without --rows: only these)
    #[arg(long = "trace", value_delimiter = ',', num_args = 1.., value_name = "FILE|NAME")]
    traces: Vec<String>,
    #[command(flatten)]
    workloads: Workloads,
    /// Options for the clients of all rows: ws=20000, threads=8, …
    #[arg(long = "with", value_delimiter = ',', value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// What stands in the environment of all that is measured: GLIBC_TUNABLES=glibc.pthread.rseq=0, MIMALLOC_…=1, …
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = setting)]
    environment: Vec<(String, String)>,
    /// The sizes of the literature instead of samples of a fraction of a second
    #[arg(long)]
    pub full: bool,
    /// First seed of the clients
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Judge rows of several threads by CPU time, too: for a machine that others use
    #[arg(long)]
    cpu: bool,
    /// Judge your own command by wall time instead of CPU time
    #[arg(long)]
    wall: bool,
    /// Judge by p99.9 of the single calls of a function instead: malloc, free or realloc
    #[arg(long, value_name = "CALL", value_parser = ["malloc", "free", "realloc"], conflicts_with_all = ["cpu", "wall", "command"])]
    pub tail: Option<String>,
    /// Show how long single calls take as well, by so many executions of the clients' twins, for which no --time-budget counts
    #[arg(long, value_name = "ROUNDS", num_args = 0..=1, require_equals = true, default_value_t = 0, default_missing_value = "5",
        value_parser = clap::value_parser!(u32).range(0..=1000), conflicts_with_all = ["tail", "command"])]
    tails: u32,
    #[command(flatten)]
    more: More,
    /// A command of your own, in place of rows
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// A share of at least 0 and less than 100 percent.
pub fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if (0.0..100.0).contains(&n) => Ok(n),
        _ => Err("a margin is a number of percent, from 0 to less than 100".into()),
    }
}

/// `KEY=VALUE` for the environment. What is preloaded is said by naming a contender.
fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("LD_PRELOAD", _)) => Err("a library is measured as a contender: label=path".into()),
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("a setting of the environment is KEY=VALUE".into()),
    }
}

/// `90`, `90s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (digits, scale) = match text.char_indices().last() {
        Some((i, 's')) => (&text[..i], 1.0),
        Some((i, 'm')) => (&text[..i], 60.0),
        Some((i, 'h')) => (&text[..i], 3600.0),
        _ => (text, 1.0),
    };
    match digits.parse::<f64>() {
        Ok(n) if n > 0.0 && n * scale < 1e7 => Ok(Duration::from_secs_f64(n * scale)),
        _ => Err("a time is a number and s, m or h: 90s, 5m".into()),
    }
}

impl Rows {
    /// The rows as jobs, with the user's options for clients.
    pub fn jobs(&self, place: &Place, clients: &Clients) -> Result<Vec<Job>, Error> {
        let mut jobs = self.plain(place, clients)?;
        if jobs.is_empty() {
            return Err(Error::unfit("none of these rows can run here"));
        }
        jobs = self.more.of(jobs);
        for job in &mut jobs {
            job.tails = self.tails;
            job.environment.clone_from(&self.environment);
        }
        Ok(jobs)
    }

    /// The option that asks for figures besides those that judge, if there is one.
    pub fn besides(&self) -> Option<&'static str> {
        match (self.tails, self.more.counters) {
            (0, false) => None,
            (0, true) => Some("--counters"),
            _ => Some("--tails"),
        }
    }

    /// The options again, as they can be typed.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut option = |name: &str, values: &[String]| {
            if !values.is_empty() {
                words.extend([format!("--{name}"), values.join(",")]);
            }
        };
        option("rows", &self.rows);
        option("trace", &self.traces);
        option("workload", self.workloads.files());
        option("with", &self.options);
        for (key, value) in &self.environment {
            option("env", &[format!("{key}={value}")]);
        }
        option("seed", &[self.seed.to_string()]);
        option("tail", self.tail.as_slice());
        for (name, given) in [("--full", self.full), ("--cpu", self.cpu), ("--wall", self.wall)] {
            words.extend(given.then(|| name.to_owned()));
        }
        words.extend(self.more.words());
        if self.tails > 0 {
            words.push(format!("--tails={}", self.tails));
        }
        if !self.command.is_empty() {
            words.push("--".into());
            words.extend(self.command.iter().cloned());
        }
        words
    }

    fn plain(&self, place: &Place, clients: &Clients) -> Result<Vec<Job>, Error> {
        if !self.command.is_empty() {
            if program::find(&self.command[0]).is_none() {
                return Err(Error::bad_input(format!("{}: no such program", self.command[0])));
            }
            let metric = if self.wall { Metric::WallMs } else { Metric::CpuMs };
            return Ok(vec![Job::user(&self.command, metric)]);
        }
        let mut jobs = Vec::new();
        let by_default = if self.traces.is_empty() && self.workloads.is_empty() {
            vec!["default".to_owned()]
        } else {
            Vec::new()
        };
        let words = if self.rows.is_empty() { &by_default } else { &self.rows };
        for (name, trace) in trace::open_all(place, &self.traces)? {
            jobs.push(Job::trace(&name, &trace, clients)?);
        }
        for job in self.workloads.jobs(place, clients)? {
            jobs.push(job.with(&self.options)?);
        }
        let left_out = |e| eprintln!("{}: {e}", style::note("left out"));
        for job in Job::all(words, clients, self.full, left_out)? {
            jobs.push(job.with(&self.options)?);
        }
        if let Some(call) = &self.tail {
            jobs = jobs
                .into_iter()
                .filter_map(|job| job.judged_by(call, clients).map_err(left_out).ok())
                .collect();
        }
        if self.cpu {
            let timed = |job: &&mut Job| job.several && job.metric == Metric::NsPerOp;
            jobs.iter_mut()
                .filter(timed)
                .for_each(|job| job.metric = Metric::CpuNsPerOp);
        }
        Ok(jobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("90").unwrap().as_secs(), 90);
        assert_eq!(duration("1.5m").unwrap().as_secs(), 90);
        assert_eq!(duration("1h").unwrap().as_secs(), 3600);
        for bad in ["", "m", "-3s", "0", "5d", "nan", "inf", "infs"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!((percent("0"), percent("2.5")), (Ok(0.0), Ok(2.5)));
        for bad in ["", "nan", "inf", "-1", "100", "x"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
