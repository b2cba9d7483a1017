//! Exact instruction totals of a short execution, by valgrind's callgrind.

use hz3_project::{Allocator, Error, Result, program};
use std::path::Path;
use std::process::Stdio;

/// Instructions that the command executed in all, under a library.
pub fn total(
    command: &[String],
    environment: &[(String, String)],
    library: &Allocator,
    folder: &Path,
    seed: u64,
) -> Result<u64> {
    let out = folder.join(format!(".callgrind.{}", std::process::id()));
    let mut run = program::clean("valgrind");
    run.arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg("--trace-children=no")
        .envs(environment.iter().map(|(k, v)| (k, v)));
    if let Some(path) = &library.path {
        // To the measured program only: valgrind's own launcher is a program too.
        run.env("LD_PRELOAD", path);
    }
    run.args(command);
    if command
        .first()
        .is_some_and(|c| c.starts_with(&*folder.to_string_lossy()))
    {
        run.args(["--seed", &seed.to_string()]);
    }
    let result = run
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| Error::unfit(format!("valgrind: {e}")))?;
    let text = std::fs::read_to_string(&out).unwrap_or_default();
    let _ = std::fs::remove_file(&out);
    ["summary:", "totals:"]
        .iter()
        .find_map(|key| {
            text.lines()
                .find_map(|l| l.strip_prefix(key))
                .and_then(|v| v.split_whitespace().next()?.parse().ok())
        })
        .ok_or_else(|| {
            let stderr = String::from_utf8_lossy(&result.stderr);
            Error::unfit(format!(
                "valgrind gave no total: {}",
                stderr.trim().lines().last().unwrap_or("no message")
            ))
        })
}
