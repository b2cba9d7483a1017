//! Programs that take a script and print digests of what they computed.

use super::tool;
use hz3_tests::{Allocator, Run, place};
use std::path::Path;

fn script(name: &str) -> std::path::PathBuf {
    place::source("programs").join(name)
}

/// Containers, JSON, regular expressions, threads, and processes by fork and by spawn.
pub fn python(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    Ok(churn_py(allocator, dir)?.success()?.text())
}

fn churn_py(allocator: &Allocator, dir: &Path) -> Result<Run, String> {
    let run = tool("python3", allocator)?.dir(dir).arg(script("churn.py"));
    Ok(run.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONHASHSEED", "1"))
}

/// The same with each object from malloc: Python's own allocator takes small ones in bulk otherwise.
pub fn python_malloc(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    let run = churn_py(allocator, dir)?.env("PYTHONMALLOC", "malloc");
    Ok(run.success()?.text())
}

/// Hashes, strings, regular expressions, child processes.
pub fn perl(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    let run = tool("perl", allocator)?.dir(dir).env("PERL_HASH_SEED", "0");
    Ok(run.arg(script("churn.pl")).success()?.text())
}

/// Inserts, joins, indices and full-text search in memory.
pub fn sqlite(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    let run = tool("sqlite3", allocator)?
        .dir(dir)
        .args(["-batch", "-bail", ":memory:"]);
    Ok(run.input(&script("workload.sql")).success()?.text())
}

/// A compiler run and a program with native buffers, each in its own virtual machine.
pub fn java(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    let version = tool("java", allocator)?.dir(dir).arg("--version").success()?.text();
    tool("javac", allocator)?
        .dir(dir)
        .args(["-J-Xmx256m", "-d", "."])
        .arg(script("Churn.java"))
        .success()?;
    let run = tool("java", allocator)?
        .dir(dir)
        .args(["-Xmx256m", "-cp", ".", "Churn"]);
    Ok(version + &run.success()?.text())
}

/// Maps, buffers, compression on libuv's threads, worker threads.
pub fn node(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    Ok(tool("node", allocator)?
        .dir(dir)
        .arg(script("churn.js"))
        .success()?
        .text())
}

/// A history from its first commit to its repacking, with every git, awk and shell under the allocator.
pub fn git(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    Ok(Run::new("/bin/sh", allocator)
        .dir(dir)
        .arg(script("repository.sh"))
        .success()?
        .text())
}
