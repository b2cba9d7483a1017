//! One execution of the program under the library, with the dynamic linker's log switched on.

use hz3_lab::ending;
use hz3_project::bindings::{self, Image};
use hz3_project::{Error, OnPath};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What an execution of the program showed.
#[derive(Debug)]
pub struct Trial {
    /// The programs of all processes that the dynamic linker started; a process may execute several.
    pub images: Vec<Image>,
    /// How the command ended; `None` if it was stopped.
    pub status: Option<ExitStatus>,
    /// What it and its children wrote to stderr, the dynamic linker's complaints among it.
    pub stderr: String,
}

impl Trial {
    /// `exit code 1`, `signal 11`, `stopped after 10 s`.
    pub fn ending(&self, limit: Duration) -> String {
        match self.status {
            None => format!("stopped after {} s", limit.as_secs()),
            Some(status) => ending::of(status, b""),
        }
    }

    /// Whether a signal killed it, other than ours.
    pub fn crashed(&self) -> bool {
        self.status.is_some_and(|status| status.signal().is_some())
    }

    /// What the dynamic linker had against the library, and what that means.
    pub fn complaint(&self) -> Option<String> {
        const COMPLAINTS: [(&str, &str); 5] = [
            (
                "static TLS block",
                "there is no room for the library's thread-local storage",
            ),
            (
                "cannot allocate TLS",
                "there is no memory for the library's thread-local storage",
            ),
            ("wrong ELF class", "the program is for another machine than the library"),
            (
                "ASan runtime does not come first",
                "AddressSanitizer is the program's malloc",
            ),
            ("cannot be preloaded", "the dynamic linker refused the library"),
        ];
        let (line, meaning) = self.stderr.lines().find_map(|line| {
            let (_, meaning) = COMPLAINTS.iter().find(|(part, _)| line.contains(part))?;
            Some((line, meaning))
        })?;
        Some(format!("{meaning}: {}", line.trim()))
    }
}

/// Runs `command` with `library` preloaded, for at most `limit`.
pub fn run(command: &[OsString], library: Option<&Path>, limit: Duration) -> Result<Trial, Error> {
    let folder = tempfile::tempdir().map_err(|e| Error::unfit(format!("cannot make a temporary folder: {e}")))?;
    let stderr = folder.path().join("stderr");
    let sink = std::fs::File::create(&stderr).on("create", &stderr)?;
    let mut trial = Command::new(&command[0]);
    trial
        .args(&command[1..])
        .env_remove("LD_PRELOAD")
        .env("LD_DEBUG", "bindings,libs")
        .env("LD_DEBUG_OUTPUT", folder.path().join("record"))
        .env("LD_BIND_NOW", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(sink)
        // A group of its own, so that the whole of it can be stopped.
        .process_group(0);
    if let Some(library) = library {
        trial.env("LD_PRELOAD", library);
    }
    let mut child = trial.spawn().map_err(|e| {
        Error::bad_input(format!(
            "cannot start {}: {}",
            command[0].to_string_lossy(),
            hz3_config::file::reason(&e)
        ))
    })?;
    let status = wait(&mut child, limit)?;
    let stderr = std::fs::read(&stderr).unwrap_or_default();
    Ok(Trial {
        images: bindings::records(folder.path(), library),
        status,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    })
}

/// The status, or `None` if the child had to be stopped.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>, Error> {
    let group = Pid::from_raw(child.id() as i32);
    let start = Instant::now();
    let mut stopping = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(stopping.is_none().then_some(status));
        }
        match stopping {
            None if start.elapsed() >= limit => {
                let _ = killpg(group, Signal::SIGTERM);
                stopping = Some(Instant::now());
            }
            Some(since) if since.elapsed() >= Duration::from_secs(2) => {
                let _ = killpg(group, Signal::SIGKILL);
            }
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
