//! Asking a running process for its profile: the variant in it writes a file when it gets its signal.

use crate::heap::process::{mapped, without_variant};
use crate::step::maps;
use hz3_project::library::note;
use hz3_project::{Error, Note, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often is looked for the file.
const PAUSE: Duration = Duration::from_millis(20);

/// What a variant in a process says of how it records.
struct Recorder {
    note: Note,
    keys: BTreeMap<String, String>,
}

impl Recorder {
    /// A key of its config; text without its quotes.
    fn key(&self, key: &str) -> &str {
        let value = self.keys.get(key).map_or("", String::as_str);
        value.trim_matches('"')
    }

    fn signal(&self) -> i32 {
        self.key("stats.dump_signal").parse().unwrap_or(0)
    }
}

/// Has the process `pid` write a profile, waits for it, and returns where it is and its bytes. `wanted` chooses among several
/// variants.
pub fn dump(pid: u32, wanted: Option<&str>, patience: Duration) -> Result<(PathBuf, Vec<u8>)> {
    let recorder = recorder(pid, wanted)?;
    let name = &recorder.note.name;
    let signal = recorder.signal();
    if !catches(pid, signal) {
        return Err(Error::failed(format!(
            "process {pid} does not listen to signal {signal}, by which `{name}` is asked for a profile"
        ))
        .help("nothing was allocated from the variant yet, or the program has taken the signal away: choose another stats.dump_signal"));
    }
    let path = path(pid, recorder.key("stats.profile_path"))?;
    let before = identity(&path);
    send(pid, signal)?;
    let asked = Instant::now();
    let mut last = None;
    loop {
        std::thread::sleep(PAUSE);
        let now = identity(&path);
        // Written, and not being written any more.
        if now.is_some() && now != before && now == last {
            let bytes = hz3_project::file::read(&path, hz3_project::file::DATA)?;
            return Ok((path, bytes));
        }
        last = now;
        if kill(pid_of(pid), None) == Err(Errno::ESRCH) {
            return Err(Error::failed(format!(
                "process {pid} ended before it wrote {}",
                path.display()
            )));
        }
        if asked.elapsed() > patience {
            return Err(Error::failed(format!(
                "process {pid} got signal {signal}, but has not written {} within {} s",
                path.display(),
                patience.as_secs()
            ))
            .help("it may have no right to write there, have handled the signal itself, or rest in the middle of an allocation: --wait SECONDS waits longer"));
        }
    }
}

/// The variant in the process that can be asked.
fn recorder(pid: u32, wanted: Option<&str>) -> Result<Recorder> {
    let maps = mapped(pid)?;
    let mut seen = BTreeSet::new();
    let mut found: Vec<Recorder> = Vec::new();
    for mapping in maps
        .iter()
        .filter(|mapping| mapping.offset == 0 && seen.insert(&mapping.path))
    {
        let Some(file) = maps::file(pid, mapping) else {
            continue;
        };
        found.extend(note::read(&file).into_iter().map(|note| Recorder {
            keys: note::keys(&note.config),
            note,
        }));
    }
    if found.is_empty() {
        let failure = without_variant(pid, &maps);
        return Err(failure);
    }
    let names = found
        .iter()
        .map(|one| format!("`{}`", one.note.name))
        .collect::<Vec<_>>();
    let names = names.join(", ");
    if let Some(wanted) = wanted {
        found.retain(|one| one.note.name == wanted);
        if found.is_empty() {
            return Err(Error::bad_input(format!(
                "no variant `{wanted}` in process {pid}: there is {names}"
            )));
        }
    }
    let how =
        "set stats.record = \"sample\" and stats.dump_signal = 12 in its config, build it, and restart the program";
    let silent = |one: &Recorder| matches!(one.key("stats.record"), "" | "off");
    if found.iter().all(silent) {
        return Err(Error::failed(format!("{names} in process {pid} records nothing")).help(how));
    }
    found.retain(|one| !silent(one));
    if found.len() > 1 {
        return Err(
            Error::bad_input(format!("process {pid} has several variants that record: {names}"))
                .help("choose one with --variant NAME"),
        );
    }
    let one = found.remove(0);
    let name = &one.note.name;
    if one.key("stats.record") == "trace" {
        return Err(
            Error::failed(format!("`{name}` in process {pid} records a trace, not a profile"))
                .help("cargo hz3 profile FILE shows what is in the file that it writes when the process ends"),
        );
    }
    if one.signal() == 0 {
        return Err(Error::failed(format!(
            "`{name}` in process {pid} cannot be asked: its config has no stats.dump_signal"
        ))
        .help("the program can call hz3_profile_dump(PATH), or stats.dump_at_exit writes a profile at the end"));
    }
    Ok(one)
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX))
}

