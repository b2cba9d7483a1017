//! What was measured on.

use serde::{Deserialize, Serialize};

/// A machine, as far as results depend on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Kernel release.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Mebibytes of memory.
    pub memory_mib: u64,
    /// The setting for transparent huge pages.
    pub thp: String,
    /// Overcommit mode.
    pub overcommit: String,
    /// C library.
    pub libc: String,
    /// Load average over one minute when the comparison began.
    pub load: f64,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_string()
}

fn field(text: &str, key: &str) -> String {
    text.lines()
        .find(|l| l.starts_with(key))
        .and_then(|l| l.split_once(':'))
        .map(|(_, v)| v.trim().to_string())
        .unwrap_or_default()
}

impl Machine {
    /// This one, now.
    pub fn here() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let cpu = ["model name", "Model", "CPU part"]
            .iter()
            .map(|k| field(&cpuinfo, k))
            .find(|v| !v.is_empty())
            .unwrap_or_default();
        let thp = read("/sys/kernel/mm/transparent_hugepage/enabled");
        let thp = thp
            .split_once('[')
            .and_then(|(_, r)| r.split_once(']'))
            .map_or(thp.clone(), |(v, _)| v.to_string());
        let libc = std::process::Command::new("getconf")
            .arg("GNU_LIBC_VERSION")
            .output()
            .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string())
            .unwrap_or_default();
        Self {
            kernel: read("/proc/sys/kernel/osrelease"),
            cpu,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal")
                .split(' ')
                .next()
                .and_then(|v| v.parse::<u64>().ok())
                .unwrap_or(0)
                / 1024,
            thp,
            overcommit: read("/proc/sys/vm/overcommit_memory"),
            libc,
            load: Self::load_now(),
        }
    }

    /// Load average over one minute.
    pub fn load_now() -> f64 {
        read("/proc/loadavg")
            .split(' ')
            .next()
            .and_then(|v| v.parse().ok())
            .unwrap_or(0.0)
    }

    /// Whether times of the two machines may be compared: all but the load is equal, and memory to a sixteenth.
    pub fn same(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }

    /// What [`Machine::same`] compares, in one line.
    pub fn fingerprint(&self) -> String {
        format!(
            "{} | {} cores | {} GiB | Linux {} | {} | THP {}",
            self.cpu,
            self.cores,
            (self.memory_mib + 512) / 1024,
            self.kernel,
            self.libc,
            self.thp
        )
    }

    /// A warning for the reader, if another program takes a core's share.
    pub fn warning(&self) -> Option<String> {
        (self.load > 0.5 * self.cores as f64).then(|| {
            format!("load is {:.2} on {} cores: others are at work here. Pairing cancels much of it; intervals will be wide", self.load, self.cores)
        })
    }
}
