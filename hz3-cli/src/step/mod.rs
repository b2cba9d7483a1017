//! Exact instruction counts: a client is single-stepped through the calls that it announces.
//!
//! Counted is every instruction from the function's first one to its `ret`, both included; what the caller does, and
//! the caller's PLT stub, is not. An instruction with a repeat prefix counts once, however often it repeats.

#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "nothing is stepped on other machines")
)]

pub mod client;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod decode;
pub mod maps;
pub mod symbols;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracee;

use hz3_project::{Allocator, Error};
use std::path::PathBuf;

/// What to call, and how often.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Request {
    /// Operations, as the client names them.
    #[serde(skip)]
    pub ops: Vec<Op>,
    /// Request sizes, in bytes.
    #[serde(skip)]
    pub sizes: Vec<u64>,
    /// Calls stepped for each operation and size.
    pub calls: u32,
    /// Rounds of unobserved traffic before.
    pub warm: u32,
    /// Equal calls one after another.
    pub burst: u32,
    /// Objects of the size that stay alive meanwhile.
    pub live: u32,
    /// Idle threads that the client starts first: some mallocs have a cheaper path for one thread.
    pub threads: u32,
}

/// An operation that can be stepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// `malloc(size)`.
    Malloc,
    /// `free` of an object of that size.
    Free,
    /// `calloc(1, size)`, of memory that was dirty.
    Calloc,
    /// `realloc(p, size)` of an object that has this size already.
    Realloc,
    /// `realloc(p, 2 * size)`.
    Grow,
    /// `aligned_alloc(64, size)`, the size rounded up to 64.
    Aligned,
}

impl Op {
    /// All, in the order of the client's numbers, which start at 1.
    pub const ALL: [Op; 6] = [Op::Malloc, Op::Free, Op::Calloc, Op::Realloc, Op::Grow, Op::Aligned];

    /// The client's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Op::Malloc => "malloc",
            Op::Free => "free",
            Op::Calloc => "calloc",
            Op::Realloc => "realloc",
            Op::Grow => "grow",
            Op::Aligned => "aligned",
        }
    }
}

/// One call, stepped.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Call {
    /// Addresses of the instructions executed, in order.
    #[serde(skip)]
    pub path: Vec<u64>,
    /// Conditional branches among them, taken or not.
    #[serde(rename = "conditional_branches")]
    pub branches: u32,
    /// `call` instructions among them.
    pub calls: u32,
    /// Instructions with a bus lock: a `lock` prefix, or `xchg` with memory.
    pub locked: u32,
    /// `syscall` instructions among them.
    pub syscalls: u32,
}

/// All calls of one operation at one size.
#[derive(Debug, Clone)]
pub struct Series {
    /// The operation.
    pub op: Op,
    /// Bytes requested.
    pub size: u64,
    /// The calls, in order of execution.
    pub calls: Vec<Call>,
}

/// What stepping a client gave.
pub struct Session {
    /// The file that holds the stepped functions.
    pub library: PathBuf,
    /// One series for each operation and size, in the order of the request.
    pub series: Vec<Series>,
    /// Names of the functions in the client.
    pub symbols: symbols::Symbols,
    /// The instructions that were seen, for listings.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub code: decode::Code,
}

/// Counts of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// The most frequent count; the smaller one of two that are equally frequent.
    pub typical: u32,
    /// The smallest count.
    pub min: u32,
    /// The largest count.
    pub max: u32,
    /// How many calls had the typical count.
    pub typical_calls: u32,
}

impl Series {
    /// Instructions of the calls.
    pub fn counts(&self) -> Counts {
        let mut lengths: Vec<u32> = self.calls.iter().map(|c| c.path.len() as u32).collect();
        lengths.sort_unstable();
        let mut typical = (0, 0);
        for group in lengths.chunk_by(|a, b| a == b) {
            if group.len() > typical.1 {
                typical = (group[0], group.len());
            }
        }
        Counts {
            typical: typical.0,
            min: lengths.first().copied().unwrap_or(0),
            max: lengths.last().copied().unwrap_or(0),
            typical_calls: typical.1 as u32,
        }
    }

    /// The first call that has the typical number of instructions.
    pub fn typical_call(&self) -> &Call {
        let typical = self.counts().typical as usize;
        self.calls
            .iter()
            .find(|c| c.path.len() == typical)
            .expect("a series has calls")
    }
}

/// Steps the client under `allocator`.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn run(client: &std::path::Path, allocator: &Allocator, request: &Request) -> Result<Session, Error> {
    tracee::run(client, allocator, request)
}

/// Steps the client under `allocator`.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn run(_: &std::path::Path, _: &Allocator, _: &Request) -> Result<Session, Error> {
    Err(Error::unfit("counting instructions works on x86-64 Linux only"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(lengths: &[usize]) -> Series {
        let calls = lengths
            .iter()
            .map(|n| Call {
                path: vec![0; *n],
                ..Call::default()
            })
            .collect();
        Series {
            op: Op::Malloc,
            size: 16,
            calls,
        }
    }

    #[test]
    fn counts_of_series() {
        for (lengths, expected) in [
            (&[5, 5, 90, 5][..], (5, 5, 90, 3)),
            (&[7, 6, 7, 6][..], (6, 6, 7, 2)),
            (&[3][..], (3, 3, 3, 1)),
        ] {
            let c = series(lengths).counts();
            assert_eq!((c.typical, c.min, c.max, c.typical_calls), expected, "{lengths:?}");
        }
    }
}