/// What the kernel tells of a process.
fn proc(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// A line of the process's status.
fn status(pid: u32, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(proc(pid).join("status")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Whether the process has a handler for a signal: without one, most signals would end it.
fn catches(pid: u32, signal: i32) -> bool {
    let caught = status(pid, "SigCgt").and_then(|digits| u64::from_str_radix(&digits, 16).ok());
    (1..=64).contains(&signal) && caught.is_some_and(|caught| caught >> (signal - 1) & 1 == 1)
}

fn send(pid: u32, signal: i32) -> Result<()> {
    let refused = |why: &str| Error::unfit(format!("process {pid} may not be asked for a profile: {why}"));
    match Signal::try_from(signal) {
        Ok(signal) => kill(pid_of(pid), signal).map_err(|errno| match errno {
            Errno::ESRCH => Error::failed(format!("process {pid} ended before it was asked")),
            Errno::EPERM => refused("it is another user's").help("run this as that user, or as root"),
            other => refused(other.desc()),
        }),
        // Those for real-time have no names here; every shell can send them.
        Err(_) => {
            let told = std::process::Command::new("sh")
                .args(["-c", "kill -\"$0\" \"$1\""])
                .args([signal.to_string(), pid.to_string()])
                .output()
                .map_err(|e| refused(&format!("sh does not start: {e}")))?;
            if told.status.success() {
                return Ok(());
            }
            Err(refused(String::from_utf8_lossy(&told.stderr).trim()))
        }
    }
}

/// Where the process writes its profile, as this program sees it.
fn path(pid: u32, pattern: &str) -> Result<PathBuf> {
    if pattern.is_empty() {
        return Err(Error::failed(format!(
            "the variant in process {pid} does not say where it writes profiles"
        ))
        .help("it was built by another hz3: build it again, and restart the program"));
    }
    // The number that the process has where it lives, which may be a container.
    let own = status(pid, "NSpid").and_then(|all| all.split_whitespace().last().map(str::to_owned));
    let own = own.unwrap_or_else(|| pid.to_string());
    let mut text = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => match letters.next() {
                Some('p') => text.push_str(&own),
                other => text.extend(other),
            },
            letter => text.push(letter),
        }
    }
    let folder = if text.starts_with('/') { "root" } else { "cwd" };
    Ok(proc(pid).join(folder).join(text.trim_start_matches('/')))
}

/// What changes when a file is written anew.
fn identity(path: &Path) -> Option<(u64, u64, i64, i64)> {
    let data = std::fs::metadata(path).ok()?;
    (data.is_file() && data.len() > 0).then(|| (data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_profiles() {
        let pid = std::process::id();
        let inside = proc(pid).join("root").join("spool").join(format!("a.{pid}.pb"));
        assert_eq!(path(pid, "/spool/a.%p.pb").unwrap(), inside);
        assert_eq!(path(pid, "50%%.pb").unwrap(), proc(pid).join("cwd").join("50%.pb"));
        assert!(path(pid, "").is_err());
    }

    #[test]
    fn this_process_catches_what_it_says() {
        let pid = std::process::id();
        // The standard library's runtime handles stack overflows.
        assert!(catches(pid, 11));
        assert!(!catches(pid, 9) && !catches(pid, 0) && !catches(pid, 65));
    }
}
